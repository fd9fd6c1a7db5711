"""What the lists of things can be ordered by, beside their usual order: one table.

A row is an index of the database, or the collection is small: places, tasks and people by the
hundred. A page that asks for anything else is refused, so that no click sorts a year of events.
"""

from collections.abc import Mapping

from station.errors import InvalidValue
from station.store.driver import Order

BY_KEY: Order = [("_id", 1)]

# By what a person calls the thing; each name is that of a column, upwards.
SORTS: Mapping[str, Mapping[str, Order]] = {
    "account": {
        "meter": [("meter", 1), ("_id", -1)],
        "customer": [("customer", 1), ("_id", 1)],
    },
    "alarm": {
        "raised": [("raised_at", 1), ("_id", 1)],
        "severity": [("rank", -1), ("raised_at", 1), ("_id", 1)],
    },
    "approval": {"time": BY_KEY},
    "change": {"time": [("at", 1), ("_id", 1)]},
    "channel": {"name": BY_KEY},
    "clock": {
        "device": BY_KEY,
        "deviation": [("off_ms", 1), ("_id", -1)],
        "drift": [("drift_off_ms", 1), ("_id", -1)],
    },
    "command": {"ordered": BY_KEY, "meter": [("meter", 1), ("_id", -1)]},
    "customer": {"number": BY_KEY, "name": [("name", 1), ("_id", 1)]},
    "entry": {
        "number": BY_KEY,
        "person": [("who", 1), ("_id", -1)],
        "act": [("act", 1), ("_id", -1)],
    },
    "event": {
        "received": [("received_at", 1), ("_id", 1)],
        "link": [("link", 1), ("received_at", -1)],
        "meter": [("meter", 1), ("received_at", -1)],
    },
    "import": {"time": BY_KEY},
    "link event": {"time": [("at", 1), ("_id", 1)]},
    "meter": {
        "address": BY_KEY,
        "name": [("name", 1), ("_id", 1)],
        "link": [("link", 1), ("_id", 1)],
        "stage": [("stage", 1), ("_id", 1)],
    },
    "meter health": {"meter": BY_KEY, "failures": [("failures", 1), ("_id", -1)]},
    "meter exchange": {"time": [("at", 1), ("_id", 1)]},
    "order": {
        "time": BY_KEY,
        "state": [("state", 1), ("_id", 1)],
        "person": [("by", 1), ("_id", -1)],
    },
    "parameter": {"device": BY_KEY, "state": [("state", 1), ("_id", 1)]},
    "receipt of order": {"number": [("number", 1)]},
    "ratio change": {"time": [("at", 1), ("_id", 1)]},
    "run": {"started": [("started_at", 1), ("_id", 1)]},
    "shift": {"began": BY_KEY, "clerk": [("clerk", 1), ("_id", -1)]},
    "tariff version": {
        "tariff": [("tariff", 1), ("number", -1)],
        "state": [("state", 1), ("_id", 1)],
        "first_day": [("effective_on", 1), ("_id", 1)],
    },
    "task": {"name": [("name", 1), ("_id", 1)], "priority": [("priority", 1), ("_id", 1)]},
    "terminal": {"address": BY_KEY, "name": [("name", 1), ("_id", 1)]},
    "user": {
        "name": BY_KEY,
        "role": [("role", 1), ("_id", 1)],
        "last_login": [("last_login", 1), ("_id", 1)],
    },
}


def order_of(word: str, sort: str, usual: Order) -> Order:
    """Return the order of a list of things: one of their rows, backwards with a minus in front.

    Nothing stands for the usual order. Raises InvalidValue for what is no row.
    """
    if not sort:
        return usual
    rows = SORTS.get(word, {})
    order = rows.get(sort.removeprefix("-"))
    if order is None:
        raise InvalidValue("sort", f"expected one of {', '.join(rows)}")
    return [(name, -way) for name, way in order] if sort.startswith("-") else order
