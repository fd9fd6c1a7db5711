"""Class 1 and class 2 data of a terminal of a few points: what is asked and made of the answers."""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from station.collector.drivers import base, terminal1376
from station.collector.drivers.base import NoMemory
from station.collector.drivers.terminal1376 import Terminal1376, exchanges_of
from station.collector.items import ITEM_BY_CODE
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import Want, Way
from station.errors import MeterTimeout, Refused
from station.frontend.link import Priority, TerminalAnswer
from station.protocols.qgdw1376 import requests
from station.protocols.qgdw1376.frame import CLASS_1, CLASS_2, Address, Frame
from station.protocols.qgdw1376.functions import layout_of, make_unit
from station.protocols.qgdw1376.units import DataUnit, join
from station.store.objects.meters import Meter
from station.units import from_local

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 2, 10, tzinfo=timezone.utc)  # 10:10 at the site
MIDNIGHT = datetime(2026, 11, 21, 16, 0, tzinfo=timezone.utc)
TERMINAL = "34080494"
METERS = [Meter(f"00000000010{n}", "", link=TERMINAL, point=n) for n in range(1, 8)]
READ = datetime(2026, 11, 22, 0, 3)  # noqa: DTZ001  A terminal's clock has no zone.
READ_AT_TEN = READ.replace(hour=10)

Values = dict[str, Any]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (base, terminal1376):
        monkeypatch.setattr(module, "utc_now", lambda: NOW)


class Remembering(NoMemory):
    def __init__(self) -> None:
        self.refused: set[tuple[str, str]] = set()

    def refuses(self, meter: str, block: str) -> bool:
        return (meter, block) in self.refused

    def note_refusal(self, meter: str, block: str) -> None:
        self.refused.add((meter, block))


def energies(*values: str, read: datetime = READ) -> Values:
    return {"read_time": read, "tariffs": len(values) - 1, "energy": [Decimal(v) for v in values]}


