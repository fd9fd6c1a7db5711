"""One load measured by meters of every protocol, read in every way: all say the same.

The simulated meters measure what one and the same meter would (`load_of`), so that a value had over
one protocol is the check of another. Everything goes through real sockets and the front-end.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from station.collector.drivers import driver_for, stored_driver_for
from station.collector.items import DLT698, ITEM_BY_CODE
from station.collector.outcome import Cause, Got
from station.collector.plan import Want, Way
from station.collector.reader import Reader
from station.frontend.link import Priority
from station.protocols.qgdw1376.frame import CLASS_1, Frame
from station.simulator.site import LineSite, MeterSite, Site, TerminalSite
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import day_start, local_day, slot_of, utc_now

LOAD = "990000000001"
COLLECTING, PLAIN = "99000001", "99000002"
OBJECTS, ASKING = "000000000201", "000000000202"
ITSELF = "000000000203"


def measuring(address: str, protocol: str = "dlt645-2007") -> MeterSite:
    return MeterSite(address=address, protocol=protocol, load_of=LOAD, phases=3)


def end(address: str, *meters: MeterSite, **more: object) -> TerminalSite:
    return TerminalSite(
        address=address, delay_ms=(1, 3), redial_s=0.1, lines=(LineSite(meters=meters),), **more
    )


SITE = Site(
    terminals=(
        end(COLLECTING, measuring("990000000101"), measuring("990000000102"), collects=True),
        end(PLAIN, measuring("990000000103"), measuring("990000000107", DLT698)),
        end(
            OBJECTS, measuring("990000000104", DLT698), measuring("990000000105"),
            protocol=DLT698,
        ),
        end(ASKING, measuring("990000000106", DLT698), protocol=DLT698, collects=True),
        end(ITSELF, measuring(ITSELF, DLT698), protocol=DLT698),
        end(
            "dtu-1", measuring("990000000108"), measuring("990000000109", DLT698),
            protocol="dtu", registration="7069706531",
        ),
    )
)  # fmt: skip

ENERGIES = ("energy_import_total", "energy_import_t1", "energy_import_t4", "energy_export_total")
INSTANTS = ("voltage_a", "current_b", "power_total", "power_factor_total")


class Reading:
    """What the drivers make of a site that is online."""

    def __init__(self, collecting, zone: ZoneInfo) -> None:
        self.collecting = collecting
        self.zone = zone
        known = SITE.archive()
        self.meters = {one["address"]: Meter(**one) for one in known["meters"]}
        self.ends = {one["address"]: Terminal(**one) for one in known["terminals"]}

    async def values(
        self, address: str, codes: tuple[str, ...], moments: list[datetime], *ways: Way
    ) -> dict[tuple[str, datetime], tuple[int | None, str]]:
        """Return value and quality of each point; every point must be had."""
        meter = self.meters[address]
        driver = driver_for(
            meter, self.ends[meter.link], self.collecting.registry,
            priority=Priority.TASK, zone=self.zone,
        )  # fmt: skip
        wants = [Want(ITEM_BY_CODE[code], at, ways) for at in moments for code in codes]
        outcomes = [one async for some in driver.read(wants) for one in some]
        assert {one.want for one in outcomes} == set(wants)
        missed = [one for one in outcomes if not isinstance(one, Got)]
        assert not missed
        return {
            (one.want.item.code, one.want.moment): (one.value, one.quality)
            for one in outcomes
            if isinstance(one, Got)
        }


@pytest.fixture
async def reading(collecting, zone: ZoneInfo) -> Reading:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    return Reading(collecting, zone)


def midnights(zone: ZoneInfo) -> list[datetime]:
    today = local_day(utc_now(), zone)
    return [day_start(today - timedelta(days=days), zone) for days in (3, 2, 1)]


def quarters(zone: ZoneInfo) -> list[datetime]:
    """Return the eight quarter hours before the last whole hour."""
    now = utc_now()
    last = now - timedelta(minutes=slot_of(now, zone)[1] % 60 + 60)
    last = last.replace(second=0, microsecond=0)
    return [last - timedelta(minutes=15 * number) for number in range(8)]


async def test_daily_freezes(reading: Reading) -> None:
    moments = midnights(reading.zone)
    truth = await reading.values("990000000103", ENERGIES, moments, Way.FREEZE)
    for address, way in (
        ("990000000101", Way.FREEZE),
        ("990000000104", Way.FREEZE),
        ("990000000105", Way.FREEZE),
        ("990000000106", Way.FREEZE),
        ("990000000107", Way.FREEZE),
        ("990000000108", Way.FREEZE),
        ("990000000109", Way.FREEZE),
        (ITSELF, Way.FREEZE),
    ):
        assert await reading.values(address, ENERGIES, moments, way) == truth, (address, way)


async def test_curves(reading: Reading) -> None:
    moments = quarters(reading.zone)
    truth = await reading.values("990000000103", INSTANTS, moments, Way.PROFILE)
    for address, way in (
        ("990000000105", Way.PROFILE),
        ("990000000104", Way.PROFILE),
        ("990000000106", Way.PROFILE),
        ("990000000107", Way.PROFILE),
        ("990000000108", Way.PROFILE),
        ("990000000109", Way.PROFILE),
        (ITSELF, Way.PROFILE),
    ):
        assert await reading.values(address, INSTANTS, moments, way) == truth, (address, way)


async def test_what_a_terminal_lacks_is_asked_of_its_meter(reading: Reading) -> None:
    (moment,) = midnights(reading.zone)[-1:]
    truth = await reading.values(ITSELF, ENERGIES, [moment], Way.FREEZE)
    for address in ("990000000106", "990000000104", "990000000103"):
        ways = (Way.TERMINAL, Way.FREEZE)
        assert await reading.values(address, ENERGIES, [moment], *ways) == truth


async def test_what_is_shown_now(reading: Reading) -> None:
    codes = ("voltage_a", "energy_import_t1", "frequency", "clock", "status_word_3")
    for meter in reading.meters.values():
        results = await reading.collecting.reader.read_now(meter.address, codes)
        found = {one.item: one.reading.value for one in results if one.reading}
        assert set(found) == set(codes), meter
        assert abs(found["clock"] - utc_now().timestamp()) < 5
        assert 2000 < found["voltage_a"] < 2500


async def test_a_terminal_stores_curves_and_freezes(reading: Reading) -> None:
    moments = quarters(reading.zone)
    truth = await reading.values("990000000103", INSTANTS, moments, Way.PROFILE)
    assert await reading.values("990000000101", INSTANTS, moments, Way.TERMINAL) == truth
    moments = midnights(reading.zone)
    truth = await reading.values("990000000103", ENERGIES, moments, Way.FREEZE)
    assert await reading.values("990000000101", ENERGIES, moments, Way.TERMINAL) == truth


async def test_a_terminal_tells_what_it_last_read(reading: Reading) -> None:
    now = utc_now() - timedelta(seconds=1)
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    found = await reading.values("990000000101", INSTANTS, [now], Way.TERMINAL)
    truth = await reading.values("990000000103", INSTANTS, [quarter], Way.PROFILE)
    assert [one[0] for one in found.values()] == [one[0] for one in truth.values()]
    quality = "live" if now - quarter <= timedelta(minutes=5) else "late"
    assert {one[1] for one in found.values()} == {quality}


async def test_a_terminal_is_asked_for_many_meters_at_once(reading: Reading) -> None:
    moments = midnights(reading.zone)
    truth = await reading.values("990000000103", ENERGIES, moments, Way.FREEZE)
    registry, trace = reading.collecting.registry, reading.collecting.trace
    driver = stored_driver_for(
        reading.ends[COLLECTING], registry, priority=Priority.TASK, zone=reading.zone
    )
    assert driver is not None
    meters = [reading.meters[address] for address in ("990000000101", "990000000102")]
    wants = [Want(ITEM_BY_CODE[code], at, (Way.TERMINAL,)) for at in moments for code in ENERGIES]
    before = sum(record.direction == "out" for record in trace.recent(COLLECTING))
    outcomes = [
        one async for some in driver.read([(meter, wants) for meter in meters]) for one in some
    ]
    after = sum(record.direction == "out" for record in trace.recent(COLLECTING))
    assert len(outcomes) == 2 * len(wants)
    for _, one in outcomes:
        assert isinstance(one, Got)
        assert (one.value, one.quality) == truth[one.want.item.code, one.want.moment]
    assert after - before == 1


async def test_a_person_is_told_what_the_terminal_has_when_the_meter_refuses(
    reading: Reading,
) -> None:
    parts, database = reading.collecting, reading.collecting.database
    reader = Reader(
        parts.registry, database.meters, database.readings, parts.feed, reading.zone,
        database.terminals, parts.memory,
    )  # fmt: skip
    codes = ["remaining_amount", "voltage_a"]
    for _ in range(2):  # What was refused is asked again.
        missed, read = await reader.read_now("990000000101", codes)
        assert read.reading is not None
        assert missed.cause is Cause.NO_RECORD  # Neither has it: no prepayment.
        assert missed.text is not None
        assert missed.text.startswith(f"terminal {COLLECTING}: no remaining_amount of")
    sent = [one for one in parts.trace.recent(COLLECTING) if one.direction == "out"]
    assert sum(Frame.from_bytes(one.raw).afn == CLASS_1 for one in sent) == 2
