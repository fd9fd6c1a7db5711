"""What an order is to put on the card, and how its request is told from another. Pure.

An order holds the bytes of its files, so that whoever finishes it, and whenever, writes the same.
Making a card blank leaves the price files as they lie: its first write ends what the card can do,
and the next opening writes both anyway.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from station.errors import Conflict
from station.prepaid.cards.dialog import CardFiles, cleared
from station.prepaid.cards.layout import (
    LAYOUTS,
    NOBODY,
    CardType,
    Parameters,
    PriceFile,
    Profile,
    Wallet,
)
from station.prepaid.tariffs import price_file, prices_at
from station.store.objects.accounts import Account
from station.store.objects.base import new_id
from station.store.objects.orders import Order, OrderKind
from station.store.objects.tariffs import PriceSet, TariffVersion

FULL_REPLACEMENT_COUNT = 1  # Up to here the meter may not be opened yet (digest section 8).


@dataclass(frozen=True, slots=True)
class Head:
    """What every order has: who asked for it, by which request, when, and at which drawer.

    `local` is the same moment as `at`, as the meters' clocks show it.
    """

    request_id: str
    fingerprint: str
    by: str
    at: datetime
    local: datetime
    shift: str | None = None
    approved_by: str | None = None
    reason: str = ""


def fingerprint(kind: OrderKind, by: str, body: Mapping[str, Any]) -> str:
    """Return what two requests have in common when they ask for the same."""
    text = json.dumps([kind, by, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def opening(
    head: Head,
    account: Account,
    version: TariffVersion,
    amount_fen: int,
    *,
    kind: OrderKind = "opening",
    carried_fen: int = 0,
) -> Order:
    """Return the order of an open card; a wallet without an amount has count 0.

    Raises InvalidValue when a value does not fit on the card.
    """
    on_card = carried_fen if kind == "meter_change" else amount_fen
    order = _order(head, account, kind, amount_fen)
    order = replace(
        order,
        card_amount_fen=on_card,
        count=1 if on_card else 0,
        carried_fen=carried_fen,
        holds_count=True,
    )
    return _open_card(order, account, version, head.local)


def purchase(head: Head, account: Account, version: TariffVersion, amount_fen: int) -> Order:
    """Return the order of a purchase: the next count, and a new backup set if there is one."""
    order = replace(
        _order(head, account, "purchase", amount_fen),
        card_amount_fen=amount_fen,
        count=account.purchase_count + 1,
        holds_count=True,
    )
    return _later_card(order, account, version, CardType.PURCHASE)


def replacement(
    head: Head, account: Account, version: TariffVersion, amount_fen: int, has_entered: bool
) -> Order:
    """Return the order of a replacement card (digest section 8).

    A new amount is case (a): the next count. Without one the card carries the same count again, and
    the same amount unless that has entered the meter for certain; should it have entered all the
    same, the meter credits nothing. While the meter may not be opened yet, the card can open it.
    """
    order = _order(head, account, "replacement", amount_fen)
    if amount_fen:
        order = replace(
            order, card_amount_fen=amount_fen, count=account.purchase_count + 1, holds_count=True
        )
        may_be_unopened = order.count <= FULL_REPLACEMENT_COUNT
    else:
        on_card = 0 if has_entered else account.card_amount_fen
        order = replace(order, card_amount_fen=on_card, count=account.purchase_count)
        may_be_unopened = not has_entered and order.count <= FULL_REPLACEMENT_COUNT
    if may_be_unopened:
        return _open_card(order, account, version, head.local)
    return _later_card(order, account, version, CardType.REPLACEMENT)


def reversal(head: Head, account: Account, target: Order) -> Order:
    """Return the order that takes another back: the card as before, or blank for an opening."""
    order = replace(_order(head, account, "reversal", -target.amount_fen), reverses=target.id)
    if target.kind == "opening":
        return _blank_card(order)
    held = card_files(target).parameters
    parameters = replace(held, update_flag=0, switch_at=None)
    return replace(
        order,
        card_amount_fen=target.previous_amount_fen,
        count=target.previous_count,
        parameters=parameters.to_bytes(),
    )


def closing(head: Head, account: Account, refund_fen: int, unentered_fen: int) -> Order:
    """Return the order that ends an account; `unentered_fen` of the refund is still on the card."""
    order = _order(head, account, "closing", -refund_fen)
    return _blank_card(replace(order, carried_fen=unentered_fen))


def without_card(head: Head, account: Account, kind: OrderKind, amount_fen: int) -> Order:
    """Return an order that is complete once it is in the journal."""
    order = _order(head, account, kind, amount_fen)
    return replace(
        order,
        card_amount_fen=account.card_amount_fen,
        count=account.purchase_count,
        state="written",
        written_at=head.at,
        ended_by=head.by,
    )


def card_files(order: Order) -> CardFiles:
    """Return the files that a card is to hold. Raises Conflict for an order without any."""
    if order.parameters is None:
        raise Conflict("this order needs no card")
    profile = Profile(order.profile)
    return CardFiles(
        profile,
        Parameters.from_bytes(order.parameters),
        Wallet(order.card_amount_fen, order.count),
        None if order.current is None else PriceFile.from_bytes(profile, order.current),
        None if order.backup is None else PriceFile.from_bytes(profile, order.backup),
    )


def blank_files(profile: Profile) -> CardFiles:
    """Return the files of a card that is made blank; see the module's head."""
    return replace(cleared(profile), current=None, backup=None)


