"""What an account allows, and what an order or a card make of it. Pure: each can be said again."""

from dataclasses import replace
from datetime import datetime

from station.errors import Conflict
from station.prepaid.cards.checks import plausible_return
from station.prepaid.cards.dialog import CardContents
from station.prepaid.orders import blanks_card
from station.prepaid.readers.base import ReaderIdentity
from station.store.objects.accounts import Account, AccountState
from station.store.objects.orders import Order


def touched(account: Account) -> Account:
    """Return an account as it is after an order was entered: the same, one revision on."""
    return replace(account, revision=account.revision + 1)


def written(order: Order, account: Account, at: datetime) -> Account:
    """Return the account of an order once its card is written."""
    after = replace(
        touched(account),
        purchase_count=order.count,
        card_amount_fen=order.card_amount_fen,
        card_serial=order.card_serial,
        tariff_version=order.tariff_version,
    )
    if order.kind in ("opening", "meter_change"):
        return replace(after, state="open", opened_at=at)
    if order.kind == "replacement":
        # What the old card proved does not hold: the meter has not seen the new one.
        return replace(after, state="open", opened_at=account.opened_at or at, returned_count=None)
    if blanks_card(order):
        return replace(after, state="closed", closed_at=at, tariff_version=account.tariff_version)
    if order.kind == "reversal":
        return replace(after, tariff_version="")  # A backup set is to be sold again.
    return after


def abandoned(order: Order, account: Account, at: datetime) -> Account:
    """Return the account of an order that came to nothing; one that was never opened ends."""
    after = touched(account)
    if order.kind in ("opening", "meter_change"):
        return replace(after, state="closed", closed_at=at)
    return after


def check_state(account: Account, *states: AccountState) -> None:
    """Refuse an account that is in none of these states. Raises Conflict."""
    if account.state in states:
        return
    if account.state == "opening":
        raise Conflict("this account is not open yet: finish or abandon its opening first")
    if account.state == "suspended":
        raise Conflict("this account waits for its new meter: finish or abandon the change first")
    raise Conflict("this account is closed")


def with_return(account: Account, contents: CardContents) -> Account:
    """Return the account with what its card brought back, as far as that may be believed.

    Digest section 9: meter and customer are the card's and the account's, the count none that was
    never sold, the time not older than the last one.
    """
    if contents.serial != account.card_serial or account.state == "closed":
        return account
    returned = plausible_return(contents, account.balance_at, account.purchase_count)
    if returned is None or (returned.meter, returned.customer) != (account.meter, account.customer):
        return account
    after = replace(
        account,
        returned_count=returned.count,
        balance_fen=returned.remaining_fen,
        overdrawn_fen=returned.overdraft_fen,
        balance_at=returned.returned_at,
        illegal_count=returned.illegal_count,
    )
    return account if after == account else touched(after)


def last_reader(account: Account) -> ReaderIdentity | None:
    """Return the reader that wrote an account's card last."""
    if not account.reader_model:
        return None
    return ReaderIdentity(
        account.reader_model, account.reader_name, account.reader_serial, account.reader_port
    )


def with_reader(account: Account, reader: ReaderIdentity) -> Account:
    """Return the account with the reader that wrote its card last."""
    return replace(
        account,
        reader_model=reader.model,
        reader_name=reader.name,
        reader_serial=reader.serial,
        reader_port=reader.port,
    )
