"""The overview: is all well, and if not, where?"""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel

from station.collector.completeness import TaskCompleteness
from station.handlers.base import Handler
from station.handlers.identity import requires
from station.handlers.link_views import LinkView, all_links
from station.handlers.people import Permission
from station.handlers.runs import RunView, run_view

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
    """The state of the whole station; meters that wait for a run under way are not silent."""

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
    waiting: list[str]
    silent_expected: int
    runs: list[RunView]


class OverviewHandler(Handler):
    """/, /api/overview"""

    @requires(Permission.VIEW)
    async def get(self) -> None:
        parts = self.parts
        links = await all_links(parts)
        today = await self.tools.today.counts()
        runs, _ = await parts.database.runs.list(limit=RUNS_SHOWN)
        _, meters = await parts.database.meters.list(limit=1)
        view = Overview(
            day=today.day,
            links_all=sum(link.known for link in links),
            links_online=sum(link.known and link.state == "online" for link in links),
            meters=meters,
            readings=today.readings,
            tasks=[_today(each) for each in today.tasks],
            expected=sum(each.expected for each in today.tasks),
            stored=sum(each.stored for each in today.tasks),
            offline=[link.address for link in links if link.known and link.state == "offline"],
            unknown=[link.address for link in links if not link.known],
            silent=today.silent,
            waiting=today.waiting,
            silent_expected=today.asked,
            runs=[run_view(run) for run in runs],
        )
        self.show("overview.html", view, links=_worst_first(links), named_max=NAMED_MAX)


def _today(each: TaskCompleteness) -> TaskToday:
    return TaskToday(
        task=each.task.id, name=each.task.name, expected=each.expected, stored=each.stored
    )


def _worst_first(links: Sequence[LinkView]) -> list[LinkView]:
    """Return the links to show: unknown ones, then offline ones, then the others."""
    return sorted(links, key=lambda link: (link.known, link.state == "online"))[:LINKS_SHOWN]
