"""Virtual serial readers on a real pseudo-terminal, byte for byte (digest section 13)."""

import os
import select
from collections.abc import Iterator

import pytest

from station.simulator.card import VirtualCard
from station.simulator.serial_reader import PtyReader

CARD = VirtualCard(bytes.fromhex("3100000000000001"), bytes(range(16)))
ATR = CARD.atr.hex().upper()
SELECT = "00A4000002DF01"
ANSWER_TIMEOUT_S = 2.0


class Line:
    """The other end of the line."""

    def __init__(self, reader: PtyReader) -> None:
        self.file = os.open(reader.path, os.O_RDWR | os.O_NOCTTY)

    def says(self, command: str, answer: str) -> bool:
        """Send hex, and say whether the answer is this hex."""
        os.write(self.file, bytes.fromhex(command))
        return self.hears(answer)

    def hears(self, answer: str) -> bool:
        heard, wanted = b"", bytes.fromhex(answer)
        while len(heard) < len(wanted) and select.select([self.file], [], [], ANSWER_TIMEOUT_S)[0]:
            heard += os.read(self.file, 4096)
        assert heard.hex(" ").upper() == wanted.hex(" ").upper()
        return True


@pytest.fixture
def reader(request: pytest.FixtureRequest) -> Iterator[PtyReader]:
    made = PtyReader(request.param)
    yield made
    made.close()


@pytest.fixture
def line(reader: PtyReader) -> Iterator[Line]:
    opened = Line(reader)
    yield opened
    os.close(opened.file)


def xor(raw: bytes) -> bytes:
    check = 0
    for byte in raw:
        check ^= byte
    return bytes([check])


def a(message: str) -> str:
    """A CCID message in framing A."""
    raw = bytes.fromhex(message)
    return (b"\x02" + raw + xor(raw) + b"\x03").hex()


def b(body: str) -> str:
    """The bytes of a body of framing B: its checksum and hex digits between 02 and 03."""
    raw = bytes.fromhex(body)
    return (b"\x02" + (raw + xor(raw)).hex().upper().encode() + b"\x03").hex()


def c(message: str) -> str:
    """A CCID message in framing C."""
    raw = bytes.fromhex("0306" + message)
    return (raw + xor(raw)).hex()


@pytest.mark.parametrize("reader", ["acr1281s"], indirect=True)
def test_framing_a(reader: PtyReader, line: Line) -> None:
    acknowledged = "02000003"
    power_on = "62 00000000 00 00 000000"
    assert a(power_on) == "02 62 00000000 00 00 000000 62 03".replace(" ", "")
    assert line.says(a(power_on), acknowledged + a("80 00000000 00 00 42FE00"))
    reader.insert(CARD)
    assert line.hears("02 50 03 53 03")
    powered = a("80 0D000000 00 00 008100" + ATR)
    assert line.says("FF00" + a(power_on), acknowledged + powered)
    assert line.says("02" + "00" * 11 + "03", powered)
    select = a("6F 07000000 01 03 000000" + SELECT)
    assert line.says(select, acknowledged + a("80 02000000 01 03 008100 9000"))
    assert line.says(select[:-4] + "0003", "02FFFF03")
    assert line.says(select[:-2] + "99", "02FDFD03")
    reader.pull()
    assert line.hears("02 50 02 52 03")
    assert line.says(select, acknowledged + a("80 00000000 01 03 42FE00"))


@pytest.mark.parametrize("reader", ["acr30s"], indirect=True)
def test_framing_b(reader: PtyReader, line: Line) -> None:
    assert line.says(b("018000"), b("01600200"))
    reader.insert(CARD)
    assert line.hears(b("01FF0100"))
    assert line.says(b("01A007" + SELECT), b("01600400"))
    assert line.says(b("018000"), b("0190000D" + ATR))
    assert line.says(b("01A008" + SELECT + "00"), b("019000029000"))
    assert line.says(b("01A00600B082000008"), b("0190000A" + "00" * 8 + "9000"))
    assert line.says(b("01A008" + SELECT + "08"), b("01670100"))
    assert line.says(b("01A201"), b("01600100"))
    assert line.says("02 5A5A 03", b("01600000"))
    assert line.says(b("018100"), b("01900000"))
    reader.pull()
    assert line.hears(b("01FF0200"))


@pytest.mark.parametrize("reader", ["gempc-twin"], indirect=True)
def test_framing_c(reader: PtyReader, line: Line) -> None:
    escape = c("6B 01000000 00 00 000000 02")
    assert line.says(escape, escape + c("83 0D000000 00 00 028100 47656D5477696E2D56322E3030"))
    reader.insert(CARD)
    assert line.hears("5003")
    power_on = c("62 00000000 00 01 000000")
    assert line.says(power_on, power_on + "80" + c("80 0D000000 00 01 008100" + ATR))
    select = c("6F 07000000 00 02 000000" + SELECT)
    assert line.says(select, select + c("80 02000000 00 02 008100 9000"))
    broken = power_on[:-2] + "99"
    assert line.says(broken, broken + "031516")
    reader.pull()
    assert line.hears("5002")
    assert line.says(select, select + c("80 00000000 00 02 42FE00"))
