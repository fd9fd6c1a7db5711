"""What cannot be right in the archive, or does not fit what is heard.

Each finding names one object, what is wrong with it, and the others that it has to do with. `find`
is pure; `Inspection` keeps what it found for a while, the longer it took, the longer.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeVar

from station.store.objects.channels import Channel
from station.store.objects.meters import Spot
from station.store.objects.places import PlaceTree
from station.store.objects.stages import ACTIVE, REMOVED
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal

SILENT_AFTER = timedelta(days=3)  # A weekend without power is no anomaly yet.
AGE_MIN_S = 5.0
SHARE_MAX = 0.02  # Of one core, however often somebody looks.
OTHERS_MAX = 20  # Named beside one object; a typing mistake concerns two or three.
UNHEARD = ("planned", REMOVED)  # Stages in which nothing dials in.

Thing = TypeVar("Thing")


class Kind(Enum):
    """What is wrong."""

    DUPLICATE_ADDRESS = "duplicate_address"
    SAME_POINT = "same_point"
    NO_TERMINAL = "no_terminal"
    SILENT = "silent"
    NO_METERS = "no_meters"
    HEARD = "heard"
    NO_PLACE = "no_place"
    TASK_OF_REMOVED = "task_of_removed"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One finding: `object` is "meter", "terminal", "channel" or "task"; `since` if that is known.

    `link` is where a meter hangs, `place` the own place of a meter or terminal.
    """

    kind: Kind
    object: str
    key: str
    _: KW_ONLY
    others: tuple[str, ...] = ()
    since: datetime | None = None
    link: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """The archive and what is heard of it at one moment; nothing in it changes any more.

    `last_success` is when a meter last gave something, `last_seen` when a terminal last spoke.
    """

    now: datetime
    tree: PlaceTree
    terminals: Mapping[str, Terminal]
    channels: Mapping[str, Channel]
    meters: Sequence[Spot]
    tasks: Sequence[Task]
    online: Callable[[str], bool]
    last_seen: Mapping[str, datetime | None]
    last_success: Callable[[str], datetime | None]


class Inspection:
    """Keeps what was found last."""

    def __init__(self) -> None:
        self._looking = asyncio.Lock()
        self._found: Sequence[Anomaly] | None = None
        self._good_until = 0.0
        self._changes = 0

    def archive_changed(self) -> None:
        """Look again when somebody asks."""
        self._changes += 1
        self._found = None

    async def found(self, look: Callable[[], Awaitable[Picture]]) -> Sequence[Anomaly]:
        """Return what is wrong; of many who ask at once, one looks."""
        async with self._looking:
            if self._found is not None and time.monotonic() < self._good_until:
                return self._found
            started, changes = time.monotonic(), self._changes
            # In a thread, so that the links are heard meanwhile: ten thousand meters take a while.
            found = await asyncio.to_thread(_all, await look())
            self._found = found if changes == self._changes else None
            took_s = time.monotonic() - started
            self._good_until = time.monotonic() + max(AGE_MIN_S, took_s / SHARE_MAX)
            return found


def _all(picture: Picture) -> list[Anomaly]:
    return list(find(picture))


def find(picture: Picture) -> Iterator[Anomaly]:
    """Yield everything that is wrong, the gravest kinds first."""
    living = [meter for meter in picture.meters if meter.stage != REMOVED]
    yield from _duplicates(picture, living)
    yield from _same_points(picture, living)
    yield from _without_terminal(picture, living)
    yield from _silent(picture, living)
    yield from _of_terminals(picture, living)
    yield from _without_place(picture, living)
    yield from _of_tasks(picture)


def _duplicates(picture: Picture, living: Sequence[Spot]) -> Iterator[Anomaly]:
    """Addresses that differ in leading zeros only, and ends that would be taken for each other."""
    kind = Kind.DUPLICATE_ADDRESS
    for meters in _shared(living, lambda meter: meter.address.lstrip("0")):
        for meter in meters:
            yield _of_meter(kind, meter, [other.address for other in meters])
    dtus = (each for each in picture.terminals.values() if each.stage != REMOVED)
    for terminals in _shared(dtus, lambda each: each.registration):
        for terminal in terminals:
            yield _of_terminal(kind, terminal, [other.address for other in terminals])
    opened = (each for each in picture.channels.values() if each.enabled)
    for channels in _shared(opened, lambda each: each.url):
        for channel in channels:
            names = _others(channel.name, [other.name for other in channels])
            yield Anomaly(kind, "channel", channel.name, others=names)


