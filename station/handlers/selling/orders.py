"""Orders: the journal, one with its writing on the card, and what may still become of it."""

from datetime import date, timedelta

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import ListQuery
from station.handlers.contract import CARD, contract
from station.handlers.selling.desk import AbandonBody, AtDesk, CardRequest, DeskHandler
from station.handlers.selling.order_views import (
    COLUMNS,
    ORDER_WORDS,
    OrderList,
    OrderView,
)
from station.prepaid.limits import REASON_SIZE_MAX
from station.store.objects.orders import Order, OrderKind, OrderState
from station.units import day_start


class OrdersQuery(ListQuery):
    """Which orders to show; the days are the site's, both included."""

    state: OrderState | None = None
    kind: OrderKind | None = None
    account: str | None = Field(None, max_length=32)
    by: str | None = Field(None, max_length=64)
    shift: str | None = Field(None, max_length=32)
    first: date | None = None
    last: date | None = None


class ReversalQuery(BaseModel):
    """What the form begins with: whoever comes back with an approval has typed it before."""

    reason: str = Field("", max_length=REASON_SIZE_MAX)
    approved_by: str = Field("", max_length=64)


class ReversalBody(CardRequest):
    """Why an order is taken back, and the second person's approval where one is needed."""

    reason: str = Field(min_length=1, max_length=REASON_SIZE_MAX)
    approved_by: str | None = Field(None, max_length=64)


class OrderHandler(DeskHandler):
    """What the handlers of orders share."""

    async def view_of(self, order: Order) -> OrderView:
        """Return an order with its customer's name."""
        [view] = await self.order_views([order])
        return view

    async def show_order(self, order: Order, error: StationError | None = None) -> None:
        """Show an order, and what went wrong just now."""
        self.finish_page(
            "order.html",
            view=await self.view_of(order),
            account=await self.parts.database.accounts.find(order.account),
            errors={} if error is None else self.problems_of(error),
            **ORDER_WORDS,
            **await self.desk_context(),
        )

    async def refuse_change(self, order_id: str, error: StationError) -> None:
        """Show the order with what went wrong; programs get the error itself."""
        if self.wants_json:
            raise error
        self.explain(500, exc_info=(type(error), error, None))  # Sets the status.
        await self.show_order(await self.parts.database.orders.get(order_id), error)


class OrdersHandler(OrderHandler):
    """/orders, /api/orders"""

    @requires(Permission.VIEW)
    @contract(OrderList, query=OrdersQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(OrdersQuery)
        skip, limit = self.span(query)
        zone = self.parts.config.site.zone_info
        orders, total = await self.parts.database.orders.list(
            query.text,
            query.account,
            query.state,
            query.kind,
            query.by,
            query.shift,
            None if query.first is None else day_start(query.first, zone),
            None if query.last is None else day_start(query.last + timedelta(days=1), zone),
            skip=skip,
            limit=limit,
            sort=query.sort,
            meters=await self.meters_in_sight(),
        )
        rows = await self.order_views(orders)
        standing = sum(order.amount_fen for order in orders if order.state != "abandoned")
        view = OrderList(items=rows, total=total, amount_fen=standing)
        await self.show_list("orders.html", view, rows, COLUMNS, filter=query, **ORDER_WORDS)


class OneOrderHandler(OrderHandler):
    """/orders/ID, /api/orders/ID"""

    @requires(Permission.VIEW)
    @contract(OrderView)
    async def get(self, order_id: str) -> None:
        order = await self.parts.database.orders.get(order_id)
        if self.wants_json:
            self.write_json(await self.view_of(order))
            return
        await self.show_order(order)


class WriteOrderHandler(OrderHandler):
    """/orders/ID/write, /api/orders/ID/write: the first write, and every finish"""

    @requires(Permission.SELL)
    @contract(OrderView, body=AtDesk, fails=CARD)
    async def post(self, order_id: str) -> None:
        try:
            place = self.parse_body(AtDesk).workplace or self.desk
            order = await self.sales.write(order_id, place, by=self.clerk)
        except StationError as error:
            await self.refuse_change(order_id, error)
            return
        await self.finish_order(order, self.language.say("The card is written."))


class AbandonOrderHandler(OrderHandler):
    """/orders/ID/abandon, /api/orders/ID/abandon: only after a look at the card"""

    @requires(Permission.SELL)
    @contract(OrderView, body=AbandonBody, fails=CARD)
    async def post(self, order_id: str) -> None:
        before = await self.parts.database.orders.get(order_id)
        try:
            body = self.parse_body(AbandonBody)
            order = await self.sales.abandon(
                order_id, body.workplace or self.desk, by=self.clerk, reason=body.reason
            )
        except StationError as error:
            await self.refuse_change(order_id, error)
            return
        await self.finish_order(
            order,
            self.language.say("The order is abandoned: give the money back."),
            before=before,
        )


class ReversalHandler(OrderHandler):
    """/orders/ID/reversal, /api/orders/ID/reversal"""

    @requires(Permission.SELL)
    @contract(None, query=ReversalQuery)
    async def get(self, order_id: str) -> None:
        order = await self.parts.database.orders.get(order_id)
        self.finish_page(
            "reversal_form.html",
            view=await self.view_of(order),
            typed=self.parse_query(ReversalQuery).model_dump(),
            request_id=self.new_request_id(),
            **ORDER_WORDS,
        )

    @requires(Permission.SELL)
    @contract(OrderView, body=ReversalBody, status=201, fails=CARD)
    async def post(self, order_id: str) -> None:
        before = await self.parts.database.orders.get(order_id)
        try:
            body = self.parse_body(ReversalBody)
            order = await self.sales.reverse(
                before.id,
                body.reason,
                request_id=body.request_id,
                by=self.clerk,
                approved_by=body.approved_by,
                desk=self.desk_for(body),
            )
        except (InvalidValue, Conflict, NotFound) as error:
            if self.wants_json:
                raise
            typed = self.typed()
            self.refuse_form(
                "reversal_form.html",
                error,
                view=await self.view_of(before),
                request_id=await self.request_id_after(
                    typed["request_id"] or self.new_request_id()
                ),
                **ORDER_WORDS,
            )
            return
        await self.finish_order(order, status=201, before=before)
