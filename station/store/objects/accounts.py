"""Prepayment accounts: a meter, its customer, the card that goes between, and what it brought back.

    opening -> open <-> suspended        opening, open, suspended -> closed

An account is one customer number at one meter: a meter that is exchanged gets an account of its own
that continues the old one. A living account (one that is not closed) has its meter to itself. Every
change names the revision that it starts from, so of two at once one is refused.
"""

from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, Literal

from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, among, matching
from station.units import utc_now

AccountState = Literal["opening", "open", "suspended", "closed"]
LIVING: tuple[AccountState, ...] = ("opening", "open", "suspended")


@dataclass(frozen=True, slots=True)
class Account:
    """An account; money in fen, `balance_at` the meter's local time, other moments UTC.

    `customer` is the number on the card and in the meter, `owner` the customer it belongs to now.
    `purchase_count` and `card_amount_fen` are what the last finished order put into the wallet.
    `returned_count` is the count that the meter has proved to know, None before the first proof.
    `balance_fen`, `overdrawn_fen` and `illegal_count` are what the card brought back at
    `balance_at`. `tariff_version` is the version whose prices a card carried last. `continues` is
    the account of the meter that this one's meter took the place of.
    """

    id: str
    meter: str
    customer: str
    _: KW_ONLY
    tariff: str
    owner: str = ""
    state: AccountState = "opening"
    tariff_version: str = ""
    profile: str = "GW13"
    user_type: int = 2
    ct: int = 1
    pt: int = 1
    alarm1_fen: int = 0
    alarm2_fen: int = 0
    overdraft_fen: int = 0
    hoarding_fen: int = 0
    card_serial: str = ""
    purchase_count: int = 0
    card_amount_fen: int = 0
    returned_count: int | None = None
    balance_fen: int | None = None
    overdrawn_fen: int = 0
    balance_at: datetime | None = None
    illegal_count: int = 0
    reader_model: str = ""
    reader_name: str = ""
    reader_serial: str = ""
    reader_port: str = ""
    continues: str = ""
    created_at: datetime = field(default_factory=utc_now)
    created_by: str = ""
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    revision: int = 0

    @property
    def is_living(self) -> bool:
        """Whether it has its meter to itself."""
        return self.state in LIVING


class Accounts(Objects[Account]):
    """The accounts of the site; they are changed together with an order, in `orders`."""

    shape = Account
    key = "id"
    word = "account"

    async def change(self, before: Account, after: Account) -> bool:
        """Write what an account has become; False when it is not as before any more."""
        return bool(await self._collection.update(*self._step(before, after)))

    def change_in(self, session: Any, before: Account | None, after: Account) -> bool:
        """Do as `change` does, in a transaction that is done at once; or insert a new account.

        Raises the driver's DuplicateKeyError when its meter has a living account.
        """
        if before is None:
            self._collection.insert_in(session, self._to_document(after))
            return True
        return bool(self._collection.update_in(session, *self._step(before, after)))

    def _step(self, before: Account, after: Account) -> tuple[Document, Document]:
        """Return which document is changed, and how."""
        standing, document = self._to_document(before), self._to_document(after)
        changed = {name: value for name, value in document.items() if standing[name] != value}
        return {"_id": before.id, "revision": before.revision}, {"$set": changed}

    async def of_meter(self, meter: str) -> Account | None:
        """Return the living account of a meter, or None."""
        document = await self._collection.find_one({"meter": meter, "living": True})
        return None if document is None else self._from_document(document)

    async def of_customers(self, numbers: Sequence[str]) -> Many[Account]:
        """Return the accounts of these customers, as number on the card or as owner."""
        wanted = {"$in": [*numbers]}
        return await self._all({"$or": [{"customer": wanted}, {"owner": wanted}]})

    async def list(
        self,
        text: str | None = None,
        state: str | None = None,
        tariff: str | None = None,
        customers: Sequence[str] = (),
        skip: int = 0,
        limit: int = 100,
        *,
        meters: Ids[str] | None = None,
        sort: str = "",
    ) -> Page[Account]:
        """Return a page of accounts, the newest first, and how many there are.

        With a text also the accounts of `customers`, whose names or phones hold it. Of `meters`
        only, if they are given.
        """
        query = matching(text, "_id", "meter", "customer", "owner", "card_serial")
        if query and customers:
            query["$or"].append({"owner": {"$in": [*customers]}})
        wanted = {"state": state, "tariff": tariff}
        query.update({name: value for name, value in wanted.items() if value is not None})
        query.update(among("meter", meters))
        return await self._page(query, skip, limit, order=self._order(sort, [("_id", -1)]))

    async def owners_at(self, meters: Ids[str]) -> set[str]:
        """Return the customers that these meters' accounts belong to or have on their cards."""
        found = await self._collection.find(
            among("meter", meters), fields={"customer": 1, "owner": 1}
        )
        return {number for each in found for number in (each["customer"], each["owner"]) if number}

    async def at(self, meters: Ids[str]) -> Many[Account]:
        """Return the living accounts of these meters."""
        return await self._all({**among("meter", meters), "living": True})

    async def count_on(self, tariff: str, profile: str | None = None) -> int:
        """Return how many living accounts have a tariff, of one profile or of all."""
        query: Document = {"tariff": tariff, "living": True}
        if profile is not None:
            query["profile"] = profile
        return await self._collection.count(query)

    def _to_document(self, thing: Account) -> Document:
        document = super()._to_document(thing)
        moment = thing.balance_at
        document["balance_at"] = None if moment is None else moment.isoformat(timespec="minutes")
        document["living"] = thing.is_living  # What the index of meters looks at.
        return document

    def _from_document(self, document: Document) -> Account:
        moment = document["balance_at"]
        at = None if moment is None else datetime.fromisoformat(moment)
        return super()._from_document({**document, "balance_at": at})
