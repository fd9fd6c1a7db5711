"""Who is killed at which step of a sale: the kills, and the gate that all steps pass.

A step is one APDU or one command to the database. A `Run` is one run of a station, a process of its
own: every step of it is told here before it has its effect and after, and at one of them somebody
dies for real. What `cuts` plays with exceptions is done here with signals.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from cuts import Call

from station.simulator.card import VirtualCard

CARD, JOURNAL, MEMORY = PLACES = ("card", "database", "memory")  # Nobody waits for MEMORY.
MEMORY_COLLECTION = "reader_uses"  # The memory of readers.
STRIKE_TIMEOUT_S = 2.0  # For a step that nobody waits for.
SETTLE_S = 0.3  # For the last of such steps, when nobody is killed.
NO_ANSWER = b"\x6f\x00"  # Of a card that was never asked; nobody hears it.


class Victim(Enum):
    """Who is killed, or what else breaks for real."""

    STATION = "the station"
    DATABASE = "the database, which starts again at once"
    DATABASE_AWAY = "the database, which starts again when the station has given up"
    BOTH = "the station, and the database with it"
    CARD = "the card, which is pulled"
    READERS = "the service of all card readers, which starts again afterwards"


STATIONS = {Victim.STATION, Victim.BOTH}
TOGETHER = tuple(each for each in Victim if each is not Victim.READERS)  # On several lanes.
DATABASES = {Victim.DATABASE, Victim.DATABASE_AWAY, Victim.BOTH}


class Moment(Enum):
    """When; "amid" a command has been sent to the database, and may have its effect or not."""

    BEFORE = "before"
    AMID = "amid"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, at the step of this number among those of its place; it serves as a `Cut`."""

    place: str
    number: int
    moment: Moment
    victim: Victim

    def __str__(self) -> str:
        return f"{self.victim.name} {self.moment.value} {self.place} {self.number}"


def kills_of(calls: Sequence[Call], victims: Sequence[Victim]) -> Iterator[Kill]:
    """Give every kill of a run that took these steps."""
    for place in PLACES:
        for number in range(sum(call.place == place for call in calls)):
            for victim in victims:
                for moment in _moments(place, victim):
                    yield Kill(place, number, moment, victim)


def _moments(place: str, victim: Victim) -> Sequence[Moment]:
    if place == CARD:
        return (Moment.BEFORE, Moment.AFTER)
    if victim in (Victim.CARD, Victim.READERS):
        return ()
    if victim is Victim.STATION:  # Amid is the same as after, for the database.
        return (Moment.BEFORE, Moment.AFTER)
    return tuple(Moment)


class Ground(Protocol):
    """What can be killed beside the station; any thread may ask."""

    struck: list[Victim]

    def kill_database(self) -> None:
        """Kill it, and return when it is dead."""

    def revive(self) -> None:
        """Begin to start the database again if it is down."""

    def pull(self) -> None:
        """Pull the card."""

    def kill_readers(self) -> None:
        """Kill the service of the readers."""


@dataclass(eq=False)
class Step:
    """A step that is under way; `is_cut` when it goes no further."""

    place: str
    number: int
    is_cut: bool = False


class Run:
    """One run of a station: its steps so far, and the kill that waits for it.

    It is the `process` of a counter, as `cuts.Process` is in memory, and the gate of a line to the
    database (`database_line`).
    """

    def __init__(self, ground: Ground, kill: Kill | None) -> None:
        self.calls: list[Call] = []
        self.kill = kill
        self.is_dead = False
        self.pid = 0
        self._ground = ground
        self._struck = threading.Event()
        self._counts = dict.fromkeys(PLACES, 0)
        self._lock = threading.Lock()  # The card answers in a thread of its own.

    @property
    def has_struck(self) -> bool:
        return self._struck.is_set()

    def arm(self, kill: Kill) -> None:
        """Wait with another kill; its number counts from now."""
        self._struck.clear()
        with self._lock:
            self.kill = replace(kill, number=self._counts[kill.place] + kill.number)

    def mend(self) -> None:
        """Kill nobody any more, and have the database back."""
        self.kill = None
        self._struck.clear()
        self._ground.revive()

    async def settle(self) -> None:
        """Return when the kill has struck, or all steps have been taken."""
        if self.kill is None:
            await asyncio.sleep(SETTLE_S)
        else:
            await asyncio.to_thread(self._struck.wait, STRIKE_TIMEOUT_S)

    def ask(self, card: VirtualCard, apdu: bytes) -> bytes:
        """Have the card obey."""
        step = self._enter(CARD, apdu[:4].hex())
        self._strike_at(step, Moment.BEFORE)
        if step.is_cut:
            return NO_ANSWER
        answer = card.transmit(apdu)
        self._strike_at(step, Moment.AFTER)
        return answer

    def command(self, name: str) -> Step:
        place = MEMORY if name.endswith(f" {MEMORY_COLLECTION}") else JOURNAL
        return self._enter(place, name)

    def goes_on(self, step: Step) -> bool:
        self._strike_at(step, Moment.BEFORE)
        return not step.is_cut

    def sent(self, step: Step) -> None:
        self._strike_at(step, Moment.AMID)

    def is_heard(self, step: Step) -> bool:
        self._strike_at(step, Moment.AFTER)
        return not step.is_cut

    def _enter(self, place: str, name: str) -> Step:
        with self._lock:
            self.calls.append(Call(place, name))
            number = self._counts[place]
            self._counts[place] += 1
        return Step(place, number)

    def _strike_at(self, step: Step, moment: Moment) -> None:
        with self._lock:
            kill = self.kill
            if kill is None or self.has_struck:
                return
            if (kill.place, kill.number, kill.moment) != (step.place, step.number, moment):
                return
            # A card still obeys a station whose database dies; what else is struck is not heard.
            step.is_cut = step.place != CARD or kill.victim not in DATABASES - STATIONS
            self._strike(kill.victim)
            self._struck.set()

    def _strike(self, victim: Victim) -> None:
        self._ground.struck.append(victim)
        if victim is Victim.CARD:
            self._ground.pull()
        if victim is Victim.READERS:
            self._ground.kill_readers()
        if victim in STATIONS:
            self.is_dead = True
            assert self.pid, "it takes no step before it has told who it is"
            os.kill(self.pid, signal.SIGKILL)
        if victim in DATABASES:
            self._ground.kill_database()
        if victim is Victim.DATABASE:
            self._ground.revive()
