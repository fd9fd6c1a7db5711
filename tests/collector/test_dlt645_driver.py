"""The DL/T 645 driver on a bus whose answers are written out: what it asks and makes of them.

Payloads are written by hand after the digest; the independent meter is asked in tests/whole.
"""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from station.collector.drivers import dlt645_records
from station.collector.drivers.base import NoMemory
from station.collector.drivers.dlt645 import Dlt645Driver, exchanges_of
from station.collector.items import ITEM_BY_CODE
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import Want, Way
from station.errors import BadAnswer, MeterTimeout
from station.frontend.inquiries import Inquiry645
from station.frontend.link import Answer, Priority
from station.protocols import dlt645
from station.protocols.dlt645 import Frame, Version, requests
from station.store.objects.meters import Meter
from station.units import from_local

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=timezone.utc)  # 10:00 at the site
ADDRESS = "000000000161"
METER = Meter(ADDRESS, "", link="line-1", profile_interval_min=15)

NO_SUCH_DATA = 0x02

NOT_AUTHORISED = 0x04


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlt645_records, "utc_now", lambda: NOW)


class Remembering(NoMemory):
    """Remembers refusals as long as it lives."""

    def __init__(self) -> None:
        self.refused: set[tuple[str, str]] = set()
        self.waits: list[float] = []

    def refuses(self, meter: str, block: str) -> bool:
        return (meter, block) in self.refused

    def note_refusal(self, meter: str, block: str) -> None:
        self.refused.add((meter, block))

    def answer_timeout_s(self, _meter: str) -> float:
        return 3.5

    def note_wait(self, _meter: str, waited_s: float) -> None:
        self.waits.append(waited_s)


class WrittenBus:
    """Answers from a script and keeps what it was asked."""

    name = "line-1"

    def __init__(self, answers: dict[str, str | Exception | list[str | Exception]]) -> None:
        self._answers = answers
        self.asked: list[str] = []
        self.timeouts: set[float] = set()

    async def exchange(
        self, inquiry: Inquiry645, *, priority: Priority, timeout_s: float
    ) -> Answer[Frame]:
        request = inquiry.request
        assert priority is Priority.TASK
        self.timeouts.add(timeout_s)
        key = f"{request.control:02X} {request.data[::-1].hex().upper()}"
        self.asked.append(key)
        answer = self._answers.get(key)
        if isinstance(answer, list):
            answer = answer.pop(0)
        if answer == "!":
            return Answer(requests.refuse(request, NOT_AUTHORISED), NOW, 1, 0.1)
        if answer is None:
            return Answer(requests.refuse(request, NO_SUCH_DATA), NOW, 1, 0.1)
        if isinstance(answer, Exception):
            raise answer
        more = answer.startswith("+")
        data = bytes.fromhex(answer.removeprefix("+"))
        return Answer(dlt645.answer(request, data, has_more=more), NOW, 1, 0.1)


def live(*codes: str) -> list[Want]:
    return [Want(ITEM_BY_CODE[code], NOW, (Way.LIVE,)) for code in codes]


async def read(
    bus: WrittenBus, wants: list[Want], meter: Meter = METER, memory: NoMemory | None = None
) -> dict[str, Outcome]:
    driver = Dlt645Driver(bus, meter, priority=Priority.TASK, zone=ZONE, memory=memory)
    return {
        f"{one.want.item.code}": one async for outcomes in driver.read(wants) for one in outcomes
    }


async def read_all(bus: WrittenBus, wants: list[Want], meter: Meter = METER) -> list[Outcome]:
    driver = Dlt645Driver(bus, meter, priority=Priority.TASK, zone=ZONE)
    return [one async for outcomes in driver.read(wants) for one in outcomes]


def value(outcome: Outcome) -> int | None:
    assert isinstance(outcome, Got), outcome
    assert outcome.read_at == NOW
    return outcome.value


async def test_a_single_item_is_asked_by_itself() -> None:
    bus = WrittenBus({"11 00010000": "26 00 00 00"})  # V-003: 0.26 kWh
    found = await read(bus, live("energy_import_total"))
    assert value(found["energy_import_total"]) == 26
    assert bus.asked == ["11 00010000"]


async def test_several_items_are_asked_as_their_block() -> None:
    bus = WrittenBus(
        {"11 0201FF00": "01 22 FF FF FF FF", "11 0203FF00": "00 05 80 00 05 80 FF FF FF FF FF FF"}
    )
    found = await read(bus, live("voltage_a", "voltage_b", "power_total", "power_a"))
    assert value(found["voltage_a"]) == 2201
    assert value(found["voltage_b"]) is None  # Absent on a single-phase meter.
    assert value(found["power_total"]) == -500  # -0.0500 kW
    assert bus.asked == ["11 0201FF00", "11 0203FF00"]


