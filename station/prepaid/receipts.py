"""Receipts: what a written order's paper says, its number, and the prints of it.

A receipt is made when it is first asked for, with what the order, its account and its customer say
then, and stays so. Before a print is made it is recorded: a print that was recorded and never came
out of the printer makes the next one a copy, never a second original.
"""

import asyncio
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from station.errors import Conflict, InvalidValue
from station.prepaid.paper import drawing
from station.prepaid.receipt_pdf import to_pdf
from station.store.objects.accounts import Accounts
from station.store.objects.customers import Customers
from station.store.objects.limits import Approvals
from station.store.objects.orders import Order, Orders
from station.store.objects.receipts import Print, Prints, Receipt
from station.store.objects.receipts import Receipts as ReceiptsStore
from station.store.objects.tariffs import Tariffs
from station.units import utc_now

SIZES = ("a4", "80mm")
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class ReceiptStores:
    """Where the words on a receipt come from, and where receipts are kept."""

    orders: Orders
    accounts: Accounts
    customers: Customers
    tariffs: Tariffs
    approvals: Approvals
    receipts: ReceiptsStore
    prints: Prints


@dataclass(frozen=True, slots=True)
class Printed:
    """A receipt, the record of this print, and the document."""

    receipt: Receipt
    made: Print
    pdf: bytes


class Receipts:
    """Issues receipts and prints them."""

    def __init__(
        self, stores: ReceiptStores, *, site: str, zone: ZoneInfo, simulation: bool
    ) -> None:
        self._stores = stores
        self._site = site
        self._zone = zone
        self._simulation = simulation

    async def issue(self, order_id: str) -> Receipt:
        """Return the receipt of a written order; it gets the next number when it has none.

        Raises NotFound, or Conflict for an order that is not written.
        """
        standing = await self._stores.receipts.find(order_id)
        if standing is not None:
            await self._stores.receipts.note(standing)
            return standing
        order = await self._stores.orders.get(order_id)
        if order.state == "reserved":
            raise Conflict(f"order {order.id} is not finished; finish it first")
        if order.state != "written":
            raise Conflict(f"order {order.id} was abandoned; it has no receipt")
        return await self._stores.receipts.issue(await self._receipt_of(order))

    async def print(self, order_id: str, *, size: str, language: str, by: str) -> Printed:
        """Print the receipt of a written order and record that; only the first is no copy.

        Raises NotFound, InvalidValue, or Conflict for an order that is not written.
        """
        if size not in SIZES:
            raise InvalidValue("size", f"expected one of {', '.join(SIZES)}, got {size}")
        if language not in LANGUAGES:
            raise InvalidValue(
                "language", f"expected one of {', '.join(LANGUAGES)}, got {language}"
            )
        receipt = await self.issue(order_id)
        made = await self._stores.prints.record(receipt.number, by, utc_now(), size, language)
        loop = asyncio.get_running_loop()
        pdf = await loop.run_in_executor(drawing, lambda: to_pdf(receipt, made, zone=self._zone))
        return Printed(receipt, made, pdf)

    async def _receipt_of(self, order: Order) -> Receipt:
        """Return the receipt of an order, still without its number."""
        account = await self._stores.accounts.find(order.account)
        owner = order.customer if account is None else account.owner or order.customer
        customer = await self._stores.customers.find(owner)
        return Receipt(
            order.id,
            0,
            order.kind,
            order.amount_fen,
            order.at,
            utc_now(),
            order.by,
            site=self._site,
            simulation=self._simulation,
            card_amount_fen=order.card_amount_fen,
            count=order.count,
            customer=order.customer,
            customer_name="" if customer is None else customer.name,
            customer_address="" if customer is None else customer.address,
            meter=order.meter or ("" if account is None else account.meter),
            card_serial=order.card_serial,
            tariff=await self._tariff_of(order),
            reason=order.reason,
            approved_by=await self._approver_of(order),
            reverses=await self._receipt_number_of(order.reverses),
            shift=order.shift,
        )

    async def _tariff_of(self, order: Order) -> str:
        """Return the name and the number of the tariff version that was sold by."""
        version = await self._stores.tariffs.find(order.tariff_version)
        return "" if version is None else f"{version.name} ({version.number})"

    async def _approver_of(self, order: Order) -> str:
        if order.approved_by is None:
            return ""
        approval = await self._stores.approvals.find(order.approved_by)
        return "" if approval is None else approval.approved_by

    async def _receipt_number_of(self, order_id: str | None) -> int | None:
        """Return the number of another order's receipt; None when it has none."""
        receipt = None if order_id is None else await self._stores.receipts.find(order_id)
        return None if receipt is None else receipt.number
