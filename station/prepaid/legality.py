"""Whether an account allows what is asked of it: the rules that need no card and no database. Pure.

Each refusal tells the clerk what to do. What only the card can tell is in `writing`.
"""

from dataclasses import dataclass
from datetime import datetime

from station.errors import Conflict, InvalidValue
from station.prepaid.cards.layout import Profile
from station.prepaid.limits import yuan
from station.prepaid.orders import user_type_of
from station.prepaid.price_rules import check_profile
from station.prepaid.terms import (
    ClosingRequest,
    MeterChangeRequest,
    OpeningRequest,
    ReplacementRequest,
    SaleTerms,
    check_amount,
)
from station.prepaid.writing import hoarding_problem
from station.store.objects.accounts import Account
from station.store.objects.base import new_id
from station.store.objects.orders import Order, OrderKind
from station.store.objects.tariffs import TariffVersion
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Refund:
    """What is proposed to be given back when an account is closed, and what it is made of; fen.

    `balance_fen` and `overdrawn_fen` are what the meter told last, at `balance_at` by its own
    clock, None when it never did; `on_card_fen` has not entered the meter as far as anyone knows.
    """

    balance_fen: int | None
    overdrawn_fen: int
    balance_at: datetime | None
    on_card_fen: int

    @property
    def amount_fen(self) -> int:
        """What is left in all; negative when the customer has to pay."""
        return (self.balance_fen or 0) - self.overdrawn_fen + self.on_card_fen


REVERSIBLE: tuple[OrderKind, ...] = ("opening", "purchase", "replacement")


def new_account(
    request: OpeningRequest, version: TariffVersion, terms: SaleTerms, by: str
) -> Account:
    """Return the account that a request opens; what it leaves out the tariff proposes.

    Raises InvalidValue.
    """
    limits = {}
    for field in ("alarm1_fen", "alarm2_fen", "overdraft_fen", "hoarding_fen"):
        asked = getattr(request, field)
        limits[field] = getattr(version, field) if asked is None else asked
        check_amount(field, limits[field])
    profile = _profile(request.profile or terms.profile)
    check_profile(version, profile)
    if 0 < limits["alarm1_fen"] < limits["alarm2_fen"]:
        raise InvalidValue("alarm2_fen", "alarm amount 2 comes after 1: it cannot be higher")
    account = Account(
        new_id(),
        request.meter,
        request.customer,
        tariff=request.tariff,
        owner=request.customer,
        profile=profile.value,
        user_type=user_type_of(version.main),
        ct=request.ct,
        pt=request.pt,
        created_at=utc_now(),
        created_by=by,
        **limits,
    )
    check_hoarding(account, request.amount_fen)
    return account


def continued(old: Account, request: MeterChangeRequest, by: str) -> Account:
    """Return the account of the meter that takes the place of an old one."""
    return Account(
        new_id(),
        request.meter,
        old.customer,
        tariff=old.tariff,
        owner=old.owner,
        profile=old.profile,
        user_type=old.user_type,
        ct=request.ct,
        pt=request.pt,
        alarm1_fen=old.alarm1_fen,
        alarm2_fen=old.alarm2_fen,
        overdraft_fen=old.overdraft_fen,
        hoarding_fen=old.hoarding_fen,
        continues=old.id,
        created_at=utc_now(),
        created_by=by,
    )


def check_hoarding(account: Account, amount_fen: int) -> None:
    """Refuse an amount that the meter would not take in."""
    problem = hoarding_problem(account, amount_fen)
    if problem is not None:
        raise InvalidValue("amount_fen", problem)


def replacement_proof(account: Account, request: ReplacementRequest) -> bool:
    """Return whether the meter has proved that the last purchase entered it.

    Raises Conflict when the counts contradict each other, or when a new amount is asked for and
    nobody knows whether the last one entered.
    """
    is_proved = account.returned_count == account.purchase_count
    shown = request.meter_count
    if shown is not None:
        _check_shown(account, shown)
    if request.amount_fen and not (is_proved or shown == account.purchase_count):
        raise Conflict(
            "nobody knows whether the last purchase has entered the meter: read its purchase count"
            " from the meter, or replace the card without a new amount"
        )
    return is_proved


def check_reversible(target: Order, account: Account) -> None:
    """Refuse to reverse what is not the last sale, or may be in the meter."""
    if target.kind not in REVERSIBLE:
        raise Conflict("an order of this kind cannot be reversed: enter a correction")
    if target.state != "written":
        raise Conflict("this order was never finished: there is nothing to reverse")
    if target.reversed_by is not None:
        raise Conflict("this order was reversed already")
    if not target.holds_count or target.count != account.purchase_count:
        raise Conflict("only the last sale of an account can be reversed: enter a correction")
    if target.card_serial != account.card_serial:
        raise Conflict(
            "the card of this sale was replaced, and either may bring it to the meter: it cannot"
            " be reversed"
        )
    if account.returned_count == account.purchase_count:
        raise Conflict("this purchase has entered the meter: it cannot be reversed")


def unentered_fen(account: Account, meter_count: int) -> int:
    """Return what was sold and has not entered the meter, by the count that the meter shows.

    Raises Conflict when the counts contradict each other.
    """
    _check_shown(account, meter_count)
    return 0 if meter_count == account.purchase_count else account.card_amount_fen


def proposed_refund(account: Account) -> Refund:
    """Return what there is to give back, as far as the meter and the card have told."""
    return Refund(
        account.balance_fen, account.overdrawn_fen, account.balance_at, _on_card_fen(account)
    )


def refund_on_card(account: Account, request: ClosingRequest) -> int:
    """Return how much of a refund lies on the card still; the rest the meter has brought back.

    Raises InvalidValue for a refund of more than there is.
    """
    check_amount("amount_fen", abs(request.refund_fen))
    held, on_card = account.balance_fen or 0, _on_card_fen(account)
    if request.refund_fen > held + on_card:
        raise InvalidValue(
            "amount_fen",
            f"the card brought back {yuan(held)} and may still carry {yuan(on_card)}: no more than"
            " that is given back",
        )
    return max(request.refund_fen - held, 0)


def _on_card_fen(account: Account) -> int:
    """Return what the card carries and the meter has not proved to have taken in."""
    return 0 if account.returned_count == account.purchase_count else account.card_amount_fen


def _check_shown(account: Account, shown: int) -> None:
    """Refuse a count of the meter that is neither the account's nor the one before."""
    sold, is_proved = account.purchase_count, account.returned_count == account.purchase_count
    possible = (sold,) if is_proved else (sold - 1, sold)
    if shown < 0 or shown not in possible:
        raise Conflict(
            f"the meter shows {shown} purchases and the account has {sold}: look again, or call"
            " the administrator"
        )


def _profile(name: str) -> Profile:
    try:
        return Profile(name)
    except ValueError:
        names = ", ".join(each.value for each in Profile)
        raise InvalidValue("profile", f"expected one of {names}, got {name!r}") from None
