"""The independent package `dlt645` and ours: their client at our meters, ours at their meter.

Both speak over real sockets, for every service that both know. Where they differ, the digest and
the vectors decide: our bytes are asserted, and what the other side makes of them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from dlt645 import Demand, MeterClientService, MeterServerService, TcpClient
from dlt645.model.data.define import DIMap

from station.protocols import dlt645
from station.protocols.dlt645 import Version, requests
from station.protocols.dlt645.requests import Authority
from station.simulator import listener
from station.simulator.site import MeterSite, Site, TerminalSite

THREE_PHASE, ONE_PHASE = "990000000001", "990000000002"
NOON = datetime(
    2026, 6, 15, 4, 0, tzinfo=timezone.utc
)  # In Shanghai, where the sun shines on the roof.
TIMEOUT_S = 5.0
TWO = Version.V2007

NOT_AUTHORISED = bytes((0b100,))
OTHER_ERROR = bytes((0b001,))
RATE_UNCHANGEABLE = bytes((0b1000,))


def wire(address: str) -> str:
    """Return an address as the peer takes it: in the order of the line, lowest digits first."""
    return bytes.fromhex(address)[::-1].hex()


# Their client, our meters.


class Asked:
    """Their client on a line; each call says what they sent, what came, and what they read."""

    def __init__(self, client: MeterClientService) -> None:
        self.client = client

    def dial(self, port: int) -> None:
        self.client.client = TcpClient("127.0.0.1", port, TIMEOUT_S)
        self.client.enable_message_capture(10)

    async def __call__(
        self, address: str, service: str, *arguments: Any
    ) -> tuple[dlt645.Frame, dlt645.Frame, Any]:
        self.client.set_address(wire(address))
        item = await asyncio.to_thread(getattr(self.client, service), *arguments)
        pair = self.client.get_captured_pairs()[-1]
        assert pair.tx is not None
        assert pair.rx is not None
        return frame_of(pair.tx.data), frame_of(pair.rx.data), getattr(item, "value", item)

    async def hang_up(self) -> None:
        await asyncio.to_thread(self.client.disconnect)


def frame_of(raw: bytes) -> dlt645.Frame:
    assert raw.startswith(dlt645.PREAMBLE)
    return dlt645.Frame.from_bytes(bytes(raw)[len(dlt645.PREAMBLE) :])


@pytest.fixture(scope="module")
def client() -> MeterClientService:
    """Their client, not yet connected; to make one takes a second."""
    return MeterClientService.new_tcp_client("127.0.0.1", 0)


@asynccontextmanager
async def serving(*meters: MeterSite) -> AsyncIterator[int]:
    """Serve simulated meters on one line; give the port."""
    site = Site(terminals=(TerminalSite(address="99000001", lines=({"meters": meters},)),))
    server = listener.LineServer(site, "127.0.0.1", 0)
    await server.start()
    yield server.port
    await server.stop()


@pytest.fixture
async def asked(
    client: MeterClientService, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Asked]:
    monkeypatch.setattr(listener, "utc_now", lambda: NOON)
    meters = (
        MeterSite(address=THREE_PHASE, phases=3, photovoltaic=True),
        MeterSite(address=ONE_PHASE),
    )
    async with serving(*meters) as port:
        asked = Asked(client)
        asked.dial(port)
        yield asked
        await asked.hang_up()


ENERGIES = [
    quantity << 16 | tariff << 8 | back
    for quantity in range(9)
    for tariff in range(5)
    for back in (0, 1, 12)
]
DEMANDS = [
    0x01000000 | quantity << 16 | tariff << 8 | back
    for quantity in (1, 2)
    for tariff in range(5)
    for back in (0, 1)
]
VARIABLES = [
    *(0x02000000 | quantity << 16 | phase << 8 for quantity in (1, 2, 7) for phase in (1, 2, 3)),
    *(0x02000000 | quantity << 16 | phase << 8 for quantity in (3, 4, 5, 6) for phase in range(4)),
    0x02800002,
]
PARAMETERS = [
    0x04000101, 0x04000102, 0x04000103, 0x04000104, 0x04000204, 0x04000401, 0x04000402, 0x04000409,
    *range(0x04000501, 0x04000508), 0x04000601, *range(0x04000A02, 0x04000A08), 0x04000B01,
]  # fmt: skip
READERS = {0x00: "read_00", 0x01: "read_01", 0x02: "read_02", 0x04: "read_04"}


async def read(asked: Asked, data_id: int, address: str = THREE_PHASE) -> tuple[Any, Any, bytes]:
    """Return our value, theirs, and the bytes behind the identifier; the requests are alike."""
    sent, came, theirs = await asked(address, READERS[data_id >> 24], data_id)
    assert sent == dlt645.read(TWO, address, data_id)
    assert requests.is_answer(sent, came)
    (ours,) = dlt645.values_of(came)
    assert ours.valid
    return ours, theirs, dlt645.payload(came)


async def test_they_read_our_energies(asked: Asked) -> None:
    for data_id in ENERGIES:
        ours, theirs, _ = await read(asked, data_id)
        assert (float(ours.value), ours.unit) == (theirs, DIMap[data_id].unit.strip())


async def test_they_read_our_demands(asked: Asked) -> None:
    """They take the first byte of the time for the year; the digest (5): minutes come first."""
    for data_id in DEMANDS:
        ours, theirs, raw = await read(asked, data_id)
        if ours.time is not None:
            assert raw[3:] == bytes.fromhex(ours.time.strftime("%M%H%d%m%y"))
            assert NOON.replace(tzinfo=None) - timedelta(days=62) < ours.time
        if isinstance(theirs, Demand):
            assert float(ours.value) == theirs.value
            assert ours.time != theirs.time


async def test_they_read_our_variables(asked: Asked) -> None:
    negative = 0
    for data_id in VARIABLES:
        ours, theirs, _ = await read(asked, data_id)
        assert float(ours.value) == theirs
        negative += theirs < 0
    assert negative  # The sun shines: more is delivered than used.


async def test_they_take_an_absent_phase_for_a_number(asked: Asked) -> None:
    """FF FF is no value, and a voltage has no sign (digest 3)."""
    ours, theirs, raw = await read(asked, 0x02010200, ONE_PHASE)
    assert raw == b"\xff\xff"
    assert ours.value is None
    assert theirs < -1000


async def test_they_read_our_clock_and_parameters(asked: Asked) -> None:
    read_by_them = {}
    for data_id in PARAMETERS:
        _, theirs, raw = await read(asked, data_id)
        assert theirs == raw[::-1].hex()
        read_by_them[data_id] = theirs
    assert read_by_them[0x04000101] == "26061501"  # A Monday.
    assert read_by_them[0x04000102] == "120000"
    assert read_by_them[0x04000401] == THREE_PHASE


async def test_they_take_ascii_for_digits(asked: Asked) -> None:
    """Digest 3: texts are ASCII, last character first."""
    ours, theirs, _ = await read(asked, 0x04000404)
    assert ours.value == "220V"
    assert theirs == "323230560000"


async def test_they_hear_that_we_have_no_such_item(asked: Asked) -> None:
    sent, came, theirs = await asked(THREE_PHASE, "read_00", 0x00800000)
    assert requests.is_answer(sent, came)
    assert (came.control, came.data) == (0xD1, b"\x02")
    assert theirs is None


async def test_they_learn_an_address(client: MeterClientService) -> None:
    """They show it as it lies on the line, lowest digits first."""
    async with serving(MeterSite(address=THREE_PHASE)) as port:
        asked = Asked(client)
        asked.dial(port)
        sent, came, theirs = await asked(ONE_PHASE, "read_address")
        assert sent == dlt645.read_address()
        assert came == requests.answer(sent, bytes.fromhex(wire(THREE_PHASE)), address=THREE_PHASE)
        assert theirs == wire(THREE_PHASE)
        await asked.hang_up()


DAY = Authority(2, "000000", "00000000")
WRONG = Authority(2, "111111", "00000000")
REFUSED: dict[str, tuple[tuple[Any, ...], dlt645.Frame | None]] = {
    "write_04": (
        (0x04000103, "15", "02111111"),
        requests.write(TWO, THREE_PHASE, 0x04000103, b"\x15", WRONG),
    ),
    "freeze": ((99, 31, 15, 30), None),
    "change_baud_rate": ((2400,), requests.change_baud(TWO, THREE_PHASE, 2400)),
    "clear_event": (("02000000",), requests.clear_events(THREE_PHASE, DAY)),
    "change_password": (("02000000", "02123456"), None),
    "clear_demand": ((0x01010000, "02000000"), None),
    "clear_meter": (("02000000",), None),
}


@pytest.mark.parametrize("service", REFUSED)
async def test_our_meters_refuse_what_would_change_them(asked: Asked, service: str) -> None:
    arguments, ours = REFUSED[service]
    sent, came, theirs = await asked(THREE_PHASE, service, *arguments)
    assert ours is None or sent == ours
    assert requests.is_answer(sent, came)
    assert (came.is_error, came.data) == (True, NOT_AUTHORISED)
    assert not theirs


async def test_our_meters_take_a_write_with_the_right_password(asked: Asked) -> None:
    sent, came, _ = await asked(THREE_PHASE, "write_04", 0x04000103, "15", "02000000")
    assert sent == requests.write(TWO, THREE_PHASE, 0x04000103, b"\x15", DAY)
    assert (requests.is_answer(sent, came), came.is_error, came.data) == (True, False, b"")


async def test_their_requests_that_the_digest_has_otherwise(asked: Asked) -> None:
    """Each of theirs beside ours; the digest's sections in the comments."""
    send = asked.client
    differing = [
        # 2.1: the wire order of the freeze time is mm hh DD MM.
        (("freeze", 99, 31, 15, 30), "99311530", requests.freeze(THREE_PHASE, "99311530")),
        # 2.1: the lowest byte of a password goes first, and the identifier is 04000C03.
        (
            ("change_password", "02000000", "02123456"),
            "020c0040" + "02000000" + "02123456",
            requests.change_password(THREE_PHASE, 0x04000C03, DAY, Authority(2, "123456")),
        ),
        # 2.1, 19H and 1AH: PA, password and operator code, without an identifier.
        (
            ("clear_demand", 0x01010000, "02000000"),
            "00000101" + "02000000",
            requests.reset_demand(THREE_PHASE, DAY),
        ),
        (
            ("clear_meter", "02000000"),
            "00000000" + "02000000",
            requests.clear_meter(THREE_PHASE, DAY),
        ),
        # 2.1: 20H is 9600; theirs is the decimal reading of the same figure.
        (("change_baud_rate", 9600), "32", requests.change_baud(TWO, THREE_PHASE, 9600)),
    ]
    for (service, *arguments), theirs, ours in differing:
        sent, _, _ = await asked(THREE_PHASE, service, *arguments)
        assert sent.data.hex() == theirs
        assert sent.control == ours.control
        assert sent.data != ours.data
    # 2.1: seconds go first (three sources, V-014).
    local = datetime.fromisoformat("2026-11-22T13:14:15")
    assert await asyncio.to_thread(send.broadcast_time_sync, local)
    sent_last = frame_of(send.get_captured_tx_messages()[-1].data)
    assert sent_last.data.hex() == "261122131415"
    assert requests.broadcast_time(local).data.hex() == "151413221126"
    # A broadcast is not answered, and the line goes on.
    ours, theirs_read, _ = await read(asked, 0x00010000)
    assert float(ours.value) == theirs_read


