"""Receipts: one for each written order, numbered without gaps over the whole site, and each print.

A receipt takes the highest number plus one, and a unique index lets one of two through: there is no
counter that could run ahead, and no gap. A receipt is inserted once with all that stands on it, so
that a copy says what the original said. A print is inserted too: the first is the original, every
later one a copy.
"""

from collections.abc import Collection as Ids
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Collection
from station.store.objects.base import Many, Objects, Page, among, matching

ISSUE_ATTEMPTS = 100  # Each one lost means that another receipt came first.
PRINTS_MAX = 1000  # Of one receipt; beyond that somebody leans on the key.


@dataclass(frozen=True, slots=True)
class Receipt:
    """What stands on a receipt: money in fen, moments UTC; `number` is 0 until it has one.

    `amount_fen` is what the customer paid, negative for what was given back; `card_amount_fen` what
    the card carries of it; `count` the purchase count. `reverses` is the number of the receipt that
    this one undoes.
    """

    order: str
    number: int
    kind: str
    amount_fen: int
    sold_at: datetime
    issued_at: datetime
    clerk: str
    _: KW_ONLY
    site: str = ""
    simulation: bool = False
    card_amount_fen: int = 0
    count: int = 0
    customer: str = ""
    customer_name: str = ""
    customer_address: str = ""
    meter: str = ""
    card_serial: str = ""
    tariff: str = ""
    reason: str = ""
    approved_by: str = ""
    reverses: int | None = None
    shift: str | None = None


@dataclass(frozen=True, slots=True)
class Print:
    """One print of a receipt; `ordinal` 1 is the original, `size` a4 or 80mm."""

    id: str
    receipt: int
    ordinal: int
    by: str
    at: datetime
    size: str
    language: str


class Receipts(Objects[Receipt]):
    """The receipts of the site; the order is the key, so that it has one receipt."""

    shape = Receipt
    key = "order"
    word = "receipt of order"

    def __init__(self, collection: Collection, orders: Collection) -> None:
        super().__init__(collection)
        self._orders = orders

    async def issue(self, receipt: Receipt) -> Receipt:
        """Give a receipt the next number and keep it, or return the one that its order has.

        One insert is the receipt and its number; doing it again changes nothing. The number is
        noted on the order afterwards, and again by whoever finds it missing there.
        """
        for _ in range(ISSUE_ATTEMPTS):
            numbered = replace(receipt, number=await self._next_number())
            try:
                await self._collection.insert(self._to_document(numbered))
            except DuplicateKeyError:
                standing = await self.find(receipt.order)
                if standing is None:
                    continue  # Another order took the number.
                numbered = standing
            await self.note(numbered)
            return numbered
        raise Conflict("many receipts are made right now; try again")

    async def note(self, receipt: Receipt) -> None:
        """Note a receipt's number on its order, if it is not there."""
        query = {"_id": receipt.order, "receipt": {"$ne": receipt.number}}
        await self._orders.update(query, {"$set": {"receipt": receipt.number}})

    async def numbered(self, number: int) -> Receipt | None:
        """Return the receipt with a number, or None."""
        document = await self._collection.find_one({"number": number})
        return None if document is None else self._from_document(document)

    async def list(
        self,
        text: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        meters: Ids[str] | None = None,
        sort: str = "",
    ) -> Page[Receipt]:
        """Return a page of receipts, the newest first, and how many there are."""
        query = matching(text, "meter", "customer", "customer_name", "clerk", "card_serial")
        if text and text.isascii() and text.isdigit() and len(text) < 18:
            query["$or"].append({"number": int(text)})
        query.update(among("meter", meters))
        return await self._page(query, skip, limit, order=self._order(sort, [("number", -1)]))

    async def _next_number(self) -> int:
        newest = await self._collection.find(
            {}, fields={"number": 1}, order=[("number", -1)], limit=1
        )
        return newest[0]["number"] + 1 if newest else 1


class Prints(Objects[Print]):
    """Every print of every receipt."""

    shape = Print
    key = "id"
    word = "print"

    async def record(self, receipt: int, by: str, at: datetime, size: str, language: str) -> Print:
        """Record a print before it is made, and return it with its ordinal.

        Of two at once one is the original. Raises Conflict after too many prints.
        """
        done = await self._collection.count({"receipt": receipt})
        for ordinal in range(done + 1, PRINTS_MAX + 1):
            made = Print(f"{receipt}-{ordinal}", receipt, ordinal, by, at, size, language)
            try:
                await self._collection.insert(self._to_document(made))
            except DuplicateKeyError:
                continue  # Another print came first.
            return made
        raise Conflict(f"receipt {receipt} was printed {PRINTS_MAX} times already")

    async def of(self, receipt: int) -> Many[Print]:
        """Return the prints of a receipt, the first one first."""
        return await self._all({"receipt": receipt}, order=[("ordinal", 1)])
