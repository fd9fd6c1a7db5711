"""Rounds over all clocks: when they begin, who is waited for, what is told; how clocks drift."""

from datetime import datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from small_site import DEAD, METER, OLD, TERMINAL

from station.collector.clock_events import CLOCK_WRONG, ClockEvents
from station.collector.clock_rounds import ClockRounds
from station.collector.clocks import Clocks
from station.errors import Conflict
from station.protocols.dlt645 import Version
from station.simulator.site import LineSite, MeterSite, Site, TerminalSite
from station.store.objects.clocks import ClockLook, ClockState

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 5, 6, 4, 30, tzinfo=timezone.utc)  # 12:30 at the site.
SITE = Site(
    terminals=(
        TerminalSite(
            address=TERMINAL,
            delay_ms=(1, 3),
            silence_ms=50,
            redial_s=0.1,
            lines=(
                LineSite(
                    meters=(
                        MeterSite(address=METER, clock_offset_s=-400),
                        MeterSite(address=OLD, protocol=Version.V1997, profile_interval_min=0),
                        MeterSite(address=DEAD, dead=True),
                    )
                ),
            ),
        ),
    )
)


class Told:
    """What was told of clocks."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def take(self, events: Any) -> None:
        self.events += events


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def clocks(collecting: Any, told: Told) -> Clocks:
    stores, feed = collecting.database, collecting.feed
    events = ClockEvents(stores.events, feed, told.take, station="test", wrong_over_s=60)
    return Clocks(stores.clocks, collecting.registry, feed, ZONE, events)


def rounds(collecting: Any, clocks: Clocks, check_at: time | None = None) -> ClockRounds:
    return ClockRounds(collecting.database, collecting.registry, clocks, ZONE, check_at)


async def test_a_round_waits_for_who_is_off_line_and_asks_nobody_twice(
    collecting: Any, clocks: Clocks, told: Told
) -> None:
    await collecting.enter(SITE)
    going = rounds(collecting, clocks)
    assert (await going.begin()).total == 4
    with pytest.raises(Conflict):
        await going.begin()
    await going.tick()
    assert going.progress is not None
    assert (going.progress.left, going.progress.is_running) == (4, True)
    assert await collecting.database.clocks.list() == ([], 0)

    await collecting.dial_in(SITE)
    await going.tick()
    assert (going.progress.left, going.progress.is_running) == (0, False)
    states = {each.device: each for each in (await collecting.database.clocks.list())[0]}
    assert set(states) == {TERMINAL, METER, OLD, DEAD}
    assert states[DEAD].problem
    assert [(each.code, each.meter, each.over) for each in told.events] == [
        (CLOCK_WRONG, METER, False)
    ]
    kept, _ = await collecting.database.events.list(meter=METER)
    assert kept[0].values[0]["value"].startswith("-")


async def test_a_clock_that_is_right_again_is_told_once(
    collecting: Any, clocks: Clocks, told: Told
) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    meter = await collecting.database.meters.get(METER)
    look = await clocks.check(meter)
    right = type(look)(look.shown, look.at, timedelta(seconds=1), look.uncertainty, look.exchange)
    await clocks.note_set(meter, right)
    await clocks.note(meter, right)
    assert [each.over for each in told.events] == [False, True]
    (state,) = await collecting.database.clocks.of([METER])
    assert [each.after_set for each in state.history] == [False, True, False]


async def test_a_round_begins_at_its_time(
    collecting: Any, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    await collecting.enter(SITE)
    at = [NOW]
    monkeypatch.setattr("station.collector.clock_rounds.utc_now", lambda: at[0])
    going = rounds(collecting, clocks, time(12, 40))
    assert going.next_round(NOW) == NOW + timedelta(minutes=10)
    assert going.next_round(NOW + timedelta(minutes=10)) == NOW + timedelta(minutes=10, days=1)
    await going.tick()
    assert going.progress is None
    at[0] += timedelta(minutes=11)
    await going.tick()
    assert going.progress is not None
    assert going.progress.is_running
    at[0] += timedelta(hours=5)  # Nobody came on line: it ends, and begins anew the next day.
    await going.tick()
    assert not going.progress.is_running
    at[0] += timedelta(hours=19)
    await going.tick()
    assert going.progress.is_running


def state(*looks: tuple[float, int, bool]) -> ClockState:
    """Return a clock by looks: days since the first, deviation in s, whether it was just set."""
    found = ClockState("1", "meter", "2")
    for days, deviation_s, after_set in looks:
        at = NOW + timedelta(days=days)
        found = found.with_look(ClockLook(at, deviation_s * 1000, 500, after_set))
    return found


@pytest.mark.parametrize(
    ("looks", "drift_s"),
    [
        ([(0, 5, False)], None),
        ([(0, 5, False), (0.2, 9, False)], None),
        ([(0, 0, False), (10, 20, False)], 2),
        ([(0, 0, False), (1, -3, False), (2, -6, False)], -3),
        ([(0, 90, False), (1, 0, True), (3, 8, False)], 4),  # Set by the station.
        ([(0, 300, False), (1, 1, False), (2, 3, False), (3, 5, False)], 2),  # By somebody else.
        ([(0, 40, False), (1, 39, False), (2, 38, False)], -1),  # It comes nearer by itself.
        ([(0, 90, False), (1, 0, True)], None),
    ],
)
def test_drift_is_reckoned_since_a_clock_was_set(
    looks: list[tuple[float, int, bool]], drift_s: float | None
) -> None:
    found = state(*looks).drift_ms
    assert found == (None if drift_s is None else drift_s * 1000)
