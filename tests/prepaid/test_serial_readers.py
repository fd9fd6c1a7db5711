"""Framings A, B and C byte by byte, against a reader that is a script on a real pty."""

import os
import select
import threading
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from station.errors import CardError, CardFailed, NoCard, NoReader, ReaderFailed
from station.prepaid.readers import acr30s, acr1281s, ccid, gempc_twin
from station.prepaid.readers.serial_line import xor
from station.prepaid.readers.serial_reader import MODELS, SerialReader

ATR = bytes.fromhex("3B6900003100000000000001")
CHALLENGE = bytes.fromhex("0084000008")
ANSWER = bytes.fromhex("11223344556677889000")
ACK_A = bytes.fromhex("02000003")
MOVED_A = bytes.fromhex("0250035303")
WAIT_SILENT_S = 2.0


@contextmanager
def scripted(turns: Sequence[tuple[bytes, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A pty whose reader expects each command and then says its answer; and what went wrong."""
    master, slave = os.openpty()
    tty.setraw(slave)
    problems: list[str] = []

    def play() -> None:
        for expected, said in turns:
            heard = b""
            while len(heard) < len(expected):
                if not select.select([master], [], [], WAIT_SILENT_S)[0]:
                    break
                heard += os.read(master, len(expected) - len(heard))
            if heard != expected:
                problems.append(f"heard {heard.hex()}, expected {expected.hex()}")
                return
            os.write(master, said)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave), problems
    finally:
        thread.join(5)
        os.close(slave)
        os.close(master)
    assert not problems


def answer(
    kind: int, sequence: int, data: bytes = b"", status: int = 0, error: int = 0x81
) -> bytes:
    """A CCID answer; the error byte is 81 on success, as in the manual's examples."""
    head = bytes([kind]) + len(data).to_bytes(4, "little")
    return head + bytes([1, sequence, status, 0x81, 0]) + data


def said_a(message: bytes, *, spoilt: bool = False) -> bytes:
    return b"\x02" + message + bytes([xor(message) ^ spoilt, 3])


def said_c(message: bytes) -> bytes:
    framed = b"\x03\x06" + message
    return framed + bytes([xor(framed)])


def said_b(sw: str, data: bytes = b"") -> bytes:
    size = bytes([len(data)]) if len(data) < 255 else b"\xff" + len(data).to_bytes(2, "big")
    body = b"\x01" + bytes.fromhex(sw) + size + data
    return b"\x02" + (body + bytes([xor(body)])).hex().upper().encode() + b"\x03"


# Digest section 13 A: both vectors are checked there.
ON_A = acr1281s.framed(ccid.command(ccid.POWER_ON, 1, 0))
ASK_A = acr1281s.framed(ccid.command(ccid.EXCHANGE, 1, 1, CHALLENGE))
OFF_A = acr1281s.framed(ccid.command(ccid.POWER_OFF, 1, 2))
ON_C = gempc_twin.framed(ccid.command(ccid.POWER_ON, 0, 0))
ASK_C = gempc_twin.framed(ccid.command(ccid.EXCHANGE, 0, 1, CHALLENGE))
OFF_C = gempc_twin.framed(ccid.command(ccid.POWER_OFF, 0, 2))
ON_B, OFF_B = acr30s.framed(acr30s.RESET), acr30s.framed(acr30s.POWER_OFF)
ASK_B = acr30s.framed(acr30s.APDU, bytes.fromhex("008400000008"))

STORIES = {
    "acr1281s plainly": (
        "acr1281s",
        [
            (ON_A, ACK_A + said_a(answer(0x80, 0, ATR))),
            (ASK_A, ACK_A + said_a(answer(0x80, 1, ANSWER))),
            (OFF_A, ACK_A + said_a(answer(0x81, 2, status=1))),
        ],
    ),
    "acr1281s with movements, a refusal, a wait and a broken answer": (
        "acr1281s",
        [
            (ON_A, MOVED_A + ACK_A + MOVED_A + said_a(answer(0x80, 0, ATR))),
            (ASK_A, bytes.fromhex("02FFFF03")),
            (ASK_A, ACK_A + said_a(answer(0x80, 1, status=0x80))
             + said_a(answer(0x80, 1, ANSWER), spoilt=True)),
            (bytes.fromhex("02" + "00" * 11 + "03"), said_a(answer(0x80, 1, ANSWER))),
            (OFF_A, ACK_A + said_a(answer(0x81, 2, status=1))),
        ],
    ),
    "acr30s plainly, with a movement": (
        "acr30s",
        [
            (ON_B, said_b("9000", ATR)),
            (ASK_B, b"\x02" + b"01FF0100FF" + b"\x03" + said_b("9000", ANSWER)),
            (OFF_B, said_b("9000")),
        ],
    ),
    "gempc-twin plainly": (
        "gempc-twin",
        [
            (ON_C, ON_C + said_c(answer(0x80, 0, ATR))),
            (ASK_C, ASK_C + said_c(answer(0x80, 1, ANSWER))),
            (OFF_C, OFF_C + said_c(answer(0x81, 2, status=1))),
        ],
    ),
    "gempc-twin with movements, a refusal and waits": (
        "gempc-twin",
        [
            (ON_C, ON_C + b"\x50\x03" + said_c(answer(0x80, 0, ATR))),
            (ASK_C, ASK_C + bytes.fromhex("031516")),
            (ASK_C, ASK_C + b"\x81\x80" + said_c(answer(0x80, 1, status=0x80))
             + said_c(answer(0x80, 1, ANSWER))),
            (OFF_C, OFF_C + said_c(answer(0x81, 2, status=1))),
        ],
    ),
}  # fmt: skip


def test_vectors_of_the_digest() -> None:
    assert acr1281s.framed(ccid.command(0x62, 0, 0)).hex() == "0262000000000000000000" + "6203"
    taken = acr1281s.framed(ccid.command(0x6F, 1, 0, bytes.fromhex("8084000008")))
    assert taken.hex() == "026f050000000100000000" + "8084000008" + "6703"
    assert acr30s.framed(0xA2, b"\x3d") == bytes.fromhex("023031413230313344394603")


@pytest.mark.parametrize("story", STORIES)
def test_a_conversation(story: str) -> None:
    model, turns = STORIES[story]
    with scripted(turns) as (port, problems):
        channel = SerialReader(model, port).connect()
        assert channel.atr == ATR
        response = channel.transmit(CHALLENGE)
        channel.disconnect()
    assert (response.data, response.sw) == (ANSWER[:-2], 0x9000)
    assert not problems


NO_CARD = answer(0x80, 0, status=0x42)
HUGE = bytes.fromhex("0280FFFFFF7F0000000000")
REFUSALS = {
    "acr1281s: no card": ("acr1281s", ON_A, ACK_A + said_a(NO_CARD), NoCard),
    "acr1281s: mute": ("acr1281s", ON_A, ACK_A + said_a(answer(0x80, 0, status=0x41)), CardFailed),
    "acr1281s: old answer": ("acr1281s", ON_A, ACK_A + said_a(answer(0x80, 9)), ReaderFailed),
    "acr1281s: nonsense": ("acr1281s", ON_A, b"\xaa" * 30, ReaderFailed),
    "acr1281s: huge": (
        "acr1281s",
        ON_A,
        ACK_A + bytes.fromhex("0280FFFFFF7F0000000000"),
        ReaderFailed,
    ),
    "acr1281s: silence": ("acr1281s", ON_A, b"", NoReader),
    "acr30s: no card": ("acr30s", ON_B, said_b("6002"), NoCard),
    "acr30s: mute": ("acr30s", ON_B, said_b("6020"), CardFailed),
    "acr30s: nonsense": ("acr30s", ON_B, b"\x02zz\x03", ReaderFailed),
    "acr30s: wrong sum": ("acr30s", ON_B, b"\x020190000092\x03", ReaderFailed),
    "gempc-twin: no card": (
        "gempc-twin",
        ON_C,
        ON_C + said_c(answer(0x80, 0, status=0x42)),
        NoCard,
    ),
    "gempc-twin: no echo": ("gempc-twin", ON_C, b"\x00" * 30, ReaderFailed),
    "gempc-twin: silence": ("gempc-twin", ON_C, b"", NoReader),
}


@pytest.mark.parametrize("story", REFUSALS)
def test_a_refusal_says_whose_fault_it_is(story: str) -> None:
    model, command, said, expected = REFUSALS[story]
    with scripted([(command, said)]) as (port, _), pytest.raises(CardError) as caught:
        SerialReader(model, port).connect()
    assert type(caught.value) is expected


def test_a_pulled_card_and_a_pulled_plug() -> None:
    with scripted(
        [
            (ON_A, ACK_A + said_a(answer(0x80, 0, ATR))),
            (ASK_A, ACK_A + said_a(answer(0x80, 1, status=0x42))),
        ]
    ) as (port, _):
        channel = SerialReader("acr1281s", port).connect()
        with pytest.raises(CardFailed) as caught:
            channel.transmit(CHALLENGE)
        assert caught.value.code == "removed"
    with pytest.raises(ReaderFailed, match="unplugged"):
        channel.transmit(CHALLENGE)
    channel.disconnect()
    with pytest.raises(NoReader, match="the port is not there"):
        SerialReader("acr1281s", port + "9").connect()


def test_a_port_belongs_to_one_program() -> None:
    with scripted([(ON_B, said_b("9000", ATR)), (OFF_B, said_b("9000"))]) as (port, _):
        channel = SerialReader("acr30s", port).connect()
        with pytest.raises(ReaderFailed, match="in use by another program"):
            SerialReader("acr30s", port).connect()
        channel.disconnect()


def test_acr30s_long_answers_and_both_lengths() -> None:
    long = bytes(range(250)) + bytes(8) + b"\x90\x00"
    write = bytes.fromhex("04D682000C") + bytes(12)
    turns = [
        (ON_B, said_b("9000", ATR)),
        (acr30s.framed(0xA0, bytes.fromhex("00B0830000FA")), said_b("9000", long)),
        (acr30s.framed(0xA0, write + b"\0"), said_b("9000", b"\x90\x00")),
        (OFF_B, said_b("9000")),
    ]
    with scripted(turns) as (port, _):
        channel = SerialReader("acr30s", port).connect()
        assert channel.transmit(bytes.fromhex("00B08300FA")).data == long[:-2]
        assert channel.transmit(write).sw == 0x9000
        channel.disconnect()


class Noise:
    """A line that says some bytes and falls silent."""

    port = "noise"

    def __init__(self, said: bytes) -> None:
        self._said = said

    def send(self, data: bytes) -> None:
        pass

    def receive(self, size: int, _timeout_s: float = 1.0) -> bytes:
        if size > len(self._said):
            raise ReaderFailed("the reader on noise does not answer", code="silent")
        taken, self._said = self._said[:size], self._said[size:]
        return taken


@pytest.mark.parametrize("model", ["acr1281s", "acr30s", "gempc-twin"])
def test_any_damage_of_an_answer_is_a_failed_reader_or_card(model: str) -> None:
    powered = {
        "acr1281s": ACK_A + said_a(answer(0x80, 0, ATR)),
        "acr30s": said_b("9000", ATR),
        "gempc-twin": ON_C + said_c(answer(0x80, 0, ATR)),
    }[model]
    tried = 0
    for place in range(len(powered)):
        for damage in (0x01, 0x80, 0xFF):
            spoilt = bytearray(powered)
            spoilt[place] ^= damage
            for said in (bytes(spoilt), powered[:place], powered[place:]):
                tried += 1
                talk = MODELS[model].talk(Noise(said), "noise")
                try:
                    atr = talk.power_on()
                except CardError:
                    continue
                assert atr == ATR
    assert tried > 200
