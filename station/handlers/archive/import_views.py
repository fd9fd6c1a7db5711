"""Imports in words: the heads of the columns, the rows with their changes, and the views."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from station.collector.archive_import import Work
from station.collector.import_rows import TABLES, text_of_field
from station.handlers.archive.archive_sentences import FIELD_NAMES
from station.handlers.download import Column
from station.handlers.language import Language
from station.handlers.marking import N_
from station.store.objects.imports import Import, ImportRow
from station.store.objects.places import PlaceTree

KIND_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "places": N_("Places"),
        "terminals": N_("Terminals"),
        "meters": N_("Meters"),
        "customers": N_("Customers"),
    }
)
OUTCOME_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "new": N_("new"),
        "changed": N_("changed"),
        "unchanged": N_("unchanged"),
        "error": N_("error"),
    }
)
STATE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "reading": N_("being read"),
        "failed": N_("failed"),
        "preview": N_("preview"),
        "applied": N_("applied"),
        "undone": N_("undone"),
    }
)
_CUSTOMER_HEADS = {
    "number": N_("Customer number"),
    "phone": N_("Phone"),
    "address": N_("Postal address"),
    "note": N_("Note"),
}
# How the lists call columns that the archive calls otherwise.
_OTHER_HEADS = {"meters": {"link": N_("Link")}}


def head_of(kind: str, field: str) -> str:
    """Return the head of a field's column, a message of the catalogue."""
    if kind == "customers" and field in _CUSTOMER_HEADS:
        return _CUSTOMER_HEADS[field]
    return FIELD_NAMES[field]


def names_of(kind: str, languages: Mapping[str, Language]) -> dict[str, str]:
    """Return the field of each head that is understood, in small letters and every language."""
    names: dict[str, str] = {}
    for field in TABLES[kind].fields:
        other = _OTHER_HEADS.get(kind, {}).get(field)
        for language in languages.values():
            for message in (head_of(kind, field), other):
                if message is not None:
                    names[language.say(message).casefold()] = field
        names[field] = field
    return names


def columns_of(kind: str, places: PlaceTree) -> list[Column[Any]]:
    """Return the columns of the file that is edited and sent in again."""
    return [
        Column[Any](head_of(kind, name), _reads(name, shape, places))
        for name, shape in TABLES[kind].fields.items()
    ]


def _reads(name: str, shape: str, places: PlaceTree) -> Any:
    return lambda thing: text_of_field(getattr(thing, name), shape, places)


class WorkView(BaseModel):
    """What is under way: act "preview", "apply" or "undo", and how much of it is done."""

    act: str
    done: int
    total: int


class ImportView(BaseModel):
    """A table that was sent in, and what became of it.

    `work` is what is under way now. `error` is why the last act failed, `keys` the rows it met.
    """

    id: str
    kind: str
    state: str
    file_name: str
    by: str
    at: datetime
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    errors: int = 0
    unread: list[str] = []
    applied_at: datetime | None = None
    applied_by: str = ""
    undone_at: datetime | None = None
    undone_by: str = ""
    work: WorkView | None = None
    error: str = ""
    keys: list[str] = []


class ImportList(BaseModel):
    items: list[ImportView]
    total: int


class FieldView(BaseModel):
    """A field of a row: its head, what stands there and what would."""

    field: str
    name: str
    before: str
    after: str


class ProblemView(BaseModel):
    """Why a row cannot be: the field, its cell, what is in it."""

    field: str
    name: str
    cell: str
    value: str
    message: str


class RowView(BaseModel):
    """A row of the file and what it would do."""

    number: int
    key: str
    outcome: str
    fields: list[FieldView]
    problems: list[ProblemView]


class OneImportView(ImportView):
    """An import with a page of its rows; `total` is how many there are of the chosen outcome."""

    items: list[RowView] = []
    total: int = 0