async def test_a_refused_block_is_asked_item_by_item() -> None:
    bus = WrittenBus({"11 02010100": "01 22"})
    found = await read(bus, live("voltage_a", "voltage_b"))
    assert value(found["voltage_a"]) == 2201
    missed = found["voltage_b"]
    assert isinstance(missed, Missed)
    assert missed.cause is Cause.REFUSED
    assert missed.text == f"meter {ADDRESS}: 02010200 refused: no requested data"
    assert bus.asked == ["11 0201FF00", "11 02010100", "11 02010200"]


async def test_an_item_missing_in_a_short_block_is_asked_by_itself() -> None:
    bus = WrittenBus({"11 0201FF00": "01 22", "11 02010200": "FF FF"})
    found = await read(bus, live("voltage_a", "voltage_b"))
    assert value(found["voltage_a"]) == 2201
    assert value(found["voltage_b"]) is None


async def test_digits_that_are_none_are_no_value() -> None:
    bus = WrittenBus({"11 02010100": "1A 22"})
    missed = (await read(bus, live("voltage_a")))["voltage_a"]
    assert isinstance(missed, Missed)
    assert missed.cause is Cause.NOT_A_NUMBER
    assert "1A 22" in missed.text


async def test_a_broken_answer_is_asked_for_once_more() -> None:
    bus = WrittenBus({"11 02010100": [BadAnswer("checksum"), "01 22"]})
    assert value((await read(bus, live("voltage_a")))["voltage_a"]) == 2201
    bus = WrittenBus({"11 02010100": [BadAnswer("checksum"), BadAnswer("checksum")]})
    with pytest.raises(BadAnswer):
        await read(bus, live("voltage_a"))


async def test_silence_ends_the_reading_of_a_meter() -> None:
    bus = WrittenBus({"11 02010100": MeterTimeout("no answer")})
    with pytest.raises(MeterTimeout):
        await read(bus, live("voltage_a", "frequency"))
    assert len(bus.asked) == 1


async def test_a_long_answer_is_joined() -> None:
    bus = WrittenBus({"11 0001FF00": "+ 10 00 00 00 04 00", "12 010001FF00": "00 00 06 00 00 00"})
    found = await read(bus, live("energy_import_total", "energy_import_t1", "energy_import_t2"))
    assert [value(one) for one in found.values()] == [10, 4, 6]


async def test_the_clock_comes_in_one_item_or_in_two() -> None:
    local = datetime(2026, 11, 22, 10, 0, 7)  # noqa: DTZ001  A meter's clock has no zone.
    whole = WrittenBus({"11 0400010C": "07 00 10 00 22 11 26"})
    parts = WrittenBus({"11 04000101": "00 22 11 26", "11 04000102": "07 00 10"})
    for bus in (whole, parts):
        found = await read(bus, live("clock"))
        assert value(found["clock"]) == from_local(local, ZONE).timestamp()


async def test_a_1997_meter_is_asked_in_its_own_words() -> None:
    old = replace(METER, protocol=Version.V1997.value, profile_interval_min=0)
    bus = WrittenBus({
        "01 901F": "10 00 00 00 04 00 00 00 06 00 00 00", "01 B611": "20 02",
        "01 C010": "00 22 11 26", "01 C011": "07 00 10",
    })  # fmt: skip
    wants = live("energy_import_total", "energy_import_t1", "voltage_a", "clock")
    found = await read(bus, wants, old)
    assert value(found["energy_import_t1"]) == 4
    assert value(found["voltage_a"]) == 2200  # Whole volts on the wire, tenths in the catalogue.
    assert isinstance(found["clock"], Got)


def recorded(code: str, *hours: float) -> list[Want]:
    midnight = NOW - timedelta(hours=10)
    return [
        Want(ITEM_BY_CODE[code], midnight + timedelta(hours=hour), (Way.PROFILE,)) for hour in hours
    ]


def block(hour: int, minute: int, power: str) -> str:
    """One load profile block with active power alone (digest section 11)."""
    body = bytes.fromhex(f"{minute:02d} {hour:02d} 22 11 26 AA {power} AA AA AA AA AA")
    head = b"\xa0\xa0" + bytes((len(body),))
    return (head + body + bytes((sum(head + body) & 0xFF, 0xE5))).hex()


POWER = "00 10 00 00 10 00 FF FF FF FF FF FF" + "00 00 00" * 4  # 0.1000 kW, no phases B and C


