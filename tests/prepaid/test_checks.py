"""Every check of a card before it is written, with a card on each side of it."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from station.errors import WrongCard
from station.handlers.language import load_languages
from station.prepaid.cards import checks
from station.prepaid.cards.dialog import CardContents
from station.prepaid.cards.layout import Parameters, Profile, ReturnFile, Wallet

METER, CUSTOMER, OTHER = "000000123456", "000000654321", "000000999999"
AT = datetime.fromisoformat("2026-11-23 09:41")
RETURNED = ReturnFile(METER, CUSTOMER, 1, 1, 4321, 7, 0, 0, AT)
IN_USE = CardContents(
    "3100000000000001",
    "in_use",
    Profile.GW13,
    Parameters(METER, CUSTOMER, 2, 1, 0),
    Wallet(5_000, 7),
    RETURNED,
    return_is_blank=False,
)
BLANK = CardContents("3100000000000002", "blank", Profile.GW13, None, Wallet(0, 0))
NOT_INSERTED = replace(IN_USE, returned=None, return_is_blank=True)
NOT_OURS = replace(BLANK, state="foreign", problem="no key", is_proved=False)
SPOILT = replace(IN_USE, returned=None, problem="return file, checksum: expected 00, got 01")


@pytest.fixture(scope="module")
def languages():
    """The languages of the pages."""
    return load_languages()


def own(contents: CardContents) -> None:
    checks.check_own(contents, METER, CUSTOMER, Profile.GW13)


def entered(contents: CardContents) -> None:
    checks.check_entered(contents, 7)


def not_entered(contents: CardContents) -> None:
    checks.check_not_entered(contents, 7)


@pytest.mark.parametrize(
    ("check", "contents"),
    [
        (checks.check_blank, BLANK),
        (own, IN_USE),
        (own, NOT_INSERTED),
        (entered, IN_USE),
        (not_entered, NOT_INSERTED),
    ],
)
def test_the_right_card_is_taken(check, contents):
    assert check(contents) is None


REFUSALS = (
    (checks.check_blank, IN_USE, "not_blank", f"belongs to meter {METER}: take a blank card"),
    (checks.check_blank, replace(BLANK, state="unissued"), "unissued", "never issued"),
    (checks.check_blank, NOT_OURS, "foreign", "no key"),
    (own, BLANK, "blank", "take the customer's card, or sell a replacement"),
    (own, replace(BLANK, state="unissued"), "unissued", "stock of blank cards"),
    (own, NOT_OURS, "foreign", "take another card"),
    (own, replace(NOT_OURS, is_proved=True), "format", "spoilt (no key): take another card, or"),
    (
        own,
        replace(IN_USE, parameters=Parameters(OTHER, CUSTOMER, 2, 1, 0)),
        "other_meter",
        f"belongs to meter {OTHER}, not to {METER}",
    ),
    (
        own,
        replace(IN_USE, parameters=Parameters(METER, OTHER, 2, 1, 0)),
        "other_customer",
        f"belongs to customer {OTHER}, not to {CUSTOMER}",
    ),
    (own, replace(IN_USE, profile=Profile.GW09), "other_year", "rule GW09 and the meter GW13"),
    (own, replace(IN_USE, profile=None), "other_year", "rule unknown"),
    (entered, NOT_INSERTED, "not_inserted", "put the card into the meter first"),
    (entered, SPOILT, "format", "cannot be read (return file, checksum"),
    (
        entered,
        replace(IN_USE, returned=replace(RETURNED, count=6)),
        "count_mismatch",
        "the meter knows 6 purchases and the account 7",
    ),
    (entered, replace(IN_USE, returned=replace(RETURNED, meter=OTHER)), "other_meter", OTHER),
    (
        entered,
        replace(IN_USE, returned=replace(RETURNED, customer=OTHER)),
        "other_meter",
        "is not its own",
    ),
    (not_entered, IN_USE, "inserted", "cannot be reversed"),
    (not_entered, SPOILT, "inserted", "cannot be reversed"),
    (not_entered, replace(NOT_INSERTED, wallet=Wallet(5_000, 6)), "count_mismatch", "purchase 6"),
    (not_entered, replace(NOT_INSERTED, wallet=None), "count_mismatch", "purchase 0"),
)


@pytest.mark.parametrize(("check", "contents", "code", "told"), REFUSALS)
def test_a_wrong_card_is_refused_with_what_to_do(check, contents, code, told):
    with pytest.raises(WrongCard) as refusal:
        check(contents)
    assert refusal.value.code == code
    assert told in str(refusal.value)


@pytest.mark.parametrize(("check", "contents", "code", "told"), REFUSALS)
def test_every_refusal_is_said_in_chinese_too(languages, check, contents, code, told):
    with pytest.raises(WrongCard) as refusal:
        check(contents)
    chinese = languages["zh"].sentence(str(refusal.value))
    assert chinese != str(refusal.value)
    assert not re.search("[a-z]{3,}", chinese.split("（")[0])


@pytest.mark.parametrize("last", [None, AT, AT - timedelta(minutes=1)])
def test_a_plausible_return_file_is_believed(last):
    assert checks.plausible_return(IN_USE, last, 7) == RETURNED
    assert checks.plausible_return(IN_USE, last, 8) == RETURNED


def test_a_return_file_without_a_time_is_believed_once():
    timeless = replace(IN_USE, returned=replace(RETURNED, returned_at=None))
    assert checks.plausible_return(timeless, None, 7) is timeless.returned
    assert checks.plausible_return(timeless, AT, 7) is None


@pytest.mark.parametrize(
    ("contents", "last", "count"),
    [
        (BLANK, None, 7),
        (NOT_INSERTED, None, 7),
        (replace(IN_USE, parameters=None), None, 7),
        (replace(IN_USE, returned=replace(RETURNED, meter=OTHER)), None, 7),
        (replace(IN_USE, returned=replace(RETURNED, customer=OTHER)), None, 7),
        (IN_USE, None, 6),
        (IN_USE, AT + timedelta(minutes=1), 7),
    ],
)
def test_an_implausible_return_file_is_not_believed(contents, last, count):
    assert checks.plausible_return(contents, last, count) is None
