"""Transparent forwarding, AFN10 F1 (digest, section 15): a meter's frame inside a terminal's frame.

down  port 1 | line control 1 | frame timeout 1 | byte timeout 1 | k 2 | k bytes | PW
up    port 1 | k 2 | k bytes
"""

import struct

from station.protocols.line import LineSettings
from station.protocols.qgdw1376.confirmation import deny, is_denial
from station.protocols.qgdw1376.frame import (
    FORWARDING,
    IDENTIFICATION_SIZE,
    PASSWORD_SIZE,
    SEQUENCE_MASK,
    SINGLE,
    Address,
    Frame,
)

__all__ = [
    "deny",
    "forward_answer",
    "forward_request",
    "forwarded_line",
    "forwarded_port",
    "inner_bytes",
    "is_denial",
]

FORWARD_CONTROL = 0x4B
ANSWER_CONTROL = 0x88
NO_PASSWORD = bytes(PASSWORD_SIZE)

IN_SECONDS = 0x80  # Frame timeout D7: the value counts seconds, else 10 ms.
FRAME_TIMEOUT_MAX_S = 127
BYTE_TIMEOUT_MAX_MS = 2550

_TRANSPARENT = b"\x00\x00\x01\x00"  # p0 F1
_DOWN = struct.Struct("<BBBBH")
_UP = struct.Struct("<BH")


def forward_request(
    address: Address,
    port: int,
    line: LineSettings,
    inner: bytes,
    *,
    frame_timeout_s: int,
    byte_timeout_ms: int,
    sequence: int,
    master: int,
    password: bytes = NO_PASSWORD,
) -> Frame:
    """Return the frame that lets a terminal put `inner` on a line and wait for the answer.

    Raises ValueError if a timeout or the line does not fit the fields.
    """
    if not 0 < frame_timeout_s <= FRAME_TIMEOUT_MAX_S:
        raise ValueError(f"frame timeout must be 1..{FRAME_TIMEOUT_MAX_S} s, got {frame_timeout_s}")
    if not 0 < byte_timeout_ms <= BYTE_TIMEOUT_MAX_MS:
        raise ValueError(f"byte timeout must be 1..{BYTE_TIMEOUT_MAX_MS} ms, got {byte_timeout_ms}")
    head = _DOWN.pack(
        port,
        line.control_byte(),
        IN_SECONDS | frame_timeout_s,
        -(-byte_timeout_ms // 10),
        len(inner),
    )
    return Frame(
        FORWARD_CONTROL,
        address.with_master(master),
        FORWARDING,
        SINGLE | sequence & SEQUENCE_MASK,
        _TRANSPARENT + head + inner,
        password,
    )


def forward_answer(request: Frame, inner: bytes) -> Frame:
    """Return what a terminal answers to a forward request: `inner` is what came from the line."""
    head = _UP.pack(request.data[IDENTIFICATION_SIZE], len(inner))
    return Frame(
        ANSWER_CONTROL,
        request.address,
        FORWARDING,
        SINGLE | request.sequence,
        _TRANSPARENT + head + inner,
    )


def inner_bytes(frame: Frame) -> bytes | None:
    """Return what is forwarded, down or up; None if the frame forwards nothing.

    k decides, not the password size: that one is a setting and may be wrong. Fewer bytes than k are
    returned when fewer came.
    """
    if not _is_transparent(frame):
        return None
    head = _UP if frame.from_terminal else _DOWN
    start = IDENTIFICATION_SIZE + head.size
    if len(frame.data) < start:
        return None
    size: int = head.unpack_from(frame.data, IDENTIFICATION_SIZE)[-1]
    return (frame.data + frame.password)[start : start + size]


def forwarded_port(frame: Frame) -> int | None:
    """Return the port of a frame that forwards, or None."""
    if not _is_transparent(frame) or len(frame.data) <= IDENTIFICATION_SIZE:
        return None
    return frame.data[IDENTIFICATION_SIZE]


def forwarded_line(frame: Frame) -> LineSettings | None:
    """Return the line settings of a forward request, or None."""
    if not _is_transparent(frame) or frame.from_terminal:
        return None
    control_at = IDENTIFICATION_SIZE + 1
    if len(frame.data) <= control_at:
        return None
    return LineSettings.from_control_byte(frame.data[control_at])


def _is_transparent(frame: Frame) -> bool:
    return frame.afn == FORWARDING and frame.data[:IDENTIFICATION_SIZE] == _TRANSPARENT
