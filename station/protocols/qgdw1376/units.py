"""Data units and their identification DA DT (digest, section 5).

    DA1 bits, DA2 group from 1     pn = (DA2 - 1) * 8 + bit + 1; 00 00 is p0, the terminal
    DT1 bits, DT2 group from 0     Fn = DT2 * 8 + bit + 1

Several bits may be set: then the units follow with all Fn of the lowest pn, then of the next.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from station.protocols.qgdw1376.formats import Octets, Value
from station.protocols.qgdw1376.frame import IDENTIFICATION_SIZE

POINT_MAX = 2040
FUNCTION_MAX = 248
GROUP_MAX = 30  # Of DT2; more is not defined.


@dataclass(frozen=True, slots=True)
class DataUnit:
    """What one Fn of one pn carries; pn 0 is the terminal itself."""

    pn: int
    fn: int
    data: bytes = b""


def encode_identification(pn: int, fn: int) -> bytes:
    """Return the 4 bytes of one pn and one Fn. Raises ValueError if they do not fit."""
    if not 0 <= pn <= POINT_MAX:
        raise ValueError(f"pn must be 0..{POINT_MAX}, got {pn}")
    if not 1 <= fn <= FUNCTION_MAX:
        raise ValueError(f"Fn must be 1..{FUNCTION_MAX}, got {fn}")
    group, bit = divmod(fn - 1, 8)
    if pn == 0:
        return bytes((0, 0, 1 << bit, group))
    point_group, point_bit = divmod(pn - 1, 8)
    return bytes((1 << point_bit, point_group + 1, 1 << bit, group))


def decode_identification(raw: bytes) -> tuple[tuple[int, int], ...]:
    """Return the (pn, Fn) of 4 bytes, in the order of their units.

    There are none when a terminal cleared every bit. Raises ValueError if the bytes mean nothing.
    """
    if len(raw) < IDENTIFICATION_SIZE:
        raise ValueError("too short for a data unit identification")
    point_bits, point_group, function_bits, function_group = raw
    if point_bits and not point_group:
        raise ValueError(f"DA {raw[:2].hex(' ').upper()} names a point in no group")
    if function_group > GROUP_MAX:
        raise ValueError(f"DT2 {function_group} is above {GROUP_MAX}")
    points = [0] if not point_group else _numbers(point_bits, (point_group - 1) * 8)
    functions = _numbers(function_bits, function_group * 8)
    return tuple((pn, fn) for pn in points for fn in functions)


def _numbers(bits: int, below: int) -> list[int]:
    return [below + bit + 1 for bit in range(8) if bits >> bit & 1]


class Identification(Octets):
    """DA and DT as a value inside a data unit: their hex digits, in words "p1 F33"."""

    def __init__(self) -> None:
        super().__init__(IDENTIFICATION_SIZE)

    def words(self, value: Value) -> str:
        """Return every pn and Fn, or the hex digits if they mean nothing."""
        try:
            pairs = decode_identification(bytes.fromhex(str(value)))
        except ValueError:
            return str(value)
        return ", ".join(f"p{pn} F{fn}" for pn, fn in pairs)


IDENTIFICATION = Identification()


@dataclass(frozen=True, slots=True)
class Split:
    """The units of a frame as far as their layouts are known; `rest` is everything behind.

    `cleared` holds the identifications in between whose bits a terminal cleared: no unit follows.
    """

    units: tuple[DataUnit, ...]
    cleared: tuple[bytes, ...] = ()
    rest: bytes = b""
    reason: str = ""  # Why there is a rest.


def split(data: bytes, measure: Callable[[int, bytes], int]) -> Split:
    """Return the units that a frame's data holds.

    `measure(fn, data)` returns the size of the unit that the data begins with and raises ValueError
    when it cannot tell. Nothing behind such a unit is guessed: its size is not known.
    """
    units: list[DataUnit] = []
    cleared: list[bytes] = []
    at = 0
    while at < len(data):
        identification = data[at : at + IDENTIFICATION_SIZE]
        end = at + IDENTIFICATION_SIZE
        try:
            pairs = decode_identification(identification)
            for pn, fn in pairs:
                size = measure(fn, data[end:])
                units.append(DataUnit(pn, fn, data[end : end + size]))
                end += size
                at = end  # What was read stays read if the next unit cannot be.
        except ValueError as error:
            return Split(tuple(units), tuple(cleared), data[at:], str(error))
        if not pairs:
            cleared.append(identification)
        at = end
    return Split(tuple(units), tuple(cleared))


def join(units: Iterable[DataUnit]) -> bytes:
    """Return the data of a frame, each unit with an identification of its own."""
    return b"".join(encode_identification(unit.pn, unit.fn) + unit.data for unit in units)
