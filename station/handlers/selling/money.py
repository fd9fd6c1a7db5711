"""Money between people and the station: people see and type yuan, the station keeps whole fen."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, model_validator

from station.handlers.marking import N_

AMOUNT_MAX_FEN = 99_999_999  # What a wallet's 8 digits on the meter's display can show.
FEN_PER_YUAN = 100
MINUS = "\u2212"


def yuan(amount_fen: int | None, *, signed: bool = False) -> str:
    """Return fen as yuan with two decimals and thousands marked: `1,234.50`; a dash for None."""
    if amount_fen is None:
        return "–"
    whole, part = divmod(abs(amount_fen), FEN_PER_YUAN)
    sign = MINUS if amount_fen < 0 else "+" if signed and amount_fen else ""
    return f"{sign}{whole:,}.{part:02}"


def yuan_typed(amount_fen: int | None) -> str:
    """Return fen as a form's field holds them: `1234.50`; nothing for None."""
    return "" if amount_fen is None else f"{Decimal(amount_fen).scaleb(-2):.2f}"


def whole_fen(amount: Decimal) -> int:
    """Return yuan as fen. Raises ValueError for a part of a fen, or for more than a meter holds."""
    scaled = amount * FEN_PER_YUAN
    if not amount.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError("an amount has at most two decimals")
    if abs(scaled) > AMOUNT_MAX_FEN:
        raise ValueError(f"an amount is at most {yuan(AMOUNT_MAX_FEN)} yuan")
    return int(scaled)


def _two_decimals(amount: Decimal) -> Decimal:
    whole_fen(amount)
    return amount


Yuan = Annotated[Decimal, AfterValidator(_two_decimals)]


class Sparse(BaseModel):
    """A body in which a field that is left empty counts as absent, as forms leave it."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value != ""}


class Money(Sparse):
    """An amount: programs say `amount_fen`, forms `amount` in yuan."""

    amount_fen: int | None = Field(None, ge=-AMOUNT_MAX_FEN, le=AMOUNT_MAX_FEN)
    amount: Yuan | None = Field(None, description=N_("an amount such as 100.00"))

    @property
    def fen(self) -> int | None:
        """The amount in fen, however it was said; None when it was not."""
        if self.amount_fen is not None:
            return self.amount_fen
        return None if self.amount is None else whole_fen(self.amount)
