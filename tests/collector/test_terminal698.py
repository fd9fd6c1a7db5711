"""What a DL/T 698.45 terminal stored of its meters: the question, and rows of several shapes."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from server698 import Bus698, array, moment, numbers

from station.collector.drivers import exchanges_of
from station.collector.drivers.base import NoMemory
from station.collector.drivers.terminal698 import Terminal698
from station.collector.items import DLT698, ITEM_BY_CODE
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import Want, Way
from station.frontend.link import Priority
from station.protocols.dlt698 import get
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import NULL, Data, DataType, MeterAddresses, StoredBetween
from station.protocols.dlt698.envelope import Apdu, RecordResult
from station.protocols.dlt698.identifiers import Oad, Road, Tsa
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 2, 10, tzinfo=timezone.utc)  # 10:10 at the site
MIDNIGHT = datetime(2026, 11, 21, 16, 0, tzinfo=timezone.utc)
TERMINAL = "000000000009"
METERS = [Meter(f"00000000010{n}", "", link=TERMINAL, protocol=DLT698) for n in range(3)]

DU, LU = DataType.DOUBLE_LONG_UNSIGNED, DataType.LONG_UNSIGNED
Cells = tuple[Data, ...]


class Remembering(NoMemory):
    def __init__(self) -> None:
        self.refused: set[tuple[str, str]] = set()

    def refuses(self, meter: str, block: str) -> bool:
        return (meter, block) in self.refused

    def note_refusal(self, meter: str, block: str) -> None:
        self.refused.add((meter, block))


class Records:
    """A terminal with records of tasks: rows of address, time of storing, and a ROAD's column."""

    def __init__(self, rows: Sequence[Cells] | Dar) -> None:
        self.rows = rows
        self.asked: list[get.RecordQuery] = []

    def answer(self, apdu: Any) -> Apdu:
        assert isinstance(apdu, get.GetRequestRecord)
        self.asked.append(apdu.query)
        rows = self.rows if isinstance(self.rows, Dar) else tuple(self.rows)
        return get.GetResponseRecord(
            apdu.piid, RecordResult(apdu.query.oad, apdu.query.columns, rows)
        )


def address(meter: Meter) -> Data:
    return Data(DataType.TSA, Tsa.of(meter.address))


def row(meter: Meter, stored: str, *values: Data) -> Cells:
    return (address(meter), moment(stored), Data(DataType.STRUCTURE, values))


def wants(*codes: str, at: datetime = MIDNIGHT) -> list[Want]:
    return [Want(ITEM_BY_CODE[code], at, (Way.TERMINAL,)) for code in codes]


async def read(
    server: Records, works: Sequence[tuple[Meter, Sequence[Want]]], memory: NoMemory | None = None
) -> list[tuple[str, Outcome]]:
    bus: Any = Bus698(server, NOW)
    driver = Terminal698(
        bus, TERMINAL, priority=Priority.TASK, zone=ZONE, memory=memory or NoMemory()
    )
    return [(meter.address, one) async for some in driver.read(works) for meter, one in some]


def got(outcome: Outcome) -> tuple[int | None, str]:
    assert isinstance(outcome, Got), outcome
    assert outcome.read_at == NOW
    return outcome.value, outcome.quality


def causes(outcomes: Sequence[tuple[str, Outcome]]) -> list[Cause | None]:
    return [one.cause if isinstance(one, Missed) else None for _, one in outcomes]


async def test_day_freezes_of_several_meters_in_one_question() -> None:
    server = Records(
        [
            row(METERS[0], "2026-11-22T00:05", moment("2026-11-22"), numbers(DU, 10, 4)),
            row(METERS[1], "2026-11-21T23:59", moment("2026-11-22"), numbers(DU, 20, 5)),
        ]
    )
    codes = ("energy_import_total", "energy_import_t1")
    outcomes = await read(server, [(meter, wants(*codes)) for meter in METERS])
    assert [got(one) for _, one in outcomes[:4]] == [
        (10, "recorded"), (4, "recorded"), (20, "recorded"), (5, "recorded"),
    ]  # fmt: skip
    assert causes(outcomes[4:]) == [Cause.NO_RECORD] * 2
    (query,) = server.asked
    assert query.oad == Oad.from_text("60120300")
    selection = query.selection
    assert isinstance(selection, StoredBetween)
    assert (selection.begin.text, selection.end.text) == (
        "2026-11-21T00:00:00", "2026-11-23T01:00:00",
    )  # fmt: skip
    assert selection.meters == MeterAddresses(tuple(Tsa.of(one.address) for one in METERS))
    assert query.columns[2] == Road(Oad.of(0x5004), (Oad.of(0x2021), Oad.of(0x0010)))


async def test_without_its_freeze_time_a_record_is_doubtful() -> None:
    rows = [
        row(METERS[0], "2026-11-21T23:59:00", NULL, numbers(DU, 10)),
        row(METERS[1], "2026-11-22T00:00:00", NULL, numbers(DU, 20)),
    ]
    outcomes = await read(
        Records(rows), [(one, wants("energy_import_total")) for one in METERS[:2]]
    )
    assert [got(one) for _, one in outcomes] == [(10, "doubtful"), (20, "doubtful")]


async def test_a_curve_may_come_as_an_array_of_records() -> None:
    quarters = [MIDNIGHT + timedelta(minutes=minutes) for minutes in (15, 30, 45)]
    times = ("2026-11-22T00:15", "2026-11-22T00:30")
    records = array(
        *(
            Data(DataType.STRUCTURE, (moment(time), numbers(LU, 2200 + number)))
            for number, time in enumerate(times)
        )
    )
    server = Records([(address(METERS[0]), moment("2026-11-22T01:00"), records)])
    work = [want for at in quarters for want in wants("voltage_a", at=at)]
    outcomes = await read(server, [(METERS[0], work)])
    assert [got(one) for _, one in outcomes[:2]] == [(2200, "recorded"), (2201, "recorded")]
    assert causes(outcomes[2:]) == [Cause.NO_RECORD]
    assert server.asked[0].columns[2] == Road(Oad.of(0x5002), (Oad.of(0x2021), Oad.of(0x2000)))
    end = Terminal(TERMINAL, "", protocol=DLT698, collects=True)
    assert exchanges_of(METERS[0], end, work) == len(server.asked) == 1


async def test_a_column_without_value_is_no_record() -> None:
    server = Records([row(METERS[0], "2026-11-22T00:05", moment("2026-11-22"), NULL)])
    outcomes = await read(server, [(METERS[0], wants("energy_import_total"))])
    assert causes(outcomes) == [Cause.NO_RECORD]


@pytest.mark.parametrize("dar", [Dar(4), Dar(3)])
async def test_a_terminal_without_records_is_not_asked_again(dar: Dar) -> None:
    memory = Remembering()
    server = Records(dar)
    for _ in range(2):
        outcomes = await read(server, [(METERS[0], wants("energy_import_total"))], memory)
        assert causes(outcomes) == [Cause.REFUSED]
    assert len(server.asked) == 1


async def test_many_points_are_asked_for_in_parts() -> None:
    server = Records([])
    many = [Meter(f"{number:012d}", "", link=TERMINAL, protocol=DLT698) for number in range(40)]
    await read(server, [(meter, wants("energy_import_total")) for meter in many])
    sizes = [len(query.selection.meters.addresses) for query in server.asked]
    assert sizes == [16, 16, 8]
