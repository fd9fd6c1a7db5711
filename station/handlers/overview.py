"""The overview: is all well, and if not, where?"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta

from pydantic import BaseModel

from station.business.alarm_rules import in_sight
from station.collector.completeness import TaskCompleteness
from station.collector.memory import DEAD_AFTER
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.collection.runs import RunView, run_in_sight, run_view
from station.handlers.communication.link_views import LinkView, live_view
from station.handlers.contract import contract
from station.handlers.events.alarm_views import SeverityCounts
from station.handlers.freshness import written
from station.handlers.selling.desk import DeskHandler
from station.handlers.selling.order_views import ORDER_WORDS, OrderView
from station.handlers.sights import Sight
from station.store.objects.links import LinkState
from station.units import day_start

RUNS_SHOWN = 8
LINKS_SHOWN = 8
UNFINISHED_SHOWN = 3  # Each is a broad line above everything else; the counter has them all.
NAMED_MAX = 5  # Things that are named in one line; the list has them all.


class TaskToday(BaseModel):
    """How complete a task is today: points that are stored, of those that are expected by now."""

    task: str
    name: str
    expected: int
    stored: int


class Few(BaseModel):
    """Things that need a look: how many there are, and the first of them."""

    total: int
    items: list[str]


class Selling(BaseModel):
    """What was sold today, and what nobody has finished yet: the person's own first.

    `orders` stand today; together they took `amount_fen`, less what was given back.
    `unfinished_all` counts unfinished orders of any day, `unfinished` are the first of them.
    """

    orders: int
    amount_fen: int
    unfinished_all: int
    unfinished: list[OrderView]


class Overview(BaseModel):
    """The state of the station, or of a person's areas.

    Meters that wait for a run under way are not silent.

    `failing` are meters that gave nothing in several runs in a row, `overfull` buses that are asked
    for more than fits into a day, `fullest` the share of the fullest, `commands` those that wait.
    `selling` is for those who may sell, at a station that does.
    """

    day: date
    links_all: int
    links_online: int
    meters: int
    readings: int
    tasks: list[TaskToday]
    expected: int
    stored: int
    offline: Few
    unknown: Few
    flapping: Few
    silent: list[str]
    waiting: list[str]
    failing: Few
    silent_expected: int
    overfull: Few
    fullest: float
    commands: int
    runs: list[RunView]
    alarms: SeverityCounts
    selling: Selling | None


class OverviewHandler(DeskHandler):
    """/, /api/overview"""

    @requires(Permission.VIEW)
    @contract(Overview)
    async def get(self) -> None:
        parts, database = self.parts, self.parts.database
        await written(parts.registry.flush())  # The lists are the store's.
        sight, seen = await self.sight(), await self.meters_in_sight()
        tasks = await self.tasks_in_sight()
        links = None if sight is None else sight.terminals
        offline, unknown, flapping, online = await asyncio.gather(
            database.links.list(state="offline", known=True, limit=LINKS_SHOWN, among=links),
            database.links.list(known=False, limit=LINKS_SHOWN, among=links),
            database.links.list(flapping=True, limit=LINKS_SHOWN, among=links),
            database.links.list(state="online", known=True, limit=LINKS_SHOWN, among=links),
        )
        failing, failing_all = await database.meter_health.failing(
            DEAD_AFTER, limit=NAMED_MAX, meters=seen
        )
        today = await self.tools.today.counts_of(seen)
        buses = await self.tools.buses.views_of(sight)
        overfull = [bus.bus for bus in buses if bus.share > 1]
        runs, _ = await database.runs.list(
            limit=RUNS_SHOWN, tasks=None if tasks is None else tasks.tasks
        )
        meters = (await database.meters.list(limit=1))[1] if seen is None else len(seen)
        view = Overview(
            day=today.day,
            links_all=offline[1] + online[1],
            links_online=online[1],
            meters=meters,
            readings=today.readings,
            tasks=[_today(each) for each in today.tasks],
            expected=sum(each.expected for each in today.tasks),
            stored=sum(each.stored for each in today.tasks),
            offline=_few_links(*offline),
            unknown=_few_links(*unknown),
            flapping=_few_links(*flapping),
            silent=today.silent,
            waiting=today.waiting,
            failing=Few(total=failing_all, items=[health.meter for health in failing]),
            silent_expected=today.asked,
            overfull=Few(total=len(overfull), items=overfull[:NAMED_MAX]),
            fullest=buses[0].share if buses else 0.0,
            commands=await self._waiting_commands(sight),
            runs=[run_in_sight(run_view(run), seen) for run in runs],
            alarms=SeverityCounts(**asdict(await database.alarms.counts(await self._places()))),
            selling=await self._selling(today.day),
        )
        worst: list[LinkView] = [
            live_view(parts, state) for state in (*unknown[0], *offline[0], *online[0])
        ]
        self.show(
            "overview.html",
            view,
            links=worst[:LINKS_SHOWN],
            named_max=NAMED_MAX,
            least=DEAD_AFTER,
            **ORDER_WORDS,
        )

    async def _selling(self, day: date) -> Selling | None:
        if not (self.can(Permission.SELL) and self.is_selling):
            return None
        zone = self.parts.config.site.zone_info
        since, until = day_start(day, zone), day_start(day + timedelta(days=1), zone)
        sold = await self.parts.database.orders.standing(
            since, until, meters=await self.meters_in_sight()
        )
        unfinished = await self.unfinished()
        return Selling(
            orders=sold.orders,
            amount_fen=sold.amount_fen,
            unfinished_all=len(unfinished),
            unfinished=unfinished[:UNFINISHED_SHOWN],
        )

    async def _places(self) -> frozenset[str] | None:
        """Return the places whose alarms concern the person; None for all."""
        return in_sight(self.areas, await self.parts.archive.places()) if self.areas else None

    async def _waiting_commands(self, sight: Sight | None) -> int:
        commands, among = self.parts.database.commands, None if sight is None else sight.devices
        states = ("queued", "sent")
        counts = [await commands.list(state=state, limit=1, among=among) for state in states]
        return sum(total for _, total in counts)


def _few_links(states: Sequence[LinkState], total: int) -> Few:
    return Few(total=total, items=[state.address for state in states[:NAMED_MAX]])


def _today(each: TaskCompleteness) -> TaskToday:
    return TaskToday(
        task=each.task.id, name=each.task.name, expected=each.expected, stored=each.stored
    )
