"""The forms of the sentences that card readers say in English.

They belong to `sentences.SENTENCES`, which says what they are for.
"""

from station.handlers.marking import N_

READER_SENTENCES: tuple[str, ...] = (
    N_("the card reader service (pcscd) does not run on this computer: start it"),
    N_("the card reader service (pcscd) does not let Station in: allow its user in polkit"),
    N_("no card reader is attached to %(workplace)s: connect one"),
    N_("there are no card keys: set prepaid.keys"),
    N_("it is at work right now"),
    # What a reader says about its card.
    N_("no card lies in any of the %(number)s readers: put it in"),
    N_("%(reader)s: no card lies in it, or its chip is on the wrong side"),
    N_("%(reader)s: no card lies in it"),
    N_("%(reader)s: the card does not answer: is the chip on the right side?"),
    N_("%(reader)s: the card does not answer any more (error %(code)s)"),
    N_("%(reader)s: the card was removed or reset (%(code)s)"),
    N_("%(reader)s: the card was removed or reset"),
    # What is wrong about a reader itself.
    N_("%(reader)s is not attached any more"),
    N_("%(reader)s is in use by another program: close that"),
    N_("%(reader)s does not answer: is it connected and powered?"),
    N_("%(reader)s gave no answer for %(seconds)s s"),
    N_("%(reader)s was in use for %(seconds)s s"),
    N_("%(reader)s took too long"),
    N_("%(reader)s could not pass the command (%(code)s)"),
    N_("no reader on %(port)s: the port is not there"),
    N_("Station may not use %(port)s: add its user to the group dialout"),
    N_("%(port)s cannot be opened: %(problem)s"),
    N_("the reader on %(port)s does not answer"),
    N_("the reader on %(port)s was unplugged (%(problem)s)"),
    N_("the reader on %(port)s answers with nonsense"),
    N_("the reader on %(port)s refuses the command"),
    # A vendor's library.
    N_("%(reader)s: there is no library %(path)s"),
    N_("the library %(path)s cannot be loaded: %(problem)s"),
    N_("the library of %(reader)s has no function %(function)s"),
    N_("%(reader)s wants a port number, not %(port)s"),
)
