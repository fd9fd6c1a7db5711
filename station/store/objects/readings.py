"""Readings, kept as day sheets: one document per meter, item and local day, values by slot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from station.store.driver import Collection

Source = Literal["task", "read_now", "gap"]
Slots = dict[tuple[str, str, date], frozenset[int]]


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of an item at a moment: `value` is scaled as the catalogue says, None is absent."""

    meter: str
    item: str
    moment: datetime
    value: int | None
    read_at: datetime
    source: Source = "task"


class Readings:
    """All readings, and the latest of each meter."""

    def __init__(self, sheets: Collection, latest: Collection, zone: ZoneInfo) -> None:
        self._sheets = sheets
        self._latest = latest
        self._zone = zone

    async def save(self, readings: Sequence[Reading]) -> int:
        """Keep readings and return how many were new; the first value of a slot stays."""
        raise NotImplementedError

    async def stored_slots(
        self, meters: Sequence[str], items: Sequence[str], first_day: date, last_day: date
    ) -> Slots:
        """Return which slots hold a value, of every sheet that there is; both days included."""
        raise NotImplementedError

    async def curve(self, meter: str, item: str, start: datetime, end: datetime) -> list[Reading]:
        """Return the readings with start <= moment < end, oldest first."""
        raise NotImplementedError

    async def curves(
        self, meter: str, items: Sequence[str], start: datetime, end: datetime
    ) -> dict[str, list[Reading]]:
        """Return the curves of several items; each item has an entry."""
        raise NotImplementedError

    async def latest(self, meters: Sequence[str] | None = None) -> dict[str, list[Reading]]:
        """Return the reading of the newest moment of each item, per meter that has any."""
        raise NotImplementedError

    async def count_by_day(
        self, meters: Sequence[str], items: Sequence[str], first_day: date, last_day: date
    ) -> Mapping[tuple[str, str, date], int]:
        """Return how many slots hold a value, of every sheet that there is; both days included."""
        raise NotImplementedError
