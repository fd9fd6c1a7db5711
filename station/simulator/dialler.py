"""A device that dials in: says who it is, beats, answers, goes and comes back.

What all protocols have in common; a class for each of them says how the bytes look. A device works
on one request of a line at a time and keeps the others waiting. It costs no task while it waits:
what happens later is a timer of its connection, and dies with it. Nothing ends a device but
cancelling `run`; then it says goodbye first.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, cast

from station.errors import LinkDown
from station.simulator.faults import NOISE_MAX, PIECE_GAP_S, PIECES_MAX
from station.simulator.site import Language, TerminalSite

log = logging.getLogger(__name__)

CONFIRMATION_TIMEOUT_S = 10.0  # Of a login; a heartbeat may take until the next one.
LOGOUT_TIMEOUT_S = 1.0  # A stop does not wait longer than this for the station.
LOGINS_MAX = 3  # Repeats that the standard allows; then it dials again.
HEARTBEATS_MAX = 3
WAITING_MAX = 64  # Requests of one line; a station that asks one at a time never fills this.

Done = Callable[[], None]


class Dialler(ABC):
    """One device of a site. Protocols say what it sends and how it answers."""

    confirms = True  # Whether the station confirms a login of this protocol.

    def __init__(
        self,
        site: TerminalSite,
        host: str,
        port: int,
        *,
        seed: int = 1,
        language: Language = "en",
    ) -> None:
        self.site = site
        self.random = Random(f"{seed}/{site.address}")
        self.name = f"{site.address} {getattr(site.name, language)}".rstrip()
        self._host, self._port = host, port

    # What a protocol says.

    @abstractmethod
    def begin(self) -> None:
        """A connection is new: what was half received belongs to the old one."""

    @abstractmethod
    def login(self) -> bytes:
        """Return what is sent first; nothing if the device says nothing."""

    @abstractmethod
    def heartbeat(self) -> bytes:
        """Return what is sent every `heartbeat_s`; nothing if there is no such thing."""

    @abstractmethod
    def logout(self) -> bytes:
        """Return what is sent last, and confirmed; nothing if there is no such thing."""

    @abstractmethod
    def hear(self, call: "Call", data: bytes) -> None:
        """Take bytes: tell the call what was confirmed, and give it the requests."""

    @abstractmethod
    def work(self, call: "Call", request: Any, done: Done) -> None:
        """Answer a request, and call `done` when the next one of its line may have its turn."""

    def event(self) -> bytes:
        """Return a report of an event; nothing if the protocol has none."""
        return b""

    # What all have in common.

    async def run(self) -> None:
        """Be there for ever."""
        while True:
            pause_s = self.site.redial_s
            try:
                await self._call()
                pause_s = self.site.drop_for_s
                log.info("%s: goes away for %.0f s", self.name, pause_s)
            except (OSError, LinkDown) as error:
                log.info("%s: %s; dials again in %.0f s", self.name, error, pause_s)
            await asyncio.sleep(pause_s)

    def delay_s(self) -> float:
        """Return how long the next exchange takes."""
        return self.random.uniform(*self.site.delay_ms) / 1000

    async def _call(self) -> None:
        """Stay connected until it is time to drop. Raises LinkDown or OSError."""
        loop = asyncio.get_running_loop()
        _, call = await loop.create_connection(lambda: Call(self), self._host, self._port)
        try:
            await asyncio.shield(call.ended)
        except asyncio.CancelledError:
            await call.take_leave()
            log.info("%s: logged out", self.name)
            raise
        finally:
            call.close()


class Call(asyncio.Protocol):
    """One connection to the station, from the dialling to its end."""

    def __init__(self, device: Dialler) -> None:
        self._device = device
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._online = False
        self._unanswered = 0
        self._farewell: asyncio.Future[None] | None = None
        self._busy: set[int] = set()  # Lines with a request under way.
        self._waiting: dict[int, deque[Any]] = {}
        self._unsent: deque[tuple[float, bytes]] = deque()  # Pieces, with the pause before each.

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._device.begin()
        self._log_in(LOGINS_MAX)
        if self._device.site.drop_after_s is not None:
            self.later(self._device.site.drop_after_s, self._end, None)

    def data_received(self, data: bytes) -> None:
        self._device.hear(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(LinkDown(str(exc) if exc else "the station closed the link"))

    # What the device says.

    def confirmed(self) -> None:
        """The station has confirmed a login, a heartbeat, a report or the farewell."""
        if not self._online:
            self._go_online()
        if self._farewell is not None and not self._farewell.done():
            self._farewell.set_result(None)

    def heard(self) -> None:
        """Somebody is there: a confirmation may wait behind requests."""
        self._unanswered = 0

    def take(self, line: int, request: Any) -> None:
        """Take a request; it is worked on when its line is free."""
        if line not in self._busy:
            self._busy.add(line)
            self._device.work(self, request, lambda: self._next(line))
            return
        waiting = self._waiting.setdefault(line, deque())
        if len(waiting) < WAITING_MAX:
            waiting.append(request)

    def later(self, delay_s: float, what: Callable[..., None], *arguments: Any) -> None:
        """Do something in a while, if the connection is still there then."""
        timer: asyncio.TimerHandle

        def run() -> None:
            self._timers.discard(timer)
            what(*arguments)

        timer = self._loop.call_later(delay_s, run)
        self._timers.add(timer)

    def send(self, raw: bytes) -> None:
        """Send what nothing happens to."""
        if self._unsent:
            self._unsent.append((0.0, raw))
        elif raw and self._transport is not None and not self.ended.done():
            self._transport.write(raw)

    def answer(self, raw: bytes) -> None:
        """Send an answer, to which the faults of the site happen."""
        faults = self._device.site.faults
        if faults is None:
            self.send(raw)
        elif self._happens(faults.lost):
            return
        elif self._happens(faults.late):
            self.later(faults.late_ms / 1000, self._send_disturbed, raw)
        else:
            self._send_disturbed(raw)

    def close(self) -> None:
        """End the connection at once."""
        self._end(None)
        if self._transport is not None:
            self._transport.close()

    async def take_leave(self) -> None:
        """Say goodbye; a station that does not answer is left all the same."""
        raw = self._device.logout()
        if not raw or self.ended.done():
            return
        self._farewell = self._loop.create_future()
        self.send(raw)
        await asyncio.wait((self._farewell,), timeout=LOGOUT_TIMEOUT_S)

    # Helpers.

    def _log_in(self, tries: int) -> None:
        if self._online:
            return
        if not tries:
            self._end(LinkDown(f"no confirmation of {LOGINS_MAX} logins"))
            return
        self.send(self._device.login())
        if not self._device.confirms:
            self._go_online()
            return
        self.later(CONFIRMATION_TIMEOUT_S, self._log_in, tries - 1)

    def _go_online(self) -> None:
        self._online = True
        log.info("%s: logged in", self._device.name)
        self.later(self._device.site.heartbeat_s, self._beat)
        if self._device.site.event_every_s is not None:
            self.later(self._device.site.event_every_s, self._report)

    def _beat(self) -> None:
        if self._device.confirms and self._unanswered == HEARTBEATS_MAX:
            self._end(LinkDown(f"no answer to {HEARTBEATS_MAX} heartbeats"))
            return
        self._unanswered += 1
        self.send(self._device.heartbeat())
        self.later(self._device.site.heartbeat_s, self._beat)

    def _report(self) -> None:
        self.send(self._device.event())
        self.later(self._device.site.event_every_s or 0, self._report)

    def _next(self, line: int) -> None:
        waiting = self._waiting.get(line)
        if waiting:
            self._device.work(self, waiting.popleft(), lambda: self._next(line))
        else:
            self._busy.discard(line)

    def _end(self, error: LinkDown | None) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._unsent.clear()
        if not self.ended.done():
            if error is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._device.random.random() < share

    def _send_disturbed(self, raw: bytes) -> None:
        faults, random = self._device.site.faults, self._device.random
        assert faults is not None
        if self._happens(faults.corrupt):
            raw = with_a_wrong_bit(raw, random)
        if self._happens(faults.noise):
            raw = random.randbytes(random.randint(1, NOISE_MAX)) + raw
        if self._happens(faults.merged):
            raw = self._device.heartbeat() + raw
        if self._happens(faults.duplicate):
            raw += raw
        if self._happens(faults.drop):
            self._break_off(raw[: len(raw) // 2])
        elif self._happens(faults.split):
            self._send_in_pieces(raw)
        else:
            self.send(raw)

    def _break_off(self, raw: bytes) -> None:
        self.send(raw)
        self._end(LinkDown("the connection broke, as the site wants it"))

    def _send_in_pieces(self, raw: bytes) -> None:
        random = self._device.random
        cuts = sorted(random.randrange(len(raw) + 1) for _ in range(PIECES_MAX - 1))
        pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True) if a < b]
        was_idle = not self._unsent
        self._unsent.extend((PIECE_GAP_S, piece) for piece in pieces)
        if was_idle:
            self._send_piece()

    def _send_piece(self) -> None:
        _, piece = self._unsent.popleft()
        if self._transport is not None and not self.ended.done():
            self._transport.write(piece)
        if self._unsent:
            self.later(self._unsent[0][0], self._send_piece)


def with_a_wrong_bit(raw: bytes, random: Random, start: int = 0) -> bytes:
    """Return the bytes with one bit turned over, at or behind a place."""
    at = random.randrange(start, len(raw))
    return raw[:at] + bytes((raw[at] ^ 1 << random.randrange(8),)) + raw[at + 1 :]
