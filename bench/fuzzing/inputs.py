"""Inputs of the fuzzer: each follows from its number alone.

Vectors are mutated, then most of them are sealed: the lengths and checksums of a protocol are made
right, also those of meters' frames inside. Others are made of known identifiers and functions.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from station.protocols.checksum import byte_sum
from station.protocols.dlt645.frame import Frame as MeterFrame
from station.protocols.dlt645.functions import FUNCTIONS_1997, FUNCTIONS_2007
from station.protocols.dlt645.items import TABLE_2007
from station.protocols.dlt645.items1997 import TABLE_1997
from station.protocols.dlt645.tables import Table
from station.protocols.dlt698.apdu import SERVICES
from station.protocols.dlt698.frame import Frame as ObjectFrame
from station.protocols.dlt698.frame import checksum
from station.protocols.dlt698.objects import OBJECTS
from station.protocols.dlt698.segments import split
from station.protocols.qgdw1376.frame import Address
from station.protocols.qgdw1376.frame import Frame as TerminalFrame
from station.protocols.qgdw1376.functions import FUNCTIONS
from station.protocols.qgdw1376.units import encode_identification

SIZE_MAX = 2100  # A little more than the longest frame that a front-end takes.
MUTATIONS_MAX = 6

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"

# Bytes that mean something to one of the protocols, as they are and with 33H added.
_TELLING = bytes.fromhex("00 01 0F 10 16 33 49 68 7F 80 99 9A A0 AA DD E5 EE FE FF 32 B3 CC 9B 21")

Chance = random.Random


def input_of(number: int) -> bytes:
    """Return the input of a number."""
    chance = random.Random(number)
    kind = chance.random()
    if kind < 0.1:
        return chance.randbytes(chance.randrange(300))
    if kind < 0.35:
        data = chance.choice(_MAKERS)(chance)
        return mutated(chance, data) if chance.random() < 0.2 else data
    return changed(chance, chance.choice(_CORPUS))


def changed(chance: Chance, data: bytes) -> bytes:
    """Return bytes mutated and, mostly, sealed."""
    data = mutated(chance, data)
    if chance.random() < 0.2:
        return data
    return sealed(chance, data)


def corpus() -> list[bytes]:
    """Return the bytes of all vectors, good and bad."""
    wires = [entry["frame_hex"] for entry in _read("dlt645.json")["entries"]]
    terminals = _read("qgdw1376_1.json")
    wires += [entry["frame_hex"] for entry in terminals["entries"]]
    wires += ["".join(stream["chunks_hex"]) for stream in terminals["streams"]]
    objects = _read("dlt698_45.json")
    wires += [entry["hex"] for entry in objects["frames"] + objects["bad_frames"]]
    found = [bytes.fromhex(wire) for wire in wires]
    address = bytes.fromhex("68 00 00 C3 05 01 00 00 00 00 00 10 00 00")
    found += [
        _seal_object(bytearray(address + bytes.fromhex(entry["hex"]) + bytes(3)))
        for entry in objects["apdus"]
    ]
    return found


def _read(file: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((VECTORS / file).read_text("utf-8"))
    return content


# Mutations.


def mutated(chance: Chance, data: bytes) -> bytes:
    wire = bytearray(data)
    for _ in range(chance.randint(1, MUTATIONS_MAX)):
        chance.choice(_MUTATIONS)(chance, wire)
    del wire[SIZE_MAX:]
    return bytes(wire)


def _flip(chance: Chance, wire: bytearray) -> None:
    if wire:
        wire[chance.randrange(len(wire))] ^= 1 << chance.randrange(8)


def _replace(chance: Chance, wire: bytearray) -> None:
    if wire:
        wire[chance.randrange(len(wire))] = chance.choice(_TELLING)


def _randomise(chance: Chance, wire: bytearray) -> None:
    start, end = _piece(chance, wire, 8)
    wire[start:end] = chance.randbytes(end - start)


def _fill(chance: Chance, wire: bytearray) -> None:
    start, end = _piece(chance, wire, 16)
    wire[start:end] = bytes((chance.choice(_TELLING),)) * (end - start)


def _cut_out(chance: Chance, wire: bytearray) -> None:
    start, end = _piece(chance, wire, 12)
    del wire[start:end]


def _double(chance: Chance, wire: bytearray) -> None:
    start, end = _piece(chance, wire, 60)
    wire[end:end] = wire[start:end]


def _splice(chance: Chance, wire: bytearray) -> None:
    other = chance.choice(_CORPUS)
    start, end = _piece(chance, other, 80)
    at = chance.randint(0, len(wire))
    wire[at : at + chance.choice((0, end - start))] = other[start:end]


def _cut_off(chance: Chance, wire: bytearray) -> None:
    del wire[chance.randint(0, len(wire)) :]


def _append(chance: Chance, wire: bytearray) -> None:
    wire += chance.choice(_CORPUS)


def _insert_random(chance: Chance, wire: bytearray) -> None:
    at = chance.randint(0, len(wire))
    wire[at:at] = chance.randbytes(chance.randrange(1, 20))


def _piece(chance: Chance, data: bytes | bytearray, most: int) -> tuple[int, int]:
    start = chance.randint(0, len(data))
    return start, min(len(data), start + chance.randint(1, most))


_MUTATIONS: tuple[Callable[[Chance, bytearray], None], ...] = (
    _flip, _flip, _replace, _replace, _randomise, _fill, _cut_out, _double, _splice, _cut_off,
    _append, _insert_random,
)  # fmt: skip


# Sealing.


def sealed(chance: Chance, data: bytes) -> bytes:
    """Return the bytes as one frame of a protocol, mostly that which they look like."""
    wire = bytearray(data[len(data) - len(data.lstrip(b"\xfe")) :])
    if chance.random() < 0.5:
        _seal_inner(wire)
    seal = _looks_like(wire) if chance.random() < 0.9 else chance.choice(_SEALS)
    return seal(wire)


def _looks_like(wire: bytearray) -> Callable[[bytearray], bytes]:
    if wire[7:8] == b"\x68":
        return _seal_meter
    return _seal_terminal if wire[5:6] == b"\x68" else _seal_object


def _seal_meter(wire: bytearray) -> bytes:
    wire += bytes(max(0, 12 - len(wire)))
    del wire[267:]
    wire[0] = wire[7] = 0x68
    wire[9] = len(wire) - 12
    wire[-2] = byte_sum(wire[:-2])
    wire[-1] = 0x16
    return bytes(wire)


def _seal_terminal(wire: bytearray) -> bytes:
    wire += bytes(max(0, 16 - len(wire)))
    length = (len(wire) - 8) << 2 | 2
    wire[:6] = b"\x68%b%b\x68" % (length.to_bytes(2, "little") * 2, b"")
    wire[-2] = byte_sum(wire[6:-2])
    wire[-1] = 0x16
    return bytes(wire)


def _seal_object(wire: bytearray) -> bytes:
    wire += bytes(max(0, 12 - len(wire)))
    wire[0] = 0x68
    wire[1:3] = (len(wire) - 2).to_bytes(2, "little")
    hcs_at = 7 + (wire[4] & 0x0F)
    if hcs_at + 5 <= len(wire):
        wire[hcs_at : hcs_at + 2] = checksum(bytes(wire[1:hcs_at]))
    wire[-3:-1] = checksum(bytes(wire[1:-3]))
    wire[-1] = 0x16
    return bytes(wire)


_SEALS = (_seal_meter, _seal_terminal, _seal_object)


def _seal_inner(wire: bytearray) -> None:
    """Make the sums of meters' frames inside right, where their start bytes and lengths are."""
    at = wire.find(0x68, 1)
    while 0 <= at <= len(wire) - 12:
        end = at + 12 + wire[at + 9]
        if wire[at + 7] == 0x68 and end <= len(wire):
            wire[end - 2 : end] = bytes((byte_sum(wire[at : end - 2]), 0x16))
            at = end - 1
        at = wire.find(0x68, at + 1)


