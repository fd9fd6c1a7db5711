"""One alarm for one cause: what is silent, dark or unread, and what explains it."""

from collections.abc import Collection, Iterable

import pytest

from station.business.alarm_kinds import POWER_OFF, SILENT, UNREAD
from station.business.causes import Cause, Picture, Seat, Subject, causes
from station.store.objects.places import Place, PlaceTree

# A substation with two areas: five terminals in the first, two in the second.
TREE = PlaceTree(
    (
        Place("org", "organisation", "Utility"),
        Place("sub", "substation", "North", parent="org"),
        Place("one", "area", "Mill lane", parent="sub"),
        Place("two", "area", "Hill road", parent="sub"),
    )
)
ONE, TWO = ("T1", "T2", "T3", "T4", "T5"), ("T6", "T7")
LINKS = {**{link: Seat(link, "one") for link in ONE}, **{link: Seat(link, "two") for link in TWO}}
METERS = {f"M{number}": Seat("T1", "one") for number in range(1, 6)}


def found(
    *,
    down: Collection[str] = (),
    dark: Collection[str] = (),
    tree: PlaceTree = TREE,
    standing: Iterable[Subject] = (),
    **more: Collection[str],
) -> set[tuple[str, str, str, int]]:
    """Return kind, scope, subject and number of members of every cause."""
    picture = Picture(LINKS, down, dark, METERS, tree=tree, standing=frozenset(standing), **more)
    made = causes(picture)
    members = [device for cause in made for device in cause.members]
    assert len(members) == len({*members}), "a device has two causes"
    return {(each.kind, each.scope, each.subject, len(each.members)) for each in made}


@pytest.mark.parametrize(
    ("down", "expected"),
    [
        ((), set()),
        (("T1",), {(SILENT, "link", "T1", 1)}),
        (("T1", "T6"), {(SILENT, "link", "T1", 1), (SILENT, "link", "T6", 1)}),
        (ONE[:3], {(SILENT, "link", link, 1) for link in ONE[:3]}),
        (ONE[:4], {(SILENT, "place", "one", 4)}),
        (ONE, {(SILENT, "place", "one", 5)}),
        (TWO, {(SILENT, "place", "two", 2)}),
        ((*ONE[:4], "T6"), {(SILENT, "place", "one", 4), (SILENT, "link", "T6", 1)}),
        ((*ONE, *TWO), {(SILENT, "place", "sub", 7)}),
        ((*ONE, "T6", "unknown"), {(SILENT, "place", "sub", 6)}),
    ],
)
def test_a_silent_area_is_one_cause(
    down: Collection[str], expected: set[tuple[str, str, str, int]]
) -> None:
    assert found(down=down) == expected


def test_without_places_the_whole_site_is_one_cause() -> None:
    assert found(down=[*ONE, *TWO], tree=PlaceTree(())) == {(SILENT, "station", "", 7)}
    assert len(found(down=ONE, tree=PlaceTree(()))) == 5


@pytest.mark.parametrize(
    ("dark", "kind"), [((), SILENT), (("T1",), SILENT), (("T1", "T2"), POWER_OFF), (ONE, POWER_OFF)]
)
def test_power_is_told_from_a_lost_link(dark: Collection[str], kind: str) -> None:
    assert found(down=ONE, dark=dark) == {(kind, "place", "one", 5)}


def test_a_last_word_counts_before_the_link_is_down() -> None:
    assert found(dark=["T1"]) == {(POWER_OFF, "link", "T1", 1)}
    assert found(down=["T1"], dark=["T1"]) == {(POWER_OFF, "link", "T1", 1)}


def test_a_wide_cause_goes_on_until_few_are_left() -> None:
    stands: list[Subject] = [(SILENT, "place", "one")]
    assert found(down=ONE[:2], standing=stands) == {(SILENT, "place", "one", 2)}
    assert found(down=ONE[:1], standing=stands) == {(SILENT, "link", "T1", 1)}
    assert len(found(down=ONE[:2])) == 2


@pytest.mark.parametrize(
    ("dark", "unread", "expected"),
    [
        (("M1",), (), {(POWER_OFF, "meter", "M1", 1)}),
        (("M1", "M2", "M3", "M4"), (), {(POWER_OFF, "link", "T1", 1)}),
        ((), ("M1", "M2"), {(UNREAD, "meter", "M1", 1), (UNREAD, "meter", "M2", 1)}),
        ((), tuple(METERS), {(UNREAD, "link", "T1", 5)}),
        (("M1",), ("M1",), {(POWER_OFF, "meter", "M1", 1)}),
    ],
)
def test_meters_of_one_terminal(
    dark: Collection[str], unread: Collection[str], expected: set[tuple[str, str, str, int]]
) -> None:
    assert found(dark_meters=dark, unread=unread) == expected


def test_meters_behind_a_silent_link_say_nothing_of_their_own() -> None:
    assert found(down=["T1"], unread=[*METERS], dark_meters=["M1"]) == {(SILENT, "link", "T1", 1)}


def test_a_link_that_went_with_its_only_meter_went_with_the_power() -> None:
    meters = {"M9": Seat("T9")}
    picture = Picture({"T9": Seat("T9")}, ("T9",), meters=meters, dark_meters=("M9",))
    assert [cause.key for cause in causes(picture)] == ["power_off:link:T9"]


def test_a_cause_counts_who_told_it() -> None:
    (cause,) = causes(Picture(LINKS, ONE, ("T1", "T2"), tree=TREE))
    assert cause == Cause(POWER_OFF, "place", "one", ONE, 5, 2)
    assert cause.key == "power_off:place:one"
