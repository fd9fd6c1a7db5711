"""Selling: the only module that changes money.

A sale is one insert into the journal: everything before it can be repeated, everything after it can
be finished. `write` is the first write and every finish: it looks at the card first and ends in one
truth, because
- the card a write is tried on is known before its first byte is written (see `writing`),
- the wallet is written last, and the meter takes its own count plus one only,
- the order and its account go forward in one transaction, which can be repeated.
Nothing is held in the database while a person or a card is waited for.
"""

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from station.errors import Conflict, InvalidValue, WrongCard
from station.live import Feed
from station.prepaid import accounts, legality, orders
from station.prepaid.cards.checks import check_blank
from station.prepaid.cards.dialog import CardContents
from station.prepaid.readers.base import ReaderIdentity
from station.prepaid.readers.workplace import CardWritten, Workplaces
from station.prepaid.terms import (
    ClosingRequest,
    MeterChangeRequest,
    OpeningRequest,
    ReplacementRequest,
    SaleTerms,
    check_amount,
    check_number,
    check_ratio,
    check_reason,
    check_request_id,
)
from station.prepaid.writing import Attempt, GivingUp, proved, sale_problem
from station.store.database import Database
from station.store.objects.accounts import Account, AccountState
from station.store.objects.orders import AccountChange, Order, OrderChange, OrderKind
from station.store.objects.tariffs import TariffVersion
from station.units import local_day, utc_now

OnStep = Callable[[str], None]

ATTEMPTS = 3  # Looks at one card: to see it, to write it, and once more if something moved between.

SETTLED = "the card was lost or broken: a replacement takes its place"


class Drawer(Protocol):
    """What the clerk's drawer has to say before money moves."""

    async def check(self, by: str, kind: str, amount_fen: int, approved_by: str | None) -> None:
        """Raise a StationError when this clerk may not do this."""

    async def shift_of(self, by: str) -> str | None:
        """Return the clerk's open shift. Raises a StationError when there must be one."""


class NoDrawer:
    """Where nobody counts."""

    async def check(self, by: str, kind: str, amount_fen: int, approved_by: str | None) -> None:
        """Allow everything."""

    async def shift_of(self, by: str) -> str | None:  # noqa: ARG002  As above.
        """Return no shift."""
        return None


@dataclass(frozen=True, slots=True)
class Look:
    """The card on the reader: whose it is, what is unfinished, and what speaks against a sale."""

    reader: ReaderIdentity
    contents: CardContents
    account: Account | None = None
    unfinished: Order | None = None
    problem: str | None = None


