"""What may be done to the card on the reader for an order. Pure: the card's contents in, files out.

Rules:
1. A card that carries the order is not written again.
2. An order is tried on one card only. Which one, and what that card proved about the last purchase,
   is in the database before its first byte is written: writing makes the return file blank, and
   with it the proof would be gone.
3. A card is refused unless it is as it was before the order, or as a write that was cut left it.
4. An order is given up only when the card does not carry it and nothing half written stays behind.
"""

from dataclasses import dataclass, replace

from station.errors import Conflict, WrongCard
from station.prepaid.accounts import check_state, touched, with_return
from station.prepaid.cards.checks import (
    check_blank,
    check_entered,
    check_not_entered,
    check_own,
)
from station.prepaid.cards.dialog import CardContents, CardFiles
from station.prepaid.cards.layout import Profile
from station.prepaid.limits import yuan
from station.prepaid.orders import blank_files, blanks_card, card_files
from station.prepaid.terms import BALANCE_MAX_FEN
from station.store.objects.accounts import Account
from station.store.objects.orders import Order

ON_A_BLANK_CARD = ("opening", "replacement", "meter_change")


def carries(order: Order, contents: CardContents) -> bool:
    """Whether a card holds what the order is to put on it."""
    if not order.card_serial or contents.serial != order.card_serial:
        return False
    if contents.state not in ("in_use", "blank"):
        return False
    files = card_files(order)
    if contents.wallet != files.wallet:
        return False
    if blanks_card(order):
        return contents.state == "blank"
    return contents.parameters == files.parameters


def proved(order: Order, account: Account, contents: CardContents) -> Account:
    """Return the account with what the card proves before it is written (rule 2)."""
    after = with_return(account, contents)
    if order.kind != "purchase" or after.returned_count == order.previous_count:
        return after
    # The count stands, even when the meter's clock makes the balance old.
    return replace(touched(account), returned_count=order.previous_count)


def files_for(order: Order, account: Account, contents: CardContents) -> CardFiles | None:
    """Return what to write on a card for an order, or None when it carries it. Raises WrongCard."""
    if carries(order, contents):
        return None
    check_card(order, account, contents)
    return card_files(order)


def is_noted(order: Order, account: Account, contents: CardContents) -> bool:
    """Whether the database knows that the order is tried on this card, and what that proves."""
    return order.card_serial == contents.serial and proved(order, account, contents) == account


@dataclass
class GivingUp:
    """One look at the card that an order was tried on, before the order is abandoned."""

    order: Order
    account: Account
    is_carried: bool = False

    def decide(self, contents: CardContents) -> CardFiles | None:
        """Return what undoes a half-written card, or None. Raises WrongCard."""
        order = self.order
        _check_same_card(order, contents)
        self.is_carried = carries(order, contents)
        if self.is_carried:
            return None
        if order.kind in ON_A_BLANK_CARD:
            if contents.state == "in_use" and contents.parameters != card_files(order).parameters:
                return None  # Another order's by now; nothing of this one is on it.
            _check_not_bound(contents)
            return None if _is_clear(contents) else blank_files(Profile(order.profile))
        if order.kind in ("reversal", "closing"):
            _check_untouched(order, contents)
        return None


def check_card(order: Order, account: Account, contents: CardContents) -> None:
    """Refuse a card that this order must not be written on. Raises WrongCard."""
    if order.card_serial:
        _check_same_card(order, contents)
    if order.kind in ON_A_BLANK_CARD:
        _check_fresh(order, contents)
    elif order.kind == "purchase":
        _check_purchase(order, account, contents)
    elif order.kind == "reversal":
        _check_reversal(order, account, contents)
    else:
        _check_closing(order, account, contents)


def sale_problem(account: Account, contents: CardContents) -> str | None:
    """Return why nothing may be sold on this card now, or None."""
    try:
        check_state(account, "open")
        _check_sellable(account, contents)
    except (Conflict, WrongCard) as problem:
        return str(problem)
    return None


def hoarding_problem(account: Account, amount_fen: int) -> str | None:
    """Return why the meter would not take a purchase in, or None (digest section 9, code 21)."""
    held = account.balance_fen or 0
    limit = account.hoarding_fen or BALANCE_MAX_FEN
    if held + amount_fen <= min(limit, BALANCE_MAX_FEN):
        return None
    return (
        f"the meter held {yuan(held)} and takes in no more than {yuan(limit)} in all (hoarding"
        " limit): sell less"
    )