def values(outcomes: list[Outcome]) -> list[int | None]:
    assert all(isinstance(one, Got) and one.quality == "recorded" for one in outcomes)
    return [value(one) for one in outcomes]


def causes(outcomes: list[Outcome]) -> list[Cause]:
    return [one.cause for one in outcomes if isinstance(one, Missed)]


async def test_recorded_points_of_one_class_are_asked_in_spans() -> None:
    answers = block(1, 0, POWER) + block(1, 15, POWER)
    bus = WrittenBus({"11 26112201000206020001": answers})
    outcomes = await read_all(bus, recorded("power_total", 1, 1.25))
    assert values(outcomes) == [1000, 1000]
    assert bus.asked == ["11 26112201000206020001"]


async def test_points_of_several_classes_are_asked_at_once_if_that_is_shorter() -> None:
    wants = recorded("power_total", 1) + recorded("voltage_a", 1)
    bus = WrittenBus({"11 26112201000106000001": block(1, 0, POWER)})
    power, voltage = await read_all(bus, wants)
    assert values([power]) == [1000]
    assert causes([voltage]) == [Cause.REFUSED]  # It is not in this load profile.
    assert len(bus.asked) == exchanges_of(METER, wants, Way.PROFILE) == 1
    many = [want for hour in range(8) for want in recorded("power_total", hour, hour + 0.5)]
    assert exchanges_of(METER, many, Way.PROFILE) == 4  # 40 bytes each, 196 in an answer.


async def test_a_class_that_is_refused_is_asked_for_with_all_others() -> None:
    memory = Remembering()
    bus = WrittenBus({"11 26112201000106000001": block(1, 0, POWER)})
    for _ in range(2):
        driver = Dlt645Driver(bus, METER, priority=Priority.TASK, zone=ZONE, memory=memory)
        wants = recorded("power_total", 1)
        outcomes = [one async for some in driver.read(wants) for one in some]
        assert values(outcomes) == [1000]
    classes = [key[-8:] for key in bus.asked]
    assert classes == ["06020001", "06000001", "06000001"]


async def test_a_later_record_proves_that_an_earlier_one_is_not_there() -> None:
    bus = WrittenBus({"11 26112201000206020001": block(1, 15, POWER)})
    outcomes = await read_all(bus, recorded("power_total", 1, 1.25))
    assert values(outcomes) == [None, 1000]


async def test_what_the_profile_does_not_hold_is_read_live() -> None:
    memory = Remembering()
    bus = WrittenBus({"11 26112201000106010001": block(1, 0, POWER), "11 02010100": "01 22"})
    moment = MIDNIGHT + timedelta(hours=1)
    want = Want(ITEM_BY_CODE["voltage_a"], moment, (Way.PROFILE, Way.LIVE))
    for _ in range(2):
        found = await read(bus, [want], memory=memory)
        assert value(found["voltage_a"]) == 2201
    assert bus.asked == ["11 26112201000106010001", "11 02010100", "11 02010100"]


async def test_no_record_yet_stays_open() -> None:
    bus = WrittenBus({"11 26112201000106020001": ""})
    assert causes(await read_all(bus, recorded("power_total", 1))) == [Cause.NO_RECORD]


async def test_a_record_of_the_future_is_that_of_a_wrong_clock() -> None:
    bus = WrittenBus({"11 26112201000106020001": block(11, 0, POWER)})  # It is ten o'clock.
    wants = [*recorded("power_total", 1, 9)]
    assert causes(await read_all(bus, wants)) == [Cause.CLOCK_WRONG] * 2
    want = Want(ITEM_BY_CODE["power_total"], wants[0].moment, (Way.PROFILE, Way.LIVE))
    bus = WrittenBus({"11 26112201000106020001": block(11, 0, POWER), "11 02030000": "00 10 00"})
    outcomes = await read_all(bus, [want])
    assert value(outcomes[0]) == 1000  # What it shows now does not depend on its clock.


async def test_records_that_run_backwards_are_those_of_a_wrong_clock() -> None:
    answers = block(5, 0, POWER) + block(1, 15, POWER)
    bus = WrittenBus({"11 26112205000206020001": answers})
    outcomes = await read_all(bus, recorded("power_total", 5, 5.25))
    assert causes(outcomes) == [Cause.CLOCK_WRONG] * 2


async def test_a_point_without_record_is_read_live_if_that_is_still_good() -> None:
    want = Want(ITEM_BY_CODE["voltage_a"], NOW, (Way.PROFILE, Way.LIVE))
    bus = WrittenBus({"11 02010100": "01 22"})  # The load profile is refused.
    outcomes = await read_all(bus, [want])
    assert [value(one) for one in outcomes] == [2201]


