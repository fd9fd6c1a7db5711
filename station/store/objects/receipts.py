"""Receipts: one for each written order, numbered without gaps over the whole site, and each print.

A receipt is inserted once with all that stands on it, so that a copy says what the original said.
A print is inserted too: the first is the original, every later one a copy.
"""

from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Collection
from station.store.objects.base import Many, Objects, Page, matching
from station.store.objects.counters import Counters

RECEIPTS = "receipts"  # The counter of their numbers.
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

    def __init__(self, collection: Collection, orders: Collection, counters: Counters) -> None:
        super().__init__(collection)
        self._orders = orders
        self._counters = counters

    async def issue(self, receipt: Receipt) -> Receipt:
        """Give a receipt the next number and keep it, or return the one that its order has.

        The number, the receipt and its mark on the order are one transaction. DatabaseDown leaves
        it open whether that happened; doing it again answers it.
        """
        standing = await self.find(receipt.order)
        if standing is not None:
            return standing
        await self._counters.prepare(RECEIPTS)

        async def work(session: Any) -> Receipt:
            query = {"_id": receipt.order}
            held = await self._collection.find_one(query, session=session)
            if held is not None:
                return self._from_document(held)
            numbered = replace(receipt, number=await self._counters.next(RECEIPTS, session))
            await self._collection.insert(self._to_document(numbered), session=session)
            mark = {"$set": {"receipt": numbered.number}}
            await self._orders.update(query, mark, session=session)
            return numbered

        return await self._collection.transaction(work)

    async def numbered(self, number: int) -> Receipt | None:
        """Return the receipt with a number, or None."""
        document = await self._collection.find_one({"number": number})
        return None if document is None else self._from_document(document)

    async def list(self, text: str | None = None, skip: int = 0, limit: int = 100) -> Page[Receipt]:
        """Return a page of receipts, the newest first, and how many there are."""
        query = matching(text, "meter", "customer", "customer_name", "clerk", "card_serial")
        if text and text.isascii() and text.isdigit() and len(text) < 18:
            query["$or"].append({"number": int(text)})
        return await self._page(query, skip, limit, order=[("number", -1)])


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