# Frames made of what the tables know.


def _identifiers(table: Table) -> Iterator[tuple[int, str]]:
    """Yield the size and the pattern of every row."""
    return ((table.digits // 2, row.pattern) for row in table.rows)


_IDENTIFIERS = (*_identifiers(TABLE_2007), *_identifiers(TABLE_1997))
_METER_CODES = [function.code for function in (*FUNCTIONS_2007, *FUNCTIONS_1997)]
_READS = {4: (0x91, 0xB1, 0x92, 0xB2, 0x11, 0x14), 2: (0x81, 0xA1, 0x82, 0x01, 0x04)}


def _meter_frame(chance: Chance) -> bytes:
    """Return a frame with a known identifier, at any place of its axes or as a block."""
    size, pattern = chance.choice(_IDENTIFIERS)
    digits = "".join(chance.choice("000123F") if letter.islower() else letter for letter in pattern)
    identifier = bytes.fromhex(digits)[::-1]
    codes = _READS[size] if chance.random() < 0.8 else _METER_CODES
    control = chance.choice(codes) ^ chance.choice((0, 0, 0, 0x80, 0x20, 0x40))
    address = chance.choice(("000000000161", "AAAAAAAAAAAA", "999999999999", "AAAAAAAA0161"))
    return MeterFrame(address, control, (identifier + _content(chance, 200))[:255]).to_bytes()


def _profile_frame(chance: Chance) -> bytes:
    """Return load profile blocks with right sums around sections that mostly do not fit."""
    blocks = b""
    for _ in range(chance.randint(1, 3)):
        sections = [_content(chance, 30) for _ in range(chance.choice((6, 6, 6, 5, 7)))]
        time = bytes.fromhex("3008050624") if chance.random() < 0.8 else chance.randbytes(5)
        body = time + b"".join(section[:28] + b"\xaa" for section in sections)
        block = b"\xa0\xa0" + bytes((len(body),)) + body
        blocks += block + bytes((byte_sum(block), 0xE5))
    identifier = bytes((chance.randrange(3), 0, chance.randrange(8), 0x06))
    return MeterFrame("000000000161", 0x91, (identifier + blocks)[:255]).to_bytes()


def _content(chance: Chance, most: int) -> bytes:
    """Return bytes that are mostly decimal digits, with absent values and others in between."""
    data = bytearray()
    size = chance.randrange(most) if chance.random() < 0.3 else chance.randrange(24)
    while len(data) < size:
        kind = chance.random()
        if kind < 0.7:
            data.append(int(f"{chance.randrange(100):02d}", 16))
        elif kind < 0.85:
            data += bytes((chance.choice(_TELLING),)) * chance.randrange(1, 6)
        else:
            data += chance.randbytes(chance.randrange(1, 4))
    return bytes(data)


def _terminal_frame(chance: Chance) -> bytes:
    """Return a frame with known Fn, and data that mostly does not fit them."""
    afn = chance.choice(list(FUNCTIONS))
    data = b""
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        row = chance.choice(FUNCTIONS[afn])
        data += encode_identification(chance.choice((0, 0, 1, 9, 2040)), row.fn)
        data += _content(chance, 300)
    control = chance.choice((0x88, 0xC9, 0xA8, 0x4B, 0x00, 0xE4))
    seq = chance.choice((0x60, 0x70, 0xE0, 0x40, 0x20, 0x00)) | chance.randrange(16)
    frame = TerminalFrame(control, Address("0200", 0x1234, chance.randrange(128)), afn, seq, data)
    return frame.to_bytes()


def _object_frame(chance: Chance) -> bytes:
    """Return a frame whose APDU has a known tag, or a known object in place of its own."""
    frame = chance.choice(_OBJECT_FRAMES)
    apdu = bytearray(frame.apdu)
    if chance.random() < 0.4:
        service = chance.choice(SERVICES)
        apdu[:2] = chance.choice([one.TAG for one in service.choices.values()])
    if len(apdu) > 8:
        oad = chance.choice(OBJECTS).oi.to_bytes(2, "big") + bytes(
            (chance.choice((0, 2, 2, 3, 4, 0x40, 0x81)), chance.choice((0, 0, 1, 2, 5, 255)))
        )
        at = chance.choice((3, 4, chance.randrange(len(apdu))))
        apdu[at : at + 4] = oad
    if chance.random() < 0.5:
        chance.choice(_MUTATIONS)(chance, apdu)
    made = ObjectFrame(frame.control, frame.server, frame.client, bytes(apdu), frame.word)
    return made.to_bytes()


def _pieces(chance: Chance) -> bytes:
    """Return an APDU in split frames, one of which may be lost, doubled or out of its place."""
    frame = chance.choice([one for one in _OBJECT_FRAMES if len(one.apdu) > 8 and one.word is None])
    whole = frame.to_bytes()
    pieces = list(split(frame, len(whole) - 2 - chance.randrange(3, len(frame.apdu) - 2)))
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(pieces))
        pieces[at : at + chance.choice((0, 1))] = chance.choices(pieces, k=chance.randint(1, 2))
    return b"".join(piece.to_bytes() for piece in pieces)


def _blocks(chance: Chance) -> bytes:
    """Return an answer to GET in blocks: some numbers are wrong, any block may claim to be last."""
    frame = chance.choice([one for one in _OBJECT_FRAMES if one.apdu[:2] in _BLOCK_HEADS])
    content = _BLOCK_HEADS[frame.apdu[:2]] + frame.apdu[3:]
    wire = b""
    for number in range(chance.randint(1, 4)):
        block = number if chance.random() < 0.9 else chance.randrange(3)
        apdu = b"\x85\x05\x01%c\x00%c" % (chance.random() < 0.2, block) + content
        wire += ObjectFrame(frame.control, frame.server, frame.client, apdu).to_bytes()
    return wire


# How a block begins that holds the same as an answer: its choice, and one or several results.
_BLOCK_HEADS = {b"\x85\x01": b"\x01\x01", b"\x85\x02": b"\x01", b"\x85\x03": b"\x02\x01"}
_CORPUS = corpus()
_OBJECT_FRAMES = [
    ObjectFrame.from_bytes(bytes.fromhex(entry["hex"]))
    for entry in _read("dlt698_45.json")["frames"]
]
_MAKERS = (
    _meter_frame, _meter_frame, _profile_frame, _terminal_frame, _terminal_frame, _object_frame,
    _object_frame, _pieces, _blocks,
)  # fmt: skip
