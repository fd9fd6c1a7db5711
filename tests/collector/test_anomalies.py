"""What cannot be right is found, and what is right is left alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from station.collector.anomalies import SILENT_AFTER, Kind, Picture, find
from station.store.objects.channels import Channel
from station.store.objects.meters import Spot
from station.store.objects.places import Place, PlaceTree
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import utc_now

NOW = utc_now()
LONG_AGO = NOW - timedelta(days=400)
LATELY = NOW - timedelta(hours=1)
AREA = Place("area", "area", "Area")
TERMINAL = Terminal("02001234", "North", created_at=LONG_AGO, place="area")
DTU = replace(TERMINAL, address="mill", protocol="dtu", registration="AA55")
METER = Spot("000000000161", "02001234", 1, "", "active", LONG_AGO)
OTHER = replace(METER, address="000000000162", point=2)
AT_MILL = replace(METER, address="000000000163", link="mill")
AT_CHANNEL = replace(METER, address="000000000164", link="line-1", place="area")
TASK = Task("t", "Curve", ("power_total",), 15, target_kind="meters", targets=("000000000161",))


def picture(**changed: Any) -> Picture:
    """Return a sound site, but for what is changed."""
    parts: dict[str, Any] = {
        "terminals": [TERMINAL, DTU],
        "meters": [METER, OTHER, AT_MILL, AT_CHANNEL],
        "channels": [Channel("line-1", "/dev/ttyUSB0")],
        "tasks": [TASK],
        "places": [AREA],
        "online": {"02001234", "mill"},
        "heard": dict.fromkeys([f"00000000016{number}" for number in range(1, 10)], LATELY),
        **changed,
    }
    return Picture(
        now=NOW,
        tree=PlaceTree(parts["places"]),
        terminals={each.address: each for each in parts["terminals"]},
        channels={each.name: each for each in parts["channels"]},
        meters=parts["meters"],
        tasks=parts["tasks"],
        online=parts["online"].__contains__,
        last_seen={"02001234": parts.get("seen")},
        last_success=parts["heard"].get,
    )


def test_a_sound_site_has_none() -> None:
    assert list(find(picture())) == []


@pytest.mark.parametrize(
    ("changed", "kind", "keys"),
    [
        (
            {"meters": [METER, replace(OTHER, address="0161"), AT_MILL], "heard": {"0161": LATELY,
             "000000000161": LATELY, "000000000163": LATELY}},
            Kind.DUPLICATE_ADDRESS, ["000000000161", "0161"],
        ),
        (
            {"terminals": [TERMINAL, DTU, replace(DTU, address="mill2")],
             "meters": [METER, AT_MILL, replace(AT_MILL, address="000000000165", link="mill2")],
             "online": {"02001234", "mill", "mill2"}},
            Kind.DUPLICATE_ADDRESS, ["mill", "mill2"],
        ),
        (
            {"channels": [Channel("line-1", "/dev/ttyUSB0"), Channel("line-2", "/dev/ttyUSB0")]},
            Kind.DUPLICATE_ADDRESS, ["line-1", "line-2"],
        ),
        (
            {"meters": [METER, replace(OTHER, point=1), AT_MILL]},
            Kind.SAME_POINT, ["000000000161", "000000000162"],
        ),
        (
            {"terminals": [TERMINAL, replace(DTU, stage="removed")], "online": {"02001234"}},
            Kind.NO_TERMINAL, ["000000000163"],
        ),
        (
            {"channels": [Channel("line-1", "/dev/ttyUSB0", enabled=False)]},
            Kind.NO_TERMINAL, ["000000000164"],
        ),
        ({"heard": {f"00000000016{n}": LATELY for n in (1, 3, 4)}}, Kind.SILENT, ["000000000162"]),
        ({"online": {"mill"}, "seen": NOW - 2 * SILENT_AFTER}, Kind.SILENT, ["02001234"]),
        ({"meters": [METER, OTHER]}, Kind.NO_METERS, ["mill"]),
        (
            {"terminals": [replace(TERMINAL, stage="planned"), DTU],
             "meters": [replace(METER, stage="planned"), AT_MILL]},
            Kind.HEARD, ["02001234"],
        ),
        (
            {"terminals": [replace(TERMINAL, place="gone"), replace(DTU, place="")],
             "meters": [METER, AT_MILL, replace(AT_CHANNEL, place="")]},
            Kind.NO_PLACE, ["02001234", "mill", "000000000164"],
        ),
        (
            {"meters": [replace(METER, stage="removed"), OTHER, AT_MILL]},
            Kind.TASK_OF_REMOVED, ["t"],
        ),
    ],
)  # fmt: skip
def test_each_kind_is_found_alone(changed: dict[str, Any], kind: Kind, keys: list[str]) -> None:
    found = list(find(picture(**changed)))
    assert [(each.kind, each.key) for each in found] == [(kind, key) for key in keys]


def test_what_is_new_or_back_is_not_silent_yet() -> None:
    new = [replace(METER, began=LATELY), OTHER, AT_MILL]
    heard = {"000000000162": LATELY, "000000000163": LATELY}
    assert list(find(picture(meters=new, heard=heard))) == []
    back = [replace(TERMINAL, stage_since=LATELY), DTU]
    seen = NOW - 2 * SILENT_AFTER
    assert list(find(picture(terminals=back, online={"mill"}, seen=seen))) == []


def test_a_site_without_places_misses_none() -> None:
    assert list(find(picture(places=[], terminals=[TERMINAL, DTU]))) == []
