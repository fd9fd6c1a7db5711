"""The forms of the sentences that shifts, limits and receipts say in English.

They belong to `sentences.SENTENCES`, which says what they are for.
"""

from station.handlers.marking import N_

DRAWER_SENTENCES: tuple[str, ...] = (
    # Shifts.
    N_("there is no shift %(key)s"),
    N_("%(clerk)s has an open shift already; close it first"),
    N_("%(clerk)s has no open shift; open one first"),
    N_("the shift was closed meanwhile; open one first"),
    N_("this shift is closed already, with report %(number)s"),
    N_("shift %(key)s gets orders right now; close it again"),
    N_("shift %(key)s has more than %(most)s orders"),
    N_("expected %(lowest)s to %(highest)s yuan"),
    N_("expected %(lowest)s to %(highest)s pieces, got %(got)s"),
    N_("there is no note or coin of %(face)s yuan"),
    N_("notes and coins come to %(sum)s, and %(counted)s was entered"),
    N_("this shift is still open: its report comes when it is closed"),
    # Limits and the second person.
    N_(
        "%(amount)s is more than %(clerk)s may sell at once (%(most)s); ask a supervisor to sell it"
    ),
    N_(
        "with %(amount)s more, %(clerk)s takes more than %(most)s in one shift;"
        " close the shift and hand over the money"
    ),
    N_("%(amount)s needs a second person's approval"),
    N_("there is no such approval; ask for one"),
    N_("this approval is for something else; ask for another"),
    N_("the approval holds up to %(amount)s; ask for another"),
    N_("the approval is too old; ask for another"),
    N_("this approval was used for another order; ask for another"),
    N_("another person has to approve this, not the same one"),
    N_("%(name)s may not approve; ask a supervisor"),
    # Receipts.
    N_("order %(key)s is not finished; finish it first"),
    N_("order %(key)s was abandoned; it has no receipt"),
    N_("receipt %(number)s was printed %(times)s times already"),
    N_("many receipts are made right now; try again"),
)