class Sales:
    """Everything that is sold, given back or put right."""

    def __init__(
        self,
        database: Database,
        workplaces: Workplaces,
        feed: Feed,
        zone: ZoneInfo,
        *,
        terms: SaleTerms | None = None,
        drawer: Drawer | None = None,
    ) -> None:
        self._database = database
        self._accounts = database.accounts
        self._orders = database.orders
        self._workplaces = workplaces
        self._feed = feed
        self._zone = zone
        self._terms = terms or SaleTerms()
        self._drawer: Drawer = drawer or NoDrawer()
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    # --- the card is still to come --------------------------------------------------------------

    async def open_account(self, request: OpeningRequest, *, request_id: str, by: str) -> Order:
        """Reserve the opening of an account, which is made with it.

        Raises InvalidValue, NotFound (the tariff), Conflict (the meter has an account, or the
        request was another order), what the drawer refuses, and DatabaseDown.
        """
        head = self._head("opening", request_id, by, asdict(request))
        if (standing := await self._standing(head)) is not None:
            return standing
        check_number("meter", request.meter)
        check_number("customer", request.customer)
        check_ratio("ct", request.ct)
        check_ratio("pt", request.pt)
        check_amount("amount_fen", request.amount_fen, 0, self._terms.sale_max_fen)
        await self._check_archive(request.meter)
        if await self._database.customers.find(request.customer) is None:
            raise InvalidValue("customer", f"there is no customer {request.customer}")
        version = await self._version(request.tariff)
        account = legality.new_account(request, version, self._terms, by)
        head = await self._allowed(head, "opening", request.amount_fen)
        order = orders.opening(head, account, version, request.amount_fen)
        return await self._enter(order, AccountChange(None, account))

    async def sell(self, account_id: str, amount_fen: int, *, request_id: str, by: str) -> Order:
        """Reserve a purchase. Raises as `open_account`, and NotFound for the account."""
        body = {"account": account_id, "amount_fen": amount_fen}
        head = self._head("purchase", request_id, by, body)
        if (standing := await self._standing(head)) is not None:
            return standing
        check_amount("amount_fen", amount_fen, 1, self._terms.sale_max_fen)
        account = await self._account(account_id, "open")
        legality.check_hoarding(account, amount_fen)
        head = await self._allowed(head, "purchase", amount_fen)
        version = await self._version(account.tariff)
        order = orders.purchase(head, account, version, amount_fen)
        return await self._enter(order, _touch(account))

    async def replace(
        self, account_id: str, request: ReplacementRequest, *, request_id: str, by: str
    ) -> Order:
        """Reserve a new card for a lost or broken one (digest section 8).

        An order that was begun on the lost card is settled: what sells stands as written, since the
        new card carries the same count, and the meter takes each count once; what takes back is
        abandoned. Raises as `sell`, and Conflict when the counts do not allow it.
        """
        body = {"account": account_id, **asdict(request)}
        head = self._head("replacement", request_id, by, body, request.reason)
        if (standing := await self._standing(head)) is not None:
            return standing
        check_amount("amount_fen", request.amount_fen, 0, self._terms.sale_max_fen)
        async with self._turn(account_id):
            before = await self._account(account_id, "open", "opening")
            account, changes, ended = await self._settled(before, by)
            is_proved = legality.replacement_proof(account, request)
            legality.check_hoarding(account, request.amount_fen)
            head = await self._allowed(head, "replacement", request.amount_fen)
            version = await self._version(account.tariff)
            order = orders.replacement(head, account, version, request.amount_fen, is_proved)
            after = replace(account, revision=before.revision + 1)
            changes = [AccountChange(before, after), *changes]
            standing = await self._orders.enter(order, changes, ended)
            self._announce(standing)
            return standing

    async def reverse(
        self,
        order_id: str,
        reason: str,
        *,
        request_id: str,
        by: str,
        approved_by: str | None = None,
    ) -> Order:
        """Reserve the reversal of an account's last sale; the card will have to prove it.

        Raises as `sell`, and Conflict for an order that cannot be reversed.
        """
        body = {"order": order_id, "reason": reason}
        head = self._head("reversal", request_id, by, body, reason, approved_by)
        if (standing := await self._standing(head)) is not None:
            return standing
        target = await self._orders.get(order_id)
        account = await self._account(target.account, "open")
        legality.check_reversible(target, account)
        head = await self._allowed(head, "reversal", -target.amount_fen)
        return await self._enter(orders.reversal(head, account, target), _touch(account))

    async def change_meter(
        self, account_id: str, request: MeterChangeRequest, *, request_id: str, by: str
    ) -> Order:
        """Reserve the opening of another meter with what the old one held at the end.

        The order belongs to a new account that continues the old one; it is written on a blank
        card. An overdraft is paid now. Raises as `open_account`.
        """
        body = {"account": account_id, **asdict(request)}
        head = self._head("meter_change", request_id, by, body, request.reason, request.approved_by)
        if (standing := await self._standing(head)) is not None:
            return standing
        check_number("meter", request.meter)
        check_ratio("ct", request.ct)
        check_ratio("pt", request.pt)
        await self._check_archive(request.meter)
        old = await self._account(account_id, "open")
        await self._check_finished(old)
        held_fen = request.remaining_fen + legality.unentered_fen(old, request.meter_count)
        check_amount("remaining_fen", abs(held_fen))
        new = legality.continued(old, request, by)
        legality.check_hoarding(new, max(held_fen, 0))
        # What is carried over is money too: it goes past the second person like money given back.
        head = await self._allowed(head, "meter_change", -held_fen)
        version = await self._version(old.tariff)
        order = orders.opening(
            head, new, version, max(-held_fen, 0), kind="meter_change", carried_fen=max(held_fen, 0)
        )
        stopped = replace(accounts.touched(old), state="suspended")
        return await self._enter(order, AccountChange(old, stopped), AccountChange(None, new))

    async def close(
        self, account_id: str, request: ClosingRequest, *, request_id: str, by: str
    ) -> Order:
        """Reserve the end of an account; its card is made blank. Raises as `sell`."""
        body = {"account": account_id, **asdict(request)}
        head = self._head("closing", request_id, by, body, request.reason, request.approved_by)
        if (standing := await self._standing(head)) is not None:
            return standing
        account = await self._account(account_id, "open")
        unentered_fen = legality.refund_on_card(account, request)
        head = await self._allowed(head, "closing", -request.refund_fen)
        order = orders.closing(head, account, request.refund_fen, unentered_fen)
        return await self._enter(order, _touch(account))

    # --- no card is needed ----------------------------------------------------------------------

    async def transfer(
        self, account_id: str, customer: str, reason: str, *, request_id: str, by: str
    ) -> Order:
        """Give an account to another customer; the number on the card stays the meter's.

        Raises as `sell`, and InvalidValue when there is no such customer.
        """
        body = {"account": account_id, "customer": customer, "reason": reason}
        head = self._head("transfer", request_id, by, body, reason)
        if (standing := await self._standing(head)) is not None:
            return standing
        if await self._database.customers.find(customer) is None:
            raise InvalidValue("customer", f"there is no customer {customer}")
        account = await self._account(account_id, "open")
        if (account.owner or account.customer) == customer:
            raise Conflict(f"account {account_id} is customer {customer}'s already")
        head = await self._allowed(head, "transfer", 0)
        order = orders.without_card(head, account, "transfer", 0)
        after = replace(accounts.touched(account), owner=customer)
        return await self._enter(order, AccountChange(account, after))

    async def correct(
        self,
        account_id: str,
        amount_fen: int,
        reason: str,
        *,
        request_id: str,
        by: str,
        approved_by: str | None = None,
    ) -> Order:
        """Put money right by an entry of its own: paid by the customer, or (negative) given back.

        Raises as `sell`.
        """
        body = {"account": account_id, "amount_fen": amount_fen, "reason": reason}
        head = self._head("correction", request_id, by, body, reason, approved_by)
        if (standing := await self._standing(head)) is not None:
            return standing
        check_amount("amount_fen", abs(amount_fen), 1)
        account = await self._accounts.get(account_id)
        head = await self._allowed(head, "correction", amount_fen)
        order = orders.without_card(head, account, "correction", amount_fen)
        return await self._enter(order, _touch(account))

    # --- the card -------------------------------------------------------------------------------

    async def write(
        self, order_id: str, workplace: str, *, by: str, on_step: OnStep | None = None
    ) -> Order:
        """Write an order on its card, or find it there, and mark it; doing it again is harmless.

        Raises NotFound, Conflict (it was abandoned), CardError, which tells what to do, and
        DatabaseDown; after both the order is as unfinished as before.
        """
        place = self._workplaces.get(workplace)
        order = await self._orders.get(order_id)
        tell = partial(self._tell, order, on_step)
        async with self._turn(order.account):
            for _ in range(ATTEMPTS):
                order = await self._orders.get(order_id)
                if order.state == "written":
                    return order
                if order.state == "abandoned":
                    raise Conflict(f"order {order.id} was abandoned: sell again")
                orders.card_files(order)
                account = await self._accounts.get(order.account)
                attempt = Attempt(order, account)
                done = await place.write(attempt.decide, tell, remembered=_reader_of(account))
                with contextlib.suppress(Conflict):  # Something moved between: look again.
                    if not attempt.must_note:
                        return await self._mark(order, account, done, workplace, by)
                    await self._note(order, account, done.written.before)
        raise Conflict(f"account {order.account} changes all the time; try again")

    async def abandon(self, order_id: str, workplace: str, *, by: str, reason: str) -> Order:
        """Give an order up; one that was tried on a card only when that card does not carry it.

        Raises as `write`, Conflict when it is written, or on the card: then finish it.
        """
        reason = check_reason(reason)
        order = await self._orders.get(order_id)
        async with self._turn(order.account):
            order = await self._orders.get(order_id)
            if order.state == "abandoned":
                return order
            if order.state == "written":
                raise Conflict(f"order {order.id} is written: reverse it instead")
            account = await self._accounts.get(order.account)
            shift = await self._drawer.shift_of(by) if order.amount_fen else None
            if order.card_serial:
                look = GivingUp(order, account)
                place = self._workplaces.get(workplace)
                await place.write(look.decide, remembered=_reader_of(account))
                if look.is_carried:
                    raise Conflict("the card carries this order: finish it")
            return await self._give_up(order, account, by, reason, shift)

    async def unfinished(self, by: str | None = None) -> list[Order]:
        """Return every reserved order, or one clerk's, the oldest first."""
        return await self._orders.unfinished(by)

    async def look(self, workplace: str, on_step: OnStep | None = None) -> Look:
        """Read the card on the reader, and take what it brought back into its account.

        Raises CardError and DatabaseDown.
        """
        read = await self._workplaces.get(workplace).read(on_step)
        contents = read.contents
        found = await self._account_of(contents)
        if found is None:
            return Look(read.reader, contents, problem=_stranger(contents))
        async with self._turn(found.id):
            account = await self._accounts.get(found.id)
            unfinished = await self._orders.unfinished_of(account.id)
            after = accounts.with_return(account, contents)
            if after != account and await self._accounts.change(account, after):
                account = after
        problem = sale_problem(account, contents) if unfinished is None else None
        return Look(read.reader, contents, account, unfinished, problem)

    # --- steps ----------------------------------------------------------------------------------

    def _head(
        self,
        kind: OrderKind,
        request_id: str,
        by: str,
        body: Mapping[str, Any],
        reason: str | None = None,
        approved_by: str | None = None,
    ) -> orders.Head:
        check_request_id(request_id)
        tidied = "" if reason is None else check_reason(reason)
        said = {name: value for name, value in body.items() if name != "approved_by"}
        print_ = orders.fingerprint(kind, by, said)
        return orders.Head(
            request_id, print_, by, utc_now(), approved_by=approved_by, reason=tidied
        )

    async def _standing(self, head: orders.Head) -> Order | None:
        return await self._orders.of_request(head.request_id, head.fingerprint)

    async def _allowed(self, head: orders.Head, kind: OrderKind, amount_fen: int) -> orders.Head:
        """Ask the drawer, and return the head with the shift. Raises what the drawer refuses."""
        await self._drawer.check(head.by, kind, amount_fen, head.approved_by)
        return replace(head, shift=await self._drawer.shift_of(head.by))

    async def _enter(self, order: Order, *changes: AccountChange) -> Order:
        standing = await self._orders.enter(order, changes)
        self._announce(standing)
        return standing

    async def _version(self, tariff: str) -> TariffVersion:
        return await self._database.tariffs.current(tariff, local_day(utc_now(), self._zone))

    async def _account(self, account_id: str, *states: AccountState) -> Account:
        account = await self._accounts.get(account_id)
        if account.state not in states:
            raise Conflict(f"account {account_id} is {account.state}")
        return account

    async def _check_archive(self, meter: str) -> None:
        if await self._database.meters.find(meter) is None:
            raise InvalidValue("meter", f"there is no meter {meter} in the archive")

    async def _check_finished(self, account: Account) -> None:
        if await self._orders.unfinished_of(account.id) is not None:
            raise Conflict(
                f"account {account.id} has an unfinished order: finish or abandon it first"
            )

    async def _settled(
        self, account: Account, by: str
    ) -> tuple[Account, list[AccountChange], list[OrderChange]]:
        """Return an account whose unfinished order has ended, since its card is lost or broken."""
        order = await self._orders.unfinished_of(account.id)
        if order is None:
            return account, [], []
        if not order.card_serial:
            raise Conflict(
                f"account {account.id} has an unfinished order: finish or abandon it first"
            )
        now = utc_now()
        after = replace(order, ended_by=by, end_reason=SETTLED)
        if order.kind in ("reversal", "closing"):
            shift = await self._drawer.shift_of(by)
            after = replace(after, state="abandoned", holds_count=False, ended_shift=shift)
            return accounts.abandoned(after, account, now), [], [OrderChange(order, after)]
        after = replace(after, state="written", written_at=now)
        others, _ = await self._along(after, account, now)
        return accounts.written(after, account, now), others, [OrderChange(order, after)]

    async def _note(self, order: Order, account: Account, contents: CardContents) -> None:
        """Keep which card the order is tried on and what it proves, before it is written."""
        after = proved(order, account, contents)
        changes = [] if after == account else [AccountChange(account, after)]
        noted = replace(order, card_serial=contents.serial)
        await self._orders.advance(OrderChange(order, noted), changes)

    async def _mark(
        self, order: Order, account: Account, done: CardWritten, workplace: str, by: str
    ) -> Order:
        """Mark an order that is on its card, and all that follows from it."""
        now, reader = utc_now(), done.reader
        after = replace(
            order,
            state="written",
            written_at=now,
            ended_by=by,
            workplace=workplace,
            reader_model=reader.model,
            reader_name=reader.name,
            reader_serial=reader.serial,
            reader_port=reader.port,
        )
        changed = accounts.written(after, account, now)
        changed = accounts.with_return(changed, done.written.contents)
        changed = accounts.with_reader(changed, reader)
        along, reversed_ = await self._along(after, account, now)
        changes = [AccountChange(account, changed), *along]
        await self._orders.advance(OrderChange(order, after), changes, reversed_)
        self._announce(after)
        return after

    async def _give_up(
        self, order: Order, account: Account, by: str, reason: str, shift: str | None
    ) -> Order:
        now = utc_now()
        after = replace(
            order,
            state="abandoned",
            ended_by=by,
            end_reason=reason,
            ended_shift=shift,
            holds_count=False,
        )
        along, _ = await self._along(after, account, now)
        changes = [AccountChange(account, accounts.abandoned(after, account, now)), *along]
        await self._orders.advance(OrderChange(order, after), changes)
        self._announce(after)
        return after

    async def _along(
        self, after: Order, account: Account, now: datetime
    ) -> tuple[list[AccountChange], list[OrderChange]]:
        """Return what else goes with the end of an order: the account that is continued, the order
        that is reversed."""
        is_written = after.state == "written"
        if after.kind == "meter_change":
            old = await self._accounts.get(account.continues)
            changed = replace(accounts.touched(old), state="closed" if is_written else "open")
            return [AccountChange(old, replace(changed, closed_at=now if is_written else None))], []
        if after.reverses is not None and is_written:
            target = await self._orders.get(after.reverses)
            undone = replace(target, reversed_by=after.id, holds_count=False)
            return [], [OrderChange(target, undone)]
        return [], []

    async def _account_of(self, contents: CardContents) -> Account | None:
        """Return the account that a card is about: of the order begun on it, by its numbers, or by
        its serial."""
        unfinished = await self._orders.unfinished_on(contents.serial)
        if unfinished is not None:
            return await self._accounts.get(unfinished.account)
        held = contents.parameters
        if contents.state == "in_use" and held is not None:
            account = await self._accounts.of_meter(held.meter)
            if account is not None and account.customer == held.customer:
                return account
            return None
        return None

    def _turn(self, account_id: str) -> asyncio.Lock:
        """Return the lock of an account: its card is in one conversation at a time."""
        return self._turns.setdefault(account_id, asyncio.Lock())

    def _tell(self, order: Order, on_step: OnStep | None, step: str) -> None:
        if on_step is not None:
            on_step(step)
        self._feed.announce("orders", {"id": order.id, "state": "reserved", "step": step})

    def _announce(self, order: Order) -> None:
        self._feed.announce("orders", {"id": order.id, "state": order.state, "step": ""})


def _touch(account: Account) -> AccountChange:
    """Have an order depend on the account's being as it is."""
    return AccountChange(account, accounts.touched(account))


def _reader_of(account: Account) -> ReaderIdentity | None:
    """Return the reader that wrote an account's card last."""
    if not account.reader_model:
        return None
    return ReaderIdentity(
        account.reader_model, account.reader_name, account.reader_serial, account.reader_port
    )


def _stranger(contents: CardContents) -> str | None:
    """Return why a card has no account; a blank one needs none."""
    if contents.state == "in_use" and contents.parameters is not None:
        held = contents.parameters
        return f"there is no account of customer {held.customer} at meter {held.meter}"
    try:
        check_blank(contents)
    except WrongCard as problem:
        return str(problem)
    return None