def _check_same_card(order: Order, contents: CardContents) -> None:
    if contents.serial != order.card_serial:
        raise WrongCard(
            f"this order was begun on card {order.card_serial}: put that card in; if it is lost or"
            " broken, replace it",
            code="other_card",
        )


def _check_fresh(order: Order, contents: CardContents) -> None:
    """A blank card, or the one that this order was begun on as the cut left it."""
    held, files = contents.parameters, card_files(order).parameters
    is_begun = order.card_serial == contents.serial and held == files
    wallet = contents.wallet
    if is_begun and wallet is not None and wallet.count == 0:
        return  # Should it have been in the meter like this, it was bound there, and not credited.
    check_blank(contents)
    if not _is_clear(contents):
        raise WrongCard(
            "this card is blank and still holds an amount or a return file: take another blank"
            " card",
            code="not_blank",
        )


def _is_clear(contents: CardContents) -> bool:
    wallet = contents.wallet
    is_empty = wallet is not None and (wallet.amount_fen, wallet.count) == (0, 0)
    return contents.state == "blank" and contents.return_is_blank and is_empty


def _check_accounts_card(account: Account, contents: CardContents) -> None:
    check_own(contents, account.meter, account.customer, Profile(account.profile))
    if contents.serial != account.card_serial:
        raise WrongCard(
            f"this card was replaced: the account's card is {account.card_serial}",
            code="replaced",
        )


def _check_purchase(order: Order, account: Account, contents: CardContents) -> None:
    _check_sellable(account, contents)
    if not order.card_serial:
        problem = hoarding_problem(with_return(account, contents), order.card_amount_fen)
        if problem is not None:
            raise WrongCard(problem, code="over_hoarding")


def _check_sellable(account: Account, contents: CardContents) -> None:
    """Refuse unless the account's last purchase has entered the meter.

    Its proof is the return file, or lies in the account since a write made the file blank.
    """
    _check_accounts_card(account, contents)
    held = contents.wallet.count if contents.wallet else -1
    if held != account.purchase_count:
        raise WrongCard(
            f"the card carries purchase {held} and the account {account.purchase_count}: sell a"
            " replacement",
            code="count_mismatch",
        )
    is_proved = account.returned_count == account.purchase_count
    if not (contents.return_is_blank and is_proved):
        check_entered(contents, account.purchase_count)


def _check_reversal(order: Order, account: Account, contents: CardContents) -> None:
    if _is_begun_blank(order, contents):
        return
    _check_accounts_card(account, contents)
    if not _was_refused(account, contents):
        check_not_entered(contents, account.purchase_count)


def _was_refused(account: Account, contents: CardContents) -> bool:
    """Whether the meter wrote that it misses more than this purchase: it refused it as no next one.

    So a replacement with a new amount, sold although the purchase before had not entered, can be
    taken back, and that purchase then enters (the rows d >= 2 of the digest's section 9).
    """
    returned, wallet = contents.returned, contents.wallet
    if returned is None or wallet is None or wallet.count != account.purchase_count:
        return False
    is_own = (returned.meter, returned.customer) == (account.meter, account.customer)
    return is_own and returned.count < account.purchase_count - 1


def _check_closing(order: Order, account: Account, contents: CardContents) -> None:
    if _is_begun_blank(order, contents):
        return
    _check_accounts_card(account, contents)
    if order.carried_fen:  # Given back because it never entered the meter: the card has to show it.
        check_not_entered(contents, account.purchase_count)


def _is_begun_blank(order: Order, contents: CardContents) -> bool:
    """Whether the card is half made blank by this order."""
    is_begun = bool(order.card_serial) and contents.serial == order.card_serial
    return blanks_card(order) and is_begun and contents.state == "blank"


def _check_not_bound(contents: CardContents) -> None:
    """Refuse to give up a half-written card that the meter has taken for its own."""
    if not contents.return_is_blank:
        raise WrongCard(
            "this card has been in the meter, which knows no other now: finish this order",
            code="inserted",
        )


def _check_untouched(order: Order, contents: CardContents) -> None:
    """Refuse to give up what has begun to take the card back."""
    wallet = contents.wallet
    before = (order.previous_amount_fen, order.previous_count)
    if contents.state != "in_use" or wallet is None or (wallet.amount_fen, wallet.count) != before:
        raise WrongCard(
            "the card is half taken back already: finish this order", code="half_written"
        )
