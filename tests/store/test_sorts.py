"""What lists can be ordered by: of a large collection only along an index."""

import pytest

from station.errors import InvalidValue
from station.store.database import INDEXES
from station.store.objects.sorts import SORTS, order_of

# By the word of a thing; the others are hundreds at most, or a filter makes them few.
LARGE = {
    "account": "accounts",
    "change": "changes",
    "command": "commands",
    "customer": "customers",
    "entry": "audit",
    "event": "events",
    "link event": "link_events",
    "meter": "meters",
    "meter exchange": "meter_exchanges",
    "order": "orders",
    "parameter": "parameters",
    "ratio change": "ratio_changes",
    "receipt of order": "receipts",
    "run": "runs",
    "shift": "shifts",
}


def along(keys: list[tuple[str, int]], order: list[tuple[str, int]]) -> bool:
    """Whether an index gives an order, forwards or backwards, behind a first key that is fixed."""
    ways = {(name, way) for name, way in order}, {(name, -way) for name, way in order}
    wanted = [name for name, _ in order]
    for start in (0, 1):
        part = keys[start : start + len(order)]
        if [name for name, _ in part] == wanted and {*part} in ways:
            return True
    return False


@pytest.mark.parametrize("word", LARGE)
def test_a_large_collection_is_ordered_along_its_indexes(word: str) -> None:
    indexes = [index.keys for index in INDEXES if index.collection == LARGE[word]]
    for name, order in SORTS[word].items():
        assert order[0][0] == "_id" or any(along([*keys], [*order]) for keys in indexes), name


def test_an_order_is_turned_round_and_nothing_else_is_one() -> None:
    usual = [("at", -1)]
    assert order_of("meter", "", usual) == usual
    assert order_of("meter", "name", usual) == [("name", 1), ("_id", 1)]
    assert order_of("meter", "-name", usual) == [("name", -1), ("_id", -1)]
    for word, sort in (("meter", "--name"), ("meter", "$where"), ("nothing", "name")):
        with pytest.raises(InvalidValue):
            order_of(word, sort, usual)
