"""The overview: is all well, and if not, where?"""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel

from station.collector.completeness import TaskCompleteness
from station.collector.items import ITEM_BY_CODE
from station.handlers.base import Handler
from station.handlers.identity import requires
from station.handlers.link_views import LinkView, all_links
from station.handlers.people import Permission
from station.handlers.runs import RunView, run_view
from station.units import local_day, utc_now

RUNS_SHOWN = 8
LINKS_SHOWN = 8
NAMED_MAX = 5  # Things that are named in one line; the list has them all.


class TaskToday(BaseModel):
    """How complete a task is today: points that are stored, of those that are expected by now."""

    task: str
    name: str
    expected: int
    stored: int


class Overview(BaseModel):
    """The state of the whole station."""

    day: date
    links_all: int
    links_online: int
    meters: int
    readings: int
    tasks: list[TaskToday]
    expected: int
    stored: int
    offline: list[str]
    unknown: list[str]
    silent: list[str]
    silent_expected: int
    runs: list[RunView]


class OverviewHandler(Handler):
    """/, /api/overview"""

    @requires(Permission.VIEW)
    async def get(self) -> None:
        parts = self.parts
        links = await all_links(parts)
        day = local_day(utc_now(), parts.config.site.zone_info)
        tasks = await parts.completeness.of_day(day)
        runs, _ = await parts.database.runs.list(limit=RUNS_SHOWN)
        _, meters = await parts.database.meters.list(limit=1)
        asked, silent = silent_meters(tasks)
        view = Overview(
            day=day,
            links_all=sum(link.known for link in links),
            links_online=sum(link.known and link.state == "online" for link in links),
            meters=meters,
            readings=await self._stored_on(day),
            tasks=[_today(each) for each in tasks],
            expected=sum(each.expected for each in tasks),
            stored=sum(each.stored for each in tasks),
            offline=[link.address for link in links if link.known and link.state == "offline"],
            unknown=[link.address for link in links if not link.known],
            silent=silent,
            silent_expected=asked,
            runs=[run_view(run) for run in runs],
        )
        self.show("overview.html", view, links=_worst_first(links), named_max=NAMED_MAX)

    async def _stored_on(self, day: date) -> int:
        database = self.parts.database
        meters = [meter.address for meter in await database.meters.many(None)]
        counts = await database.readings.count_by_day(meters, [*ITEM_BY_CODE], day, day)
        return sum(counts.values())


def _today(each: TaskCompleteness) -> TaskToday:
    return TaskToday(
        task=each.task.id, name=each.task.name, expected=each.expected, stored=each.stored
    )


def silent_meters(tasks: Sequence[TaskCompleteness]) -> tuple[int, list[str]]:
    """Return how many meters should have said something today, and those that said nothing."""
    expected: dict[str, int] = {}
    stored: dict[str, int] = {}
    for each in tasks:
        for meter, (wanted, present) in each.meters.items():
            expected[meter] = expected.get(meter, 0) + wanted
            stored[meter] = stored.get(meter, 0) + present
    asked = [meter for meter, wanted in expected.items() if wanted]
    return len(asked), sorted(meter for meter in asked if not stored[meter])


def _worst_first(links: Sequence[LinkView]) -> list[LinkView]:
    """Return the links to show: unknown ones, then offline ones, then the others."""
    return sorted(links, key=lambda link: (link.known, link.state == "online"))[:LINKS_SHOWN]
