"""What cannot be right in the archive, or does not fit what is heard."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from station.collector.anomalies import Anomaly, Kind
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.archive_sentences import OBJECT_NAMES
from station.handlers.archive.place_views import within_of
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.store.objects.places import Within

KINDS: Mapping[str, str] = {
    Kind.DUPLICATE_ADDRESS.value: N_("duplicate address"),
    Kind.SAME_POINT.value: N_("two meters on one point"),
    Kind.NO_TERMINAL.value: N_("meter without a terminal"),
    Kind.SILENT.value: N_("active, but silent"),
    Kind.NO_METERS.value: N_("terminal without meters"),
    Kind.HEARD.value: N_("dials in, but should not be there"),
    Kind.NO_PLACE.value: N_("on no place"),
    Kind.TASK_OF_REMOVED.value: N_("task that names removed meters"),
}
HELP: Mapping[str, str] = {
    Kind.DUPLICATE_ADDRESS.value: N_(
        "They would be taken for each other. Look which is right, and take out the other one."
    ),
    Kind.SAME_POINT.value: N_(
        "A terminal keeps one meter at each measuring point. Give one of them another point."
    ),
    Kind.NO_TERMINAL.value: N_(
        "Its terminal is not there, or its channel is switched off: hang it elsewhere."
    ),
    Kind.SILENT.value: N_(
        "Nothing was heard for three days. Look at its link and its address, or suspend it."
    ),
    Kind.NO_METERS.value: N_("Add its meters, or take it to another stage."),
    Kind.HEARD.value: N_("Planned or removed, and yet it is online: take it to another stage."),
    Kind.NO_PLACE.value: N_("Hang it on its transformer area, so that it is counted there."),
    Kind.TASK_OF_REMOVED.value: N_("Choose other meters for this task."),
}
OBJECTS: Mapping[str, str] = {**OBJECT_NAMES, "task": N_("Task")}
TASKS_MAX = 10_000


class AnomaliesQuery(ListQuery):
    """Which findings to show."""

    kind: str | None = Field(None, max_length=30)


class AnomalyView(BaseModel):
    """One finding: what is wrong with which object, and with which others; `since` if known."""

    kind: str
    object: str
    key: str
    name: str
    others: list[str]
    since: datetime | None
    page: str


class AnomalyList(BaseModel):
    """Findings; `kinds` counts all of them by kind."""

    items: list[AnomalyView]
    total: int
    kinds: dict[str, int]


COLUMNS = (
    Column[AnomalyView](N_("What is wrong"), lambda each: each.kind),
    Column[AnomalyView](N_("Object"), lambda each: each.object, within="address"),
    Column[AnomalyView](N_("Address"), lambda each: each.key, head=N_("Object")),
    Column[AnomalyView](N_("Name"), lambda each: each.name, within="address"),
    Column[AnomalyView](N_("Others"), lambda each: " ".join(each.others), look="address"),
    Column[AnomalyView](N_("Since"), lambda each: each.since, within="what_is_wrong"),
    Column[AnomalyView](
        N_("What to do"), lambda each: HELP[each.kind], look="soft small only-wide"
    ),
)


class AnomaliesHandler(Handler):
    """/anomalies, /api/anomalies"""

    @requires(Permission.VIEW)
    @contract(AnomalyList, query=AnomaliesQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(AnomaliesQuery)
        within = await within_of(self, None)
        text = (query.text or "").casefold()
        found = [
            each
            for each in await self.parts.archive.anomalies()
            if _in_sight(each, within) and text in f"{each.key} {' '.join(each.others)}".casefold()
        ]
        kinds = Counter(each.kind.value for each in found)
        chosen = [each for each in found if query.kind in (None, each.kind.value)]
        skip, limit = self.span(query)
        rows = await self._views(chosen[skip : skip + limit])
        view = AnomalyList(items=rows, total=len(chosen), kinds=dict(kinds))
        context: dict[str, Any] = {"kinds": KINDS, "help": HELP, "objects": OBJECTS}
        await self.show_list("anomalies.html", view, rows, COLUMNS, filter=query, **context)

    async def _views(self, found: Sequence[Anomaly]) -> list[AnomalyView]:
        database = self.parts.database
        keys = [each.key for each in found]
        names = {meter.address: meter.name for meter in await database.meters.many(keys)}
        if any(each.object == "task" for each in found):
            tasks, _ = await database.tasks.list(limit=TASKS_MAX)
            names |= {task.id: task.name for task in tasks}
        terminals = self.parts.registry.terminals.values()
        names |= {terminal.address: terminal.name for terminal in terminals}
        return [
            AnomalyView(
                kind=each.kind.value,
                object=each.object,
                key=each.key,
                name=names.get(each.key, ""),
                others=list(each.others),
                since=each.since,
                page=f"/{each.object}s/{each.key}",
            )
            for each in found
        ]


def _in_sight(anomaly: Anomaly, within: Within | None) -> bool:
    if within is None:
        return True
    if anomaly.object == "meter":
        return within.has_meter(anomaly.place, anomaly.link)
    return anomaly.object == "terminal" and within.has_terminal(anomaly.key)
