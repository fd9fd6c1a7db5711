"""Receipts: what was the customer given? One for each written order, and every print of it."""

from datetime import datetime
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.selling.money import yuan_typed
from station.handlers.selling.shift_views import LINE_NAMES, kind_name
from station.prepaid.receipt_words import number_text
from station.prepaid.receipts import Receipts, ReceiptStores
from station.store.objects.receipts import Print, Receipt

SIZE_NAMES = {"a4": "A4", "80mm": "80 mm"}


class PrintQuery(BaseModel):
    """How to print; without a size the receipt is shown and not printed."""

    size: Literal["a4", "80mm"] | None = None
    language: Literal["en", "zh"] | None = None


class PrintBody(PrintQuery):
    """How to print."""

    size: Literal["a4", "80mm"]


class PrintView(BaseModel):
    """One print; `ordinal` 1 is the original."""

    ordinal: int
    at: datetime
    by: str
    size: str
    language: str


class ReceiptView(BaseModel):
    """What stands on a receipt; `amount_fen` is negative for money given back."""

    number: int
    order: str
    kind: str
    amount_fen: int
    card_amount_fen: int
    count: int
    sold_at: datetime
    issued_at: datetime
    clerk: str
    customer: str
    customer_name: str
    customer_address: str
    meter: str
    card_serial: str
    tariff: str
    reason: str
    approved_by: str
    reverses: int | None
    shift: str | None
    prints: list[PrintView] = []


class ReceiptList(BaseModel):
    items: list[ReceiptView]
    total: int


COLUMNS = (
    Column[ReceiptView](N_("Number"), lambda receipt: receipt.number, sort="-number"),
    Column[ReceiptView](N_("Sold"), lambda receipt: receipt.sold_at, look="nowrap"),
    Column[ReceiptView](N_("Kind"), lambda receipt: kind_name(receipt.kind)),
    Column[ReceiptView](
        N_("Amount"), lambda receipt: yuan_typed(receipt.amount_fen), look="number"
    ),
    Column[ReceiptView](N_("Meter"), lambda receipt: receipt.meter, look="address"),
    Column[ReceiptView](N_("Customer"), lambda receipt: receipt.customer, within="name"),
    Column[ReceiptView](
        N_("Name"), lambda receipt: receipt.customer_name, head=N_("Customer"), look="only-wide"
    ),
    Column[ReceiptView](N_("Clerk"), lambda receipt: receipt.clerk, look="only-wide"),
    Column[ReceiptView](N_("Order"), lambda receipt: receipt.order, more=True, look="address"),
)


def receipt_view(receipt: Receipt, prints: list[Print]) -> ReceiptView:
    """Return a receipt as it is shown."""
    shown = {name: getattr(receipt, name) for name in ReceiptView.model_fields if name != "prints"}
    made = [
        PrintView(
            ordinal=each.ordinal, at=each.at, by=each.by, size=each.size, language=each.language
        )
        for each in prints
    ]
    return ReceiptView(**shown, prints=made)


class ReceiptsBase(Handler):
    """What the handlers of receipts share."""

    @property
    def receipts(self) -> Receipts:
        """The receipts of the site."""
        database, site = self.parts.database, self.parts.config.site
        stores = ReceiptStores(
            orders=database.orders,
            accounts=database.accounts,
            customers=database.customers,
            tariffs=database.tariffs,
            approvals=database.approvals,
            receipts=database.receipts,
            prints=database.prints,
        )
        return Receipts(stores, site=site.name, zone=site.zone_info, simulation=site.simulation)


class ReceiptsHandler(ReceiptsBase):
    """/receipts, /api/receipts"""

    @requires(Permission.VIEW)
    @contract(ReceiptList, query=ListQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ListQuery)
        skip, limit = self.span(query)
        receipts, total = await self.parts.database.receipts.list(
            query.text,
            skip=skip,
            limit=limit,
            sort=query.sort,
            meters=await self.meters_in_sight(),
        )
        rows = [receipt_view(each, []) for each in receipts]
        view = ReceiptList(items=rows, total=total)
        await self.show_list(
            "receipts.html", view, rows, COLUMNS,
            filter=query, kind_names=LINE_NAMES, number_text=number_text,
        )  # fmt: skip


class OneReceiptHandler(ReceiptsBase):
    """/orders/ID/receipt, /api/orders/ID/receipt"""

    @requires(Permission.SELL)
    @contract(ReceiptView, query=PrintQuery, files=("pdf",))
    async def get(self, order_id: str) -> None:
        query = self.parse_query(PrintQuery)
        if query.size is not None:
            await self._print(order_id, query.size, query.language or self.language.code)
            return
        receipt = await self.receipts.issue(order_id)
        prints = await self.parts.database.prints.of(receipt.number)
        self.show(
            "receipt.html",
            receipt_view(receipt, prints),
            kind_names=LINE_NAMES,
            size_names=SIZE_NAMES,
            number_text=number_text,
        )

    @requires(Permission.SELL)
    @contract(None, body=PrintBody, files=("pdf",))
    async def post(self, order_id: str) -> None:
        query = self.parse_body(PrintBody)
        await self._print(order_id, query.size, query.language or self.language.code)

    async def _print(self, order_id: str, size: str, language: str) -> None:
        """Answer with the document; that it was printed is recorded first."""
        assert self.user is not None, "a permission needs a person"
        printed = await self.receipts.print(
            order_id, size=size, language=language, by=self.user.name
        )
        name = quote(f"receipt-{number_text(printed.receipt.number)}.pdf")
        self.set_header("Content-Type", "application/pdf")
        self.set_header("Content-Disposition", f'inline; filename="{name}"')
        self.set_header("Cache-Control", "no-store")
        self.write(printed.pdf)
