"""The past of the counter: tariffs, customers, accounts, orders, receipts, shifts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from browsing.past import CLERKS, Past
from station.store.objects.accounts import Account
from station.store.objects.base import new_id
from station.store.objects.customers import Customer
from station.store.objects.limits import Approval, new_approval_id
from station.store.objects.orders import Order
from station.store.objects.receipts import Receipt
from station.store.objects.shifts import Report, ReportLine, Shift
from station.store.objects.tariffs import PriceSet, TariffVersion

TARIFFS = ("HOME", "SHOP", "FARM", "PLANT")
VERSIONS = 6
ACCOUNTS_SHARE = 2  # One meter of so many has a prepayment account.
ORDERS_EACH = 6
SHIFTS_EACH = 120
APPROVALS = 1_000
READER = {"workplace": "box", "reader_model": "ACR1281S", "reader_name": "Reader"}


async def fill(past: Past) -> None:
    """Enter what was sold, and to whom."""
    database = past.database
    versions = list(_versions(past))
    customers = [
        Customer(f"1{meter.address[1:]}", meter.name, phone=f"138{number:08d}",
                 address=f"Street {number % 50}, {number}", created_by="clerk-1")
        for number, meter in enumerate(past.meters)
    ]  # fmt: skip
    accounts = [
        _account(past, number, customer, versions[0])
        for number, customer in enumerate(customers)
        if number % ACCOUNTS_SHARE == 0
    ]
    shifts = list(_shifts(past))
    orders = list(_orders(past, accounts, shifts))
    receipts = (_receipt(order, number) for number, order in enumerate(orders, start=1))
    await past.put("tariffs", map(database.tariffs.document_of, versions))
    await past.put("customers", map(database.customers.document_of, customers))
    await past.put("accounts", map(database.accounts.document_of, accounts))
    await past.put("shifts", map(database.shifts.document_of, shifts))
    numbered = (replace(order, receipt=number) for number, order in enumerate(orders, start=1))
    await past.put("orders", map(database.orders.document_of, numbered))
    await past.put("receipts", map(database.receipts.document_of, receipts))
    await past.put("approvals", map(database.approvals.document_of, _approvals(past)))


def _versions(past: Past) -> Iterator[TariffVersion]:
    prices = PriceSet(
        (Decimal("0.5283"),), (Decimal(230), Decimal(400)),
        (Decimal(0), Decimal("0.05"), Decimal("0.3")), "year", ((1, 1, 0),),
    )  # fmt: skip
    for code in TARIFFS:
        for number in range(1, VERSIONS + 1):
            yield TariffVersion(
                f"bench-{code.lower()}-{number}", code, code.title(), prices, past.days[0],
                "supervisor", past.made, number=number, state="approved", alarm1_fen=5_000,
                submitted_by="supervisor", submitted_at=past.made, approved_by="administrator",
                approved_at=past.made,
            )  # fmt: skip


def _account(past: Past, number: int, customer: Customer, version: TariffVersion) -> Account:
    meter = past.meters[number]
    return Account(
        new_id(), meter.address, customer.number, owner=customer.number,
        tariff=TARIFFS[number % len(TARIFFS)], state="open", tariff_version=version.id,
        card_serial=f"{number:016X}", purchase_count=ORDERS_EACH, returned_count=ORDERS_EACH,
        balance_fen=8_200, created_by="clerk-1", opened_at=past.made,
    )  # fmt: skip


def _shifts(past: Past) -> Iterator[Shift]:
    """Yield closed shifts."""
    lines = (ReportLine("purchase", 40, 400_000, 0),)
    for number in range(SHIFTS_EACH * len(CLERKS)):
        opened = past.made + timedelta(hours=6 * number)
        yield Shift(
            new_id(), CLERKS[number % len(CLERKS)], 50_000, opened, state="closed",
            number=number + 1, closed_at=opened + timedelta(hours=8), counted_fen=450_000,
            closed_by=CLERKS[number % len(CLERKS)], report=Report(450_000, 0, lines),
        )  # fmt: skip


def _orders(past: Past, accounts: list[Account], shifts: list[Shift]) -> Iterator[Order]:
    """Yield purchases that were written, in the order of their numbers."""
    for count in range(1, ORDERS_EACH + 1):
        for account in accounts:
            shift, at = past.one(shifts), past.moment()
            yield Order(
                new_id(), f"bench-{account.id}-{count}", "", account.id,
                "opening" if count == 1 else "purchase", 10_000, shift.clerk, at, state="written",
                card_amount_fen=10_000, count=count, meter=account.meter,
                customer=account.customer, tariff_version=account.tariff_version, shift=shift.id,
                holds_count=True, card_serial=account.card_serial, written_at=at,
                ended_by=shift.clerk, ended_shift=shift.id, **READER,
            )  # fmt: skip


def _receipt(order: Order, number: int) -> Receipt:
    return Receipt(
        order.id, number, order.kind, order.amount_fen, order.at, order.at, order.by,
        card_amount_fen=order.card_amount_fen, count=order.count, customer=order.customer,
        customer_name="A customer", meter=order.meter, card_serial=order.card_serial,
        tariff="Home", shift=order.shift,
    )  # fmt: skip


def _approvals(past: Past) -> Iterator[Approval]:
    for _ in range(APPROVALS):
        at = past.moment()
        yield Approval(
            new_approval_id(), past.one(CLERKS), "reversal", 10_000, "supervisor", at,
            at + timedelta(hours=8), reason="wrong amount",
        )  # fmt: skip
