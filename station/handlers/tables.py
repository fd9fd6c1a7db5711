"""A table as one person sees it: which of its columns, and in which order.

Both stand in the address, as `columns=address,name` and `sort=-since`, so that a page which is kept
or sent to somebody shows the same; the columns of a person's choice are remembered beside it. A
file has exactly the columns that are shown. Only what a column offers can be sorted by.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from station.errors import InvalidValue
from station.handlers.download import Column
from station.handlers.language import Language
from station.words import Text

Row = TypeVar("Row")


@dataclass(frozen=True)
class Table(Generic[Row]):
    """The columns of a table, those of them that are shown, and what it is sorted by.

    `name` is the address of the page, with a star for each part that varies.
    """

    name: str
    columns: Sequence[Column[Row]]
    keys: frozenset[str]
    sort: str = ""

    @property
    def choices(self) -> list[Column[Row]]:
        """The columns that a page may show; others are written within their cells."""
        return [column for column in self.columns if not column.within]

    @property
    def shown(self) -> list[Column[Row]]:
        """The columns that the page shows."""
        return [column for column in self.choices if column.name in self.keys]

    @property
    def written(self) -> list[Column[Row]]:
        """The columns of a file: those that are shown, with what is written within them."""
        return [each for each in self.columns if {each.name, each.within} & self.keys]

    @property
    def chosen(self) -> str:
        """The columns that are shown, as an address names them."""
        return ",".join(column.name for column in self.shown)

    def direction(self, column: Column[Row]) -> str:
        """Return how the table is sorted by a column: `ascending`, `descending` or not at all."""
        if not column.sort or self.sort.lstrip("-") != column.sort.lstrip("-"):
            return ""
        return "descending" if self.sort.startswith("-") else "ascending"

    def next_sort(self, column: Column[Row]) -> str:
        """Return what a click on the head of a column sorts by."""
        if self.direction(column):
            return self.sort[1:] if self.sort.startswith("-") else f"-{self.sort}"
        return column.sort


def usual_table(columns: Sequence[Column[Row]], name: str = "", sort: str = "") -> Table[Row]:
    """Return a table of the columns that are shown when nobody has chosen others."""
    keys = frozenset(column.name for column in columns if not column.more)
    return Table(name, columns, keys, sort)


def chosen_table(usual: Table[Row], columns: str) -> Table[Row]:
    """Return a table of the columns that an address names.

    Raises InvalidValue for a column that is not there, and for none.
    """
    known = [column.name for column in usual.columns]
    asked = [name.strip() for name in columns.split(",") if name.strip()]
    if not asked or not set(asked) <= {*known}:
        raise InvalidValue("columns", f"expected some of {', '.join(known)}")
    return Table(usual.name, usual.columns, frozenset(asked), usual.sort)


def remembered_table(usual: Table[Row], names: Collection[str]) -> Table[Row]:
    """Return a table of the columns that a person chose; those that are no more are left out."""
    keys = {column.name for column in usual.choices} & {*names}
    return Table(usual.name, usual.columns, frozenset(keys), usual.sort) if keys else usual


def check_sort(columns: Sequence[Column[Row]], sort: str) -> None:
    """Check that a table can be sorted so. Raises InvalidValue."""
    sorts = [column.sort.lstrip("-") for column in columns if column.sort]
    if sort and sort.removeprefix("-") not in sorts:
        offered = f"expected one of {', '.join(sorts)}" if sorts else "this list has one order"
        raise InvalidValue("sort", offered)


def sorted_rows(
    rows: Sequence[Row], columns: Sequence[Column[Row]], sort: str | None, language: Language
) -> Sequence[Row]:
    """Return rows of a list that lies in memory in the order that is asked for.

    What has no value comes last, either way. Raises InvalidValue.
    """
    if not sort:
        return rows
    check_sort(columns, sort)
    name, down = sort.removeprefix("-"), sort.startswith("-")
    column = next(each for each in columns if each.sort.lstrip("-") == name)
    keyed = [(_key(column.value(row), language), row) for row in rows]
    known = [pair for pair in keyed if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=down)
    return [row for _, row in known] + [row for key, row in keyed if key is None]


def _key(value: object, language: Language) -> Any:
    if value is None or value == "":
        return None
    if isinstance(value, Text):
        return language.name(value)
    return value.casefold() if isinstance(value, str) else value
