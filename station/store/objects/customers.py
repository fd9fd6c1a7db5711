"""Customers: the people and firms that buy electricity; their number is on the card."""

from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from station.store.objects.base import Many, Objects, Page, among, matching
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer; `number` has 12 digits."""

    number: str
    name: str
    _: KW_ONLY
    phone: str = ""
    address: str = ""
    note: str = ""
    created_at: datetime = field(default_factory=utc_now)
    created_by: str = ""


class Customers(Objects[Customer]):
    """The customers of the site."""

    shape = Customer
    key = "number"
    word = "customer"

    async def list(
        self,
        text: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        numbers: Ids[str] | None = None,
        sort: str = "",
    ) -> Page[Customer]:
        """Return a page of customers by number, and how many there are; of `numbers` only."""
        query = matching(text, "_id", "name", "phone", "address", "note")
        query.update(among("_id", numbers))
        return await self._page(query, skip, limit, order=self._order(sort))

    async def entered_by(self, name: str) -> set[str]:
        """Return the numbers of the customers that somebody has entered."""
        found = await self._collection.find({"created_by": name}, fields={"_id": 1})
        return {each["_id"] for each in found}

    async def many(self, numbers: Sequence[str]) -> Many[Customer]:
        """Return the customers with these numbers; unknown ones are left out."""
        return await self._all({"_id": {"$in": [*numbers]}})
