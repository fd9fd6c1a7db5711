"""The counter: who stands before me, and what may I sell? Unfinished orders come first."""

from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import COOKIE_DAYS, Nothing, local_path
from station.handlers.contract import contract
from station.handlers.selling.account_views import ACCOUNT_WORDS, AccountView, account_views
from station.handlers.selling.desk import WORKPLACE_COOKIE, DeskHandler
from station.handlers.selling.order_views import ORDER_WORDS, OrderView

FOUND_MAX = 20  # Of each kind: more than fits on a screen; a longer text finds fewer.
NAMED_MAX = 500  # Customers whose accounts are looked for.
RECENT_MAX = 8


class CounterQuery(BaseModel):
    text: str = Field("", max_length=100)


class NewHit(BaseModel):
    """A customer or a meter without an account: one can be opened."""

    kind: Literal["customer", "meter"]
    key: str
    name: str
    page: str


class CounterView(BaseModel):
    """What a text finds, and the orders that nobody has finished."""

    accounts: list[AccountView]
    others: list[NewHit]
    total: int
    unfinished: list[OrderView]


class CounterHandler(DeskHandler):
    """/counter, /api/counter"""

    @requires(Permission.SELL)
    @contract(CounterView, query=CounterQuery)
    async def get(self) -> None:
        text = self.parse_query(CounterQuery).text.strip()
        accounts, total = await self._accounts(text) if text else ([], 0)
        others = await self._others(text, accounts) if text else []
        if len(accounts) == 1 and not others and not (self.wants_json or self.is_partial):
            self.redirect(f"/accounts/{accounts[0].id}", status=303)
            return
        recent, _ = await self.parts.database.orders.list(
            by=self.clerk, limit=RECENT_MAX, meters=await self.meters_in_sight()
        )
        self.show(
            "counter.html",
            CounterView(
                accounts=accounts,
                others=others,
                total=total,
                unfinished=await self.unfinished(),
            ),
            text=text,
            recent=await self.order_views(recent),
            **ACCOUNT_WORDS,
            **ORDER_WORDS,
            **await self.desk_context(),
        )

    async def _accounts(self, text: str) -> tuple[list[AccountView], int]:
        """Find accounts by card, meter, customer number, name or phone; living ones first."""
        database = self.parts.database
        customers, _ = await database.customers.list(
            text, limit=NAMED_MAX, numbers=await self.customers_in_sight()
        )
        numbers = [each.number for each in customers]
        accounts, total = await database.accounts.list(
            text, customers=numbers, limit=FOUND_MAX, meters=await self.meters_in_sight()
        )
        accounts.sort(key=lambda account: not account.is_living)
        return await account_views(database, accounts), total

    async def _others(self, text: str, found: list[AccountView]) -> list[NewHit]:
        """Find customers and meters that have no account yet."""
        database = self.parts.database
        customers, _ = await database.customers.list(
            text, limit=FOUND_MAX, numbers=await self.customers_in_sight()
        )
        numbers = [customer.number for customer in customers]
        known = await database.accounts.of_customers(numbers)
        owners = {account.owner or account.customer for account in known}
        within = await self.parts.archive.places_of(self.areas)
        meters, _ = await database.meters.list(text, limit=FOUND_MAX, within=within)
        metered = {account.meter for account in found if account.state != "closed"}
        hits = [
            _hit("customer", customer.number, customer.name)
            for customer in customers
            if customer.number not in owners
        ]
        for meter in meters:
            is_free = meter.address not in metered and len(meter.address) == 12
            if is_free and await database.accounts.of_meter(meter.address) is None:
                hits.append(_hit("meter", meter.address, meter.name))
        return hits


class DeskChoiceHandler(DeskHandler):
    """/counter/desk, /api/counter/desk: which desk's readers this browser uses"""

    @requires(Permission.SELL)
    @contract(Nothing)
    async def post(self) -> None:
        chosen = self.get_body_argument("workplace", "")
        if chosen in self.desks:
            self.set_cookie(
                WORKPLACE_COOKIE, chosen, expires_days=COOKIE_DAYS, httponly=True, samesite="Lax"
            )
        self.done(Nothing(), local_path(self.get_body_argument("next", "/counter")))


def _hit(kind: Literal["customer", "meter"], key: str, name: str) -> NewHit:
    return NewHit(kind=kind, key=key, name=name, page=f"/accounts/new?{kind}={quote(key)}")
