"""Tariffs: the prices of a kind of customer, in dated versions of which none ever changes.

    draft -> submitted -> approved        draft, submitted -> withdrawn

A state only goes forward. What has been approved stays as it is for ever: other prices are a new
version, and a wrong version is overtaken by a later one of the same day. Whoever wrote or
submitted a version cannot approve it. Prices are kept as exact decimals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict, NotFound
from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, matching

Period = Literal["month", "year"]
TariffState = Literal["draft", "submitted", "approved", "withdrawn"]
SettlementDay = tuple[int, int, int]  # Month, day, hour.

NUMBER_ATTEMPTS = 5  # People who make a version of the same tariff in the same moment.


@dataclass(frozen=True, slots=True)
class PriceSet:
    """The prices of one set, main or backup.

    A kWh costs the price of its rate plus that of its ladder step: the meter adds the two. `rates`
    are in yuan/kWh, in the order sharp, peak, flat, valley. `thresholds` are the kWh of a *month*
    at which a step ends, rising; a ladder by the year ends its steps at twelve times as much.
    `step_prices` are in yuan/kWh, one more than thresholds; both are empty without a ladder.
    A ladder begins anew on its settlement days: month, day and hour, where month 99 is every month.
    """

    rates: tuple[Decimal, ...]
    thresholds: tuple[Decimal, ...] = ()
    step_prices: tuple[Decimal, ...] = ()
    period: Period = "month"
    settlement_days: tuple[SettlementDay, ...] = ()


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """One version of a tariff; `tariff` is its code, `number` counts its versions from 1.

    From `effective_on`, a day of the site, its sets are written on cards. The meter goes over from
    the rates of the main set to those of the backup set at `switch_at`, and from ladder to ladder
    at `ladder_switch_at`: local moments, as the meter's clock shows; None is never. The alarm
    amounts and the limits are what new accounts are proposed. `id` is made by whoever adds it, so
    that a version sent twice is one. `reason` says why it was withdrawn.
    """

    id: str
    tariff: str
    name: str
    main: PriceSet
    effective_on: date
    created_by: str
    created_at: datetime
    _: KW_ONLY
    number: int = 0
    backup: PriceSet | None = None
    switch_at: datetime | None = None
    ladder_switch_at: datetime | None = None
    alarm1_fen: int = 0
    alarm2_fen: int = 0
    overdraft_fen: int = 0
    hoarding_fen: int = 0
    note: str = ""
    state: TariffState = "draft"
    submitted_by: str = ""
    submitted_at: datetime | None = None
    approved_by: str = ""
    approved_at: datetime | None = None
    withdrawn_by: str = ""
    withdrawn_at: datetime | None = None
    reason: str = ""

    def says_the_same(self, other: "TariffVersion") -> bool:
        """Whether two versions hold the same; when it was sent, and what became of it, aside."""
        return self._content() == other._content()

    def _content(self) -> tuple[object, ...]:
        prices = (self.main, self.backup, self.switch_at, self.ladder_switch_at)
        limits = (self.alarm1_fen, self.alarm2_fen, self.overdraft_fen, self.hoarding_fen)
        names = (self.tariff, self.name, self.effective_on, self.created_by, self.note)
        return prices, limits, names


class Tariffs(Objects[TariffVersion]):
    """Every version of every tariff."""

    shape = TariffVersion
    key = "id"
    word = "tariff version"

    async def add_version(self, version: TariffVersion) -> TariffVersion:
        """Keep a new draft under the next number of its tariff and return it as it stands.

        Raises Conflict when its id stands for another version.
        """
        for _ in range(NUMBER_ATTEMPTS):
            newest = await self._newest({"tariff": version.tariff})
            number = 1 if newest is None else newest.number + 1
            numbered = replace(version, number=number, state="draft")
            try:
                await self._collection.insert(self._to_document(numbered))
            except DuplicateKeyError:
                standing = await self.find(version.id)
                if standing is None:
                    continue  # Another version took the number.
                if not standing.says_the_same(version):
                    raise self._taken(version.id) from None
                return standing
            return numbered
        raise Conflict(f"tariff {version.tariff} gets other versions right now; try again")

    async def versions(self, tariff: str) -> Many[TariffVersion]:
        """Return every version of a tariff, the newest first."""
        return await self._all({"tariff": tariff}, order=[("number", -1)])

    async def current(self, tariff: str, on: date) -> TariffVersion:
        """Return the version whose prices hold on a day of the site.

        Of the approved ones that have begun it is the one that began last; of two that began on
        the same day the one with the higher number. Raises NotFound when there is none.
        """
        begun = {"tariff": tariff, "state": "approved", "effective_on": {"$lte": on.isoformat()}}
        version = await self._newest(begun, [("effective_on", -1), ("number", -1)])
        if version is None:
            raise NotFound(f"tariff {tariff} has no approved version on {on.isoformat()}")
        return version

    async def add(self, thing: TariffVersion) -> None:
        """Add a new draft, as `add_version` does. Raises Conflict."""
        await self.add_version(thing)

    async def save(self, thing: TariffVersion) -> None:
        """Refuse: raises Conflict."""
        raise Conflict(f"{self.word} {thing.id} never changes; make a new one")

    async def remove(self, key: str) -> None:
        """Refuse: raises Conflict."""
        raise Conflict(f"{self.word} {key} never changes; make a new one")

    async def codes(self) -> tuple[str, ...]:
        """Return the code of every tariff, in order."""
        found = await self._collection.find({}, fields={"tariff": 1}, order=[("tariff", 1)])
        return tuple(dict.fromkeys(document["tariff"] for document in found))

    async def list(
        self,
        text: str | None = None,
        state: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        sort: str = "",
    ) -> Page[TariffVersion]:
        """Return a page of versions by tariff, the newest first, and how many there are."""
        query = matching(text, "tariff", "name", "note")
        if state is not None:
            query["state"] = state
        return await self._page(
            query, skip, limit, order=self._order(sort, [("tariff", 1), ("number", -1)])
        )

    async def submit(self, version_id: str, by: str, at: datetime) -> TariffVersion:
        """Hand a draft in for approval. Raises Conflict when it is none."""
        change = {"state": "submitted", "submitted_by": by, "submitted_at": at}
        return await self._forward(version_id, ("draft",), change, by)

    async def approve(self, version_id: str, by: str, at: datetime) -> TariffVersion:
        """Approve what another person wrote and submitted.

        Raises Conflict when it is not submitted, or is the approver's own.
        """
        others = {"created_by": {"$ne": by}, "submitted_by": {"$ne": by}}
        change = {"state": "approved", "approved_by": by, "approved_at": at}
        return await self._forward(version_id, ("submitted",), change, by, others)

    async def withdraw(self, version_id: str, by: str, at: datetime, reason: str) -> TariffVersion:
        """Take back a version that is not approved yet. Raises Conflict when it is."""
        change = {"state": "withdrawn", "withdrawn_by": by, "withdrawn_at": at, "reason": reason}
        return await self._forward(version_id, ("draft", "submitted"), change, by)

    async def _forward(
        self,
        version_id: str,
        before: Sequence[TariffState],
        change: Mapping[str, Any],
        by: str,
        condition: Mapping[str, Any] | None = None,
    ) -> TariffVersion:
        """Bring a version into its next state; doing it again changes nothing."""
        query = {"_id": version_id, "state": {"$in": [*before]}, **(condition or {})}
        changed = await self._collection.update(query, {"$set": change})
        standing = await self.get(version_id)
        state = change["state"]
        if changed or (standing.state == state and getattr(standing, f"{state}_by") == by):
            return standing
        if standing.state in before:
            raise Conflict("a second person must approve: you wrote or submitted this version")
        name = f"version {standing.number} of {standing.tariff}"
        if standing.state == "draft":
            raise Conflict(f"{name} is not submitted yet")
        raise Conflict(f"{name} is {standing.state} already")

    async def _newest(
        self, query: Document, order: Sequence[tuple[str, Any]] = (("number", -1),)
    ) -> TariffVersion | None:
        found = await self._collection.find(query, order=[*order], limit=1)
        return self._from_document(found[0]) if found else None

    def _to_document(self, thing: TariffVersion) -> Document:
        document = super()._to_document(thing)
        document["effective_on"] = thing.effective_on.isoformat()
        for name in ("switch_at", "ladder_switch_at"):
            moment = getattr(thing, name)
            document[name] = None if moment is None else moment.isoformat(timespec="minutes")
        for name in ("main", "backup"):
            prices = getattr(thing, name)
            document[name] = None if prices is None else _prices_document(prices)
        return document

    def _from_document(self, document: Document) -> TariffVersion:
        values = dict(document)
        values["effective_on"] = date.fromisoformat(document["effective_on"])
        for name in ("switch_at", "ladder_switch_at"):
            text = document[name]
            values[name] = None if text is None else datetime.fromisoformat(text)
        for name in ("main", "backup"):
            prices = document[name]
            values[name] = None if prices is None else _prices(prices)
        return super()._from_document(values)


def _prices_document(prices: PriceSet) -> Document:
    document = asdict(prices)
    for name in ("rates", "thresholds", "step_prices"):
        document[name] = [str(value) for value in document[name]]
    document["settlement_days"] = [[*day] for day in prices.settlement_days]
    return document


def _prices(document: Document) -> PriceSet:
    return PriceSet(
        rates=tuple(Decimal(text) for text in document["rates"]),
        thresholds=tuple(Decimal(text) for text in document["thresholds"]),
        step_prices=tuple(Decimal(text) for text in document["step_prices"]),
        period=document["period"],
        settlement_days=tuple((day[0], day[1], day[2]) for day in document["settlement_days"]),
    )