def _same_points(picture: Picture, living: Sequence[Spot]) -> Iterator[Anomaly]:
    pointed = (
        meter
        for meter in living
        if meter.point
        and (end := picture.terminals.get(meter.link)) is not None
        and end.protocol != "dtu"
    )
    for meters in _shared(pointed, lambda meter: f"{meter.link} {meter.point}"):
        for meter in meters:
            yield _of_meter(Kind.SAME_POINT, meter, [other.address for other in meters])


def _without_terminal(picture: Picture, living: Sequence[Spot]) -> Iterator[Anomaly]:
    for meter in living:
        terminal, channel = picture.terminals.get(meter.link), picture.channels.get(meter.link)
        gone = terminal is not None and terminal.stage in UNHEARD
        closed = channel is not None and not channel.enabled
        if meter.stage == ACTIVE and (gone or closed or (terminal is None and channel is None)):
            yield _of_meter(Kind.NO_TERMINAL, meter, [meter.link])


def _silent(picture: Picture, living: Sequence[Spot]) -> Iterator[Anomaly]:
    """Active things that nothing was heard of; of a silent terminal the meters are not named."""
    before = picture.now - SILENT_AFTER
    quiet = set()
    for terminal in picture.terminals.values():
        seen = picture.last_seen.get(terminal.address)
        began = terminal.stage_since or terminal.created_at
        if terminal.stage != ACTIVE or picture.online(terminal.address):
            continue
        if max(seen or began, began) < before:
            quiet.add(terminal.address)
            yield _of_terminal(Kind.SILENT, terminal, [], since=seen)
    for meter in living:
        end = picture.terminals.get(meter.link)
        if meter.stage != ACTIVE or meter.link in quiet or (end and end.stage != ACTIVE):
            continue
        heard = picture.last_success(meter.address)
        if max(heard or meter.began, meter.began) < before:
            yield _of_meter(Kind.SILENT, meter, [], since=heard)


def _of_terminals(picture: Picture, living: Sequence[Spot]) -> Iterator[Anomaly]:
    used = {meter.link for meter in living}
    for terminal in picture.terminals.values():
        if terminal.stage == ACTIVE and terminal.address not in used:
            yield _of_terminal(Kind.NO_METERS, terminal, [])
        if terminal.stage in UNHEARD and picture.online(terminal.address):
            yield _of_terminal(Kind.HEARD, terminal, [])


def _without_place(picture: Picture, living: Sequence[Spot]) -> Iterator[Anomaly]:
    """What hangs on no place, on a site that has places; a meter's place may be its terminal's."""
    places = picture.tree.by_id
    if not places:
        return
    for terminal in picture.terminals.values():
        if terminal.stage != REMOVED and terminal.place not in places:
            yield _of_terminal(Kind.NO_PLACE, terminal, [])
    for meter in living:
        if meter.link not in picture.terminals and meter.place not in places:
            yield _of_meter(Kind.NO_PLACE, meter, [])


def _of_tasks(picture: Picture) -> Iterator[Anomaly]:
    there = {meter.address for meter in picture.meters if meter.stage != REMOVED}
    for task in picture.tasks:
        if task.enabled and task.target_kind == "meters":
            gone = [address for address in task.targets if address not in there]
            if gone:
                yield Anomaly(Kind.TASK_OF_REMOVED, "task", task.id, others=_others("", gone))


def _shared(things: Iterable[Thing], key: Callable[[Thing], str]) -> Iterator[list[Thing]]:
    """Yield the things that share a key with others; an empty key is none."""
    by_key: dict[str, list[Thing]] = defaultdict(list)
    for thing in things:
        if wanted := key(thing):
            by_key[wanted].append(thing)
    return (group for group in by_key.values() if len(group) > 1)


def _of_meter(
    kind: Kind, meter: Spot, others: Sequence[str], since: datetime | None = None
) -> Anomaly:
    names = _others(meter.address, others)
    return Anomaly(
        kind, "meter", meter.address, others=names, since=since, link=meter.link, place=meter.place
    )


def _of_terminal(
    kind: Kind, terminal: Terminal, others: Sequence[str], since: datetime | None = None
) -> Anomaly:
    names = _others(terminal.address, others)
    return Anomaly(
        kind, "terminal", terminal.address, others=names, since=since, place=terminal.place
    )


def _others(own: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name != own)[:OTHERS_MAX]
