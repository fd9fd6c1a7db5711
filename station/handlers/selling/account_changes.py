"""What happens to an account besides sales: another meter, its end, another owner, a correction."""

from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.contract import CARD, contract
from station.handlers.selling.account_views import ACCOUNT_WORDS, RefundView, refund_view
from station.handlers.selling.accounts import AccountHandler
from station.handlers.selling.customers import Number
from station.handlers.selling.desk import CardRequest, Request
from station.handlers.selling.money import Money
from station.handlers.selling.order_views import OrderView
from station.prepaid.legality import proposed_refund
from station.prepaid.limits import REASON_SIZE_MAX
from station.prepaid.terms import RATIO_MAX, ClosingRequest, MeterChangeRequest
from station.store.objects.accounts import Account
from station.store.objects.orders import Order, OrderKind

COUNT_MAX = 0xFFFF_FFFF  # Four bytes on the card.


class ChangeQuery(BaseModel):
    """What the form begins with: who comes back with an approval has typed it before."""

    reason: str = Field("", max_length=REASON_SIZE_MAX)
    amount: str = Field("", max_length=20)
    meter: str = Field("", max_length=32)
    meter_count: str = Field("", max_length=20)
    customer: str = Field("", max_length=32)
    approved_by: str = Field("", max_length=64)


class ChangeBody(Request):
    """Why, and the second person's approval where one is needed."""

    reason: str = Field(min_length=1, max_length=REASON_SIZE_MAX)
    approved_by: str | None = Field(None, max_length=64)


class MoneyChangeBody(ChangeBody, Money):
    """A change that names an amount, which may be negative."""

    def needed_fen(self) -> int:
        """Return the amount. Raises InvalidValue when none was said."""
        if self.fen is None:
            raise InvalidValue("amount", "is needed")
        return self.fen


class ClosingBody(CardRequest, MoneyChangeBody):
    """The end of an account; the amount is what is given back."""


class MeterChangeBody(CardRequest, MoneyChangeBody):
    """Another meter; the amount is what the old one showed at the end, negative when overdrawn."""

    meter: Number
    meter_count: int = Field(ge=0, le=COUNT_MAX)
    ct: int = Field(1, ge=1, le=RATIO_MAX)
    pt: int = Field(1, ge=1, le=RATIO_MAX)


class TransferBody(ChangeBody):
    """The customer who takes the account over."""

    customer: Number


class ChangeHandler(AccountHandler):
    """The form of a change, and the order that it makes."""

    kind: ClassVar[OrderKind]

    @requires(Permission.SELL)
    @contract(None, query=ChangeQuery)
    async def get(self, account_id: str) -> None:
        account = await self.parts.database.accounts.get(account_id)
        typed = self.parse_query(ChangeQuery).model_dump()
        self.finish_page(
            "account_change.html",
            typed=typed | {"ct": account.ct, "pt": account.pt},
            request_id=self.new_request_id(),
            **await self._context(account),
        )

    async def change(self, account_id: str) -> None:
        """Enter the change, or show the form again."""
        account = await self.parts.database.accounts.get(account_id)
        try:
            order = await self.order(account)
        except (InvalidValue, Conflict, NotFound) as error:
            shown = error if self.wants_json else _in_form(error)
            typed, context = self.typed(), await self._context(account)
            await self.refuse_again("account_change.html", shown, typed, **context)
            return
        after = await self.parts.database.accounts.get(order.account)
        await self.finish_order(order, status=201, before=account, account=after)

    @abstractmethod
    async def order(self, account: Account) -> Order:
        """Make the order that the body asks for."""

    async def _context(self, account: Account) -> dict[str, Any]:
        return {"view": await self.page_of(account), "kind": self.kind, **ACCOUNT_WORDS}


def _in_form(error: StationError) -> StationError:
    """Return an error with the name that its field has in the form."""
    if isinstance(error, InvalidValue) and error.field == "amount_fen":
        return InvalidValue("amount", str(error))
    return error


class MeterChangeHandler(ChangeHandler):
    """/accounts/ID/meter_change, /api/accounts/ID/meter_change"""

    kind = "meter_change"

    @requires(Permission.SELL)
    @contract(OrderView, body=MeterChangeBody, status=201, fails=CARD)
    async def post(self, account_id: str) -> None:
        await self.change(account_id)

    async def order(self, account: Account) -> Order:
        """Reserve the new meter's opening card."""
        body = self.parse_body(MeterChangeBody)
        await self.check_own_meter(body.meter)
        request = MeterChangeRequest(
            body.meter,
            body.needed_fen(),
            body.meter_count,
            body.reason,
            ct=body.ct,
            pt=body.pt,
            approved_by=body.approved_by,
        )
        return await self.sales.change_meter(
            account.id,
            request,
            request_id=body.request_id,
            by=self.clerk,
            desk=self.desk_for(body),
        )


class ClosingHandler(ChangeHandler):
    """/accounts/ID/closing, /api/accounts/ID/closing"""

    kind = "closing"

    @requires(Permission.SELL)
    @contract(RefundView, query=ChangeQuery)
    async def get(self, account_id: str) -> None:
        if not self.wants_json:
            await super().get(account_id)
            return
        self.parse_query(ChangeQuery)
        account = await self.parts.database.accounts.get(account_id)
        self.write_json(refund_view(proposed_refund(account)))

    @requires(Permission.SELL)
    @contract(OrderView, body=ClosingBody, status=201, fails=CARD)
    async def post(self, account_id: str) -> None:
        await self.change(account_id)

    async def _context(self, account: Account) -> dict[str, Any]:
        return await super()._context(account) | {"refund": refund_view(proposed_refund(account))}

    async def order(self, account: Account) -> Order:
        """Reserve the end of the account; its card becomes blank."""
        body = self.parse_body(ClosingBody)
        request = ClosingRequest(body.needed_fen(), body.reason, body.approved_by)
        return await self.sales.close(
            account.id,
            request,
            request_id=body.request_id,
            by=self.clerk,
            desk=self.desk_for(body),
        )


class TransferHandler(ChangeHandler):
    """/accounts/ID/transfer, /api/accounts/ID/transfer"""

    kind = "transfer"

    @requires(Permission.SELL)
    @contract(OrderView, body=TransferBody, status=201)
    async def post(self, account_id: str) -> None:
        await self.change(account_id)

    async def order(self, account: Account) -> Order:
        """Give the account to another customer."""
        body = self.parse_body(TransferBody)
        await self.check_own_customer(body.customer)
        return await self.sales.transfer(
            account.id, body.customer, body.reason, request_id=body.request_id, by=self.clerk
        )


class CorrectionHandler(ChangeHandler):
    """/accounts/ID/correction, /api/accounts/ID/correction"""

    kind = "correction"

    @requires(Permission.SELL)
    @contract(OrderView, body=MoneyChangeBody, status=201)
    async def post(self, account_id: str) -> None:
        await self.change(account_id)

    async def order(self, account: Account) -> Order:
        """Enter an amount that puts the money right."""
        body = self.parse_body(MoneyChangeBody)
        return await self.sales.correct(
            account.id,
            body.needed_fen(),
            body.reason,
            request_id=body.request_id,
            by=self.clerk,
            approved_by=body.approved_by,
        )
