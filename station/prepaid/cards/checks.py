"""What must be true of a card before it is written, and how far its return file is believed.

Pure: contents in, nothing or WrongCard out. Each refusal has a code for programs and a sentence
that tells the clerk what to do (digest section 9, sales side).
"""

from datetime import datetime

from station.errors import WrongCard
from station.prepaid.cards.dialog import CardContents
from station.prepaid.cards.layout import Profile, ReturnFile


def check_blank(contents: CardContents) -> None:
    """Refuse a card that an account cannot be opened on."""
    _check_known(contents)
    if contents.state != "blank":
        number = contents.parameters.meter if contents.parameters else "?"
        raise WrongCard(f"this card belongs to meter {number}: take a blank card", code="not_blank")


def check_own(contents: CardContents, meter: str, customer: str, profile: Profile) -> None:
    """Refuse a card that is not the one of this meter and customer."""
    _check_known(contents)
    if contents.state == "blank" or contents.parameters is None:
        raise WrongCard(
            "this card is blank: take the customer's card, or sell a replacement", code="blank"
        )
    if contents.parameters.meter != meter:
        raise WrongCard(
            f"this card belongs to meter {contents.parameters.meter}, not to {meter}:"
            " take the customer's card",
            code="other_meter",
        )
    if contents.parameters.customer != customer:
        raise WrongCard(
            f"this card belongs to customer {contents.parameters.customer}, not to {customer}:"
            " take the customer's card",
            code="other_customer",
        )
    _check_profile(contents, profile)


def check_entered(contents: CardContents, count: int) -> None:
    """Refuse unless the meter has taken purchase `count` in: its return file says so."""
    if contents.return_is_blank:
        raise WrongCard(
            "the last purchase has not entered the meter: put the card into the meter first,"
            " then come back",
            code="not_inserted",
        )
    if contents.returned is None:
        raise WrongCard(
            f"the return file of this card cannot be read ({contents.problem}): put the card into"
            " the meter again, or sell a replacement",
            code="format",
        )
    _check_same_owner(contents, contents.returned)
    if contents.returned.count != count:
        raise WrongCard(
            f"the meter knows {contents.returned.count} purchases and the account {count}: put the"
            " card into the meter; if it stays so, call the administrator",
            code="count_mismatch",
        )


def check_not_entered(contents: CardContents, count: int) -> None:
    """Refuse unless the card proves that purchase `count` was not put into the meter."""
    if not contents.return_is_blank:
        raise WrongCard(
            "this card has been in the meter since the purchase: it cannot be reversed",
            code="inserted",
        )
    held = contents.wallet.count if contents.wallet else 0
    if held != count:
        raise WrongCard(
            f"the card carries purchase {held} and the account {count}: it cannot be reversed",
            code="count_mismatch",
        )


def plausible_return(
    contents: CardContents, last_returned_at: datetime | None, account_count: int
) -> ReturnFile | None:
    """Return what the meter wrote back if it may be believed, else None.

    The numbers must be the card's own, the count none that was never sold, and the time not older
    than the last one; a file without a possible time is believed only as the first.
    """
    returned, parameters = contents.returned, contents.parameters
    if returned is None or parameters is None:
        return None
    if (returned.meter, returned.customer) != (parameters.meter, parameters.customer):
        return None
    if returned.count > account_count:
        return None
    if last_returned_at is not None and (
        returned.returned_at is None or returned.returned_at < last_returned_at
    ):
        return None
    return returned


def _check_known(contents: CardContents) -> None:
    if contents.state == "unissued":
        raise WrongCard(
            "this chip was never issued as a user card: take a card from the stock of blank cards",
            code="unissued",
        )
    if contents.state == "foreign" and contents.is_proved:
        raise WrongCard(
            f"a file of this card is spoilt ({contents.problem}): take another card, or sell a"
            " replacement",
            code="format",
        )
    if contents.state == "foreign":
        raise WrongCard(
            f"this is not a card of this utility ({contents.problem}): take another card",
            code="foreign",
        )


def _check_profile(contents: CardContents, profile: Profile) -> None:
    if contents.profile is not profile:
        found = contents.profile.value if contents.profile else "unknown"
        raise WrongCard(
            f"this card follows rule {found} and the meter {profile.value}: take a card of rule"
            f" {profile.value}",
            code="other_year",
        )


def _check_same_owner(contents: CardContents, returned: ReturnFile) -> None:
    parameters = contents.parameters
    if parameters is None or (returned.meter, returned.customer) != (
        parameters.meter,
        parameters.customer,
    ):
        raise WrongCard(
            f"meter {returned.meter} wrote this card's return file, and the card is not its own:"
            " call the administrator",
            code="other_meter",
        )
