"""Accounts: the list, one on one screen with its sale, opening one, and a new card for one."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import ListQuery
from station.handlers.contract import CARD, contract
from station.handlers.marking import N_
from station.handlers.selling.account_views import (
    ACCOUNT_WORDS,
    COLUMNS,
    PROFILE_NAMES,
    AccountList,
    AccountView,
    account_views,
)
from station.handlers.selling.customers import Number
from station.handlers.selling.desk import RECENT_MAX, CardRequest, DeskHandler
from station.handlers.selling.ladder import LadderView, PurchasePreview, ladder_of
from station.handlers.selling.money import AMOUNT_MAX_FEN, Money, Yuan, whole_fen
from station.handlers.selling.order_views import ORDER_WORDS, OrderView
from station.handlers.selling.tariff_views import preview_view, warning_views
from station.prepaid.limits import REASON_SIZE_MAX
from station.prepaid.tariffs import Limits, amount_for, preview, prices_at
from station.prepaid.terms import (
    RATIO_MAX,
    OpeningRequest,
    ReplacementRequest,
)
from station.store.objects.accounts import Account, AccountState
from station.store.objects.customers import Customer
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import local_day, utc_now

NOTHING_TYPED = {"amount": "", "energy": ""}
NOTHING_USED = Decimal(0)
ENERGY_MAX = 10_000_000  # kWh; more than the largest wallet buys.


class AccountsQuery(ListQuery):
    """Which accounts to show."""

    state: AccountState | None = None
    tariff: str | None = Field(None, max_length=32)


class Bought(Money):
    """What is to be bought: an amount, or the energy that it has to buy."""

    energy: Annotated[Decimal, Field(gt=0, le=ENERGY_MAX)] | None = Field(
        None, description=N_("an energy such as 100 or 99.5")
    )

    def fen_for(self, prices: PriceSet, used: Decimal = NOTHING_USED) -> int:
        """Return the amount in fen after `used` kWh of the ladder's period.

        Raises InvalidValue when nothing was said.
        """
        if self.fen is not None:
            return self.fen
        if self.energy is None:
            raise InvalidValue("amount", "say an amount or an energy")
        return amount_for(prices, self.energy, used=used)


class PurchaseBody(CardRequest, Bought):
    """A purchase, by money or by energy."""


class OpeningQuery(BaseModel):
    """The meter and the customer that the form begins with."""

    meter: str = Field("", max_length=32)
    customer: str = Field("", max_length=32)


class OpeningBody(CardRequest):
    """An account to open. A customer that is not known yet is entered with `name`.

    Alarm amounts and limits that are not said are those of the tariff. Amounts are yuan as forms
    have them; programs may say each with `_fen` behind its name instead.
    """

    meter: Number
    customer: Number
    name: str = Field("", max_length=64)
    phone: str = Field("", max_length=32)
    address: str = Field("", max_length=200)
    tariff: str = Field(min_length=1, max_length=32)
    ct: int = Field(1, ge=1, le=RATIO_MAX)
    pt: int = Field(1, ge=1, le=RATIO_MAX)
    profile: str = Field("", max_length=8)
    amount: Yuan | None = None
    amount_fen: int | None = Field(None, ge=0, le=AMOUNT_MAX_FEN)
    alarm1: Yuan | None = None
    alarm1_fen: int | None = Field(None, ge=0, le=AMOUNT_MAX_FEN)
    alarm2: Yuan | None = None
    alarm2_fen: int | None = Field(None, ge=0, le=AMOUNT_MAX_FEN)
    overdraft: Yuan | None = None
    overdraft_fen: int | None = Field(None, ge=0, le=AMOUNT_MAX_FEN)
    hoarding: Yuan | None = None
    hoarding_fen: int | None = Field(None, ge=0, le=AMOUNT_MAX_FEN)

    def fen_of(self, name: str) -> int | None:
        """Return one of the amounts in fen, however it was said."""
        fen: int | None = getattr(self, f"{name}_fen")
        amount: Decimal | None = getattr(self, name)
        return whole_fen(amount) if fen is None and amount is not None else fen

    def request(self) -> OpeningRequest:
        """Return what selling is asked for."""
        return OpeningRequest(
            meter=self.meter,
            customer=self.customer,
            tariff=self.tariff,
            amount_fen=self.fen_of("amount") or 0,
            ct=self.ct,
            pt=self.pt,
            alarm1_fen=self.fen_of("alarm1"),
            alarm2_fen=self.fen_of("alarm2"),
            overdraft_fen=self.fen_of("overdraft"),
            hoarding_fen=self.fen_of("hoarding"),
            profile=self.profile,
        )


class ReplacementBody(CardRequest, Money):
    """A new card for a lost or broken one, with or without a further amount."""

    reason: str = Field(min_length=1, max_length=REASON_SIZE_MAX)
    meter_count: int | None = Field(None, ge=0, le=0xFFFFFFFF)


class AccountPage(AccountView):
    """An account with its unfinished order and the last ones."""

    unfinished: OrderView | None
    orders: list[OrderView]


class AccountHandler(DeskHandler):
    """What the handlers of accounts share."""

    async def view_of(self, account: Account) -> AccountView:
        """Return an account with its customer."""
        [view] = await account_views(self.parts.database, [account])
        return view

    async def page_of(self, account: Account) -> AccountPage:
        """Return an account with its orders."""
        database = self.parts.database
        orders, _ = await database.orders.list(account=account.id, limit=RECENT_MAX)
        unfinished = await database.orders.unfinished_of(account.id)
        views = await self.order_views([*orders, *([unfinished] if unfinished else [])])
        return AccountPage(
            **(await self.view_of(account)).model_dump(),
            unfinished=views[len(orders)] if unfinished else None,
            orders=views[: len(orders)],
        )

    async def check_own_meter(self, meter: str) -> None:
        """Check that the person deals with a meter. Raises InvalidValue."""
        own = await self.meters_in_sight()
        if own is not None and meter not in own:
            raise InvalidValue("meter", f"there is no meter {meter} in your areas")

    async def check_own_customer(self, number: str) -> None:
        """Check that the person deals with a customer. Raises InvalidValue."""
        own = await self.customers_in_sight()
        if own is not None and number not in own:
            raise InvalidValue("customer", f"there is no customer {number} in your areas")

    async def version_of(self, tariff: str) -> TariffVersion:
        """Return the version of a tariff that holds today. Raises NotFound."""
        today: date = local_day(utc_now(), self.parts.config.site.zone_info)
        return await self.parts.database.tariffs.current(tariff, today)

    async def prices_of(self, tariff: str) -> PriceSet:
        """Return the prices of a tariff at this moment. Raises NotFound."""
        return prices_at(await self.version_of(tariff), self.local_now())

    async def ladder_of(self, account: Account, prices: PriceSet) -> LadderView | None:
        """Return where an account stands on the ladder of its prices; None without a ladder."""
        zone, readings = self.parts.config.site.zone_info, self.parts.database.readings
        return await ladder_of(readings, account, prices, self.local_now(), zone)

    def local_now(self) -> datetime:
        """Return the site's time without its zone, as meters have it."""
        return utc_now().astimezone(self.parts.config.site.zone_info).replace(tzinfo=None)

    async def show_account(
        self, account: Account, typed: dict[str, Any], errors: dict[str, str], request_id: str
    ) -> None:
        """Show an account on one screen, with the form of its sale."""
        try:
            version: TariffVersion | None = await self.version_of(account.tariff)
        except NotFound:
            version = None
        self.finish_page(
            "account.html",
            view=await self.page_of(account),
            version=version,
            prices=None if version is None else prices_at(version, self.local_now()),
            typed=typed,
            errors=errors,
            request_id=request_id,
            **ORDER_WORDS,
            **ACCOUNT_WORDS,
            **await self.desk_context(),
        )

    async def refuse_again(
        self, template: str, error: StationError, typed: dict[str, Any], **context: Any
    ) -> None:
        """Show a form again after a refusal, with the id that its next sending needs."""
        if self.wants_json:
            raise error
        request_id = await self.request_id_after(typed.get("request_id") or self.new_request_id())
        self.refuse_form(template, error, request_id=request_id, **context)


