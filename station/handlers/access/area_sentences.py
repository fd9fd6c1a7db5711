"""The forms of what is said to people with areas about what lies elsewhere.

They belong to `sentences.SENTENCES`, which says what they are for.
"""

from station.handlers.marking import N_

AREA_SENTENCES: tuple[str, ...] = (
    N_("there is no meter %(meter)s in your areas"),
    N_("there is no customer %(customer)s in your areas"),
    N_("number %(customer)s is taken elsewhere"),
    N_("there is no order or account %(subject)s"),
    N_("%(name)s works in other areas; ask somebody of yours"),
)
