"""Tariff versions as forms and JSON give them.

A form and a JSON body go through `TariffBody`; a row of fields in a form has no gaps. Prices are
yuan/kWh and thresholds kWh a month, switch times the meters' local time.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from station.errors import InvalidValue
from station.handlers.marking import N_
from station.handlers.selling.money import Yuan, whole_fen, yuan_typed
from station.handlers.selling.tariff_views import prices_view
from station.prepaid.cards.layout import BCD_FEN_MAX, SETTLEMENT_DAYS, STEP_THRESHOLDS
from station.prepaid.price_rules import NAME_SIZE_MAX, NOTE_SIZE_MAX, RATES_MAX, settlement_day
from station.store.objects.tariffs import Period, PriceSet, TariffVersion

SetName = Literal["main", "backup"]

ROWS_OF_SETS = ("rates", "thresholds", "step_prices")  # Their fields are filled without gaps.
LIMIT_NAMES = ("alarm1", "alarm2", "overdraft", "hoarding")


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


Amount = Annotated[Yuan | None, BeforeValidator(_blank_is_none)]
Fen = Annotated[int | None, Field(ge=0, le=BCD_FEN_MAX)]
# A form says "no ladder" by an empty period; without thresholds there is none.
LadderPeriod = Annotated[Period, BeforeValidator(lambda value: value or "month")]
Moment = Annotated[datetime | None, BeforeValidator(_blank_is_none)]
NUMBERS = N_("numbers such as 0.5283")
AMOUNT = N_("an amount such as 100.00")


class TariffBody(BaseModel):
    """What is entered of a version; `price_rules` says what the prices must be.

    There is a backup set when any of its fields is given. Programs give amounts as `_fen`, forms
    in yuan. `request_id` is the caller's own, so that a version sent twice is one.
    """

    request_id: str | None = Field(None, pattern=r"^[A-Za-z0-9-]{1,64}$")
    tariff: str = Field(min_length=1, max_length=16)
    name: str = Field(min_length=1, max_length=NAME_SIZE_MAX)
    effective_on: date = Field(description=N_("a date such as 2026-01-31"))
    note: str = Field("", max_length=NOTE_SIZE_MAX)
    main_rates: tuple[Decimal, ...] = Field((), max_length=RATES_MAX, description=NUMBERS)
    main_period: LadderPeriod = "month"
    main_thresholds: tuple[Decimal, ...] = Field(
        (), max_length=STEP_THRESHOLDS, description=NUMBERS
    )
    main_step_prices: tuple[Decimal, ...] = Field(
        (), max_length=STEP_THRESHOLDS + 1, description=NUMBERS
    )
    main_settlement_days: tuple[str, ...] = Field((), max_length=SETTLEMENT_DAYS)
    backup_rates: tuple[Decimal, ...] = Field((), max_length=RATES_MAX, description=NUMBERS)
    backup_period: LadderPeriod = "month"
    backup_thresholds: tuple[Decimal, ...] = Field(
        (), max_length=STEP_THRESHOLDS, description=NUMBERS
    )
    backup_step_prices: tuple[Decimal, ...] = Field(
        (), max_length=STEP_THRESHOLDS + 1, description=NUMBERS
    )
    backup_settlement_days: tuple[str, ...] = Field((), max_length=SETTLEMENT_DAYS)
    switch_at: Moment = None
    ladder_switch_at: Moment = None
    alarm1_fen: Fen = None
    alarm1: Amount = Field(None, description=AMOUNT)
    alarm2_fen: Fen = None
    alarm2: Amount = Field(None, description=AMOUNT)
    overdraft_fen: Fen = None
    overdraft: Amount = Field(None, description=AMOUNT)
    hoarding_fen: Fen = None
    hoarding: Amount = Field(None, description=AMOUNT)

    def to_version(self, version_id: str, by: str, at: datetime) -> TariffVersion:
        """Return the version that was entered. Raises InvalidValue for a settlement day."""
        return TariffVersion(
            id=version_id,
            tariff=self.tariff.strip(),
            name=" ".join(self.name.split()),
            main=self._prices("main"),
            effective_on=self.effective_on,
            created_by=by,
            created_at=at,
            backup=self._prices("backup") if self._has_backup() else None,
            switch_at=self.switch_at,
            ladder_switch_at=self.ladder_switch_at,
            note=self.note.strip(),
            alarm1_fen=self._fen("alarm1"),
            alarm2_fen=self._fen("alarm2"),
            overdraft_fen=self._fen("overdraft"),
            hoarding_fen=self._fen("hoarding"),
        )

    def _prices(self, name: SetName) -> PriceSet:
        thresholds = getattr(self, f"{name}_thresholds")
        days = getattr(self, f"{name}_settlement_days")
        field = f"{name}_settlement_days"
        return PriceSet(
            rates=getattr(self, f"{name}_rates"),
            thresholds=thresholds,
            step_prices=getattr(self, f"{name}_step_prices"),
            period=getattr(self, f"{name}_period") if thresholds else "month",
            settlement_days=tuple(settlement_day(text, field) for text in days),
        )

    def _has_backup(self) -> bool:
        return any(getattr(self, f"backup_{part}") for part in (*ROWS_OF_SETS, "settlement_days"))

    def _fen(self, name: str) -> int:
        fen: int | None = getattr(self, f"{name}_fen")
        amount: Decimal | None = getattr(self, name)
        return fen if fen is not None else whole_fen(amount or Decimal(0))


class SampleBody(BaseModel):
    """A purchase to try: what an amount buys, or what so much energy costs."""

    amount_fen: Fen = None
    amount: Amount = Field(None, description=AMOUNT)
    energy: Annotated[Decimal | None, BeforeValidator(_blank_is_none)] = Field(
        None, description=N_("kWh, with two decimals at most")
    )
    used: Annotated[Decimal, BeforeValidator(lambda value: value or Decimal(0))] = Field(
        Decimal(0), description=N_("kWh, with two decimals at most")
    )
    balance_fen: int = Field(0, ge=-BCD_FEN_MAX, le=BCD_FEN_MAX)
    shares: tuple[int, ...] = Field((), max_length=RATES_MAX)

    @property
    def fen(self) -> int | None:
        """The amount in fen; None when none is given."""
        if self.amount_fen is not None:
            return self.amount_fen
        return None if self.amount is None else whole_fen(self.amount)


def fields_of(version: TariffVersion) -> dict[str, Any]:
    """Return what the form of a version shows."""
    fields: dict[str, Any] = {
        "tariff": version.tariff,
        "name": version.name,
        "note": "",
        "switch_at": _typed_moment(version.switch_at),
        "ladder_switch_at": _typed_moment(version.ladder_switch_at),
    }
    for name in LIMIT_NAMES:
        fields[name] = yuan_typed(getattr(version, f"{name}_fen"))
    for set_name, prices in (("main", version.main), ("backup", version.backup)):
        if prices is not None:
            view = prices_view(prices)
            fields |= {f"{set_name}_{part}": value for part, value in view.model_dump().items()}
    return fields


def check_gaps(field: str, typed: Sequence[str]) -> None:
    """Refuse a row of fields in which an empty one stands before a full one.

    Left out, it would move every price behind it to another rate. Raises InvalidValue.
    """
    filled = [bool(text.strip()) for text in typed]
    if True in filled and False in filled[: len(filled) - filled[::-1].index(True)]:
        raise InvalidValue(
            field, f"number {filled.index(False) + 1} is empty, and a later one is not"
        )


def _typed_moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M")
