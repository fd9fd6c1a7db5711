"""Parameters as pages and JSON show them: wanted beside held, field by field, in words."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel

from station.collector.parameter_dialects import (
    Dialect,
    dialects_of,
    follows_archive,
    spec_of,
)
from station.collector.parameter_texts import FieldSpec, ParameterSpec
from station.errors import InvalidValue
from station.handlers.download import Column
from station.handlers.language import Language
from station.handlers.marking import N_
from station.store.objects.parameters import DeviceKind, Parameter, ParameterState, Values
from station.words import Text

STATE_NAMES: Mapping[ParameterState, Text] = {
    "different": Text("different", "不一致"),
    "refused": Text("no value", "无值"),
    "unread": Text("not read yet", "未读取"),
    "same": Text("as wanted", "一致"),
    "held": Text("nothing wanted", "无期望值"),
}
KIND_NAMES: Mapping[DeviceKind, Text] = {
    "terminal": Text("terminal", "终端"),
    "meter": Text("meter", "电能表"),
}
_UNITS = {"min": Text("min", "分"), "s": Text("s", "秒"), "yuan": Text("yuan", "元"),
          "yuan/kWh": Text("yuan/kWh", "元/kWh")}  # fmt: skip


class FieldView(BaseModel):
    """One field; `wanted` and `held` are what is typed and told, the words what that means."""

    key: str
    name: str
    unit: str
    wanted: str
    held: str
    wanted_words: str
    held_words: str
    differs: bool
    choices: list[tuple[str, str]]
    example: str


class ParameterView(BaseModel):
    """One parameter of one device; `problem` is why the device gave no value at the last read.

    With `follows_archive` what is wanted is what the archive says, and nobody else.
    """

    device: str
    kind: DeviceKind
    device_name: str = ""
    code: str
    name: str
    help: str
    source: str
    state: ParameterState
    fields: list[FieldView]
    wanted: dict[str, str]
    held: dict[str, str]
    follows_archive: bool
    wanted_by: str
    wanted_at: datetime | None
    held_at: datetime | None
    problem: str


class ParameterList(BaseModel):
    """A page of parameters; `counts` are of all that are known, whatever the filter."""

    items: list[ParameterView]
    total: int
    counts: dict[str, int] = {}


COLUMNS = (
    Column[ParameterView](N_("Device"), lambda row: row.device, sort="device"),
    Column[ParameterView](N_("Name"), lambda row: row.device_name, within="device"),
    Column[ParameterView](N_("Kind"), lambda row: KIND_NAMES[row.kind], more=True),
    Column[ParameterView](N_("Code"), lambda row: row.code, within="parameter"),
    Column[ParameterView](N_("Parameter"), lambda row: row.name),
    Column[ParameterView](
        N_("State"), lambda row: STATE_NAMES[row.state], sort="state", look="nowrap"
    ),
    Column[ParameterView](
        N_("Wanted"), lambda row: line_of(row.fields, "wanted_words"), look="small"
    ),
    Column[ParameterView](
        N_("Held by the device"), lambda row: line_of(row.fields, "held_words"), look="small"
    ),
    Column[ParameterView](N_("Read at"), lambda row: row.held_at, look="nowrap small only-wide"),
    Column[ParameterView](N_("Problem"), lambda row: row.problem, within="held_by_the_device"),
)


def line_of(fields: Sequence[FieldView], which: str) -> str:
    """Return the fields that have a text, in one line."""
    told = [(field.name, getattr(field, which), field.unit) for field in fields]
    told = [each for each in told if each[1]]
    if len(fields) == 1:
        return told[0][1] if told else ""
    return "; ".join(f"{name}: {text} {unit}".rstrip() for name, text, unit in told)


def parameter_view(
    parameter: Parameter, language: Language, device_name: str = ""
) -> ParameterView:
    """Return a parameter in words; one that is no longer in the catalogue names itself."""
    try:
        spec = spec_of(parameter.kind, parameter.code)
    except InvalidValue:
        name = Text(parameter.code, parameter.code)
        spec = ParameterSpec(parameter.code, name, (), Text("", ""), "")
    return ParameterView(
        device=parameter.device,
        kind=parameter.kind,
        device_name=device_name,
        code=parameter.code,
        name=language.name(spec.name),
        help=language.name(spec.help),
        source=spec.source,
        state=parameter.state,
        fields=field_views(spec, parameter.wanted, parameter.held, language),
        wanted=dict(parameter.wanted),
        held=dict(parameter.held),
        follows_archive=follows_archive(parameter.kind, parameter.code),
        wanted_by=parameter.wanted_by,
        wanted_at=parameter.wanted_at,
        held_at=parameter.held_at,
        problem=language.sentence(parameter.problem),
    )


def field_views(
    spec: ParameterSpec, wanted: Values, held: Values, language: Language
) -> list[FieldView]:
    """Return the fields of a parameter with what is wanted and what is held there."""
    return [
        FieldView(
            key=field.key,
            name=language.name(field.name),
            unit=language.name(_UNITS.get(field.unit, Text(field.unit, field.unit))),
            wanted=wanted.get(field.key, ""),
            held=held.get(field.key, ""),
            wanted_words=words_of(field, wanted.get(field.key, ""), language),
            held_words=words_of(field, held.get(field.key, ""), language),
            differs=field.key in wanted and bool(held) and wanted[field.key] != held.get(field.key),
            choices=[(key, language.name(words)) for key, words in field.choices],
            example=field.example,
        )
        for field in spec.fields
    ]


def words_of(field: FieldSpec, text: str, language: Language) -> str:
    """Return what a value means, where its number has a meaning."""
    meaning = dict(field.choices).get(text)
    return text if meaning is None else language.name(meaning)


class Choice(BaseModel):
    """A parameter that can be chosen; with `numbered` a number follows behind its code."""

    code: str
    name: str
    numbered: bool


def choices_of(dialects: Sequence[Dialect], language: Language) -> list[Choice]:
    """Return the parameters that may be chosen; lists of meters follow the archive."""
    found = []
    for dialect in dialects:
        for offer in dialect.offers:
            name = language.name(dialect.spec(offer.example).name)
            if offer.numbered:
                name = name.removesuffix(", 1").removesuffix("（1）")
            found.append(Choice(code=offer.code, name=name, numbered=offer.numbered))
    return found


def numbered_code(kind: DeviceKind, code: str, number: str) -> str:
    """Return a chosen code, with its number if it takes one."""
    offers = (offer for dialect in dialects_of(kind) for offer in dialect.offers)
    return (
        f"{code}.{number}" if any(each.numbered for each in offers if each.code == code) else code
    )
