"""The settings of a serial line: of a port of ours, or of one behind a terminal."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

Parity = Literal["E", "O", "N"]

# AFN10 F1, control byte D7-D5: the speeds a terminal can be told, in the order of their codes.
FORWARD_SPEEDS = (300, 600, 1200, 2400, 4800, 7200, 9600, 19200)

SPEED_MAX = 921_600  # The fastest serial port in common use.

_TEXT = re.compile(r"([1-9][0-9]{2,5})[ ,]+([5-8])([EON])([12])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Speed in bit/s, parity (E even, O odd, N none), data bits 5 to 8, stop bits 1 or 2."""

    speed: int
    parity: Parity
    data_bits: int
    stop_bits: int

    def __post_init__(self) -> None:
        if not 0 < self.speed <= SPEED_MAX:
            raise ValueError(f"speed must be 1..{SPEED_MAX} bit/s, got {self.speed}")
        if self.parity not in ("E", "O", "N"):
            raise ValueError(f"parity must be E, O or N, got {self.parity!r}")
        if not 5 <= self.data_bits <= 8:
            raise ValueError(f"data bits must be 5..8, got {self.data_bits}")
        if self.stop_bits not in (1, 2):
            raise ValueError(f"stop bits must be 1 or 2, got {self.stop_bits}")

    @staticmethod
    def parse(text: str) -> "LineSettings":
        """Return the settings written as "2400 8E1". Raises ValueError if they are not."""
        return _parse(text)

    @property
    def text(self) -> str:
        """Return the settings as `parse` reads them."""
        return f"{self.speed} {self.data_bits}{self.parity}{self.stop_bits}"

    def control_byte(self) -> int:
        """Return the line control byte of AFN10 F1. Raises ValueError for other speeds."""
        if self.speed not in FORWARD_SPEEDS:
            allowed = ", ".join(map(str, FORWARD_SPEEDS))
            raise ValueError(f"a terminal forwards at {allowed} bit/s, not at {self.speed}")
        return (
            FORWARD_SPEEDS.index(self.speed) << 5
            | (self.stop_bits == 2) << 4
            | (self.parity != "N") << 3
            | (self.parity == "O") << 2
            | self.data_bits - 5
        )

    @classmethod
    def from_control_byte(cls, control: int) -> "LineSettings":
        """Return the settings that `control_byte` packed."""
        parity: Parity = "N" if not control & 0x08 else "O" if control & 0x04 else "E"
        stop_bits = 2 if control & 0x10 else 1
        return cls(FORWARD_SPEEDS[control >> 5], parity, 5 + (control & 0x03), stop_bits)


@lru_cache(maxsize=256)  # Thousands of meters share a few settings.
def _parse(text: str) -> LineSettings:
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'line settings are written like "2400 8E1", got {text!r}')
    speed, data_bits, parity, stop_bits = found.groups()
    return LineSettings(int(speed), cast(Parity, parity.upper()), int(data_bits), int(stop_bits))
