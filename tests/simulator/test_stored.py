"""What a simulated terminal collected by itself: class 1 and class 2 data."""

from datetime import date, datetime, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from station.protocols.qgdw1376 import requests
from station.protocols.qgdw1376.frame import CLASS_1, CLASS_2, Address, Frame
from station.protocols.qgdw1376.functions import make_unit, units_of, values_of
from station.simulator.metering import Metering
from station.simulator.site import LineSite, MeterSite, TerminalSite
from station.simulator.stored import CURVES, Stored
from station.units import from_local

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 5, 6, 2, 10, tzinfo=timezone.utc)  # 10:10 at the site.
TERMINAL = "99000009"
METERS = (
    MeterSite(address="990000000901"),
    MeterSite(address="990000000902", dead=True),
    MeterSite(address="990000000903", phases=3, shape="shop"),
)
SITE = TerminalSite(address=TERMINAL, collects=True, lines=(LineSite(meters=METERS),))
DAY = date(2026, 5, 5)


def local(text):
    return datetime.fromisoformat(text)


def ask(afn, *units):
    """Return the values of the units that come back, by point and function; none if denied."""
    asked = [make_unit(afn, pn, fn, mark) for pn, fn, mark in units]
    request = requests.ask(afn, Address.from_text(TERMINAL), asked, sequence=3, master=1)
    answer = Stored(SITE, ZONE, seed=1).answer(Frame.from_bytes(request.to_bytes()), NOW)
    if answer is None:
        return None
    frame = Frame.from_bytes(answer.to_bytes())
    assert requests.is_answer(request, frame)
    split = units_of(frame)
    assert not split.rest
    return {(unit.pn, unit.fn): values_of(frame, unit) for unit in split.units}


def state(meter, text):
    metering = Metering(meter, ZONE, seed=1)
    return metering.state(metering.clock(from_local(local(text), ZONE)))


def test_daily_freeze_is_of_the_end_of_its_day():
    (values,) = ask(CLASS_2, (1, 161, {"day": DAY})).values()
    wanted = state(METERS[0], "2026-05-06T00:00").energy_import
    assert [int(value * 100) for value in values["energy"]] == list(wanted)
    assert (values["day"], values["read_time"]) == (DAY, local("2026-05-06T00:03"))


def test_curve():
    mark = {"start": local("2026-05-05T23:30"), "density": 1, "points": 6}
    (values,) = ask(CLASS_2, (3, 89, mark)).values()
    times = ["2026-05-05T23:30", "2026-05-05T23:45", *(f"2026-05-06T00:{m:02d}" for m in (0, 15))]
    wanted = [Decimal(state(METERS[2], at).voltage[0]).scaleb(-1) for at in times]
    assert values["voltage"][:4] == wanted
    assert len(values["voltage"]) == 6


def test_curve_has_nothing_of_the_future():
    mark = {"start": local("2026-05-06T10:00"), "density": 1, "points": 3}
    (values,) = ask(CLASS_2, (1, 81, mark)).values()
    first, *others = values["power"]
    assert first == Decimal(state(METERS[0], "2026-05-06T10:00").power[0]).scaleb(-4)
    assert not any(isinstance(other, Decimal) for other in others)


def test_latest_values_are_of_the_last_quarter():
    found = ask(CLASS_1, (1, 25, {}), (1, 129, {}), (3, 25, {}))
    assert found.keys() == {(1, 25), (1, 129), (3, 25)}
    assert {values["read_time"] for values in found.values()} == {local("2026-05-06T10:00")}
    wanted = state(METERS[2], "2026-05-06T10:00")
    assert found[3, 25]["power"][0] == Decimal(wanted.power[0]).scaleb(-4)
    assert found[3, 25]["power_factor"][0] == Decimal(wanted.power_factor[0]).scaleb(-1)


@pytest.mark.parametrize(
    ("afn", "unit"),
    [
        (CLASS_2, (1, 161, {"day": date(2026, 5, 6)})),  # It has not ended.
        (CLASS_2, (1, 161, {"day": date(2026, 1, 1)})),  # Too long ago.
        (CLASS_2, (2, 161, {"day": DAY})),  # A dead meter.
        (CLASS_2, (9, 161, {"day": DAY})),  # No such point.
        (CLASS_2, (1, 162, {"day": DAY})),  # Not kept.
        (CLASS_1, (1, 2, {})),
    ],
)
def test_what_it_lacks_is_denied(afn, unit):
    assert ask(afn, unit) is None


def test_what_it_lacks_is_left_out():
    found = ask(CLASS_2, (1, 161, {"day": DAY}), (2, 161, {"day": DAY}))
    assert found.keys() == {(1, 161)}


def test_every_curve_holds_points():
    mark = {"start": local("2026-05-06T09:00"), "density": 1, "points": 4}
    for fn in CURVES:
        ((key, values),) = ask(CLASS_2, (3, fn, mark)).items()
        assert key == (3, fn)
        assert any(isinstance(value, list) and len(value) == 4 for value in values.values())
