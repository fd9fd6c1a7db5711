"""Whatever a meter or a terminal answers, a driver says what came of each point or raises."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from station.collector.drivers.base import NoMemory, Refusals
from station.collector.drivers.dlt645 import Dlt645Driver
from station.collector.drivers.dlt698 import Dlt698Driver
from station.collector.drivers.dlt698_talk import Objects, Records
from station.collector.drivers.terminal698 import Terminal698
from station.collector.drivers.terminal1376 import Terminal1376
from station.collector.items import DLT698, ITEMS, has_item
from station.collector.plan import Want, Way
from station.errors import ExchangeError
from station.frontend.link import Answer, Priority, TerminalAnswer
from station.protocols import dlt645
from station.protocols.dlt645.requests import refuse
from station.protocols.dlt698 import get, requests
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import BitString, Data, DataType
from station.protocols.dlt698.envelope import AttributeResult, RecordResult
from station.protocols.dlt698.frame import Frame as Frame698
from station.protocols.dlt698.identifiers import Oad, Tsa
from station.protocols.dlt698.moments import DateTimeS
from station.protocols.qgdw1376.frame import Address, Frame
from station.protocols.qgdw1376.requests import ANSWER_CONTROL
from station.protocols.qgdw1376.units import DataUnit, encode_identification
from station.store.objects.meters import Meter

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=timezone.utc)
MIDNIGHT = NOW - timedelta(hours=10)
ADDRESS = "000000000161"
EXAMPLES = 60


def wants(protocol: str, *ways: Way) -> list[Want]:
    """Return every item, by each of the ways, at two moments."""
    profile = {"voltage_a", "power_total", "energy_import_total"}
    return [
        Want(item, at, (way,))
        for item in ITEMS
        if has_item(protocol, item)
        for way in ways
        if way is Way.LIVE or item.code in profile
        for at in (MIDNIGHT, MIDNIGHT - timedelta(days=1))
        if way is not Way.FREEZE or item.code.startswith("energy")
    ]


async def check(reading: Any, asked: list[Want]) -> None:
    """Read to the end; an error of an exchange ends the round, any other one the test."""
    seen = []
    try:
        async for some in reading:
            seen += [one[1] if isinstance(one, tuple) else one for one in some]
    except ExchangeError:
        return
    assert sorted(map(id, asked)) == sorted(id(one.want) for one in seen)


class RandomBus:
    """Answers a DL/T 645 question with any data."""

    name = "line"

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    async def exchange(self, inquiry: Any, *, priority: Priority, timeout_s: float) -> Any:
        assert priority is Priority.TASK
        assert timeout_s > 0
        if self._data.draw(st.integers(0, 9)) == 0:
            return Answer(refuse(inquiry.request, self._data.draw(st.integers(0, 255))), NOW, 1, 0)
        body = self._data.draw(st.binary(max_size=40))
        return Answer(dlt645.answer(inquiry.request, body), NOW, 1, 0)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
async def test_any_data_of_a_645_meter(data: st.DataObject) -> None:
    meter = Meter(ADDRESS, "", link="line", profile_interval_min=15)
    driver = Dlt645Driver(RandomBus(data), meter, priority=Priority.TASK, zone=ZONE)
    asked = wants(meter.protocol, Way.LIVE, Way.FREEZE, Way.PROFILE)
    await check(driver.read(asked), asked)


NUMBERS = st.sampled_from(
    [(DataType.DOUBLE_LONG_UNSIGNED, 0, 2**32 - 1), (DataType.LONG, -(2**15), 2**15 - 1)]
).flatmap(lambda kind: st.integers(kind[1], kind[2]).map(lambda number: Data(kind[0], number)))
MOMENTS = st.one_of(
    st.sampled_from([DateTimeS(2026, 11, 22, 0, 0, 0), DateTimeS(1, 1, 1, 0, 0, 0)]),
    st.builds(DateTimeS, st.integers(0, 9999), *[st.integers(0, 62)] * 5),
).map(lambda moment: Data(DataType.DATE_TIME_S, moment))
SIMPLE = st.one_of(
    st.just(Data(DataType.NULL, None)),
    NUMBERS,
    MOMENTS,
    st.binary(max_size=3).map(lambda raw: Data(DataType.BIT_STRING, BitString(8 * len(raw), raw))),
    st.text("ab", max_size=3).map(lambda text: Data(DataType.VISIBLE_STRING, text)),
    st.binary(min_size=1, max_size=8).map(lambda raw: Data(DataType.TSA, Tsa(raw))),
)
DATA = st.recursive(
    SIMPLE,
    lambda parts: st.builds(
        lambda kind, items: Data(kind, tuple(items)),
        st.sampled_from([DataType.ARRAY, DataType.STRUCTURE]),
        st.lists(parts, max_size=4),
    ),
    max_leaves=8,
)
DARS = st.integers(0, 255).map(Dar)


class RandomAsker:
    """Gives any object and any record."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    async def objects(self, oads: Sequence[Oad]) -> Objects:
        given_back = self._data.draw(st.lists(st.sampled_from(list(oads)), max_size=len(oads)))
        results = [AttributeResult(oad, self._data.draw(DATA | DARS)) for oad in given_back]
        return Objects(results, NOW)

    async def records(self, query: get.RecordQuery) -> Records:
        columns = tuple(self._data.draw(st.lists(st.sampled_from(query.columns), max_size=4)))
        return Records([self._data.draw(results_of(query.oad, columns))], NOW)


