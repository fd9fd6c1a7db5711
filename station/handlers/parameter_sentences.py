"""The forms of sentences that are said of parameters and clocks; see `sentences`."""

from station.handlers.marking import N_

PARAMETER_SENTENCES: tuple[str, ...] = (
    N_("there is no field %(key)s"),
    N_("there is no parameter template %(key)s"),
    N_("there is no parameter %(key)s"),
    N_("there is no batch %(key)s"),
    N_("parameter template %(key)s exists already"),
    N_("%(text)s does not fit, such as %(example)s"),
    N_("%(text)s does not fit"),
    N_("%(text)s has not %(number)s parts with dashes between"),
    N_("a value has at most %(number)s characters"),
    N_("%(code)s: %(field)s is neither wanted nor known; read it first"),
    N_("nothing is wanted of parameter %(code)s"),
    N_("the list of meters follows the archive by itself"),
    N_("parameters of terminals of %(protocol)s are not set from here"),
    N_("parameters of meters of %(protocol)s are not set from here"),
    N_("meters of %(protocol)s are not changed so"),
    N_("choose 1 to %(number)s parameters"),
    N_("terminal %(terminal)s: it has no %(code)s"),
    N_("a terminal is read for its parameters"),
    N_("this is not ordered of a terminal"),
    N_("it does not take the new password"),
    N_("nobody answers at %(address)s"),
    N_("it holds something else in %(codes)s"),
    N_("%(number)s other meters are on the same line and would take the address too"),
    N_("choose at least one device, or a group"),
    N_("%(number)s devices are not in 1..%(most)s"),
    N_("it holds all that is wanted"),
    N_("this template is for a %(kind)s"),
)
