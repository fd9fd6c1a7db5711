"""The forms of sentences that the audit log says in English, so that pages can translate them."""

from station.handlers.marking import N_

AUDIT_SENTENCES: tuple[str, ...] = (
    N_("there is no entry %(number)s"),
    N_("an entry has no number"),
    N_("entry %(number)s is missing; entry %(next)s is the next"),
    N_("what it says is not what its hash was made of"),
    N_("it does not continue the entry before it"),
    N_("its hash is another than the one that was noted"),
    N_("the log ends here, and entry %(number)s was noted"),
    N_("%(number)s more attempts were turned away in this minute"),
)
