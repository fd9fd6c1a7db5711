"""The rows of the object tables: what attributes hold, in what unit, with how many decimals."""

from dataclasses import dataclass, field
from enum import Enum

from station.words import Text

from .data import DataType

# The second byte of a Scaler_Unit. 10 is the currency of the country.
UNITS = {
    6: "min",
    7: "s",
    9: "°C",
    10: "yuan",
    27: "W",
    28: "kW",
    29: "VA",
    30: "kVA",
    31: "var",
    32: "kvar",
    33: "kWh",
    34: "kVAh",
    35: "kvarh",
    36: "A",
    38: "V",
    47: "Hz",
    51: "%",
    53: "dBm",
    54: "yuan/kWh",
    55: "Ah",
    56: "ms",
    255: "",
}


@dataclass(frozen=True, slots=True)
class Value:
    """One value; a number is in units of its last decimal."""

    type: DataType
    unit: str = ""
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Secret:
    """A password: never shown."""


@dataclass(frozen=True, slots=True)
class Array:
    """Any number of the same."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class Structure:
    """Values that belong together, in this order."""

    parts: tuple["Shape", ...]


Shape = Value | Secret | Array | Structure


class Axis(Enum):
    """What the elements of an array are, counted from 1 as in the index of an OAD."""

    NONE = "none"
    TARIFFS = "total, then tariffs"
    PHASES = "phases"
    TOTAL_AND_PHASES = "total, then phases"
    RECORDS = "the last record, the one before it ..."
    PORTS = "ports of a kind"


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object: what its attributes hold as far as known, and what its methods are called."""

    oi: int
    name: Text
    shapes: dict[int, Shape] = field(default_factory=dict)
    axis: Axis = Axis.NONE
    attributes: dict[int, Text] = field(default_factory=dict)
    methods: dict[int, Text] = field(default_factory=dict)
    arguments: dict[int, Shape] = field(default_factory=dict)  # Of methods, as far as known.


def array(value_type: DataType, unit: str = "", decimals: int = 0) -> dict[int, Shape]:
    """Return the shapes of an object whose attribute 2 is an array of one kind of value."""
    return {2: Array(Value(value_type, unit, decimals))}


def single(value_type: DataType, unit: str = "", decimals: int = 0) -> dict[int, Shape]:
    """Return the shapes of an object whose attribute 2 is one value."""
    return {2: Value(value_type, unit, decimals)}
