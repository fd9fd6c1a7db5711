"""Tariff versions as pages and JSON show them.

Prices are decimals: yuan/kWh and kWh a month; JSON carries them as texts, so that no digit is lost.
Switch times are the meters' local time.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from station.handlers.contract import LocalTime
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.selling.money import yuan_typed
from station.prepaid.price_rules import (
    settlement_text,
)
from station.prepaid.tariffs import Limits, Preview, Warned, period_thresholds
from station.store.objects.tariffs import Period, PriceSet, TariffState, TariffVersion
from station.words import Text

STATE_NAMES: dict[TariffState, Text] = {
    "draft": Text("draft", "草稿"),
    "submitted": Text("waits for approval", "待审批"),
    "approved": Text("approved", "已批准"),
    "withdrawn": Text("withdrawn", "已撤回"),
}
STATE_COLOURS = {
    "draft": "secondary",
    "submitted": "orange",
    "approved": "green",
    "withdrawn": "secondary",
}
SET_NAMES = {
    "main": Text("Main set", "当前套"),
    "backup": Text("Backup set", "备用套"),
}
PERIOD_NAMES: dict[Period, Text] = {
    "month": Text("by the month", "按月"),
    "year": Text("by the year", "按年"),
}
RATE_NAMES = (
    Text("sharp", "尖"),
    Text("peak", "峰"),
    Text("flat", "平"),
    Text("valley", "谷"),
)


class PriceSetView(BaseModel):
    """One set: thresholds are kWh a month, `ends` the same in the ladder's own period."""

    rates: list[Decimal]
    thresholds: list[Decimal]
    ends: list[Decimal]
    step_prices: list[Decimal]
    period: Period
    settlement_days: list[str]


class WarningView(BaseModel):
    """Something to think of before going on."""

    code: str
    message: str


class StepView(BaseModel):
    """What one ladder step gives of a purchase."""

    step: int
    price: Decimal
    energy: Decimal
    amount_fen: int


class PreviewView(BaseModel):
    """A purchase that is tried: `settled_fen` goes to the overdraft, `remainder_fen` buys nothing
    more than is already there."""

    amount_fen: int
    energy: Decimal
    steps: list[StepView]
    settled_fen: int
    remainder_fen: int
    balance_fen: int
    warnings: list[WarningView]


class TariffView(BaseModel):
    """A version; `accounts` is how many living accounts have its tariff, `is_current` whether its
    prices hold today."""

    id: str
    tariff: str
    number: int
    name: str
    state: TariffState
    effective_on: date
    is_current: bool
    main: PriceSetView
    backup: PriceSetView | None
    switch_at: LocalTime | None
    ladder_switch_at: LocalTime | None
    alarm1_fen: int
    alarm2_fen: int
    overdraft_fen: int
    hoarding_fen: int
    note: str
    created_by: str
    created_at: datetime
    submitted_by: str
    submitted_at: datetime | None
    approved_by: str
    approved_at: datetime | None
    withdrawn_by: str
    withdrawn_at: datetime | None
    reason: str
    accounts: int
    warnings: list[WarningView] = []


class TariffList(BaseModel):
    items: list[TariffView]
    total: int


class DraftView(BaseModel):
    """What a version that is being entered would do, before it is kept."""

    accounts: int
    warnings: list[WarningView]
    main: PriceSetView
    main_preview: PreviewView
    backup: PriceSetView | None
    backup_preview: PreviewView | None


