"""The change log of the archive: who changed which terminal, channel, meter or place when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.archive_sentences import (
    ACT_NAMES,
    FIELD_NAMES,
    OBJECT_NAMES,
    PLACE_KINDS,
    STAGE_NAMES,
)
from station.handlers.archive.place_views import part_of, within_of
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.store.objects.changes import Change
from station.store.objects.places import PlaceTree, Within

WORDS: Mapping[str, Mapping[str, str]] = {"stage": STAGE_NAMES, "kind": PLACE_KINDS}


class ChangesQuery(ListQuery):
    """Which changes to show: of one kind of object, of one object, by one person."""

    object: str | None = Field(None, max_length=20)
    key: str | None = Field(None, max_length=64)
    by: str | None = Field(None, max_length=64)


class FieldChange(BaseModel):
    """One field: its name, and its value before and after in words; None where there was none."""

    field: str
    name: str
    before: str | None
    after: str | None


class ChangeView(BaseModel):
    """One change of one object; `by` is empty for the station itself."""

    id: str
    object: str
    key: str
    name: str
    at: datetime
    by: str
    act: str
    reason: str
    differences: list[FieldChange]
    page: str

    def texts(self, side: Literal["before", "after"]) -> str:
        """Return all fields of one side in one text."""
        values = [(each.name, getattr(each, side)) for each in self.differences]
        return "; ".join(f"{name}: {value}" for name, value in values if value is not None)


class ChangeList(BaseModel):
    items: list[ChangeView]
    total: int


COLUMNS = (
    Column[ChangeView](N_("Time"), lambda change: change.at, sort="-time"),
    Column[ChangeView](N_("By"), lambda change: change.by),
    Column[ChangeView](N_("Object"), lambda change: change.object, within="address"),
    Column[ChangeView](N_("Address"), lambda change: change.key, head=N_("Object")),
    Column[ChangeView](N_("Name"), lambda change: change.name, within="address"),
    Column[ChangeView](N_("What"), lambda change: change.act),
    Column[ChangeView](N_("Before"), lambda change: change.texts("before"), within="what"),
    Column[ChangeView](N_("After"), lambda change: change.texts("after"), within="what"),
    Column[ChangeView](N_("Reason"), lambda change: change.reason, within="what"),
)


class ChangesHandler(Handler):
    """/changes, /api/changes"""

    @requires(Permission.VIEW)
    @contract(ChangeList, query=ChangesQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ChangesQuery)
        skip, limit = self.span(query)
        tree = await self.parts.archive.places()
        changes, total = await self.parts.database.changes.list(
            query.text,
            of=query.object,
            key=query.key,
            by=query.by,
            skip=skip,
            limit=limit,
            keys=await self._keys(),
            sort=query.sort,
        )
        views = [self._view(change, tree) for change in changes]
        await self.show_list(
            "changes.html",
            ChangeList(items=views, total=total),
            views,
            COLUMNS,
            filter=query,
            objects=OBJECT_NAMES,
            acts=ACT_NAMES,
        )

    async def _keys(self) -> Sequence[str] | None:
        """Return the keys of what the person may see; None for everything."""
        within = await within_of(self, None)
        if within is None:
            return None
        return [*within.places, *within.terminals, *await self._meters(within)]

    async def _meters(self, within: Within) -> Sequence[str]:
        return await self.parts.database.meters.addresses(within)

    def _view(self, change: Change, tree: PlaceTree) -> ChangeView:
        visible = part_of(tree, self.areas)
        names = [*change.before, *(name for name in change.after if name not in change.before)]
        shown = [
            FieldChange(
                field=name,
                name=self.language.say(FIELD_NAMES[name]) if name in FIELD_NAMES else name,
                before=self._text(name, change.before, visible),
                after=self._text(name, change.after, visible),
            )
            for name in names
            if not (change.act != "changed" and _is_usual(change.before or change.after, name))
        ]
        return ChangeView(
            id=change.id,
            object=change.object,
            key=change.key,
            name=str(change.after.get("name") or change.before.get("name") or ""),
            at=change.at,
            by=change.by,
            act=change.act,
            reason=change.reason,
            differences=shown,
            page=f"/{change.object}s/{change.key}",
        )

    def _text(self, field: str, values: Mapping[str, Any], tree: PlaceTree) -> str | None:
        """Return a value in words; None if the object had no such field."""
        value = values.get(field)
        if field not in values or value is None:
            return None
        if field in ("place", "parent") and value:
            return tree.path_text(value) or str(value)
        if field in WORDS and value in WORDS[field]:
            return self.language.say(WORDS[field][value])
        if isinstance(value, bool):
            return self.language.say("yes") if value else self.language.say("no")
        if isinstance(value, datetime):
            local = value.astimezone(self.parts.config.site.zone_info)
            return local.strftime("%Y-%m-%d %H:%M:%S")
        return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _is_usual(values: Mapping[str, Any], name: str) -> bool:
    """Tell whether a field says nothing: of a new object only what was entered is shown."""
    return name == "id" or values.get(name) in ("", None, [], False)
