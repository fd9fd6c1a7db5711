"""What tasks cost on the buses, as pages and JSON show it.

A *share* is of the time a bus has: 1 is all of it, and more cannot be done in time. Walking through
every task and meter takes a while on a large site, so the whole picture is kept (`station.kept`).
"""

from collections.abc import Sequence

from pydantic import BaseModel

from station.collector.budget import Budget, BusLoad, BusShare
from station.handlers.sights import Sight
from station.kept import Kept

AGE_MIN_S = 5.0  # The exchange times it stands on change slowly.
DAY_S = 86_400
BUSES_SHOWN = 20  # Of one task; the page of the buses has them all.


class BusShareView(BaseModel):
    """What one cycle of a task takes on one bus, in seconds, and how long it may take."""

    bus: str
    meters: int
    exchanges: int
    seconds: float
    available_s: float
    share: float
    fits: bool


class TaskCost(BaseModel):
    """What a task costs: its busiest buses, how many there are, and how many cannot keep up."""

    buses: list[BusShareView]
    buses_all: int
    late: int


class TaskOnBus(BaseModel):
    """What a task takes of a bus, in seconds a day."""

    task: str
    name: str
    seconds: float


class MeterOnBus(BaseModel):
    """What a meter takes of a bus, in seconds a day."""

    meter: str
    seconds: float


class BusView(BaseModel):
    """A bus: how full it is, which tasks fill it, and the meters that take the longest."""

    bus: str
    link: str
    port: int | None
    share: float
    seconds: float
    tasks: list[TaskOnBus]
    slowest: list[MeterOnBus]


class BusList(BaseModel):
    """Buses, the fullest first; `overfull` counts those of all that are asked too much."""

    items: list[BusView]
    total: int
    overfull: int


def cost_of(shares: Sequence[BusShare]) -> TaskCost:
    """Return what a task costs, the busiest bus first."""
    views = sorted(map(_share_view, shares), key=lambda view: (-view.share, view.bus))
    late = sum(not view.fits for view in views)
    return TaskCost(buses=views[:BUSES_SHOWN], buses_all=len(views), late=late)


def _share_view(share: BusShare) -> BusShareView:
    part = share.seconds / share.available_s if share.available_s else 0.0
    return BusShareView(
        bus=share.bus,
        meters=share.meters,
        exchanges=share.exchanges,
        seconds=round(share.seconds, 3),
        available_s=round(share.available_s, 3),
        share=round(part, 4),
        fits=share.fits,
    )


def bus_view(load: BusLoad) -> BusView:
    """Return a bus as pages and JSON show it, its largest eaters first."""
    tasks = sorted(load.tasks, key=lambda each: -each[2])
    return BusView(
        bus=load.bus,
        link=load.link,
        port=load.port,
        share=round(load.share, 4),
        seconds=round(sum(each[2] for each in tasks), 3),
        tasks=[TaskOnBus(task=key, name=name, seconds=round(s, 3)) for key, name, s in tasks],
        slowest=[MeterOnBus(meter=meter, seconds=round(s, 3)) for meter, s in load.slowest],
    )


def _in_sight(bus: BusView, sight: Sight) -> BusView:
    own = [each for each in bus.slowest if each.meter in sight.meters]
    return bus.model_copy(update={"slowest": own})


class Buses:
    """Keeps the last picture of all buses."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._kept = Kept(self._views, name="reckoning the buses", age_min_s=AGE_MIN_S)

    async def views(self) -> list[BusView]:
        """Return every bus, the fullest first; of many who ask at once, one reckons."""
        return await self._kept.get()

    async def _views(self) -> list[BusView]:
        loads = await self._budget.of_buses()
        return sorted(map(bus_view, loads), key=lambda view: (-view.share, view.bus))

    async def views_of(self, sight: Sight | None) -> list[BusView]:
        """Return the buses in sight, each with the meters in sight; None for all."""
        views = await self.views()
        if sight is None:
            return views
        return [_in_sight(view, sight) for view in views if view.link in sight.terminals]

    async def load_of(self, task_ids: Sequence[str], sight: Sight | None) -> dict[str, float]:
        """Return the share of its busiest bus in sight that each of these tasks needs."""
        wanted = set(task_ids)
        loads: dict[str, float] = {}
        for view in await self.views_of(sight):
            for each in view.tasks:
                if each.task in wanted:
                    share = round(each.seconds / DAY_S, 4)
                    loads[each.task] = max(loads.get(each.task, 0.0), share)
        return loads

    def changed(self) -> None:
        """Forget the picture, because a task or a meter is another now."""
        self._kept.forget()
