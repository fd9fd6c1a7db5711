"""The DL/T 698.45 driver on a meter of a few objects: what it asks and makes of the answers."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from server698 import Bus698, Server698, array, moment, numbers

from station.collector.drivers.base import NoMemory, Refusals
from station.collector.drivers.dlt698 import Dlt698Driver, exchanges_of
from station.collector.drivers.dlt698_talk import DirectAsker, ProxyAsker, Talk698
from station.collector.items import DLT698, ITEM_BY_CODE, ITEMS
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import Want, Way
from station.errors import MeterTimeout
from station.frontend.link import Priority
from station.protocols.dlt698 import get
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import BitString, Data, DataType
from station.protocols.dlt698.envelope import RecordResult
from station.protocols.dlt698.frame import Frame
from station.store.objects.meters import Meter
from station.units import from_local

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=timezone.utc)  # 10:00 at the site
MIDNIGHT = NOW - timedelta(hours=10)
ADDRESS = "000000000001"
METER = Meter(ADDRESS, "", link="line-1", protocol=DLT698, profile_interval_min=15)

DU, DL = DataType.DOUBLE_LONG_UNSIGNED, DataType.DOUBLE_LONG
ENERGY = numbers(DU, 10_00, 1_00, 2_00, 3_00, 4_00)
DENIED, TEMPORARY, TIMED_OUT = Dar(3), Dar(2), Dar(33)


class Remembering(NoMemory):
    def __init__(self) -> None:
        self.refused: set[tuple[str, str]] = set()

    def refuses(self, meter: str, block: str) -> bool:
        return (meter, block) in self.refused

    def note_refusal(self, meter: str, block: str) -> None:
        self.refused.add((meter, block))

    def answer_timeout_s(self, _meter: str) -> float:
        return 3.5


def driver_on(
    server: Server698, memory: NoMemory | None = None, terminal: Server698 | None = None
) -> Dlt698Driver:
    kept = memory or NoMemory()
    refusals = Refusals(kept, ADDRESS, ZONE)
    bus = Bus698(server, NOW)
    talk = Talk698(bus, ADDRESS, ADDRESS, priority=Priority.TASK, memory=kept)
    asker = DirectAsker(talk, METER.line)
    if terminal is None:
        return Dlt698Driver(asker, METER, zone=ZONE, refusals=refusals)
    terminal.meters[ADDRESS] = server
    talk = Talk698(Bus698(terminal, NOW), "0102", ADDRESS, priority=Priority.TASK, memory=kept)
    return Dlt698Driver(
        ProxyAsker(talk, asker, refusals, METER.line), METER, zone=ZONE, refusals=refusals
    )


def live(*codes: str) -> list[Want]:
    return [Want(ITEM_BY_CODE[code], NOW, (Way.LIVE,)) for code in codes]


async def read(driver: Dlt698Driver, wants: list[Want]) -> list[Outcome]:
    found = {one.want: one async for outcomes in driver.read(wants) for one in outcomes}
    assert set(found) == set(wants)
    return [found[want] for want in wants]


def values(outcomes: list[Outcome], quality: str = "live") -> list[int | None]:
    for one in outcomes:
        assert isinstance(one, Got), one
        assert (one.read_at, one.quality) == (NOW, quality)
    return [one.value for one in outcomes if isinstance(one, Got)]


def causes(outcomes: list[Outcome]) -> list[Cause | None]:
    return [one.cause if isinstance(one, Missed) else None for one in outcomes]


async def test_one_item_is_asked_by_itself_and_several_with_their_attribute() -> None:
    server = Server698({"00100200": ENERGY, "20000200": numbers(DataType.LONG_UNSIGNED, 2201)})
    assert values(await read(driver_on(server), live("energy_import_t2"))) == [2_00]
    wants = live("energy_import_total", "energy_import_t4", "voltage_a")
    assert values(await read(driver_on(server), wants)) == [10_00, 4_00, 2201]
    assert server.asked == ["get 00100203", "list 00100200 20000201"]


async def test_values_of_every_kind() -> None:
    server = Server698({
        "20010200": numbers(DL, -1234, None, 0),
        "20040200": numbers(DL, -500, -500),
        "200A0200": numbers(DataType.LONG, 998, -998),
        "200F0200": Data(DataType.LONG_UNSIGNED, 4998),
        "10100200": array(Data(DataType.STRUCTURE, (Data(DU, 12345), moment("2026-11-03T04:05")))),
        "20170200": Data(DL, -42),
        "40000200": moment("2026-11-22T10:00:07"),
        "20140200": array(Data(DataType.BIT_STRING, BitString(16, b"\x40\x01"))),
        "202C0200": Data(DataType.STRUCTURE, (Data(DU, 5000), Data(DU, 7))),
    })  # fmt: skip
    codes = (
        "current_a", "current_b", "power_total", "power_a", "power_factor_total",
        "power_factor_a", "frequency", "demand_import", "demand_present", "clock", "status_word_1",
        "remaining_amount",
    )  # fmt: skip
    clock = int(from_local(datetime(2026, 11, 22, 10, 0, 7), ZONE).timestamp())  # noqa: DTZ001  A meter's clock has no zone.
    assert values(await read(driver_on(server), live(*codes))) == [
        -1234, None, -500, -500, 998, -998, 4998, 12345, -42, clock, 1 << 1 | 1 << 15, 5000,
    ]  # fmt: skip
    assert len(server.asked) == 1


async def test_an_element_that_is_not_there_is_told_by_the_meter() -> None:
    server = Server698({"00100200": numbers(DU, 10_00, 1_00)})
    outcomes = await read(driver_on(server), live("energy_import_t1", "energy_import_t4"))
    assert causes(outcomes) == [None, Cause.NOT_A_NUMBER]
    (missed,) = await read(driver_on(server), live("energy_import_t4"))
    assert missed == Missed(
        missed.want, Cause.NOT_A_NUMBER, f"meter {ADDRESS}: energy_import_t4 is not in its answer"
    )


async def test_a_list_is_bounded_and_a_refused_one_is_asked_object_by_object() -> None:
    wants = live(*(item.code for item in ITEMS if item.id_698))
    assert exchanges_of(wants, Way.LIVE) == 2
    memory = Remembering()
    server = Server698(
        {"20000200": numbers(DataType.LONG_UNSIGNED, 2201), "200F0200": Data(DU, 5000)},
        refuses={"list"},
    )
    for _ in range(2):
        driver = driver_on(server, memory)
        assert values(await read(driver, live("voltage_a", "frequency"))) == [2201, 5000]
    assert server.asked == [
        "list 20000201 200F0200", "connect 0010", *["get 20000201", "get 200F0200"] * 2,
    ]  # fmt: skip


async def test_a_server_that_wants_an_association_gets_one() -> None:
    server = Server698({"200F0200": Data(DU, 5000)}, wants_version=0x0016)
    assert values(await read(driver_on(server), live("frequency"))) == [5000]
    assert server.asked == ["connect 0010", "connect 0016", "get 200F0200"]


async def test_what_is_refused_in_both_forms_is_remembered() -> None:
    memory = Remembering()
    server = Server698({"200F0200": Data(DU, 5000), "20000201": Data(DU, 2201)})
    for _ in range(2):
        outcomes = await read(
            driver_on(server, memory), live("voltage_a", "voltage_b", "frequency")
        )
        assert causes(outcomes) == [None, Cause.REFUSED, None]
    assert server.asked == [
        "list 20000200 200F0200", "list 20000201 20000202", "list 20000201 200F0200",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("dar", "cause"),
    [(TEMPORARY, Cause.BAD_ANSWER), (TIMED_OUT, Cause.NO_ANSWER), (DENIED, Cause.REFUSED)],
)
async def test_the_result_of_an_access_is_the_cause(dar: Dar, cause: Cause) -> None:
    outcomes = await read(driver_on(Server698({"200F0200": dar})), live("frequency"))
    assert causes(outcomes) == [cause]


async def test_silence_ends_the_reading_of_a_meter() -> None:
    class Silent(Server698):
        def answer(self, apdu: object) -> None:
            self.asked.append(str(apdu))

    server = Silent()
    with pytest.raises(MeterTimeout):
        await read(driver_on(server), live("voltage_a"))
    assert len(server.asked) == 1


# Records.


def stored(way: Way, codes: tuple[str, ...], *moments: datetime) -> list[Want]:
    return [Want(ITEM_BY_CODE[code], at, (way,)) for at in moments for code in codes]


def day(text: str, *energies: int) -> dict[str, Data]:
    return {"20210200": moment(text), "00100200": numbers(DU, *energies)}


async def test_midnight_energy_comes_from_the_day_freeze() -> None:
    days = [day("2026-11-21", 5, 1), day("2026-11-22", 10, 4)]
    server = Server698(stores={"50040200": days})
    wants = stored(Way.FREEZE, ("energy_import_total", "energy_import_t1"), MIDNIGHT)
    assert values(await read(driver_on(server), wants), "recorded") == [10, 4]
    assert server.asked == ["record 50040200 RecordEqual 20210200 00100200"]
    wants = stored(Way.FREEZE, ("energy_import_total",), MIDNIGHT - timedelta(days=1), MIDNIGHT)
    assert values(await read(driver_on(server), wants), "recorded") == [5, 10]
    assert server.asked[1:] == ["record 50040200 RecordRange 20210200 00100200"]


async def test_a_long_answer_comes_in_blocks() -> None:
    quarters = [MIDNIGHT + number * timedelta(minutes=15) for number in range(8)]
    rows = [
        {
            "20210200": moment(at.astimezone(ZONE).isoformat()[:19]),
            "20000200": numbers(DataType.LONG_UNSIGNED, 2200 + number, None, 2300),
        }
        for number, at in enumerate(quarters)
    ]
    server = Server698(stores={"50020200": rows}, rows_in_block=3)
    wants = stored(Way.PROFILE, ("voltage_a",), *quarters)
    assert values(await read(driver_on(server), wants), "recorded") == list(range(2200, 2208))
    assert server.asked[1:] == ["next 1", "next 2"]
    assert exchanges_of(wants, Way.PROFILE) == 1


async def test_a_range_that_is_refused_is_asked_moment_by_moment() -> None:
    memory = Remembering()
    days = [day("2026-11-21", 5), day("2026-11-22", 10)]
    server = Server698(stores={"50040200": days}, refuses={"range"})
    wants = stored(Way.FREEZE, ("energy_import_total",), MIDNIGHT - timedelta(days=1), MIDNIGHT)
    for _ in range(2):
        assert values(await read(driver_on(server, memory), wants), "recorded") == [5, 10]
    kinds = [asked.split()[2] for asked in server.asked]
    assert kinds == ["RecordRange", *["RecordEqual"] * 4]


async def test_a_column_may_be_stored_as_a_single_element() -> None:
    row = {"20210200": moment("2026-11-22"), "00100201": Data(DU, 10)}
    server = Server698(stores={"50040200": [row]})
    wants = stored(Way.FREEZE, ("energy_import_total", "energy_import_t1"), MIDNIGHT)
    outcomes = await read(driver_on(server), wants)
    assert values(outcomes[:1], "recorded") == [10]
    assert causes(outcomes[1:]) == [Cause.REFUSED]
    assert server.asked[1:] == ["record 50040200 RecordEqual 20210200 00100201 00100202"]


async def test_a_record_that_is_not_there() -> None:
    server = Server698(stores={"50040200": [day("2026-11-22", 10)]})
    before = MIDNIGHT - timedelta(days=1)
    wants = stored(Way.FREEZE, ("energy_import_total",), before, MIDNIGHT)
    outcomes = await read(driver_on(server), wants)
    assert values(outcomes, "recorded") == [None, 10]  # A later record proves it.
    assert causes(await read(driver_on(server), wants[:1])) == [Cause.NO_RECORD]


async def test_a_record_of_the_future_is_that_of_a_wrong_clock() -> None:
    class Ahead(Server698):
        def answer(self, apdu: object) -> get.GetResponseRecord:
            assert isinstance(apdu, get.GetRequestRecord)
            row = (moment("2026-11-23"), numbers(DU, 10))
            result = RecordResult(apdu.query.oad, apdu.query.columns, (row,))
            return get.GetResponseRecord(apdu.piid, result)

    wants = stored(Way.FREEZE, ("energy_import_total",), MIDNIGHT)
    assert causes(await read(driver_on(Ahead()), wants)) == [Cause.CLOCK_WRONG]


async def test_a_meter_without_a_store_is_not_asked_for_every_day() -> None:
    server = Server698()
    wants = stored(
        Way.FREEZE, ("energy_import_total",), *(MIDNIGHT - timedelta(days=n) for n in range(9))
    )
    assert causes(await read(driver_on(server), wants)) == [Cause.REFUSED] * 9
    assert len(server.asked) == 3  # A range, one day, and one day of a single element.


# Through a terminal that asks its meters itself.


async def test_a_terminal_asks_its_meter() -> None:
    meter = Server698({"00100200": ENERGY}, stores={"50040200": [day("2026-11-22", 10)]})
    terminal = Server698()
    driver = driver_on(meter, Remembering(), terminal)
    assert values(await read(driver, live("energy_import_t1", "energy_import_t2"))) == [1_00, 2_00]
    wants = stored(Way.FREEZE, ("energy_import_total",), MIDNIGHT)
    assert values(await read(driver, wants), "recorded") == [10]
    assert meter.asked == ["proxy 00100200", "record 50040200 RecordEqual 20210200 00100200"]


async def test_a_terminal_that_will_not_is_passed_by() -> None:
    memory = Remembering()
    meter = Server698({"200F0200": Data(DU, 5000)})
    terminal = Server698(refuses={"proxy"})
    for _ in range(2):
        assert values(await read(driver_on(meter, memory, terminal), live("frequency"))) == [5000]
    assert meter.asked == ["get 200F0200"] * 2


async def test_a_terminal_says_that_its_meter_is_silent() -> None:
    meter = Server698({"200F0200": TIMED_OUT})
    with pytest.raises(MeterTimeout, match=f"meter {ADDRESS}: terminal 0102 had no answer"):
        await read(driver_on(meter, None, Server698()), live("frequency"))


# A frame of others.

VECTORS = Path(__file__).parents[1] / "vectors" / "dlt698_45.json"


async def test_a_real_minute_record() -> None:
    frames = json.loads(VECTORS.read_text(encoding="utf-8"))["frames"]
    (raw,) = (one["hex"] for one in frames if one["id"] == "get-record-response-minute")
    frame = Frame.from_bytes(bytes.fromhex(raw))

    class Real(Server698):
        def answer(self, apdu: object) -> get.GetResponseRecord:
            assert isinstance(apdu, get.GetRequestRecord)
            return replace(get.GetResponseRecord.from_bytes(frame.apdu), piid=apdu.piid)

    at = from_local(datetime(2017, 4, 25, 0, 15), ZONE)  # noqa: DTZ001  A meter's clock has no zone.
    wants = stored(Way.PROFILE, ("energy_import_total", "energy_export_t4"), at)
    assert values(await read(driver_on(Real()), wants), "recorded") == [0x900B0, 0x30D40]