# Our codec, their meter.

METER = "000000202611"
PASSWORD = Authority(2, "123456", "11223344")


class Line:
    """Our side of a line; answers are matched by the rules of the codec."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = dlt645.Parser()

    async def ask(self, request: dlt645.Frame) -> dlt645.Frame:
        """Return the answer to a request."""
        self.send(request)
        frame = await asyncio.wait_for(self._next(), TIMEOUT_S)
        assert requests.is_answer(request, frame)
        return frame

    def send(self, request: dlt645.Frame) -> None:
        self._writer.write(dlt645.PREAMBLE + request.to_bytes())

    async def _next(self) -> dlt645.Frame:
        while True:
            while (event := self._parser.next_event()) is not None:
                if isinstance(event, dlt645.Frame):
                    return event
            self._parser.receive_data(await self._reader.read(4096))

    def close(self) -> None:
        self._writer.close()


@pytest.fixture(scope="module")
def serving_meter() -> Iterator[MeterServerService]:
    service = MeterServerService.new_tcp_server("127.0.0.1", 0, timeout=60.0)
    assert service.start()
    yield service
    service.stop()


@pytest.fixture
def meter(serving_meter: MeterServerService) -> MeterServerService:
    """Their meter, with its address and its password of level 2."""
    serving_meter.set_address(wire(METER))
    # They keep a password as it lies on the line: lowest byte first behind the level.
    assert serving_meter.set_password("02563412")
    return serving_meter


@pytest.fixture
async def line(meter: MeterServerService) -> AsyncIterator[Line]:
    line = Line(*await asyncio.open_connection("127.0.0.1", meter.server.port))
    yield line
    line.close()


VALUES = [
    (0x00000000, "set_00", 799999.99, "799999.99", "kWh"),
    (0x00010000, "set_00", 12345.67, "12345.67", "kWh"),
    (0x00010401, "set_00", 0.01, "0.01", "kWh"),
    (0x00020C0C, "set_00", 654321.98, "654321.98", "kWh"),
    (0x00050000, "set_00", 1.5, "1.50", "kvarh"),
    (0x00150000, "set_00", 77.77, "77.77", "kWh"),
    (0x02010100, "set_02", 221.5, "221.5", "V"),
    (0x02020300, "set_02", 5.123, "5.123", "A"),
    (0x02030000, "set_02", 1.1, "1.1000", "kW"),
    (0x02040200, "set_02", 0.25, "0.2500", "kvar"),
    (0x02050000, "set_02", 1.21, "1.2100", "kVA"),
    (0x02060000, "set_02", 0.987, "0.987", ""),
    (0x02070300, "set_02", 120.1, "120.1", "°"),
    (0x02800002, "set_02", 50.02, "50.02", "Hz"),
    (0x0280000A, "set_02", 12345678, "12345678", "min"),
    (0x04000103, "set_04", "15", "15", "min"),
    (0x04000402, "set_04", "000000123456", "000000123456", ""),
    (0x04000409, "set_04", "001600", "1600", "imp/kWh"),
]


@pytest.mark.parametrize(("data_id", "setter", "value", "ours", "unit"), VALUES)
async def test_we_read_their_meter(
    meter: MeterServerService,
    line: Line,
    data_id: int,
    setter: str,
    value: Any,
    ours: str,
    unit: str,
) -> None:
    assert getattr(meter, setter)(data_id, value)
    answer = await line.ask(dlt645.read(TWO, METER, data_id))
    (item,) = dlt645.values_of(answer)
    assert (item.valid, str(item.value), item.unit) == (True, ours, unit)


async def test_we_read_their_demand(meter: MeterServerService, line: Line) -> None:
    at = datetime.fromisoformat("2026-11-22T13:14")
    assert meter.set_01(0x01010000, Demand(3.4567, at))
    (item,) = dlt645.values_of(await line.ask(dlt645.read(TWO, METER, 0x01010000)))
    assert (item.value, item.time, item.unit) == (Decimal("3.4567"), at, "kW")


async def test_a_sign_stands_only_where_the_digest_has_one(
    meter: MeterServerService, line: Line
) -> None:
    """Digest 3: powers have a sign; 8 and 9 on top of a forward energy are digits."""
    assert meter.set_02(0x02030000, -1.5)
    (item,) = dlt645.values_of(await line.ask(dlt645.read(TWO, METER, 0x02030000)))
    assert item.value == Decimal("-1.5000")
    assert meter.set_00(0x00010000, -12.34)  # They send a sign all the same.
    (item,) = dlt645.values_of(await line.ask(dlt645.read(TWO, METER, 0x00010000)))
    assert (item.raw.hex(), item.value) == ("34120080", Decimal("800012.34"))


EVENTS = [
    0x03010000, 0x03020000, 0x03030000, 0x03040000, 0x03050000, 0x03060000, 0x03060001, 0x03070000,
    0x03080000, 0x03090000, 0x030A0000, 0x030B0000, 0x030C0000, 0x030D0000, 0x030E0000, 0x030F0000,
    0x03110000, 0x03110001, 0x03120000, 0x03300000, 0x03300001, 0x03300100, 0x03300200, 0x03300300,
    0x03300301, 0x03300400, 0x03300401, 0x03300500, 0x03300501, 0x03300600, 0x03300601, 0x03300D00,
    0x03300E00,
]  # fmt: skip


async def test_we_read_their_events(line: Line) -> None:
    for data_id in EVENTS:
        values = dlt645.values_of(await line.ask(dlt645.read(TWO, METER, data_id)))
        assert values
        assert all(one.valid for one in values)


# Bytes of a whole record: in the digest (7), and theirs, which give five bytes to XXXXXX.XX and one
# more to each other number with a point, as if the point were a digit.
RECORDS = {
    0x03010101: (131, 166),
    0x03050001: (15, 16),
    0x03070001: (76, 92),
    0x03090001: (78, 95),
    0x030B0101: (115, 146),
    0x03100000: (27, 31),
    0x03120101: (20, 21),
    0x03300101: (106, 130),
    0x03300201: (202, 226),
    0x03300D01: (60, 72),
}


@pytest.mark.parametrize("data_id", RECORDS)
async def test_their_records_with_decimals_are_too_long(line: Line, data_id: int) -> None:
    answer = await line.ask(dlt645.read(TWO, METER, data_id))
    ours, theirs = RECORDS[data_id]
    assert len(dlt645.payload(answer)) == theirs
    (item,) = dlt645.values_of(answer)
    assert (item.valid, item.raw) == (False, dlt645.payload(answer))  # Nothing is guessed.
    right = requests.answer(dlt645.read(TWO, METER, data_id), bytes(ours))
    assert all(one.valid for one in dlt645.values_of(right))


async def test_we_read_their_address(line: Line) -> None:
    answer = await line.ask(dlt645.read_address())
    assert requests.learned_address(answer) == METER


async def test_their_meter_has_no_such_item(line: Line) -> None:
    answer = await line.ask(dlt645.read(TWO, METER, 0x00FE0000))
    assert [words.en for words in dlt645.error_words(TWO, answer)] == ["no requested data"]


async def test_we_write_a_parameter(meter: MeterServerService, line: Line) -> None:
    await line.ask(requests.write(TWO, METER, 0x04000103, b"\x30", PASSWORD))
    assert meter.get_data_item(0x04000103).value == "30"
    (item,) = dlt645.values_of(await line.ask(dlt645.read(TWO, METER, 0x04000103)))
    assert item.value == 30
    wrong = Authority(2, "654321", "11223344")
    answer = await line.ask(requests.write(TWO, METER, 0x04000103, b"\x15", wrong))
    assert (answer.control, answer.data) == (0xD4, NOT_AUTHORISED)
    assert meter.get_data_item(0x04000103).value == "30"


async def test_we_write_their_address(meter: MeterServerService, line: Line) -> None:
    await line.ask(requests.write_address(TWO, "000000202612"))
    assert meter.address.hex() == wire("000000202612")
    answer = await line.ask(dlt645.read_address())
    assert requests.learned_address(answer) == "000000202612"


async def test_we_change_a_password(meter: MeterServerService, line: Line) -> None:
    new = Authority(2, "654321")
    answer = await line.ask(requests.change_password(METER, 0x04000C03, PASSWORD, new))
    assert answer.data == new.password_bytes()
    answer = await line.ask(requests.change_password(METER, 0x04000C03, PASSWORD, new))
    assert (answer.control, answer.data) == (0xD8, NOT_AUTHORISED)


async def test_broadcast_time_is_not_answered_and_read_backwards_by_them(
    meter: MeterServerService, line: Line
) -> None:
    line.send(requests.broadcast_time(datetime.fromisoformat("2024-05-06T07:08:09")))
    answer = await line.ask(dlt645.read_address())  # The first thing that comes.
    assert answer.function == 0x13
    assert meter.time == datetime.fromisoformat("2009-08-07T06:05:24")


async def test_freezing(meter: MeterServerService, line: Line) -> None:
    answer = await line.ask(requests.freeze(METER, "99311530"))
    assert (answer.control, answer.data) == (0x96, b"")
    assert meter.last_freeze_time == bytes.fromhex("30153199")  # mm hh DD MM (digest 2.1).
    line.send(requests.freeze(dlt645.BROADCAST))
    await line.ask(dlt645.read_address())
    assert meter.last_freeze_time == bytes.fromhex("99999999")


async def test_changing_the_baud_rate(meter: MeterServerService, line: Line) -> None:
    for speed in (1200, 2400):
        request = requests.change_baud(TWO, METER, speed)
        answer = await line.ask(request)
        assert answer.data == request.data
        assert meter.baud_rate == speed
    for speed, bit in ((4800, 0x10), (9600, 0x20), (19200, 0x40)):  # Digest 2.1, one bit a rate.
        request = requests.change_baud(TWO, METER, speed)
        assert request.data == bytes((bit,))
        answer = await line.ask(request)
        assert (answer.control, answer.data) == (0xD7, RATE_UNCHANGEABLE)


async def test_clearing_events(meter: MeterServerService, line: Line) -> None:
    assert meter.set_03(0x03110000, ["000007"])
    answer = await line.ask(requests.clear_events(METER, PASSWORD, 0x03110000))
    assert (answer.control, answer.data) == (0x9B, b"")
    (count,) = dlt645.values_of(await line.ask(dlt645.read(TWO, METER, 0x03110000)))
    assert count.value == 0
    assert meter.set_03(0x03120000, ["000007"] * 6)
    await line.ask(requests.clear_events(METER, PASSWORD))
    counts = dlt645.values_of(await line.ask(dlt645.read(TWO, METER, 0x03120000)))
    assert [one.value for one in counts] == [0] * 6


@pytest.mark.parametrize(
    ("build", "theirs"),
    [
        (requests.reset_demand, bytes.fromhex("0000010102563412")),
        (requests.clear_meter, bytes.fromhex("0000000002563412")),
    ],
)
async def test_they_want_an_identifier_where_meters_want_an_operator(
    meter: MeterServerService,
    line: Line,
    build: Callable[[str, Authority], dlt645.Frame],
    theirs: bytes,
) -> None:
    """Digest 2.1: FTU, a meter, checks password and operator code, and no identifier."""
    at = datetime.fromisoformat("2026-11-22T13:14")
    assert meter.set_01(0x01010000, Demand(3.4567, at))
    request = build(METER, PASSWORD)
    assert request.data == bytes.fromhex("02563412" + "44332211")
    assert (await line.ask(request)).data == OTHER_ERROR
    answer = await line.ask(dlt645.Frame(METER, request.control, theirs))
    assert (answer.control, answer.data) == (request.control | 0x80, b"")
    assert meter.get_data_item(0x01010000).value.value == 0.0


async def test_they_answer_for_another_meter_and_know_no_control(line: Line) -> None:
    """Digest 13.3: a meter that is not meant stays silent; 1CH is not among their functions."""
    answer = await line.ask(dlt645.read(TWO, "000000000001", 0x00010000))
    assert (answer.control, answer.data) == (0xD1, OTHER_ERROR)
    until = datetime.fromisoformat("2026-11-22T13:14:15")
    answer = await line.ask(requests.control(METER, requests.Command.TRIP, until, PASSWORD))
    assert (answer.control, answer.data) == (0xDC, OTHER_ERROR)
