"""Orders as pages and JSON show them, and the words for their kinds, states and steps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.selling.money import yuan_typed
from station.store.database import Database
from station.store.objects.orders import Order, OrderKind
from station.words import Text

KIND_NAMES = {
    "opening": Text("opening", "开户"),
    "purchase": Text("purchase", "购电"),
    "replacement": Text("replacement", "补卡"),
    "reversal": Text("reversal", "冲正"),
    "meter_change": Text("meter exchange", "换表"),
    "closing": Text("closing", "销户"),
    "transfer": Text("transfer", "过户"),
    "correction": Text("correction", "更正"),
}
STATE_NAMES = {
    "reserved": Text("unfinished", "未完成"),
    "written": Text("done", "已完成"),
    "abandoned": Text("abandoned", "已放弃"),
}
STATE_COLOURS = {"reserved": "orange", "written": "green", "abandoned": "secondary"}
# What a clerk sees of a conversation with a card, in its order; before each, the steps that it
# stands for, as `prepaid.cards.dialog` names them.
STEP_NAMES = {
    "connect": Text("Finding reader and card", "查找读卡器和卡"),
    "select|serial": Text("Which card is it?", "识别卡片"),
    "read parameters|read wallet|read return file|read prices": Text(
        "Looking at what it holds", "查看卡内容"
    ),
    "authenticate card": Text("The card proves itself", "卡片认证"),
    "authenticate reader": Text("The station proves itself", "主站认证"),
    "write prices|write backup prices": Text("Writing prices", "写入电价"),
    "write parameters": Text("Writing parameters", "写入参数"),
    "clear return file": Text("Clearing the return file", "清空返写信息"),
    "write wallet": Text("Writing amount and count", "写入金额和购电次数"),
}
REVERSIBLE = frozenset({"purchase", "opening", "replacement"})
ORDER_WORDS: dict[str, Any] = {
    "step_names": STEP_NAMES,
    "order_states": STATE_NAMES,
    "order_colours": STATE_COLOURS,
    "order_kinds": KIND_NAMES,
    "reversible": REVERSIBLE,
}


class OrderView(BaseModel):
    """An order; `amount_fen` is what the customer paid, negative for what was given back."""

    id: str
    request_id: str
    account: str
    meter: str
    customer: str
    name: str
    kind: OrderKind
    state: Literal["reserved", "written", "abandoned"]
    amount_fen: int
    card_amount_fen: int
    count: int
    carried_fen: int
    tariff_version: str
    reason: str
    by: str
    at: datetime
    needs_card: bool
    card_serial: str
    workplace: str
    reader_model: str
    reader_name: str
    reader_serial: str
    reader_port: str
    written_at: datetime | None
    ended_by: str
    end_reason: str
    approved_by: str | None
    reverses: str | None
    reversed_by: str | None
    shift: str | None
    receipt: int | None


class OrderList(BaseModel):
    """A page of the journal; `amount_fen` is the sum of the orders on it that stand."""

    items: list[OrderView]
    total: int
    amount_fen: int


COLUMNS = (
    Column[OrderView](N_("At"), lambda order: order.at, sort="-time", look="nowrap"),
    Column[OrderView](N_("Order"), lambda order: order.id, within="kind"),
    Column[OrderView](N_("Kind"), lambda order: KIND_NAMES[order.kind], head=N_("Order")),
    Column[OrderView](
        N_("State"), lambda order: STATE_NAMES[order.state], sort="state", look="nowrap"
    ),
    Column[OrderView](N_("Meter"), lambda order: order.meter, within="name"),
    Column[OrderView](N_("Customer number"), lambda order: order.customer, within="name"),
    Column[OrderView](N_("Name"), lambda order: order.name, head=N_("Customer")),
    Column[OrderView](
        N_("Amount in yuan"),
        lambda order: yuan_typed(order.amount_fen),
        key="amount",
        head=N_("Amount"),
        unit=N_("yuan"),
        look="number",
    ),
    Column[OrderView](
        N_("On the card in yuan"),
        lambda order: yuan_typed(order.card_amount_fen),
        key="on_the_card",
        more=True,
        look="number",
    ),
    Column[OrderView](
        N_("Purchase count"), lambda order: order.count or None, look="number only-wide"
    ),
    Column[OrderView](
        N_("Card"),
        lambda order: order.card_serial,
        head=N_("Card and reader"),
        look="small only-wide",
    ),
    Column[OrderView](N_("Reader"), lambda order: _reader(order), within="card"),
    Column[OrderView](N_("By"), lambda order: order.by, sort="person", look="small only-wide"),
    Column[OrderView](N_("Written at"), lambda order: order.written_at, more=True),
    Column[OrderView](N_("Receipt"), lambda order: order.receipt, within="kind"),
    Column[OrderView](N_("Reason"), lambda order: order.reason or order.end_reason, more=True),
)
OWN_COLUMNS = tuple(column for column in COLUMNS if column.name != "name")  # Of one account.


def order_view(order: Order, name: str = "") -> OrderView:
    """Return an order as it is shown."""
    own = {
        field: getattr(order, field)
        for field in OrderView.model_fields
        if field not in ("name", "needs_card")
    }
    return OrderView(**own, name=name, needs_card=order.parameters is not None)


async def order_views(database: Database, orders: Sequence[Order]) -> list[OrderView]:
    """Return orders with the names of their customers."""
    numbers = [*{order.customer for order in orders}]
    names = {each.number: each.name for each in await database.customers.many(numbers)}
    return [order_view(order, names.get(order.customer, "")) for order in orders]


def _reader(order: OrderView) -> str:
    return " ".join(part for part in (order.reader_model, order.reader_port) if part)
