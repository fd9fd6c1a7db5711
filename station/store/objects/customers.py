"""Customers: the people and firms that buy electricity; their number is on the card."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from station.store.objects.base import Many, Objects, Page, matching
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
        self, text: str | None = None, skip: int = 0, limit: int = 100
    ) -> Page[Customer]:
        """Return a page of customers by number, and how many there are."""
        query = matching(text, "_id", "name", "phone", "address", "note")
        return await self._page(query, skip, limit)

    async def many(self, numbers: Sequence[str]) -> Many[Customer]:
        """Return the customers with these numbers; unknown ones are left out."""
        return await self._all({"_id": {"$in": [*numbers]}})
