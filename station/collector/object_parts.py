"""How an attribute of DL/T 698.45 is made of fields: a `Data` taken apart into texts, and made.

Pure. A part reads its place in the `Data`. What is never shown - a password, what a maker hangs on
behind - stays as the device has it: `held` is what the device said last, as far as that is known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from station.collector.object_forms import Form
from station.collector.parameter_texts import TEXT_SIZE_MAX, FieldSpec
from station.errors import InvalidValue
from station.protocols.dlt698.data import BitString, Data, DataType
from station.protocols.dlt698.identifiers import Oad, Omd
from station.words import Text

Texts = Mapping[str, str]
Choices = tuple[tuple[str, Text], ...]


class Part(Protocol):
    """One place in a `Data`."""

    def fields(self) -> Iterator[FieldSpec]:
        """Yield its fields in their order."""
        ...

    def texts(self, data: Data) -> dict[str, str]:
        """Return its fields as texts. Raises ValueError for what is not of this shape."""
        ...

    def data(self, texts: Texts, number: int, held: Data | None) -> Data:
        """Return it with these texts, in the entry of this number. Raises InvalidValue."""
        ...

    def normal(self, texts: Texts) -> dict[str, str]:
        """Return those of its fields that are there as a device would tell them.

        Raises InvalidValue that names the field.
        """
        ...

    def may_be_empty(self) -> Iterator[str]:
        """Yield the fields that a device may hold empty."""
        ...

    def keeps(self) -> bool:
        """Tell whether `data` has to know what the device holds."""
        ...


@dataclass(frozen=True, slots=True)
class One:
    """One field."""

    key: str
    name: Text
    form: Form
    unit: str = ""
    choices: Choices = ()

    def fields(self) -> Iterator[FieldSpec]:
        example = "" if self.choices else self.form.example
        yield FieldSpec(self.key, self.name, self.unit, self.choices, example)

    def texts(self, data: Data) -> dict[str, str]:
        return {self.key: self.form.text(data)}

    def data(self, texts: Texts, _number: int, _held: Data | None) -> Data:
        return self._data(texts.get(self.key, ""))

    def normal(self, texts: Texts) -> dict[str, str]:
        text = texts.get(self.key, "").strip()
        return {self.key: self.form.text(self._data(text))} if text else {}

    def may_be_empty(self) -> Iterator[str]:
        if self.form.may_be_empty:
            yield self.key

    def keeps(self) -> bool:
        return False

    def _data(self, text: str) -> Data:
        text = text.strip()
        if len(text) > TEXT_SIZE_MAX:
            raise InvalidValue(self.key, f"a value has at most {TEXT_SIZE_MAX} characters")
        try:
            return self.form.data(text)
        except (ValueError, OverflowError):
            hint = f", such as {self.form.example}" if self.form.example else ""
            raise InvalidValue(self.key, f"the text {text!r} does not fit{hint}") from None


@dataclass(frozen=True, slots=True)
class Parts:
    """A structure."""

    inside: tuple[Part, ...]

    def fields(self) -> Iterator[FieldSpec]:
        for part in self.inside:
            yield from part.fields()

    def texts(self, data: Data) -> dict[str, str]:
        if data.type is not DataType.STRUCTURE or len(data.value) < len(self.inside):
            raise ValueError("no structure of this many parts")
        found: dict[str, str] = {}
        for part, one in zip(self.inside, data.value, strict=False):
            found |= part.texts(one)
        return found

    def data(self, texts: Texts, number: int, held: Data | None) -> Data:
        known = held.value if held is not None and held.type is DataType.STRUCTURE else ()
        made = [
            part.data(texts, number, known[place] if place < len(known) else None)
            for place, part in enumerate(self.inside)
        ]
        return Data(DataType.STRUCTURE, (*made, *known[len(made) :]))

    def normal(self, texts: Texts) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in self.inside:
            found |= part.normal(texts)
        return found

    def may_be_empty(self) -> Iterator[str]:
        for part in self.inside:
            yield from part.may_be_empty()

    def keeps(self) -> bool:
        return any(part.keeps() for part in self.inside)


@dataclass(frozen=True, slots=True)
class Place:
    """The number of an entry in its list: part of the code, and no field."""

    type: DataType

    def fields(self) -> Iterator[FieldSpec]:
        return iter(())

    def texts(self, _data: Data) -> dict[str, str]:
        return {}

    def data(self, _texts: Texts, number: int, _held: Data | None) -> Data:
        return Data(self.type, number)

    def normal(self, _texts: Texts) -> dict[str, str]:
        return {}

    def may_be_empty(self) -> Iterator[str]:
        return iter(())

    def keeps(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Kept:
    """What is never shown: the device keeps what it has; `first` is for one that has none."""

    first: Data

    def fields(self) -> Iterator[FieldSpec]:
        return iter(())

    def texts(self, _data: Data) -> dict[str, str]:
        return {}

    def data(self, _texts: Texts, _number: int, held: Data | None) -> Data:
        return self.first if held is None else held

    def normal(self, _texts: Texts) -> dict[str, str]:
        return {}

    def may_be_empty(self) -> Iterator[str]:
        return iter(())

    def keeps(self) -> bool:
        return True


_TIMEOUT, _REPEATS = "timeout", "repeats"
_REPEAT_BITS = 2
_REPEATS_MAX, _TIMEOUT_MAX = 0x03, 0x3F


@dataclass(frozen=True, slots=True)
class TimeoutAndRepeats:
    """One byte: bits 7 to 2 a time-out in s, bits 1 and 0 how often something is repeated.

    The standard says bit-string, many devices hold an unsigned: what the device has is sent back.
    """

    usual: DataType = field(default=DataType.BIT_STRING)

    def fields(self) -> Iterator[FieldSpec]:
        yield FieldSpec(_TIMEOUT, Text("Time-out", "超时时间"), "s")
        yield FieldSpec(_REPEATS, Text("Repeats", "重发次数"))

    def texts(self, data: Data) -> dict[str, str]:
        if data.type is DataType.BIT_STRING and data.value.size == 8:
            byte = data.value.data[0]
        elif data.type is DataType.UNSIGNED:
            byte = data.value
        else:
            raise ValueError("neither bits nor a number")
        return {_TIMEOUT: str(byte >> _REPEAT_BITS), _REPEATS: str(byte & _REPEATS_MAX)}

    def data(self, texts: Texts, _number: int, held: Data | None) -> Data:
        repeats = _small(_REPEATS, texts, _REPEATS_MAX)
        byte = _small(_TIMEOUT, texts, _TIMEOUT_MAX) << _REPEAT_BITS | repeats
        if (self.usual if held is None else held.type) is DataType.UNSIGNED:
            return Data(DataType.UNSIGNED, byte)
        return Data(DataType.BIT_STRING, BitString(8, bytes((byte,))))

    def normal(self, texts: Texts) -> dict[str, str]:
        found = {}
        for key, most in ((_TIMEOUT, _TIMEOUT_MAX), (_REPEATS, _REPEATS_MAX)):
            if texts.get(key, "").strip():
                found[key] = str(_small(key, texts, most))
        return found

    def may_be_empty(self) -> Iterator[str]:
        return iter(())

    def keeps(self) -> bool:
        return True


def _small(key: str, texts: Texts, most: int) -> int:
    text = texts.get(key, "").strip()
    if not (text.isascii() and text.isdecimal()):
        raise InvalidValue(key, f"the text {text!r} does not fit")
    if int(text) > most:
        raise InvalidValue(key, f"{int(text)} is not in 0..{most}")
    return int(text)


@dataclass(frozen=True, slots=True)
class ObjectParameter:
    """One attribute that is set from here, or one list whose entries are.

    `add` is the method that takes entries, `together` how many at once. `defaults` are values of
    fields that nobody wants and that no device has told.
    """

    oad: Oad
    part: Part
    help: Text
    add: Omd | None = None
    together: int = 1
    most: int = 0
    defaults: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_list(self) -> bool:
        """Tell whether its entries are parameters of their own."""
        return self.add is not None


def choices(*words: tuple[int, str, str]) -> Choices:
    """Return the meanings of numbers: number, English, Chinese."""
    return tuple((str(number), Text(english, chinese)) for number, english, chinese in words)
