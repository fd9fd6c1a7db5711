"""Accounts as pages and JSON show them; money in fen, in fields whose names end in `_fen`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from station.handlers.contract import LocalTime
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.selling.money import yuan_typed
from station.prepaid.legality import Refund
from station.store.database import Database
from station.store.objects.accounts import Account
from station.store.objects.customers import Customer
from station.words import Text

STATE_NAMES = {
    "opening": Text("being opened", "开户中"),
    "open": Text("open", "正常"),
    "suspended": Text("suspended", "已暂停"),
    "closed": Text("closed", "已销户"),
}
PROFILE_NAMES = {"GW13": "Q/GDW 1365-2013", "GW09": "Q/GDW 365-2009"}
STATE_COLOURS = {"opening": "blue", "open": "green", "suspended": "orange", "closed": "secondary"}
ACCOUNT_WORDS: dict[str, Any] = {"state_names": STATE_NAMES, "state_colours": STATE_COLOURS}


class AccountView(BaseModel):
    """An account with its customer; `balance_at` is the meter's own time."""

    id: str
    meter: str
    customer: str
    owner: str
    name: str
    phone: str
    address: str
    state: Literal["opening", "open", "suspended", "closed"]
    tariff: str
    profile: str
    ct: int
    pt: int
    alarm1_fen: int
    alarm2_fen: int
    overdraft_fen: int
    hoarding_fen: int
    card_serial: str
    purchase_count: int
    balance_fen: int | None
    overdrawn_fen: int
    balance_at: LocalTime | None
    illegal_count: int
    reader_model: str
    reader_port: str
    opened_at: datetime | None
    closed_at: datetime | None


class RefundView(BaseModel):
    """What closing an account proposes to give back, and what it is made of.

    `balance_at` is the meter's own time; what it has used since is not taken off.
    """

    amount_fen: int
    balance_fen: int | None
    overdrawn_fen: int
    balance_at: LocalTime | None
    on_card_fen: int


class AccountList(BaseModel):
    items: list[AccountView]
    total: int


COLUMNS = (
    Column[AccountView](N_("Meter"), lambda account: account.meter, sort="meter", look="address"),
    Column[AccountView](N_("Customer number"), lambda account: account.customer, within="name"),
    Column[AccountView](
        N_("Name"), lambda account: account.name, head=N_("Customer"), sort="customer"
    ),
    Column[AccountView](N_("Phone"), lambda account: account.phone, more=True),
    Column[AccountView](N_("State"), lambda account: STATE_NAMES[account.state], look="nowrap"),
    Column[AccountView](N_("Tariff"), lambda account: account.tariff, look="only-wide"),
    Column[AccountView](
        N_("Purchase count"), lambda account: account.purchase_count, look="number only-wide"
    ),
    Column[AccountView](
        N_("Balance in yuan"),
        lambda account: yuan_typed(account.balance_fen),
        key="balance",
        head=N_("Balance"),
        unit=N_("yuan"),
        look="number",
    ),
    Column[AccountView](
        N_("Overdrawn in yuan"), lambda account: yuan_typed(account.overdrawn_fen), within="balance"
    ),
    Column[AccountView](
        N_("Balance at, by the meter"),
        lambda account: _plain(account.balance_at),
        key="balance_at",
        head=N_("Brought back"),
        look="only-wide nowrap small",
    ),
    Column[AccountView](N_("Card"), lambda account: account.card_serial, more=True, look="address"),
    Column[AccountView](N_("Opened"), lambda account: account.opened_at, more=True),
)


def account_view(account: Account, customer: Customer | None) -> AccountView:
    """Return an account with what is known of its customer."""
    own = {
        name: getattr(account, name)
        for name in AccountView.model_fields
        if name not in ("name", "phone", "address")
    }
    own["owner"] = account.owner or account.customer
    if customer is None:
        return AccountView(**own, name="", phone="", address="")
    return AccountView(**own, name=customer.name, phone=customer.phone, address=customer.address)


def refund_view(refund: Refund) -> RefundView:
    """Return a proposed refund as it is shown."""
    return RefundView(**{name: getattr(refund, name) for name in RefundView.model_fields})


async def account_views(database: Database, accounts: Sequence[Account]) -> list[AccountView]:
    """Return accounts with their customers."""
    numbers = [*{account.owner or account.customer for account in accounts}]
    customers = {each.number: each for each in await database.customers.many(numbers)}
    return [
        account_view(account, customers.get(account.owner or account.customer))
        for account in accounts
    ]


def _plain(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(" ", timespec="minutes")