def results_of(oad: Oad, columns: tuple[Any, ...]) -> st.SearchStrategy[RecordResult]:
    cells = st.tuples(*[DATA] * len(columns))
    rows = st.lists(cells, max_size=3).map(tuple) if columns else st.just(())
    return st.builds(RecordResult, st.just(oad), st.just(columns), rows | DARS)


@settings(max_examples=EXAMPLES // 2, deadline=None)  # Each asks a hundred times.
@given(st.data())
async def test_any_data_of_a_698_meter(data: st.DataObject) -> None:
    meter = Meter(ADDRESS, "", link="line", protocol=DLT698, profile_interval_min=15)
    refusals = Refusals(NoMemory(), ADDRESS, ZONE)
    driver = Dlt698Driver(RandomAsker(data), meter, zone=ZONE, refusals=refusals)
    asked = wants(DLT698, Way.LIVE, Way.FREEZE, Way.PROFILE)
    await check(driver.read(asked), asked)


class RandomTerminal:
    """A terminal of either protocol that answers with anything."""

    name = "terminal"
    protocol = "any"

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    async def exchange(self, inquiry: Any, **_: Any) -> Any:
        request = Frame698.from_bytes(inquiry.raw.lstrip(b"\xfe"))
        apdu = decode_apdu(request.apdu)
        if not isinstance(apdu, get.GetRequestRecord):
            raise ExchangeError("no association")
        columns = tuple(self._data.draw(st.lists(st.sampled_from(apdu.query.columns), max_size=4)))
        result = self._data.draw(results_of(apdu.query.oad, columns))
        answer = requests.answer(request, get.GetResponseRecord(apdu.piid, result))
        return Answer(inquiry.answer_in(answer), NOW, 1, 0)

    async def ask(self, afn: int, units: Sequence[DataUnit], **_: Any) -> TerminalAnswer:
        body = b""
        for unit in units:
            if self._data.draw(st.booleans()):
                body += encode_identification(unit.pn, unit.fn)
                body += self._data.draw(st.just(unit.data) | st.binary(max_size=8))
                body += self._data.draw(st.binary(max_size=60))
        address = Address.from_text("99000001")
        frame = Frame(ANSWER_CONTROL, address, afn, 0x60, body)
        return TerminalAnswer((frame,), NOW, 1)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
async def test_any_data_of_a_terminal(data: st.DataObject) -> None:
    terminal: Any = RandomTerminal(data)
    meter = Meter(ADDRESS, "", link="99000001")
    asked = wants(meter.protocol, Way.TERMINAL)
    more: dict[str, Any] = {"priority": Priority.TASK, "zone": ZONE, "memory": NoMemory()}
    await check(Terminal1376(terminal, **more).read([(meter, asked)]), asked)
    asked = wants(DLT698, Way.TERMINAL)
    await check(Terminal698(terminal, "000000000001", **more).read([(meter, asked)]), asked)
