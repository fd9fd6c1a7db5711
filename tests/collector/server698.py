"""A DL/T 698.45 meter or terminal of a few objects and records, on a bus in the same process.

It answers as the digest has it (sections 8 and 11), and as much as the tests of the drivers need;
the independent package is asked in tests/whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from station.errors import MeterTimeout
from station.frontend.inquiries import Inquiry698
from station.frontend.link import Answer, Priority
from station.protocols.dlt698 import association, get, proxy, requests
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import NULL, Data, DataType, RecordEqual, RecordRange
from station.protocols.dlt698.envelope import (
    Apdu,
    AttributeResult,
    RecordResult,
    RecordResults,
)
from station.protocols.dlt698.frame import Frame
from station.protocols.dlt698.identifiers import Oad
from station.protocols.dlt698.moments import DateTimeS

UNDEFINED = Dar(4)
FREEZE_TIME = Oad.of(0x2021)


def array(*parts: Data) -> Data:
    return Data(DataType.ARRAY, parts)


def numbers(data_type: DataType, *values: int | None) -> Data:
    """Return an array; None is an element without value."""
    return array(*(NULL if value is None else Data(data_type, value) for value in values))


def moment(text: str) -> Data:
    return Data(DataType.DATE_TIME_S, DateTimeS.of(datetime.fromisoformat(text)))


def oad(text: str) -> Oad:
    return Oad.from_text(text)


Row = Mapping[str, Data]


@dataclass
class Server698:
    """What it holds, what it refuses, and what it was asked."""

    objects: dict[str, Data | Dar] = field(default_factory=dict)
    stores: dict[str, list[Row]] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)  # "list", "record", "range", "proxy".
    rows_in_block: int = 1000
    wants_version: int = 0  # Of an association, without which it serves nobody; 0 wants none.
    asked: list[str] = field(default_factory=list)
    meters: "dict[str, Server698]" = field(default_factory=dict)
    _blocks: list[RecordResult] = field(default_factory=list)

    def answer(self, apdu: Any) -> Apdu | None:
        """Return the answer to a request; None is silence."""
        if isinstance(apdu, association.ConnectRequest):
            return self._connect(apdu)
        if self.wants_version:
            return association.ServerError(apdu.piid, 2)
        match apdu:
            case get.GetRequestNormal():
                self.asked.append(f"get {apdu.oad.text}")
                return get.GetResponseNormal(apdu.piid, self._object(apdu.oad))
            case get.GetRequestNormalList():
                self.asked.append("list " + " ".join(one.text for one in apdu.oads))
                if "list" in self.refuses:
                    return association.ServerError(apdu.piid, 2)
                results = tuple(self._object(one) for one in apdu.oads)
                return get.GetResponseNormalList(apdu.piid, results)
            case get.GetRequestRecord():
                return self._records(apdu.piid, apdu.query)
            case get.GetRequestNext():
                self.asked.append(f"next {apdu.block}")
                return self._block(apdu.piid, apdu.block + 1)
            case proxy.ProxyRequestGetList() | proxy.ProxyRequestGetRecord():
                return self._proxy(apdu)
        raise AssertionError(apdu)

    def _connect(self, apdu: association.ConnectRequest) -> Apdu:
        self.asked.append(f"connect {apdu.version:04X}")
        if not self.wants_version:
            return association.ServerError(apdu.piid, 2)
        fits = apdu.version == self.wants_version
        self.wants_version = 0 if fits else self.wants_version
        factory = association.FactoryVersion("TEST", "1.00", "260101", "1.00", "260101", " " * 8)
        conformance = (apdu.protocol_conformance, apdu.function_conformance)
        sizes = (apdu.send_size, apdu.receive_size, 1, apdu.apdu_size, apdu.timeout_s)
        return association.ConnectResponse(
            apdu.piid, factory, apdu.version, *conformance, *sizes, 0 if fits else 5
        )

    def _object(self, asked: Oad) -> AttributeResult:
        found = self.objects.get(asked.text, UNDEFINED)
        whole = self.objects.get(f"{asked.code & ~0xFF:08X}")
        if asked.index and isinstance(whole, Data) and asked.text not in self.objects:
            found = whole.value[asked.index - 1] if asked.index <= len(whole.value) else UNDEFINED
        return AttributeResult(asked, found)

    def _records(self, piid: int, query: get.RecordQuery) -> Apdu:
        columns = query.columns
        names = " ".join(one.text for one in columns if isinstance(one, Oad))
        selection = type(query.selection).__name__
        self.asked.append(f"record {query.oad.text} {selection} {names}")
        wide = "range" in self.refuses and isinstance(query.selection, RecordRange)
        if "record" in self.refuses or wide or query.oad.text not in self.stores:
            return get.GetResponseRecord(piid, RecordResult(query.oad, columns, UNDEFINED))
        rows = [
            tuple(
                row.get(one.text if isinstance(one, Oad) else one.oad.text, NULL) for one in columns
            )
            for row in self.stores[query.oad.text]
            if _selected(row, query.selection)
        ]
        parts = [
            rows[at : at + self.rows_in_block] for at in range(0, len(rows), self.rows_in_block)
        ]
        self._blocks = [RecordResult(query.oad, columns, tuple(part)) for part in parts or [[]]]
        if len(self._blocks) == 1:
            return get.GetResponseRecord(piid, self._blocks[0])
        return self._block(piid, 1)

    def _block(self, piid: int, number: int) -> Apdu:
        last = number == len(self._blocks)
        content = RecordResults((self._blocks[number - 1],))
        return get.GetResponseNext(piid, last, number, content)

    def _proxy(self, apdu: Any) -> Apdu | None:
        if "proxy" in self.refuses:
            return association.ServerError(apdu.piid, 2)
        if isinstance(apdu, proxy.ProxyRequestGetRecord):
            answer: Any = self.meters[apdu.meter.address]._records(apdu.piid, apdu.query)
            return proxy.ProxyResponseGetRecord(apdu.piid, apdu.meter, answer.result)
        results = []
        for target in apdu.targets:
            meter = self.meters[target.meter.address]
            meter.asked.append("proxy " + " ".join(one.text for one in target.oads))
            found = tuple(meter._object(one) for one in target.oads)
            results.append(proxy.ProxyGetResult(target.meter, found))
        return proxy.ProxyResponseGetList(apdu.piid, tuple(results))


def _selected(row: Row, selection: Any) -> bool:
    if isinstance(selection, RecordEqual):
        return row[selection.oad.text] == selection.value
    if isinstance(selection, RecordRange):
        local = row[selection.oad.text].value.local
        return bool(selection.begin.value.local <= local < selection.end.value.local)
    return True


class Bus698:
    """A bus with one server on it."""

    name = "line-1"

    def __init__(self, server: Server698, at: datetime) -> None:
        self.server = server
        self.at = at
        self.timeouts: list[float] = []

    async def exchange(
        self, inquiry: Inquiry698, *, priority: Priority, timeout_s: float
    ) -> Answer[Frame]:
        self.timeouts.append(timeout_s)
        assert priority is Priority.TASK
        request = Frame.from_bytes(inquiry.raw.lstrip(b"\xfe"))
        apdu = self.server.answer(decode_apdu(request.apdu))
        if apdu is None:
            raise MeterTimeout(f"meter {inquiry.meter}: no answer")
        frame = Frame.from_bytes(requests.answer(request, apdu).to_bytes())
        found = inquiry.answer_in(frame)
        assert found is not None, frame
        return Answer(found, self.at, 1, 0.1)
