"""The independent package `dlt698` and ours over TCP: our master at their terminal, and reverse.

Its terminal dials in to us, as the real ones do, and each service that both know crosses the wire;
their client reads a small terminal made of our codec. Where they differ from the digest, the digest
decides: what they do is asserted beside it.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from station import tasks
from station.protocols.dlt698 import (
    action,
    association,
    blocks,
    get,
    link,
    proxy,
    report,
    requests,
    segments,
)
from station.protocols.dlt698 import set as setting
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.dar import SUCCESS, Dar
from station.protocols.dlt698.data import NULL, Data, DataType, NthLast
from station.protocols.dlt698.envelope import (
    Apdu,
    AttributeResult,
    AttributeResults,
    RecordResult,
    TimeTag,
)
from station.protocols.dlt698.frame import Frame, ServerAddress
from station.protocols.dlt698.identifiers import MINUTE, Comdcb, Oad, Omd, Ti, Tsa
from station.protocols.dlt698.moments import DateTimeS
from station.protocols.dlt698.parser import Parser
from station.protocols.line import LineSettings

peer = pytest.importorskip("dlt698", reason="its wheels need CPython 3.11 or newer")
native = pytest.importorskip("dlt698._native")
expert = pytest.importorskip("dlt698.expert")

ADDRESS = "000000000005"
METER = Tsa.of("000000000001")
TIMEOUT_S = 10.0
POLL_S = 0.001
MOMENT = datetime.fromisoformat("2026-11-22T13:14:15")
TIME = Data(DataType.DATE_TIME_S, DateTimeS.of(MOMENT))
MIDNIGHT = Data(DataType.DATE_TIME_S, DateTimeS.of(datetime.fromisoformat("2026-11-22T00:00")))

ENERGY, CLOCK, VOLTAGE, ASSET = Oad.of(0x0010), Oad.of(0x4000), Oad.of(0x2000), Oad.of(0x4103)
DAY_FREEZE, FREEZE_TIME = Oad.of(0x5004), Oad.of(0x2021)
SET_CLOCK, RESET = Omd.of(0x4000, 127), Omd.of(0x4000, 1)
PORT = Oad.of(0xF201, 2, 1)

DENIED, UNDEFINED = Dar(3), Dar(4)


def numbers(*values: int) -> Data:
    return Data(
        DataType.ARRAY, tuple(Data(DataType.DOUBLE_LONG_UNSIGNED, value) for value in values)
    )


REGISTERS = numbers(102, 36, 64, 0, 1)
LONG_TEXT = Data(DataType.VISIBLE_STRING, "abcdefgh" * 75)


class Wire:
    """One side of a connection: frames go out, whole frames come in, pieces are joined."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = Parser()
        self._joiner = segments.Joiner()
        self.pieces = 0

    def send(self, frame: Frame) -> None:
        self._writer.write(frame.to_bytes())

    async def frame(self) -> Frame | None:
        """Return the next frame, or None at the end of the connection."""
        while True:
            while (event := self._parser.next_event()) is not None:
                assert isinstance(event, Frame), event
                if not event.is_split:
                    return event
                whole = self._take_piece(event)
                if whole is not None:
                    return whole
            data = await asyncio.wait_for(self._reader.read(65536), TIMEOUT_S)
            if not data:
                return None
            self._parser.receive_data(data)

    def _take_piece(self, piece: Frame) -> Frame | None:
        if segments.kind_of(piece) is segments.Kind.ACKNOWLEDGEMENT:
            return piece
        self.pieces += 1
        joined = self._joiner.add(piece)
        if joined.acknowledgement is not None:
            self.send(joined.acknowledgement)
        return joined.whole

    async def send_long(self, frame: Frame, length_max: int) -> int:
        """Send a frame in pieces if need be, each when the one before is acknowledged."""
        pieces = segments.split(frame, length_max)
        for piece in pieces[:-1]:
            self.send(piece)
            acknowledgement = await self.frame()
            assert acknowledgement is not None
            assert segments.acknowledges(acknowledgement, piece)
        self.send(pieces[-1])
        return len(pieces)

    def close(self) -> None:
        self._writer.close()


# Our master, their terminal.