async def test_a_meter_without_any_record_is_not_asked_for_every_span() -> None:
    bus = WrittenBus({})
    outcomes = await read_all(bus, recorded("power_total", *range(10)))
    assert len(outcomes) == 10
    assert len(bus.asked) == 4  # One class alone, and three times all of them.


MIDNIGHT = NOW - timedelta(hours=10)


def frozen(*days_ago: int, codes: tuple[str, ...] = ("energy_import_total",)) -> list[Want]:
    return [
        Want(ITEM_BY_CODE[code], MIDNIGHT - timedelta(days=days), (Way.FREEZE,))
        for days in days_ago
        for code in codes
    ]


async def test_midnight_energy_comes_from_the_freeze_of_that_day() -> None:
    wants = frozen(1, codes=("energy_import_total", "energy_import_t1"))
    bus = WrittenBus({"11 05060002": "00 00 21 11 26", "11 05060102": "10 00 00 00 04 00 00 00"})
    assert values(await read_all(bus, wants)) == [10, 4]
    assert bus.asked == ["11 05060002", "11 05060102"]
    assert exchanges_of(METER, wants, Way.FREEZE) == 2


async def test_a_day_without_freeze_moves_the_ones_before_it() -> None:
    bus = WrittenBus({
        "11 05060003": "00 00 19 11 26", "11 05060002": "00 00 20 11 26",
        "11 05060102": "10 00 00 00",
    })  # fmt: skip
    assert values(await read_all(bus, frozen(2))) == [10]
    assert bus.asked == ["11 05060003", "11 05060002", "11 05060102"]
    bus = WrittenBus({"11 05060001": "00 00 20 11 26", "11 05060101": "10 00 00 00"})
    assert values(await read_all(bus, frozen(2))) == [10]  # The third last does not exist.
    assert bus.asked == ["11 05060003", "11 05060001", "11 05060101"]


async def test_days_between_two_known_freezes_are_not_looked_up() -> None:
    bus = WrittenBus({
        "11 05060001": "00 00 22 11 26", "11 05060005": "00 00 18 11 26",
        **{f"11 0506010{number}": f"0{number} 00 00 00" for number in range(1, 6)},
    })  # fmt: skip
    wants = frozen(*range(5))
    assert sorted(values(await read_all(bus, wants))) == [1, 2, 3, 4, 5]
    assert len(bus.asked) == exchanges_of(METER, wants, Way.FREEZE) == 7


async def test_freezes_that_run_backwards_are_those_of_a_wrong_clock() -> None:
    bus = WrittenBus({
        "11 05060001": "00 00 22 11 26", "11 05060101": "10 00 00 00",
        "11 05060003": "00 00 22 11 26",
    })  # fmt: skip
    outcomes = await read_all(bus, frozen(0, 2))
    assert causes(outcomes) == [Cause.CLOCK_WRONG]
    bus = WrittenBus({"11 05060001": "00 00 25 11 26"})
    assert causes(await read_all(bus, frozen(0))) == [Cause.CLOCK_WRONG]


async def test_a_day_that_was_not_frozen_has_no_value_yet() -> None:
    bus = WrittenBus({"11 05060001": "00 00 20 11 26"})
    assert causes(await read_all(bus, frozen(0))) == [Cause.NO_RECORD]


async def test_what_is_refused_is_remembered_for_the_day() -> None:
    memory = Remembering()
    bus = WrittenBus({"11 02010100": "01 22", "11 26112201000106000001": "!"})
    for _ in range(2):
        found = await read(bus, live("voltage_a", "voltage_b"), memory=memory)
        assert value(found["voltage_a"]) == 2201
        assert isinstance(found["voltage_b"], Missed)
        await read(bus, frozen(0), memory=memory)
        await read(bus, recorded("power_total", 1), memory=memory)
    assert bus.asked == [
        "11 0201FF00", "11 02010100", "11 02010200", "11 05060001",
        "11 26112201000106020001", "11 26112201000106000001",
        "11 02010100",
    ]  # fmt: skip
    assert bus.timeouts == {3.5, 3.5 + 216 * 11 / 2400}  # Records have the time they take.
    assert memory.waits == [0.1] * len(bus.asked)


async def test_a_value_that_comes_late_says_so() -> None:
    bus = WrittenBus({"11 02010100": "01 22"})
    for minutes, quality in ((4, "live"), (6, "late")):
        want = replace(live("voltage_a")[0], moment=NOW - timedelta(minutes=minutes))
        (outcome,) = await read_all(bus, [want])
        assert isinstance(outcome, Got)
        assert outcome.quality == quality