def blanks_card(order: Order) -> bool:
    """Whether an order makes the card blank, and so ends its account."""
    return order.parameters is not None and card_files(order).parameters.meter == NOBODY


def user_type_of(prices: PriceSet) -> int:
    """Return the user type: 1 single rate, 2 several, 3 ladder, 4 both (digest section 4)."""
    return (2 if len(prices.rates) > 1 else 1) + (2 if prices.thresholds else 0)


def _order(head: Head, account: Account, kind: OrderKind, amount_fen: int) -> Order:
    return Order(
        new_id(),
        head.request_id,
        head.fingerprint,
        account.id,
        kind,
        amount_fen,
        head.by,
        head.at,
        previous_amount_fen=account.card_amount_fen,
        previous_count=account.purchase_count,
        meter=account.meter,
        customer=account.customer,
        profile=account.profile,
        tariff_version=account.tariff_version,
        reason=head.reason,
        approved_by=head.approved_by,
        shift=head.shift,
    )


def _open_card(order: Order, account: Account, version: TariffVersion, now: datetime) -> Order:
    """Add the files of type 01: everything, as it holds now.

    Without a backup set the main one stands in its place; a switch time that is past is none.
    """
    profile, ratios = Profile(account.profile), (account.ct, account.pt)
    current, backup = prices_at(version, now), version.backup or version.main
    switch_at = _still_to_come(version.switch_at, now)
    ladder_switch_at = _still_to_come(version.ladder_switch_at, now)
    flag = LAYOUTS[profile].opening_flag
    return replace(
        order,
        tariff_version=version.id,
        parameters=_parameters(account, CardType.OPEN, flag, switch_at, version).to_bytes(),
        current=price_file(current, *ratios).to_bytes(profile),
        backup=price_file(backup, *ratios, ladder_switch_at).to_bytes(profile),
    )


def _still_to_come(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is not None and moment > now else None


def _later_card(
    order: Order, account: Account, version: TariffVersion, card_type: CardType
) -> Order:
    """Add the files of types 02 and 03: of the prices only a backup set that is new."""
    profile = Profile(account.profile)
    if version.id == account.tariff_version or version.backup is None:
        return replace(order, parameters=_parameters(account, card_type, 0, None).to_bytes())
    flag, switch_at = LAYOUTS[profile].backup_flag, version.switch_at
    backup = price_file(version.backup, account.ct, account.pt, version.ladder_switch_at)
    return replace(
        order,
        tariff_version=version.id,
        parameters=_parameters(account, card_type, flag, switch_at).to_bytes(),
        backup=backup.to_bytes(profile),
    )


def _blank_card(order: Order) -> Order:
    files = blank_files(Profile(order.profile))
    return replace(order, card_amount_fen=0, count=0, parameters=files.parameters.to_bytes())


def _parameters(
    account: Account,
    card_type: CardType,
    flag: int,
    switch_at: datetime | None,
    version: TariffVersion | None = None,
) -> Parameters:
    return Parameters(
        account.meter,
        account.customer,
        card_type,
        account.user_type if version is None else user_type_of(version.main),
        flag,
        switch_at,
        account.alarm1_fen,
        account.alarm2_fen,
        account.ct,
        account.pt,
    )