COLUMNS = (
    Column[ImportView](N_("Time"), lambda each: each.at, sort="-time", look="nowrap"),
    Column[ImportView](N_("Table"), lambda each: each.kind, look="nowrap"),
    Column[ImportView](N_("File"), lambda each: each.file_name, look="file-name break"),
    Column[ImportView](N_("By"), lambda each: each.by, look="only-wide"),
    Column[ImportView](N_("State"), lambda each: each.state, look="nowrap"),
    Column[ImportView](N_("New"), lambda each: each.new, look="number"),
    Column[ImportView](N_("Changed rows"), lambda each: each.changed, look="number"),
    Column[ImportView](N_("Unchanged"), lambda each: each.unchanged, more=True, look="number"),
    Column[ImportView](N_("Errors"), lambda each: each.errors, look="number"),
)
ROW_COLUMNS = (
    Column[RowView](N_("Row"), lambda row: row.number, look="number"),
    Column[RowView](N_("Key"), lambda row: row.key, look="address"),
    Column[RowView](N_("What"), lambda row: row.outcome, look="nowrap"),
    Column[RowView](
        N_("Before"),
        lambda row: "; ".join(f"{each.name}: {each.before}" for each in row.fields),
        within="after",
    ),
    Column[RowView](
        N_("After"),
        lambda row: "; ".join(f"{each.name}: {each.after}" for each in row.fields),
        head=N_("What it does"),
    ),
    Column[RowView](
        N_("Errors"),
        lambda row: "; ".join(
            f"{each.cell} {each.name} {each.value}: {each.message}" for each in row.problems
        ),
        within="after",
    ),
)


def import_view(import_: Import, work: Work | None, language: Language) -> ImportView:
    """Return an import as pages and JSON show it."""
    return ImportView(
        id=import_.id,
        kind=import_.kind,
        state=import_.state,
        file_name=import_.file_name,
        by=import_.by,
        at=import_.at,
        new=import_.new,
        changed=import_.changed,
        unchanged=import_.unchanged,
        errors=import_.errors,
        unread=list(import_.unread),
        applied_at=import_.applied_at,
        applied_by=import_.applied_by,
        undone_at=import_.undone_at,
        undone_by=import_.undone_by,
        **{
            "error": language.sentence(import_.trouble) if import_.trouble else "",
            "keys": list(import_.keys),
            **_work_fields(work, language),
        },
    )


def unkept_view(work: Work, language: Language) -> ImportView:
    """Return an import whose preview is not in the store, or not yet."""
    return ImportView(
        id=work.import_id,
        kind=work.kind,
        state="failed" if work.is_over else "reading",
        file_name=work.file_name,
        by=work.by,
        at=work.at,
        **_work_fields(work, language),
    )


def _work_fields(work: Work | None, language: Language) -> dict[str, Any]:
    if work is None:
        return {}
    if not work.is_over:
        return {"work": WorkView(act=work.act, done=work.done, total=work.total)}
    return {"error": language.sentence(work.error), "keys": list(work.keys)} if work.error else {}


def row_view(import_: Import, row: ImportRow, places: PlaceTree, language: Language) -> RowView:
    """Return a row in words."""

    def name(field: str) -> str:
        return language.say(head_of(import_.kind, field))

    place = places.by_id.get(row.key) or row.after
    return RowView(
        number=row.number,
        key=row.key if import_.kind != "places" or place is None else place.name,
        outcome=row.outcome,
        fields=[
            FieldView(field=field, name=name(field), before=before, after=after)
            for field, before, after in _differences(import_, row, places)
        ],
        problems=[
            ProblemView(
                field=each.field,
                name=name(each.field),
                cell=each.cell,
                value=each.value,
                message=language.sentence(each.message),
            )
            for each in row.problems
        ],
    )


def _differences(
    import_: Import, row: ImportRow, places: PlaceTree
) -> Iterator[tuple[str, str, str]]:
    """Yield each field that changes; of something new, what is not empty."""
    table = TABLES[import_.kind]
    for field, kind in table.fields.items():
        if field == table.key or row.after is None:
            continue
        after = str(text_of_field(getattr(row.after, field), kind, places))
        if row.before is None:
            if after and field in import_.fields:
                yield field, "", after
            continue
        before = str(text_of_field(getattr(row.before, field), kind, places))
        if before != after:
            yield field, before, after


def kinds_for(may_sell: bool) -> Sequence[str]:
    """Return the kinds of tables that a person may send in."""
    return [kind for kind in TABLES if kind != "customers" or may_sell]