def theirs(oad: Oad) -> Any:
    return native.Oad(oi=oad.oi, attribute=oad.attribute, index=oad.index)


class Proxy(native.ProxyProvider):
    """The meter behind their terminal: it knows one number and takes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []

    def async_request(self, server: Any, request: Any, callback: Callable[[Any], None]) -> None:
        self.asked.append((server.value.hex(), type(request).__name__))
        head = {"piid_acd": request.piid, "list": getattr(request, "list", False)}
        if isinstance(request, native.GetRequest):
            results = [read_of(oad) for oad in request.attributes]
            callback(native.GetResponse(attributes=results, **head))
        elif isinstance(request, native.SetRequest):
            done = [native.SetResult(attribute=one.attribute, dar=0) for one in request.attributes]
            callback(native.SetResponse(attributes=done, **head))
        elif isinstance(request, native.ActionRequest):
            called = [native.ActionResult(method=one.method, dar=0) for one in request.methods]
            callback(native.ActionResponse(methods=called, **head))
        elif isinstance(request, native.SetThenGetRequest):
            both = [
                native.SetThenGetResult(
                    set=native.SetResult(attribute=one.set.attribute, dar=0), read=read_of(one.read)
                )
                for one in request.items
            ]
            callback(native.SetThenGetResponse(items=both, piid_acd=request.piid))
        elif isinstance(request, native.ActionThenGetRequest):
            both = [
                native.ActionThenGetResult(
                    action=native.ActionResult(method=one.action.method, dar=0),
                    read=read_of(one.read),
                )
                for one in request.items
            ]
            callback(native.ActionThenGetResponse(items=both, piid_acd=request.piid))
        else:
            results = [record_of(one) for one in request.records]
            callback(native.GetRecordResponse(records=results, **head))


def read_of(oad: Any) -> Any:
    return native.AttributeResult(attribute=oad, result=native.Data.uint32(77))


def record_of(query: Any) -> Any:
    """Return the one record that their terminal keeps of a day."""
    row = [
        native.Data.date_time_s(list(MIDNIGHT.value.to_bytes())),
        native.Data.array([native.Data.uint32(5)]),
    ]
    return native.RecordResult(attribute=query.attribute, columns=query.columns, result=[row])


class Terminal:
    """Their terminal with some objects; it lives as long as it is polled."""

    def __init__(self) -> None:
        self.proxy = Proxy()
        self.called: list[int] = []
        self._bridge = native.TransBridge()
        self._registry = native.ObjectRegistry()
        self._register()
        options = native.SessionOptions(
            role=native.Role.server,
            heartbeat_seconds=60,
            server=native.ServerAddress(bytes=bytes.fromhex(ADDRESS)[::-1]),
        )
        advanced = native.AdvancedServiceOptions(proxy=self.proxy)
        self.endpoint = expert.Endpoint(options, self._registry, advanced, transparent=self._bridge)

    def _register(self) -> None:
        kind = native.DataType
        array = native.Data.array([native.Data.uint32(one.value) for one in REGISTERS.value])
        self._add(0x0010, kind.array, array, writable=False)
        clock = self._add(0x4000, kind.date_time_s, _moment(TIME), methods={127: kind.date_time_s})
        clock.bind_method(127, self._called)
        text = native.Data.visible_string(LONG_TEXT.value)
        self._add(0x4103, kind.visible_string, text)
        freezes = native.MemoryObject()
        freezes.bind_record(2, record_of)
        attribute = native.AttributeSchema(number=2, type=kind.array, readable=True, record=True)
        schema = native.ObjectSchema(oi=0x5004, name="day", attributes=[attribute])
        self._registry.register_object(schema, freezes)

    def _add(
        self,
        oi: int,
        kind: Any,
        value: Any,
        *,
        writable: bool = True,
        methods: dict[int, Any] | None = None,
    ) -> Any:
        held = native.MemoryObject()
        held.set(2, value)
        attribute = native.AttributeSchema(number=2, type=kind, readable=True, writable=writable)
        schema = native.ObjectSchema(
            oi=oi,
            name=f"{oi:04X}",
            attributes=[attribute],
            methods=[
                native.MethodSchema(number=number, executable=True, parameter_type=parameter)
                for number, parameter in (methods or {}).items()
            ],
        )
        self._registry.register_object(schema, held)
        return held

    def _called(self, method: Any, _parameter: Any) -> Any:
        self.called.append(method.method)
        return native.ActionValue(dar=0)

    async def live(self) -> None:
        """Poll for ever, and echo what is sent to a port."""
        while True:
            self.endpoint.poll(POLL_S)
            for job in self._bridge.drain():
                request = job.request
                answer = native.ProxyTransResponse(port=request.port, result=request.command[::-1])
                self._bridge.complete(job.token, answer)
            await asyncio.sleep(POLL_S)


def _moment(data: Data) -> Any:
    return native.Data.date_time_s(list(data.value.to_bytes()))


class Master:
    """Our side of a link that their terminal opened."""

    def __init__(self, wire: Wire, terminal: Terminal, login: Frame) -> None:
        self.wire = wire
        self.terminal = terminal
        self.login = login
        self._number = 0

    async def ask(self, make: Callable[..., Apdu], *fields: Any, **more: Any) -> Any:
        """Send a request of a class, return the APDU of its answer."""
        self._number = (self._number + 1) % 64
        request = requests.request(
            self.login.server, self.login.client, make(self._number, *fields, **more)
        )
        await self.wire.send_long(request, 256)
        frame = await self.wire.frame()
        assert frame is not None
        assert requests.is_answer(request, frame)
        answer = decode_apdu(frame.apdu)
        assert answer.to_bytes() == frame.apdu
        return answer


def connect(number: int, version: int = 0x0010, size: int = 256) -> association.ConnectRequest:
    sizes = (size, size, 1, 2000, 7200)
    conformance = (b"\xff" * 8, b"\xff" * 16)
    return association.ConnectRequest(
        number, version, *conformance, *sizes, association.PublicAccess()
    )


@pytest.fixture
async def master() -> AsyncIterator[Master]:
    """A link that has been logged in, without an association."""
    accepted: asyncio.Queue[Wire] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait(Wire(reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    terminal = Terminal()
    living = tasks.spawn(terminal.live(), name="their terminal")
    port = server.sockets[0].getsockname()[1]
    profile = native.ConnectionProfile.remote_public
    terminal.endpoint.engine.connect_tcp("127.0.0.1", port, profile, role=native.Role.server)
    wire = await asyncio.wait_for(accepted.get(), TIMEOUT_S)
    login = await wire.frame()
    assert login is not None
    wire.send(link.confirm(login, MOMENT))
    yield Master(wire, terminal, login)
    wire.close()
    server.close()
    await tasks.cancel(living)
    terminal.endpoint.close()


@pytest.fixture
async def associated(master: Master) -> Master:
    """A link with an association."""
    answer = await master.ask(connect)
    assert answer.result == 0
    assert (answer.send_size, answer.receive_size) == (256, 256)
    return master


async def test_their_terminal_logs_in(master: Master) -> None:
    assert link.link_function(master.login) is link.LinkFunction.LOGIN
    assert link.heartbeat_s(master.login) == 60
    assert master.login.server == ServerAddress(ADDRESS)


async def test_their_heartbeat_and_logout(associated: Master) -> None:
    engine = associated.terminal.endpoint.engine
    for kind, period_s in ((link.LinkFunction.HEARTBEAT, 60), (link.LinkFunction.LOGOUT, 0)):
        engine.link(native.LinkRequestType(kind.value), period_s)
        frame = await associated.wire.frame()
        assert frame is not None
        assert link.link_function(frame) is kind
        assert link.heartbeat_s(frame) == period_s
        associated.wire.send(link.confirm(frame, MOMENT))
        if kind is link.LinkFunction.HEARTBEAT:  # The link goes on.
            await associated.ask(association.ReleaseRequest)


async def test_association_and_release(master: Master) -> None:
    refused = await master.ask(get.GetRequestNormal, ENERGY)
    assert (type(refused), refused.kind) == (association.ServerError, association.NOT_SUPPORTED)
    answer = await master.ask(connect)
    assert (answer.result, answer.version, answer.receive_window) == (0, 0x0010, 1)
    assert (await master.ask(association.ReleaseRequest)).result == 0


async def test_they_know_one_protocol_version(master: Master) -> None:
    """Many masters send 0016H (digest 6); they want 0010H."""
    answer = await master.ask(functools.partial(connect, version=0x0016))
    assert association.CONNECT_RESULTS[answer.result].en == "protocol version mismatch"


async def test_get(associated: Master) -> None:
    answer = await associated.ask(get.GetRequestNormal, ENERGY)
    assert answer.result == AttributeResult(ENERGY, REGISTERS)
    total = Oad.of(0x0010, 2, 1)
    answer = await associated.ask(get.GetRequestNormalList, (total, CLOCK, VOLTAGE))
    assert answer.results == (
        AttributeResult(total, REGISTERS.value[0]),
        AttributeResult(CLOCK, TIME),
        AttributeResult(VOLTAGE, UNDEFINED),
    )
    answer = await associated.ask(get.GetRequestMd5, CLOCK)
    assert len(answer.reply) == 16


async def test_get_records(associated: Master) -> None:
    query = get.RecordQuery(DAY_FREEZE, NthLast(1), (FREEZE_TIME, ENERGY))
    expected = RecordResult(DAY_FREEZE, (FREEZE_TIME, ENERGY), ((MIDNIGHT, numbers(5)),))
    answer = await associated.ask(get.GetRequestRecord, query)
    assert answer.result == expected
    answer = await associated.ask(get.GetRequestRecordList, (query, query))
    assert answer.results == (expected, expected)


async def test_a_long_answer_comes_in_blocks_and_pieces(associated: Master) -> None:
    """They cut the answer both ways: into a block of GET-Next, and that into split frames."""
    answer = await associated.ask(get.GetRequestNormal, ASSET)
    joined = blocks.LongAnswer()
    while (request := joined.add(answer)) is not None:
        answer = await associated.ask(get.GetRequestNext, request.block)
    assert joined.is_complete
    assert joined.results == [AttributeResult(ASSET, LONG_TEXT)]
    assert associated.wire.pieces > 2


async def test_a_long_request_goes_in_pieces(associated: Master) -> None:
    text = Data(DataType.VISIBLE_STRING, "0123456789" * 60)
    answer = await associated.ask(setting.SetRequestNormal, setting.SetItem(ASSET, text))
    assert answer.result.dar == SUCCESS
    answer = await associated.ask(get.GetRequestNormal, ASSET)
    assert answer.content.results[0].result == text


async def test_set(associated: Master) -> None:
    later = Data(DataType.DATE_TIME_S, DateTimeS.of(datetime.fromisoformat("2027-01-02T03:04:05")))
    written = setting.SetItem(CLOCK, later)
    answer = await associated.ask(setting.SetRequestNormal, written)
    assert answer.result == setting.SetResult(CLOCK, SUCCESS)
    denied = setting.SetItem(ENERGY, REGISTERS)
    answer = await associated.ask(setting.SetRequestNormalList, (written, denied))
    assert answer.results == (
        setting.SetResult(CLOCK, SUCCESS),
        setting.SetResult(ENERGY, DENIED),
    )
    then = setting.SetThenGetItem(CLOCK, TIME, CLOCK, 0)
    answer = await associated.ask(setting.SetThenGetRequestNormalList, (then,))
    assert answer.results == (
        setting.SetThenGetResult(CLOCK, SUCCESS, AttributeResult(CLOCK, TIME)),
    )


async def test_action(associated: Master) -> None:
    call = action.ActionItem(SET_CLOCK, TIME)
    answer = await associated.ask(action.ActionRequestNormal, call)
    assert answer.result == action.ActionResult(SET_CLOCK, SUCCESS, None)
    unknown = action.ActionItem(RESET, NULL)
    answer = await associated.ask(action.ActionRequestNormalList, (call, unknown))
    assert [one.dar == SUCCESS for one in answer.results] == [True, False]
    then = action.ActionThenGetItem(SET_CLOCK, TIME, CLOCK, 0)
    answer = await associated.ask(action.ActionThenGetRequestNormalList, (then,))
    assert answer.results[0].reading == AttributeResult(CLOCK, TIME)
    assert associated.terminal.called == [127] * 3


async def test_time_tag_comes_back(associated: Master) -> None:
    tag = TimeTag(DateTimeS.of(datetime.now().astimezone()), Ti(MINUTE, 5))
    answer = await associated.ask(get.GetRequestNormal, CLOCK, time_tag=tag)
    assert answer.time_tag == tag


async def test_proxy(associated: Master) -> None:
    total = Oad.of(0x0010, 2, 1)
    target = proxy.ProxyGetTarget(METER, 10, (total,))
    answer = await associated.ask(proxy.ProxyRequestGetList, 30, (target,))
    number = Data(DataType.DOUBLE_LONG_UNSIGNED, 77)
    assert answer.targets == (proxy.ProxyGetResult(METER, (AttributeResult(total, number),)),)
    written = proxy.ProxySetTarget(METER, 10, (setting.SetItem(CLOCK, TIME),))
    answer = await associated.ask(proxy.ProxyRequestSetList, 30, (written,))
    assert answer.targets[0].results == (setting.SetResult(CLOCK, SUCCESS),)
    called = proxy.ProxyActionTarget(METER, 10, (action.ActionItem(SET_CLOCK, TIME),))
    answer = await associated.ask(proxy.ProxyRequestActionList, 30, (called,))
    assert answer.targets[0].results == (action.ActionResult(SET_CLOCK, SUCCESS, None),)
    query = get.RecordQuery(DAY_FREEZE, NthLast(1), (FREEZE_TIME, ENERGY))
    answer = await associated.ask(proxy.ProxyRequestGetRecord, 30, METER, query)
    assert answer.meter == METER
    assert answer.result.rows == ((MIDNIGHT, numbers(5)),)
    then = setting.SetThenGetItem(CLOCK, TIME, total, 0)
    written_then = proxy.ProxySetThenGetTarget(METER, 10, (then,))
    answer = await associated.ask(proxy.ProxyRequestSetThenGetList, 30, (written_then,))
    assert answer.targets[0].results[0].reading == AttributeResult(total, number)
    called_then = action.ActionThenGetItem(SET_CLOCK, TIME, total, 0)
    target_then = proxy.ProxyActionThenGetTarget(METER, 10, (called_then,))
    answer = await associated.ask(proxy.ProxyRequestActionThenGetList, 30, (target_then,))
    assert answer.targets[0].results[0].reading == AttributeResult(total, number)
    kinds = [kind for _, kind in associated.terminal.proxy.asked]
    assert kinds[:4] == [
        "GetRequest",
        "SetRequest",
        "ActionRequest",
        "GetRecordRequest",
    ]


async def test_proxy_of_a_port(associated: Master) -> None:
    settings = Comdcb.of(LineSettings(9600, "E", 8, 1))
    fields = (PORT, settings, 10, 100, b"\x68\x11\x16")
    answer = await associated.ask(proxy.ProxyRequestTransCommand, *fields)
    assert (answer.port, answer.reply) == (PORT, b"\x16\x11\x68")


async def test_report_is_confirmed(associated: Master) -> None:
    engine = associated.terminal.endpoint.engine
    payload = [native.AttributeResult(attribute=theirs(CLOCK), result=_moment(TIME))]
    engine.exchange(native.ReportNotification(piid_acd=9, payload=payload))
    frame = await associated.wire.frame()
    assert frame is not None
    assert frame.from_initiator
    reported = decode_apdu(frame.apdu)
    assert isinstance(reported, report.ReportNotificationList)
    assert reported.results == (AttributeResult(CLOCK, TIME),)
    confirmation = link.confirm(frame)
    assert link.is_confirmation(confirmation)
    associated.wire.send(confirmation)
    # It is not repeated: the next frame answers the next request.
    answer = await associated.ask(get.GetRequestNormal, CLOCK)
    assert answer.result == AttributeResult(CLOCK, TIME)


# Our terminal, their client.


class OurTerminal:
    """A terminal in server work mode, made of our codec; values by OAD."""

    def __init__(self) -> None:
        self.values = {ENERGY.code: REGISTERS, CLOCK.code: TIME, ASSET.code: LONG_TEXT}
        self.frame_length = 1024
        self.in_blocks = False
        self._results: tuple[AttributeResult, ...] = ()
        self.calls: list[Omd] = []
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        wire.send(link.login(ServerAddress(ADDRESS), MOMENT, 60))
        confirmed = await wire.frame()
        assert confirmed is not None
        assert link.is_confirmation(confirmed)
        while (request := await wire.frame()) is not None:
            response = self.answer(decode_apdu(request.apdu))
            await wire.send_long(requests.answer(request, response), self.frame_length)
        wire.close()
        self.ended.set()

    def answer(self, asked: Apdu) -> Apdu:
        return _ANSWERS[type(asked)](self, asked)

    def associate(self, asked: association.ConnectRequest) -> Apdu:
        factory = association.FactoryVersion("TEST", "1.00", "260101", "1.00", "260101", " " * 8)
        length = min(self.frame_length, asked.receive_size)
        return association.ConnectResponse(
            asked.piid, factory, asked.version, asked.protocol_conformance,
            asked.function_conformance, length, length, 1, asked.apdu_size, asked.timeout_s, 0,
        )  # fmt: skip

    def result(self, oad: Oad) -> AttributeResult:
        whole = self.values.get(replace(oad, code=oad.code & ~0xFF).code)
        if whole is None:
            return AttributeResult(oad, UNDEFINED)
        return AttributeResult(oad, whole.value[oad.index - 1] if oad.index else whole)

    def read_list(self, asked: get.GetRequestNormalList) -> Apdu:
        results = tuple(map(self.result, asked.oads))
        if not self.in_blocks:
            return get.GetResponseNormalList(asked.piid, results)
        self._results = results
        return self.block(asked.piid, 0)

    def block(self, piid: int, number: int) -> Apdu:
        """Return a block with one of the objects that were asked for."""
        content = AttributeResults((self._results[number],))
        is_last = number + 1 == len(self._results)
        return get.GetResponseNext(piid, is_last, number, content)

    def record(self, query: get.RecordQuery) -> RecordResult:
        return RecordResult(query.oad, query.columns, ((MIDNIGHT, numbers(5)),))

    def write(self, item: setting.SetItem) -> setting.SetResult:
        if item.oad == ENERGY:
            return setting.SetResult(item.oad, DENIED)
        self.values[item.oad.code] = item.data
        return setting.SetResult(item.oad, SUCCESS)

    def call(self, item: action.ActionItem) -> action.ActionResult:
        self.calls.append(item.omd)
        known = item.omd == SET_CLOCK
        return action.ActionResult(item.omd, SUCCESS if known else DENIED, None)


_ANSWERS: dict[type, Callable[[OurTerminal, Any], Apdu]] = {
    association.ConnectRequest: OurTerminal.associate,
    association.ReleaseRequest: lambda _, a: association.ReleaseResponse(a.piid, 0),
    get.GetRequestNormal: lambda t, a: get.GetResponseNormal(a.piid, t.result(a.oad)),
    get.GetRequestNormalList: OurTerminal.read_list,
    get.GetRequestNext: lambda t, a: t.block(a.piid, a.block + 1),
    get.GetRequestRecord: lambda t, a: get.GetResponseRecord(a.piid, t.record(a.query)),
    get.GetRequestRecordList: lambda t, a: get.GetResponseRecordList(
        a.piid, tuple(map(t.record, a.queries))
    ),
    setting.SetRequestNormal: lambda t, a: setting.SetResponseNormal(a.piid, t.write(a.item)),
    setting.SetRequestNormalList: lambda t, a: setting.SetResponseNormalList(
        a.piid, tuple(map(t.write, a.items))
    ),
    action.ActionRequestNormal: lambda t, a: action.ActionResponseNormal(a.piid, t.call(a.item)),
    action.ActionRequestNormalList: lambda t, a: action.ActionResponseNormalList(
        a.piid, tuple(map(t.call, a.items))
    ),
}


class TheirClient:
    """Their blocking client, called from a thread."""

    def __init__(self, terminal: OurTerminal, port: int) -> None:
        self.terminal = terminal
        options = native.SessionOptions(
            server=native.ServerAddress(bytes=bytes.fromhex(ADDRESS)[::-1]),
            request_timeout=TIMEOUT_S,
        )
        self._client = peer.Client(native.ClientOptions(protocol=options))
        self._port = port

    async def connect(self) -> None:
        await asyncio.to_thread(self._client.connect_tcp, "127.0.0.1", self._port)

    async def __call__(self, service: str, *arguments: Any) -> Any:
        return await asyncio.to_thread(getattr(self._client, service), *arguments)

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)


@pytest.fixture
async def client() -> AsyncIterator[TheirClient]:
    terminal = OurTerminal()
    server = await asyncio.start_server(terminal.serve, "127.0.0.1", 0)
    client = TheirClient(terminal, server.sockets[0].getsockname()[1])
    yield client
    await client.close()
    await asyncio.wait_for(terminal.ended.wait(), TIMEOUT_S)
    server.close()


def raw(value: Any) -> bytes:
    """Return a value of theirs as bytes, to compare with ours."""
    encoded: bytes = peer.encode_data(value)
    return encoded


async def test_they_read_our_objects(client: TheirClient) -> None:
    await client.connect()
    found = await client("get", theirs(ENERGY))
    assert raw(found.require_data()) == REGISTERS.to_bytes()
    assert (await client("get", theirs(VOLTAGE))).dar == UNDEFINED.code
    total = Oad.of(0x0010, 2, 1)
    found = await client("get_list", [theirs(one) for one in (total, CLOCK, VOLTAGE)])
    results = [one.result for one in found.attributes]
    assert raw(results[0]) == REGISTERS.value[0].to_bytes()
    assert raw(results[1]) == TIME.to_bytes()
    assert results[2] == UNDEFINED.code


async def test_they_read_our_records(client: TheirClient) -> None:
    await client.connect()
    query = native.GetRecord(
        attribute=theirs(DAY_FREEZE),
        rows=native.Selector9(previous=1),
        columns=[theirs(FREEZE_TIME), theirs(ENERGY)],
    )
    found = await client("get_record", query)
    assert [[raw(cell) for cell in row] for row in found.result] == [
        [MIDNIGHT.to_bytes(), numbers(5).to_bytes()]
    ]
    found = await client("get_record_list", [query, query])
    assert len(found.records) == 2


async def test_they_join_our_pieces(client: TheirClient) -> None:
    client.terminal.frame_length = 128
    await client.connect()
    found = await client("get", theirs(ASSET))
    assert raw(found.require_data()) == LONG_TEXT.to_bytes()


async def test_they_join_our_blocks(client: TheirClient) -> None:
    client.terminal.in_blocks = True
    await client.connect()
    found = await client("get_list", [theirs(one) for one in (ENERGY, CLOCK, ASSET)])
    assert [raw(one.result) for one in found.attributes] == [
        value.to_bytes() for value in (REGISTERS, TIME, LONG_TEXT)
    ]


async def test_they_write_our_objects(client: TheirClient) -> None:
    await client.connect()
    clock = native.Data.date_time_s(list(DateTimeS.of(MOMENT).to_bytes()))
    client.terminal.values[CLOCK.code] = NULL
    assert await client("set", theirs(CLOCK), clock) == 0
    assert client.terminal.values[CLOCK.code] == TIME
    items = [
        native.SetAttribute(attribute=theirs(CLOCK), value=clock),
        native.SetAttribute(attribute=theirs(ENERGY), value=native.Data.null()),
    ]
    found = await client("set_list", items)
    assert [one.dar for one in found.attributes] == [0, DENIED.code]


async def test_they_call_our_methods(client: TheirClient) -> None:
    await client.connect()
    method = native.Omd(oi=0x4000, method=127, mode=0)
    clock = native.Data.date_time_s(list(DateTimeS.of(MOMENT).to_bytes()))
    assert (await client("action", method, clock)).dar == 0
    unknown = native.Omd(oi=0x4000, method=1, mode=0)
    calls = [
        native.ActionMethod(method=method, parameter=clock),
        native.ActionMethod(method=unknown, parameter=native.Data.null()),
    ]
    found = await client("action_list", calls)
    assert [one.dar for one in found.methods] == [0, DENIED.code]
    assert client.terminal.calls == [SET_CLOCK, SET_CLOCK, RESET]