class Port:
    """A terminal: what it holds by AFN and Fn, as a function of pn and the mark."""

    name = TERMINAL
    protocol = "qgdw1376"

    def __init__(self, held: dict[tuple[int, int], Callable[[int, Values], Values | None]]) -> None:
        self._held = held
        self.asked: list[list[tuple[int, int]]] = []
        self.denies: set[int] = set()  # Fn of which one denies the whole question.
        self.frames = 1  # Of an answer.
        self.single = False  # Gives the first unit alone.

    async def ask(
        self, afn: int, units: Sequence[DataUnit], *, priority: Priority, timeout_s: float,
        password: bytes | None = None,
    ) -> TerminalAnswer:  # fmt: skip
        assert priority is Priority.TASK
        assert timeout_s > 0
        assert password is None
        self.asked.append([(unit.pn, unit.fn) for unit in units])
        if not self._held:
            raise MeterTimeout("terminal: no answer")
        if any(unit.fn in self.denies for unit in units):
            raise Refused("terminal: it denied")
        found = []
        for unit in units:
            hold = self._held.get((afn, unit.fn))
            mark = layout_of(afn, unit.fn, up=False).decode(unit.data)
            values = hold(unit.pn, mark) if hold else None
            if values is not None:
                found.append(make_unit(afn, unit.pn, unit.fn, mark | values, up=True))
        if self.single:
            found = found[:1]
        request = requests.ask(afn, Address.from_text(TERMINAL), units, sequence=1, master=1)
        size = -(-len(found) // self.frames) or 1
        parts = [found[at : at + size] for at in range(0, len(found), size)] or [[]]
        frames = tuple(
            Frame.from_bytes(
                Frame(requests.ANSWER_CONTROL, request.address, afn, 0x61, join(part)).to_bytes()
            )
            for part in parts
        )
        return TerminalAnswer(frames, NOW, 1)

    async def exchange(self, *_: object, **__: object) -> Any:
        raise AssertionError


def wants(
    *codes: str, at: datetime = MIDNIGHT, ways: tuple[Way, ...] = (Way.TERMINAL,)
) -> list[Want]:
    return [Want(ITEM_BY_CODE[code], at, ways) for code in codes]


async def read(
    port: Port, works: Sequence[tuple[Meter, Sequence[Want]]], memory: NoMemory | None = None
) -> dict[tuple[str, str, datetime], Outcome]:
    driver = Terminal1376(port, priority=Priority.TASK, zone=ZONE, memory=memory or NoMemory())
    return {
        (meter.address, outcome.want.item.code, outcome.want.moment): outcome
        async for outcomes in driver.read(works)
        for meter, outcome in outcomes
    }


def got(outcome: Outcome) -> tuple[int | None, str]:
    assert isinstance(outcome, Got), outcome
    assert outcome.read_at == NOW
    return outcome.value, outcome.quality


def cause(outcome: Outcome) -> Cause:
    assert isinstance(outcome, Missed), outcome
    return outcome.cause


def daily(pn: int, mark: Values) -> Values | None:
    if mark["day"] != date(2026, 11, 21):
        return None
    return energies(f"{pn}.1299", "1.5000")


async def test_midnights_of_many_meters_come_in_one_answer_of_several_frames() -> None:
    port = Port({(CLASS_2, 161): daily, (CLASS_2, 163): daily})
    port.frames = 3
    codes = ("energy_import_total", "energy_import_t1", "energy_export_total")
    found = await read(port, [(meter, wants(*codes)) for meter in METERS])
    for meter in METERS:
        key = meter.address, "energy_import_total", MIDNIGHT
        assert got(found[key]) == (meter.point * 100 + 12, "recorded")  # Cut off, as on its face.
    assert len(found) == 21
    assert port.asked == [[(meter.point, fn) for meter in METERS for fn in (161, 163)]]


async def test_an_answer_that_would_be_too_long_is_asked_in_parts() -> None:
    port = Port({(CLASS_2, 161): daily})
    many = [Meter(f"{n:012d}", "", link=TERMINAL, point=n) for n in range(1, 51)]
    found = await read(port, [(meter, wants("energy_import_total")) for meter in many])
    assert all(isinstance(one, Got) for one in found.values())
    assert [len(asked) for asked in port.asked] == [22, 22, 6]


async def test_what_is_denied_is_found_out_and_not_asked_again() -> None:
    memory = Remembering()
    yesterday = MIDNIGHT - timedelta(days=1)

    def four(_pn: int, _mark: Values) -> Values:
        registers = {"active_forward": [Decimal(7), Decimal(8)], "tariffs": 1, "read_time": READ}
        others = {key: [None] * 2 for key in ("reactive_forward", "reactive_q1", "reactive_q4")}
        return registers | others

    port = Port({(CLASS_2, 1): four, (CLASS_2, 163): lambda *_: energies("3")})
    port.denies = {161}
    work = [(METERS[0], wants("energy_import_total", "energy_export_total", at=yesterday))]
    for _ in range(2):
        found = await read(port, work, memory)
        assert sorted(got(one)[0] or 0 for one in found.values()) == [300, 700]
    assert port.asked == [
        [(1, 161), (1, 163)],
        [(1, 161)],
        [(1, 163)],
        [(1, 1)],
        [(1, 1), (1, 163)],
    ]


async def test_a_fresh_denial_is_not_remembered() -> None:
    memory = Remembering()
    port = Port({(CLASS_2, 103): lambda *_: None})
    port.denies = {25, 89}
    at = NOW - timedelta(minutes=10)
    found = await read(port, [(METERS[0], wants("voltage_a", at=at))], memory)
    assert [cause(one) for one in found.values()] == [Cause.NO_RECORD]
    assert memory.refused == {(METERS[0].address, "AFN0C F25 11-22")}  # Class 1 has no moment.


async def test_units_of_single_frames_that_claim_to_be_the_last_are_asked_for_again() -> None:
    port = Port({(CLASS_2, 161): daily})
    port.single = True
    found = await read(port, [(meter, wants("energy_import_total")) for meter in METERS[:3]])
    assert [got(one)[0] for one in found.values()] == [112, 212, 312]
    assert [len(asked) for asked in port.asked] == [3, 2, 1]


async def test_a_unit_that_is_left_out_is_no_record() -> None:
    port = Port({(CLASS_2, 161): lambda pn, mark: daily(pn, mark) if pn == 1 else None})
    found = await read(port, [(meter, wants("energy_import_total")) for meter in METERS[:2]])
    one, other = found.values()
    assert got(one) == (112, "recorded")
    assert cause(other) is Cause.NO_RECORD


async def test_a_curve_is_asked_by_its_density() -> None:
    marks = []

    def curve(_pn: int, mark: Values) -> Values:
        marks.append((mark["start"].isoformat(), mark["density"], mark["points"]))
        return {
            "voltage": [Decimal("220.1"), None, *[Decimal(230)] * (mark["points"] - 2)][
                : mark["points"]
            ]
        }

    port = Port({(CLASS_2, 89): curve})
    moments = [MIDNIGHT + timedelta(minutes=minutes) for minutes in (15, 30, 45, 60)]
    work = [want for at in moments for want in wants("voltage_a", at=at)]
    outcomes = list((await read(port, [(METERS[0], work)])).values())
    assert [got(one) for one in outcomes if isinstance(one, Got)] == [
        (2201, "recorded"), (2300, "recorded"), (2300, "recorded"),
    ]  # fmt: skip
    assert [cause(one) for one in outcomes if isinstance(one, Missed)] == [Cause.NO_RECORD]
    await read(port, [(METERS[0], wants("voltage_a", at=moments[3]))])
    assert marks == [("2026-11-22T00:15:00", 1, 4), ("2026-11-22T01:00:00", 3, 1)]
    assert exchanges_of(work) == 1


async def test_a_power_factor_in_percent_is_a_number() -> None:
    port = Port({(CLASS_2, 105): lambda *_: {"power_factor": [Decimal("-99.8")]}})
    at = MIDNIGHT + timedelta(hours=1)
    (one,) = (await read(port, [(METERS[0], wants("power_factor_total", at=at))])).values()
    assert got(one) == (-998, "recorded")


async def test_what_the_terminal_last_read_is_taken_if_it_is_of_that_moment() -> None:
    now = NOW - timedelta(minutes=10)  # 10:00
    port = Port({(CLASS_1, 129): lambda *_: energies("5.25", read=READ_AT_TEN)})
    work = [(METERS[0], wants("energy_import_total", at=now))]
    (one,) = (await read(port, work)).values()
    assert got(one) == (525, "live")
    port = Port({(CLASS_1, 129): lambda *_: energies("5.25", read=READ)})
    (one,) = (await read(port, work)).values()
    assert cause(one) is Cause.NO_RECORD


async def test_a_freeze_that_was_read_too_early_is_doubtful() -> None:
    early = READ - timedelta(minutes=10)
    port = Port({(CLASS_2, 161): lambda *_: energies("5", read=early)})
    (one,) = (await read(port, [(METERS[0], wants("energy_import_total"))])).values()
    assert got(one) == (500, "doubtful")


async def test_a_silent_terminal_is_asked_once() -> None:
    port = Port({})
    many = [Meter(f"{n:012d}", "", link=TERMINAL, point=n) for n in range(1, 51)]
    found = await read(port, [(meter, wants("energy_import_total")) for meter in many])
    assert {cause(one) for one in found.values()} == {Cause.NO_ANSWER}
    assert len(port.asked) == 1


async def test_a_terminal_that_denies_everything_is_not_asked_unit_by_unit() -> None:
    port = Port({(CLASS_2, 161): daily})
    port.denies = {1, 161}
    many = [Meter(f"{n:012d}", "", link=TERMINAL, point=n) for n in range(1, 51)]
    found = await read(port, [(meter, wants("energy_import_total")) for meter in many])
    assert {cause(one) for one in found.values()} == {Cause.NO_RECORD}
    assert len(port.asked) < 25


async def test_clock_and_status_words_are_those_of_the_meter() -> None:
    now = NOW - timedelta(minutes=10)
    counts = [{"count": Decimal(0), "last": READ}] * 5
    port = Port({
        (CLASS_1, 27): lambda *_: {
            "read_time": READ_AT_TEN, "clock": READ_AT_TEN, "battery_minutes": Decimal(9),
            "counts": counts,
        },
        (CLASS_1, 28): lambda *_: {
            "read_time": READ_AT_TEN, "changed": [0] * 7, "status": [4, 0, 0x50, 0, 0, 0, 0],
        },
    })  # fmt: skip
    found = await read(
        port, [(METERS[0], wants("clock", "status_word_1", "status_word_3", at=now))]
    )
    clock = int(from_local(READ_AT_TEN, ZONE).timestamp())
    assert [got(one)[0] for one in found.values()] == [clock, 4, 0x50]


async def test_an_item_that_no_terminal_keeps_is_no_record() -> None:
    port = Port({(CLASS_2, 161): daily})
    (one,) = (await read(port, [(METERS[0], wants("frequency"))])).values()
    assert cause(one) is Cause.NO_RECORD
    assert port.asked == []


# Frames of others.

VECTORS = Path(__file__).parents[1] / "vectors" / "qgdw1376_1.json"


class RealPort(Port):
    """Answers with one real frame, whatever it is asked."""

    def __init__(self, vector: str) -> None:
        super().__init__({})
        entries = json.loads(VECTORS.read_text(encoding="utf-8"))["entries"]
        (raw,) = (one["frame_hex"] for one in entries if one["id"] == vector)
        self.frame = Frame.from_bytes(bytes.fromhex(raw))

    async def ask(self, _afn: int, units: Sequence[DataUnit], **_: Any) -> TerminalAnswer:
        self.asked.append([(unit.pn, unit.fn) for unit in units])
        return TerminalAnswer((self.frame,), NOW, 1)


async def test_a_real_answer_of_class_1(monkeypatch: pytest.MonkeyPatch) -> None:
    at = from_local(datetime(2010, 8, 1, 14, 30), ZONE)  # noqa: DTZ001  A terminal's clock has no zone.
    monkeypatch.setattr(terminal1376, "utc_now", lambda: at)
    codes = ("power_total", "power_factor_total", "voltage_b", "current_a", "reactive_power_total")
    port = RealPort("V-017")
    found = await read(port, [(METERS[4], wants(*codes, at=at))])
    assert [got(one)[0] for one in found.values()] == [11173, 999, 2200, 1700, 100]


async def test_a_real_answer_of_twenty_units(monkeypatch: pytest.MonkeyPatch) -> None:
    at = from_local(datetime(2015, 4, 16, 12, 45), ZONE)  # noqa: DTZ001  As above.
    monkeypatch.setattr(terminal1376, "utc_now", lambda: at + timedelta(days=1))
    codes = ("voltage_a", "current_a", "voltage_b", "power_total")
    port = RealPort("V-051")
    outcomes = list((await read(port, [(METERS[1], wants(*codes, at=at))])).values())
    assert [got(one) for one in outcomes[:2]] == [(2200, "recorded"), (1500, "recorded")]
    assert [cause(one) for one in outcomes[2:]] == [Cause.NO_RECORD] * 2  # EEH.