class AccountsHandler(AccountHandler):
    """/accounts, /api/accounts"""

    @requires(Permission.VIEW)
    @contract(AccountList, query=AccountsQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(AccountsQuery)
        skip, limit = self.span(query)
        database = self.parts.database
        own = await self.customers_in_sight()
        named, _ = await database.customers.list(query.text, numbers=own) if query.text else ([], 0)
        accounts, total = await database.accounts.list(
            query.text,
            query.state,
            query.tariff,
            [each.number for each in named],
            skip=skip,
            limit=limit,
            sort=query.sort,
            meters=await self.meters_in_sight(),
        )
        rows = await account_views(database, accounts)
        view = AccountList(items=rows, total=total)
        await self.show_list("accounts.html", view, rows, COLUMNS, filter=query, **ACCOUNT_WORDS)

    @requires(Permission.SELL)
    @contract(OrderView, body=OpeningBody, status=201, fails=CARD)
    async def post(self) -> None:
        try:
            body = self.parse_body(OpeningBody)
            await self.check_own_meter(body.meter)
            await self._enter_customer(body)
            order = await self.sales.open_account(
                body.request(),
                request_id=body.request_id,
                by=self.clerk,
                desk=self.desk_for(body),
            )
        except (InvalidValue, Conflict, NotFound) as error:
            await self.refuse_again("account_form.html", error, self.typed(), **await self.offers())
            return
        account = await self.parts.database.accounts.get(order.account)
        await self.finish_order(order, status=201, account=account)

    async def offers(self) -> dict[str, Any]:
        """Return what the form of an opening offers."""
        return {} if self.wants_json else await opening_offers(self)

    async def _enter_customer(self, body: OpeningBody) -> None:
        """Enter a customer whom nobody knows yet. Raises InvalidValue."""
        customers = self.parts.database.customers
        known = await customers.find(body.customer)
        if known is not None:
            own = await self.customers_in_sight()
            if own is not None and known.number not in own:
                raise InvalidValue("customer", f"number {known.number} is taken elsewhere")
            if body.name and body.name != known.name:
                raise InvalidValue("customer", f"number {known.number} is {known.name}")
            return
        if not body.name:
            raise InvalidValue("name", "this customer is not known yet: enter the name")
        await customers.add(
            Customer(
                body.customer,
                body.name,
                phone=body.phone,
                address=body.address,
                created_by=self.clerk,
            )
        )


class NewAccountHandler(AccountHandler):
    """/accounts/new"""

    @requires(Permission.SELL)
    @contract(None, query=OpeningQuery)
    async def get(self) -> None:
        typed: dict[str, Any] = dict.fromkeys(OpeningBody.model_fields, "")
        typed |= {"ct": 1, "pt": 1}
        typed |= self.parse_query(OpeningQuery).model_dump()
        customer = await self.parts.database.customers.find(typed["customer"])
        own = await self.customers_in_sight()
        if customer is not None and (own is None or customer.number in own):
            typed |= {"name": customer.name, "phone": customer.phone, "address": customer.address}
        self.finish_page(
            "account_form.html",
            typed=typed,
            request_id=self.new_request_id(),
            **await opening_offers(self),
        )


class OneAccountHandler(AccountHandler):
    """/accounts/ID, /api/accounts/ID"""

    @requires(Permission.VIEW)
    @contract(AccountPage)
    async def get(self, account_id: str) -> None:
        account = await self.parts.database.accounts.get(account_id)
        if self.wants_json:
            self.write_json(await self.page_of(account))
            return
        await self.show_account(account, NOTHING_TYPED, {}, self.new_request_id())


class PreviewHandler(AccountHandler):
    """/accounts/ID/preview?amount=100 or ?energy=50, /api/…"""

    @requires(Permission.VIEW)
    @contract(PurchasePreview, query=Bought)
    async def get(self, account_id: str) -> None:
        account = await self.parts.database.accounts.get(account_id)
        try:
            bought = self.parse_query(Bought)
            found = await self._preview(account, bought)
        except (InvalidValue, NotFound) as error:
            if self.wants_json:
                raise
            self.finish_page(
                "parts/preview.html", view=None, problems=[*self.problems_of(error).values()]
            )
            return
        self.show("parts/preview.html", found, problems=[])

    async def _preview(self, account: Account, bought: Bought) -> PurchasePreview:
        prices = await self.prices_of(account.tariff)
        ladder = await self.ladder_of(account, prices)
        used = NOTHING_USED if ladder is None else ladder.used
        amount_fen = bought.fen_for(prices, used)
        found = preview(
            prices,
            amount_fen,
            used=used,
            balance_fen=(account.balance_fen or 0) - account.overdrawn_fen,
            limits=Limits(account.alarm1_fen, account.alarm2_fen, account.hoarding_fen),
        )
        warnings = warning_views(found.warnings, self.language.sentence)
        view = preview_view(found, amount_fen, warnings)
        return PurchasePreview(**view.model_dump(), ladder=ladder)


class PurchasesHandler(AccountHandler):
    """/accounts/ID/purchases, /api/accounts/ID/purchases"""

    @requires(Permission.SELL)
    @contract(OrderView, body=PurchaseBody, status=201, fails=CARD)
    async def post(self, account_id: str) -> None:
        account = await self.parts.database.accounts.get(account_id)
        try:
            body = self.parse_body(PurchaseBody)
            fen = body.fen
            if fen is None:
                prices = await self.prices_of(account.tariff)
                ladder = await self.ladder_of(account, prices)
                fen = body.fen_for(prices, NOTHING_USED if ladder is None else ladder.used)
            order = await self.sales.sell(
                account.id,
                fen,
                request_id=body.request_id,
                by=self.clerk,
                desk=self.desk_for(body),
            )
        except (InvalidValue, Conflict, NotFound) as error:
            await self._refuse(account, error)
            return
        await self.finish_order(order, status=201, before=account)

    async def _refuse(self, account: Account, error: StationError) -> None:
        if self.wants_json:
            raise error
        typed = self.typed()
        request_id = await self.request_id_after(typed["request_id"] or self.new_request_id())
        self.set_status(400 if isinstance(error, InvalidValue) else 409)
        await self.show_account(account, typed, self.problems_of(error), request_id)


class ReplacementsHandler(AccountHandler):
    """/accounts/ID/replacements, /api/accounts/ID/replacements"""

    @requires(Permission.SELL)
    @contract(None)
    async def get(self, account_id: str) -> None:
        account = await self.parts.database.accounts.get(account_id)
        self.finish_page(
            "replacement_form.html",
            view=await self.page_of(account),
            typed={"reason": "", "amount": "", "meter_count": ""},
            request_id=self.new_request_id(),
            **ACCOUNT_WORDS,
        )

    @requires(Permission.SELL)
    @contract(OrderView, body=ReplacementBody, status=201, fails=CARD)
    async def post(self, account_id: str) -> None:
        account = await self.parts.database.accounts.get(account_id)
        try:
            body = self.parse_body(ReplacementBody)
            request = ReplacementRequest(body.reason, body.fen or 0, body.meter_count)
            order = await self.sales.replace(
                account.id,
                request,
                request_id=body.request_id,
                by=self.clerk,
                desk=self.desk_for(body),
            )
        except (InvalidValue, Conflict, NotFound) as error:
            view = await self.page_of(account)
            await self.refuse_again(
                "replacement_form.html", error, self.typed(), view=view, **ACCOUNT_WORDS
            )
            return
        await self.finish_order(order, status=201, before=account)


async def opening_offers(handler: AccountHandler) -> dict[str, Any]:
    """Return what the form of an opening offers: the tariffs that hold today."""
    versions = []
    for code in await handler.parts.database.tariffs.codes():
        try:
            versions.append(await handler.version_of(code))
        except NotFound:
            continue
    return {
        "versions": versions,
        "profiles": PROFILE_NAMES,
        "site_profile": handler.parts.config.prepaid.profile,
        **await handler.desk_context(),
    }
