"""Clocks: how wrong one is, when it may be set, and what setting it makes of it."""

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from small_site import DEAD, METER, OLD, TERMINAL

from station.collector.clock import BROADCAST, ClockErrand, look_of, pause_before
from station.collector.clocks import Clocks, way_of
from station.collector.control import Mandate
from station.errors import InvalidValue, MeterTimeout, Refused
from station.protocols.dlt645 import Version
from station.protocols.dlt645.requests import Authority
from station.simulator.site import LineSite, MeterSite, Site, TerminalSite
from station.store.objects.terminals import Terminal
from station.units import utc_now

ZONE = ZoneInfo("Asia/Shanghai")
OBJECTS = "99000698"
AT = datetime(2026, 5, 6, 4, 30, tzinfo=timezone.utc)  # 12:30 at the site.


def site(delay_ms: int = 1, **offsets: int) -> Site:
    """Return a site whose clocks are fast by these seconds."""
    meters = (
        MeterSite(address=METER, clock_offset_s=offsets.get("meter", 0)),
        MeterSite(
            address=OLD,
            protocol=Version.V1997,
            profile_interval_min=0,
            clock_offset_s=offsets.get("old", 0),
        ),
        MeterSite(address=DEAD, dead=True),
    )
    return Site(
        terminals=(
            TerminalSite(
                address=TERMINAL,
                delay_ms=(delay_ms, delay_ms),
                clock_offset_s=offsets.get("terminal", 0),
                lines=(LineSite(meters=meters),),
            ),
        )
    )


@pytest.mark.parametrize(
    ("local", "minutes"),
    [
        ("12:30", 0), ("12:54:59", 0), ("12:55", 10), ("13:00", 5), ("13:04:59", 1 / 60),
        ("13:05", 0), ("23:44", 0), ("23:45", 30), ("00:00", 15), ("00:14", 1), ("00:15", 0),
    ],
)  # fmt: skip
def test_a_clock_is_not_set_near_the_hour(local: str, minutes: float) -> None:
    hour = datetime.fromisoformat(f"2026-05-06T{local}").replace(tzinfo=ZONE)
    assert pause_before(hour, ZONE) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("waited_s", "shown_s", "deviation_s"),
    [(0, 0, 0.5), (2, -1, 0.5), (60, -30, 0.5), (0, 10, 10.5), (4, -62, -59.5)],
)
def test_half_the_wait_is_reckoned_in(waited_s: float, shown_s: int, deviation_s: float) -> None:
    """What a clock shows stands for half a second later, in the middle of the exchange."""
    shown = (AT + timedelta(seconds=shown_s)).astimezone(ZONE).replace(tzinfo=None)
    look = look_of(shown, AT, waited_s, 7, ZONE)
    assert look.deviation_s == deviation_s
    assert look.uncertainty == timedelta(seconds=waited_s / 2 + 0.5)


@pytest.fixture
def clocks(collecting: Any) -> Clocks:
    return Clocks(collecting.database.clocks, collecting.registry, collecting.feed, ZONE)


async def test_what_clocks_show_is_kept(collecting: Any, clocks: Clocks) -> None:
    there = site(meter=-90, old=40, terminal=3600)
    await collecting.enter(there)
    await collecting.dial_in(there)
    database = collecting.database
    terminal = await database.terminals.get(TERMINAL)
    meter, old, dead = [await database.meters.get(each) for each in (METER, OLD, DEAD)]
    for device, fast_s in ((terminal, 3600), (meter, -90), (old, 40)):
        look = await clocks.check(device)
        assert look.deviation_s == pytest.approx(fast_s, abs=1.5)
    with pytest.raises(MeterTimeout):
        await clocks.check(dead)
    with pytest.raises(InvalidValue):
        await clocks.check(Terminal("dtu-1", "", protocol="dtu"))
    found, total = await database.clocks.list()
    assert (total, [each.device for each in found]) == (4, [TERMINAL, METER, OLD, DEAD])
    assert found[-1].problem
    assert await database.clocks.bands() == {0: 1, 300_000: 1, 60_000: 1, None: 1}
    assert (await database.clocks.list(over_ms=60_000))[1] == 2


@pytest.mark.parametrize("way", ["set", BROADCAST])
async def test_setting_a_clock_reckons_the_way_in(
    collecting: Any, clocks: Clocks, way: str
) -> None:
    """Each exchange takes 0.7 s: what is left is the half second that nobody sees, and the rest."""
    there = site(delay_ms=700, meter=-120, terminal=7200)
    await collecting.enter(there)
    await collecting.dial_in(there)
    meter = await collecting.database.meters.get(METER)
    terminal = await collecting.database.terminals.get(TERMINAL)
    mandate = Mandate(Authority(), utc_now() + timedelta(minutes=5))
    device = meter if way == BROADCAST else terminal
    errand = ClockErrand(clocks.line(device, way=way), way, lambda look: clocks.note(device, look))
    await errand.perform(mandate)
    finding = await errand.outcome(mandate)
    assert finding.verdict == "done"
    assert abs(finding.result["deviation_s"]) <= 1.1
    (kept,) = await collecting.database.clocks.of([device.address])
    assert kept.deviation_ms is not None


@pytest.mark.parametrize("device", ["terminal", "meter"])
async def test_clocks_of_objects_are_looked_at_and_set(
    collecting: Any, clocks: Clocks, device: str
) -> None:
    """A terminal of DL/T 698.45, and a meter behind it: some 0.1 s for each exchange."""
    meter = MeterSite(address=METER, protocol="dlt698.45", clock_offset_s=-600)
    there = Site(
        terminals=(
            TerminalSite(
                address=OBJECTS, protocol="dlt698.45", delay_ms=(100, 100), clock_offset_s=90,
                lines=(LineSite(meters=(meter,)),),
            ),
        )
    )  # fmt: skip
    await collecting.enter(there)
    await collecting.dial_in(there)
    stores = collecting.database
    found = await (
        stores.terminals.get(OBJECTS) if device == "terminal" else stores.meters.get(METER)
    )
    look = await clocks.check(found)
    assert look.deviation_s == pytest.approx(90 if device == "terminal" else -600, abs=2)
    assert look.exchange > 0
    way = way_of(found, BROADCAST)
    errand = ClockErrand(clocks.line(found, way=way), way, lambda look: clocks.note(found, look))
    await errand.perform(Mandate(Authority(), utc_now() + timedelta(minutes=5)))
    finding = await errand.outcome(None)
    assert finding.verdict == "done"
    assert abs(finding.result["deviation_s"]) <= 2


async def test_a_broadcast_does_not_reach_a_clock_far_out(collecting: Any, clocks: Clocks) -> None:
    there = site(meter=301)
    await collecting.enter(there)
    await collecting.dial_in(there)
    meter = await collecting.database.meters.get(METER)
    line = clocks.line(meter, way=BROADCAST)
    errand = ClockErrand(line, BROADCAST, lambda _look: asyncio.sleep(0))
    with pytest.raises(Refused, match="300 s at most"):
        await errand.perform(Mandate(Authority(), utc_now()))
