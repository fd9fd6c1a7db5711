"""Values of DL/T 698.45 as texts that people read and type, and back. Pure.

A form is one field: `text` of a `Data`, and the `Data` of a text. Entries of a list are parted by
semicolons, the parts of such an entry by a sign of their own: "10.0.0.1:7001; 10.0.0.2:7001".
Both raise ValueError for what does not fit; a device may have put another type where the standard
says one, and is then shown as it is, in hex.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from ipaddress import IPv4Address
from typing import Protocol

from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.identifiers import Oad, Ti, Tsa
from station.protocols.dlt698.moments import DateTimeS, Time
from station.protocols.dlt698.values import visible_text

BETWEEN_ENTRIES = ";"
ENTRIES_MAX = 250  # An A-XDR array of small devices counts in one byte.
LETTERS_MAX = 64  # Of a visible-string; the longest of the standard is 32.

INTERVALS = ("s", "min", "h", "day", "month", "year")  # The units of a TI, by number.
_INTERVAL = re.compile(r"(\d{1,5})\s*(s|min|h|day|month|year)")


class Form(Protocol):
    """One field of a parameter on the wire and as a text."""

    @property
    def example(self) -> str:
        """Return how such a text looks, where that has to be said."""
        ...

    @property
    def may_be_empty(self) -> bool:
        """Tell whether an empty text is a value."""
        ...

    def text(self, data: Data) -> str:
        """Return a value as a text. Raises ValueError for one of another type."""
        ...

    def data(self, text: str) -> Data:
        """Return a text as a value. Raises ValueError."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number, or one with decimals that is sent as its multiple; an enumeration."""

    type: DataType = DataType.UNSIGNED
    decimals: int = 0
    example: str = ""
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, self.type)
        return f"{Decimal(data.value).scaleb(-self.decimals):f}"

    def data(self, text: str) -> Data:
        try:
            scaled = Decimal(text).scaleb(self.decimals)
            if scaled != scaled.to_integral_value():
                raise ValueError(text)
        except InvalidOperation:
            raise ValueError(text) from None
        found = Data(self.type, int(scaled))
        found.write()  # Raises ValueError for a number that the type does not hold.
        return found


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes (1) or no (0)."""

    example: str = ""
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.BOOL)
        return "1" if data.value else "0"

    def data(self, text: str) -> Data:
        if text not in ("0", "1"):
            raise ValueError(text)
        return Data(DataType.BOOL, text == "1")


@dataclass(frozen=True, slots=True)
class Letters:
    """A text of ASCII letters and signs, as an APN is one."""

    example: str = ""
    may_be_empty: bool = True

    def text(self, data: Data) -> str:
        expect(data, DataType.VISIBLE_STRING)
        return visible_text(data.value)

    def data(self, text: str) -> Data:
        if len(text) > LETTERS_MAX or not (text.isascii() and text.isprintable()):
            raise ValueError(text)
        return Data(DataType.VISIBLE_STRING, text)


@dataclass(frozen=True, slots=True)
class Host:
    """An IPv4 address of four bytes; no byte where there is none."""

    example: str = "203.0.113.9"
    may_be_empty: bool = True

    def text(self, data: Data) -> str:
        expect(data, DataType.OCTET_STRING)
        return str(IPv4Address(data.value)) if data.value else ""

    def data(self, text: str) -> Data:
        return Data(DataType.OCTET_STRING, IPv4Address(text).packed if text else b"")


@dataclass(frozen=True, slots=True)
class Digits:
    """An octet-string, in hex digits."""

    example: str = ""
    may_be_empty: bool = True

    def text(self, data: Data) -> str:
        expect(data, DataType.OCTET_STRING)
        return str(data.value.hex().upper())

    def data(self, text: str) -> Data:
        return Data(DataType.OCTET_STRING, bytes.fromhex(text))


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a meter or a collector, in hex digits."""

    example: str = "202601000001"
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.TSA)
        return str(data.value.address)

    def data(self, text: str) -> Data:
        return Data(DataType.TSA, Tsa.of(text))


@dataclass(frozen=True, slots=True)
class Object:
    """An OAD, in eight hex digits."""

    example: str = "45000200"
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.OAD)
        return str(data.value.text)

    def data(self, text: str) -> Data:
        return Data(DataType.OAD, oad_of(text))


@dataclass(frozen=True, slots=True)
class Interval:
    """A TI: "15 min"."""

    example: str = "15 min"
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.TI)
        if data.value.unit >= len(INTERVALS):
            raise ValueError(f"unit {data.value.unit}")
        return f"{data.value.count} {INTERVALS[data.value.unit]}"

    def data(self, text: str) -> Data:
        found = _INTERVAL.fullmatch(text)
        if found is None:
            raise ValueError(text)
        value = Data(DataType.TI, Ti(INTERVALS.index(found[2]), int(found[1])))
        value.write()
        return value


@dataclass(frozen=True, slots=True)
class Moment:
    """A local date and time, to the second."""

    example: str = "2026-01-31 00:00:00"
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.DATE_TIME_S)
        return str(data.value.text).replace("T", " ")

    def data(self, text: str) -> Data:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            raise ValueError(text)
        return Data(DataType.DATE_TIME_S, DateTimeS.of(moment))


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A time of day."""

    example: str = "01:30:00"
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.TIME)
        return str(data.value.text)

    def data(self, text: str) -> Data:
        return Data(DataType.TIME, Time.of(time.fromisoformat(text)))


@dataclass(frozen=True, slots=True)
class Several:
    """An array of what another form reads."""

    form: Form
    may_be_empty: bool = True

    @property
    def example(self) -> str:
        """Return one entry, and that more may follow."""
        return f"{self.form.example or '1'}; …"

    def text(self, data: Data) -> str:
        expect(data, DataType.ARRAY)
        return f"{BETWEEN_ENTRIES} ".join(map(self.form.text, data.value))

    def data(self, text: str) -> Data:
        entries = [each.strip() for each in text.split(BETWEEN_ENTRIES) if each.strip()]
        if len(entries) > ENTRIES_MAX:
            raise ValueError(f"{len(entries)} entries")
        return Data(DataType.ARRAY, tuple(map(self.form.data, entries)))


@dataclass(frozen=True, slots=True)
class Pair:
    """A structure in one text, such as "203.0.113.9:7001"."""

    forms: tuple[Form, ...]
    sign: str = ":"
    may_be_empty: bool = False

    @property
    def example(self) -> str:
        """Return the examples of its parts."""
        return self.sign.join(each.example or "0" for each in self.forms)

    def text(self, data: Data) -> str:
        expect(data, DataType.STRUCTURE)
        parts = zip(self.forms, data.value, strict=True)
        return self.sign.join(form.text(part) for form, part in parts)

    def data(self, text: str) -> Data:
        parts = zip(self.forms, text.split(self.sign), strict=True)
        return Data(DataType.STRUCTURE, tuple(form.data(part.strip()) for form, part in parts))


def oad_of(text: str) -> Oad:
    """Return the object that eight hex digits name. Raises ValueError."""
    digits = text.strip()
    if len(digits) != 8:
        raise ValueError(text)
    return Oad.from_text(digits)


def expect(data: Data, data_type: DataType) -> None:
    """Raise ValueError unless a value is of this type."""
    if data.type is not data_type:
        raise ValueError(f"a {data.type.name} in place of a {data_type.name}")
