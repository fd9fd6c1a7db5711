"""Selling: what enters the journal. Money is changed here alone, and ends in `finishing`.

A sale is one insert into the journal: everything before it can be repeated, everything after it can
be finished. The same request is the same order; the rules of the database refuse what contradicts.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

from station.errors import Conflict, InvalidValue
from station.live import Feed
from station.prepaid import accounts, legality, orders
from station.prepaid.desk_sale import Desk, Prepare, Prepared
from station.prepaid.finishing import Finishing, Look, OnStep
from station.prepaid.gate import Drawer, NoDrawer
from station.prepaid.readers.workplace import Workplaces
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
from station.store.database import Database
from station.store.objects.accounts import Account, AccountState
from station.store.objects.orders import UNFINISHED, AccountChange, Order, OrderKind
from station.store.objects.tariffs import TariffVersion
from station.units import local_day, utc_now


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
        self._zone = zone
        self._terms = terms or SaleTerms()
        self._drawer: Drawer = drawer or NoDrawer()
        self._finishing = Finishing(database, workplaces, feed, self._drawer)

    # --- the card is still to come --------------------------------------------------------------

    async def open_account(
        self, request: OpeningRequest, *, request_id: str, by: str, desk: Desk | None = None
    ) -> Order:
        """Reserve the opening of an account, which is made with it.

        With a desk its card is written, too, and nothing is entered when that is not there: then
        raises CardError. An order that was entered and not written comes back as far as it came.

        Raises InvalidValue, NotFound (the tariff), Conflict (the meter has an account, or the
        request was another order), what the drawer refuses, and DatabaseDown.
        """
        head = self._head("opening", request_id, by, asdict(request))

        async def prepare() -> Prepared:
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
            allowed = await self._allowed(head, "opening", request.amount_fen)
            order = orders.opening(allowed, account, version, request.amount_fen)
            return Prepared(order, AccountChange(None, account))

        return await self._sell(head, prepare, f"meter {request.meter}", desk)

    async def sell(
        self,
        account_id: str,
        amount_fen: int,
        *,
        request_id: str,
        by: str,
        desk: Desk | None = None,
    ) -> Order:
        """Reserve a purchase; with a desk also write it. Raises as `open_account`, and NotFound for
        the account."""
        body = {"account": account_id, "amount_fen": amount_fen}
        head = self._head("purchase", request_id, by, body)

        async def prepare() -> Prepared:
            check_amount("amount_fen", amount_fen, 1, self._terms.sale_max_fen)
            account = await self._account(account_id, "open")
            legality.check_hoarding(account, amount_fen)
            allowed = await self._allowed(head, "purchase", amount_fen, account.id)
            version = await self._version(account.tariff)
            order = orders.purchase(allowed, account, version, amount_fen)
            return Prepared(order, _touch(account))

        return await self._sell(head, prepare, account_id, desk)

    async def replace(
        self,
        account_id: str,
        request: ReplacementRequest,
        *,
        request_id: str,
        by: str,
        desk: Desk | None = None,
    ) -> Order:
        """Reserve a new card for a lost or broken one (digest section 8).

        An order that was begun on the lost card is settled: what sells stands as written, since the
        new card carries the same count, and the meter takes each count once; what takes back is
        abandoned. Raises as `sell`, and Conflict when the counts do not allow it.
        """
        body = {"account": account_id, **asdict(request)}
        head = self._head("replacement", request_id, by, body, request.reason)

        async def prepare() -> Prepared:
            check_amount("amount_fen", request.amount_fen, 0, self._terms.sale_max_fen)
            before = await self._account(account_id, "open", "opening")
            account, others, ended = await self._finishing.settled(before, by)
            is_proved = legality.replacement_proof(account, request)
            legality.check_hoarding(account, request.amount_fen)
            allowed = await self._allowed(head, "replacement", request.amount_fen, account.id)
            version = await self._version(account.tariff)
            order = orders.replacement(allowed, account, version, request.amount_fen, is_proved)
            after = replace(account, revision=before.revision + 1)
            return Prepared(order, AccountChange(before, after), others, ended)

        return await self._sell(head, prepare, account_id, desk)

    async def reverse(
        self,
        order_id: str,
        reason: str,
        *,
        request_id: str,
        by: str,
        approved_by: str | None = None,
        desk: Desk | None = None,
    ) -> Order:
        """Reserve the reversal of an account's last sale; the card will have to prove it.

        Raises as `sell`, and Conflict for an order that cannot be reversed.
        """
        body = {"order": order_id, "reason": reason}
        head = self._head("reversal", request_id, by, body, reason, approved_by)
        target = await self._orders.get(order_id)

        async def prepare() -> Prepared:
            account = await self._account(target.account, "open")
            standing = await self._orders.get(order_id)
            legality.check_reversible(standing, account)
            allowed = await self._allowed(head, "reversal", -standing.amount_fen, standing.id)
            return Prepared(orders.reversal(allowed, account, standing), _touch(account))

        return await self._sell(head, prepare, target.account, desk)

    async def change_meter(
        self,
        account_id: str,
        request: MeterChangeRequest,
        *,
        request_id: str,
        by: str,
        desk: Desk | None = None,
    ) -> Order:
        """Reserve the opening of another meter with what the old one held at the end.

        The order belongs to a new account that continues the old one; it is written on a blank
        card. An overdraft is paid now. Raises as `open_account`.
        """
        body = {"account": account_id, **asdict(request)}
        head = self._head("meter_change", request_id, by, body, request.reason, request.approved_by)

        async def prepare() -> Prepared:
            check_number("meter", request.meter)
            check_ratio("ct", request.ct)
            check_ratio("pt", request.pt)
            await self._check_archive(request.meter)
            old = await self._account(account_id, "open")
            await self._check_finished(old)
            held_fen = request.remaining_fen + legality.unentered_fen(old, request.meter_count)
            check_amount("amount_fen", abs(held_fen))
            new = legality.continued(old, request, by)
            legality.check_hoarding(new, max(held_fen, 0))
            # What is carried over is money too: it goes past the second person like money given
            # back.
            allowed = await self._allowed(head, "meter_change", -held_fen, old.id)
            order = orders.opening(
                allowed,
                new,
                await self._version(old.tariff),
                max(-held_fen, 0),
                kind="meter_change",
                carried_fen=max(held_fen, 0),
            )
            stopped = replace(accounts.touched(old), state="suspended")
            return Prepared(order, AccountChange(None, new), [AccountChange(old, stopped)])

        return await self._sell(head, prepare, account_id, desk)

    async def close(
        self,
        account_id: str,
        request: ClosingRequest,
        *,
        request_id: str,
        by: str,
        desk: Desk | None = None,
    ) -> Order:
        """Reserve the end of an account; its card is made blank. Raises as `sell`."""
        body = {"account": account_id, **asdict(request)}
        head = self._head("closing", request_id, by, body, request.reason, request.approved_by)

        async def prepare() -> Prepared:
            account = await self._account(account_id, "open")
            unentered_fen = legality.refund_on_card(account, request)
            allowed = await self._allowed(head, "closing", -request.refund_fen, account.id)
            order = orders.closing(allowed, account, request.refund_fen, unentered_fen)
            return Prepared(order, _touch(account))

        return await self._sell(head, prepare, account_id, desk)

    # --- no card is needed ----------------------------------------------------------------------

    async def transfer(
        self, account_id: str, customer: str, reason: str, *, request_id: str, by: str
    ) -> Order:
        """Give an account to another customer; the number on the card stays the meter's.

        Raises as `sell`, and InvalidValue when there is no such customer.
        """
        body = {"account": account_id, "customer": customer, "reason": reason}
        head = self._head("transfer", request_id, by, body, reason)

        async def prepare() -> Prepared:
            if await self._database.customers.find(customer) is None:
                raise InvalidValue("customer", f"there is no customer {customer}")
            account = await self._account(account_id, "open")
            if (account.owner or account.customer) == customer:
                raise Conflict(f"the account belongs to customer {customer} already")
            allowed = await self._allowed(head, "transfer", 0, account.id)
            order = orders.without_card(allowed, account, "transfer", 0)
            after = replace(accounts.touched(account), owner=customer)
            return Prepared(order, AccountChange(account, after))

        return await self._sell(head, prepare, account_id)

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

        async def prepare() -> Prepared:
            check_amount("amount_fen", abs(amount_fen), 1)
            account = await self._accounts.get(account_id)
            allowed = await self._allowed(head, "correction", amount_fen, account.id)
            order = orders.without_card(allowed, account, "correction", amount_fen)
            return Prepared(order, _touch(account))

        return await self._sell(head, prepare, account_id)

    # --- the card -------------------------------------------------------------------------------

    async def write(
        self, order_id: str, workplace: str, *, by: str, on_step: OnStep | None = None
    ) -> Order:
        """Write an order on its card, or find it there; see `Finishing.write`."""
        return await self._finishing.write(order_id, workplace, by=by, on_step=on_step)

    async def abandon(self, order_id: str, workplace: str, *, by: str, reason: str) -> Order:
        """Give up an order that is on no card; see `Finishing.abandon`."""
        return await self._finishing.abandon(order_id, workplace, by=by, reason=reason)

    async def look(self, workplace: str, on_step: OnStep | None = None) -> Look:
        """Read the card on the reader; see `Finishing.look`."""
        return await self._finishing.look(workplace, on_step)

    async def unfinished(self, by: str | None = None) -> list[Order]:
        """Return every reserved order, or one clerk's, the oldest first."""
        return await self._orders.unfinished(by)

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
        now = utc_now()
        local = now.astimezone(self._zone).replace(tzinfo=None)
        return orders.Head(
            request_id, print_, by, now, local, approved_by=approved_by, reason=tidied
        )

    async def _sell(
        self, head: orders.Head, prepare: Prepare, key: str, desk: Desk | None = None
    ) -> Order:
        """Enter what is prepared, in the turn of `key`, unless the request is an order already."""
        if desk is None:
            return await self._finishing.enter(head, prepare, key)
        return await self._finishing.sell(head, prepare, key, desk)

    async def _allowed(
        self, head: orders.Head, kind: OrderKind, amount_fen: int, subject: str = ""
    ) -> orders.Head:
        """Ask the drawer, and return the head with the shift. Raises what the drawer refuses."""
        await self._drawer.check(head.by, kind, amount_fen, head.approved_by, subject)
        return replace(head, shift=await self._drawer.shift_of(head.by))

    async def _version(self, tariff: str) -> TariffVersion:
        return await self._database.tariffs.current(tariff, local_day(utc_now(), self._zone))

    async def _account(self, account_id: str, *states: AccountState) -> Account:
        account = await self._accounts.get(account_id)
        accounts.check_state(account, *states)
        return account

    async def _check_archive(self, meter: str) -> None:
        if await self._database.meters.find(meter) is None:
            raise InvalidValue("meter", f"there is no meter {meter} in the archive")

    async def _check_finished(self, account: Account) -> None:
        if await self._orders.unfinished_of(account.id) is not None:
            raise Conflict(UNFINISHED)


def _touch(account: Account) -> AccountChange:
    """Have an order depend on the account's being as it is."""
    return AccountChange(account, accounts.touched(account))