COLUMNS = (
    Column[TariffView](N_("Tariff"), lambda version: version.tariff, sort="tariff"),
    Column[TariffView](N_("Version"), lambda version: version.number, look="number"),
    Column[TariffView](N_("Name"), lambda version: version.name, within="tariff"),
    Column[TariffView](
        N_("First day"), lambda version: version.effective_on, sort="-first_day", look="nowrap"
    ),
    Column[TariffView](
        N_("State"), lambda version: STATE_NAMES[version.state], sort="state", look="nowrap"
    ),
    Column[TariffView](
        N_("Rates, yuan/kWh"),
        lambda version: joined(version.main.rates),
        key="main",
        head=N_("Main set"),
        unit=N_("yuan/kWh"),
    ),
    Column[TariffView](
        N_("Steps end at, kWh"), lambda version: joined(version.main.ends), within="main"
    ),
    Column[TariffView](
        N_("Step prices, yuan/kWh"), lambda version: joined(version.main.step_prices), within="main"
    ),
    Column[TariffView](N_("Ladder"), lambda version: ladder_name(version.main), within="main"),
    Column[TariffView](
        N_("Backup rates, yuan/kWh"),
        lambda version: version.backup and joined(version.backup.rates),
        key="backup",
        head=N_("Backup set"),
        unit=N_("yuan/kWh"),
    ),
    Column[TariffView](
        N_("Backup steps end at, kWh"),
        lambda version: version.backup and joined(version.backup.ends),
        within="backup",
    ),
    Column[TariffView](
        N_("Backup step prices, yuan/kWh"),
        lambda version: version.backup and joined(version.backup.step_prices),
        within="backup",
    ),
    Column[TariffView](
        N_("Switch time"), lambda version: local_text(version.switch_at), within="backup"
    ),
    Column[TariffView](
        N_("Ladder switch time"),
        lambda version: local_text(version.ladder_switch_at),
        within="backup",
    ),
    Column[TariffView](
        N_("Alarm amount 1, yuan"),
        lambda version: yuan_typed(version.alarm1_fen),
        more=True,
        look="number",
    ),
    Column[TariffView](
        N_("Alarm amount 2, yuan"),
        lambda version: yuan_typed(version.alarm2_fen),
        more=True,
        look="number",
    ),
    Column[TariffView](
        N_("Overdraft limit, yuan"),
        lambda version: yuan_typed(version.overdraft_fen),
        more=True,
        look="number",
    ),
    Column[TariffView](
        N_("Hoarding limit, yuan"),
        lambda version: yuan_typed(version.hoarding_fen),
        more=True,
        look="number",
    ),
    Column[TariffView](N_("By"), lambda version: version.created_by, look="small only-wide"),
    Column[TariffView](N_("Made"), lambda version: version.created_at, more=True),
    Column[TariffView](N_("Approved by"), lambda version: version.approved_by, within="by"),
    Column[TariffView](N_("Approved"), lambda version: version.approved_at, more=True),
    Column[TariffView](N_("Accounts"), lambda version: version.accounts, look="number"),
)


def joined(values: Sequence[Decimal]) -> str:
    """Return numbers in a row, as a cell shows them."""
    return " / ".join(str(value) for value in values)


def ladder_name(prices: PriceSetView) -> Text | None:
    """Return the period of a ladder, or None without one."""
    return PERIOD_NAMES[prices.period] if prices.thresholds else None


def local_text(moment: datetime | None) -> str:
    """Return a meter's local moment as people read it; nothing for None."""
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M")


_PLAIN = (
    *("id", "tariff", "number", "name", "state", "effective_on", "switch_at", "ladder_switch_at"),
    *("alarm1_fen", "alarm2_fen", "overdraft_fen", "hoarding_fen", "note", "reason"),
    *("created_by", "created_at", "submitted_by", "submitted_at"),
    *("approved_by", "approved_at", "withdrawn_by", "withdrawn_at"),
)


def tariff_view(version: TariffVersion, accounts: int, is_current: bool) -> TariffView:
    """Return a version as pages and JSON show it."""
    return TariffView(
        **{name: getattr(version, name) for name in _PLAIN},
        main=prices_view(version.main),
        backup=None if version.backup is None else prices_view(version.backup),
        accounts=accounts,
        is_current=is_current,
    )


def prices_view(prices: PriceSet) -> PriceSetView:
    """Return a set as pages and JSON show it: prices with 4 decimals, energy with 2."""
    return PriceSetView(
        rates=_fixed(prices.rates, "0.0001"),
        thresholds=_fixed(prices.thresholds, "0.01"),
        ends=_fixed(period_thresholds(prices), "0.01"),
        step_prices=_fixed(prices.step_prices, "0.0001"),
        period=prices.period,
        settlement_days=[settlement_text(day) for day in prices.settlement_days],
    )


def preview_view(found: Preview, amount_fen: int, warnings: list[WarningView]) -> PreviewView:
    """Return what an amount buys, as pages and JSON show it."""
    return PreviewView(
        amount_fen=amount_fen,
        energy=found.energy,
        steps=[
            StepView(
                step=line.step, price=line.price, energy=line.energy, amount_fen=line.amount_fen
            )
            for line in found.steps
        ],
        settled_fen=found.settled_fen,
        remainder_fen=found.remainder_fen,
        balance_fen=found.balance_fen,
        warnings=warnings,
    )


def limits_of(version: TariffVersion) -> Limits:
    """Return the limits that new accounts are proposed."""
    return Limits(version.alarm1_fen, version.alarm2_fen, version.hoarding_fen)


def warning_views(warnings: Sequence[Warned], say: Any) -> list[WarningView]:
    """Return warnings in the reader's language; `say` translates a sentence."""
    return [WarningView(code=each.code, message=say(each.text)) for each in warnings]


def _fixed(values: Sequence[Decimal], unit: str) -> list[Decimal]:
    return [value.quantize(Decimal(unit)) for value in values]
