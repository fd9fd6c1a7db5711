"""Sites made from a few numbers."""

import argparse
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from station.simulator.command import share
from station.simulator.generated import LOADS, generate
from station.simulator.metering import Metering

ZONE = ZoneInfo("Asia/Shanghai")


def meters_of(site):
    return [
        meter for terminal in site.terminals for line in terminal.lines for meter in line.meters
    ]


def test_is_as_large_as_asked_and_the_same_again():
    site = generate(200, 50, delay_ms=50, dead=0.01, lost=0.02)
    meters = meters_of(site)
    assert (len(site.terminals), len(meters)) == (200, 10_000)
    assert sum(meter.dead for meter in meters) == 100
    assert {meter.lost for meter in meters} == {0.02}
    assert {terminal.delay_ms for terminal in site.terminals} == {(50, 50)}
    assert site == generate(200, 50, delay_ms=50, dead=0.01, lost=0.02)


def test_another_seed_has_other_dead_meters():
    first, other = (meters_of(generate(10, 10, dead=0.1, seed=seed)) for seed in (1, 2))
    assert [meter.dead for meter in first] != [meter.dead for meter in other]
    assert sum(meter.dead for meter in first) == sum(meter.dead for meter in other) == 10


def test_meters_share_loads():
    site = generate(2, LOADS, dead=0.0)
    at = datetime(2026, 5, 6, 12, tzinfo=timezone.utc)
    power = [
        (metering := Metering(meter, ZONE, seed=1)).state(metering.clock(at)).power[0]
        for meter in meters_of(site)
    ]
    assert len(set(power)) == LOADS
    assert power[1:LOADS] == power[LOADS : 2 * LOADS - 1]


@pytest.mark.parametrize(("text", "value"), [("2%", 0.02), ("0.5", 0.5), ("0", 0.0), ("100%", 1.0)])
def test_share(text, value):
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["101%", "-1%", "2 per cent", "", "%", "nan"])
def test_no_share(text):
    with pytest.raises(argparse.ArgumentTypeError):
        share(text)
