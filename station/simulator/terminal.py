"""A simulated terminal: dials the front-end, logs in, beats, forwards, goes and comes back.

It works on one request at a time, as the real ones do, and knows AFN10 F1 only: every other request
is denied. Nothing here ends it but cancelling `run`; then it logs out first.
"""

import asyncio
import contextlib
import logging
import math
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from station import tasks
from station.errors import LinkDown
from station.protocols.qgdw1376 import forward, link
from station.protocols.qgdw1376.frame import IDENTIFICATION_SIZE, SEQUENCE_MASK, Address, Frame
from station.protocols.qgdw1376.parser import Parser
from station.simulator.line import Line
from station.simulator.site import Language, Site, TerminalSite
from station.units import utc_now

log = logging.getLogger(__name__)

CONFIRMATION_TIMEOUT_S = 10.0  # Of a login; a heartbeat may take until the next one.
LOGOUT_TIMEOUT_S = 1.0  # A stop does not wait longer than this for the station.
LOGINS_MAX = 3  # Repeats that the standard allows; then it dials again.
HEARTBEATS_MAX = 3
READ_SIZE = 65_536
FRAME_TIMEOUT_AT = IDENTIFICATION_SIZE + 2  # Behind the port and the line control.


class Terminal:
    """One terminal of a site and everything behind it."""

    def __init__(
        self,
        site: TerminalSite,
        zone: ZoneInfo,
        host: str,
        port: int,
        *,
        seed: int = 1,
        language: Language = "en",
    ) -> None:
        self._site = site
        self._zone = zone
        self._host, self._port = host, port
        self._random = Random(f"{seed}/{site.address}")
        self._address = Address.from_text(site.address)
        self._lines = {line.port: Line(line, zone, self._random, seed=seed) for line in site.lines}
        self._name = f"{site.address} {getattr(site.name, language)}".rstrip()

    async def run(self) -> None:
        """Be there for ever."""
        while True:
            pause_s = self._site.redial_s
            try:
                await self._call()
                pause_s = self._site.drop_for_s
                log.info("%s: goes away for %.0f s", self._name, pause_s)
            except (OSError, LinkDown) as error:
                log.info("%s: %s; dials again in %.0f s", self._name, error, pause_s)
            await asyncio.sleep(pause_s)

    async def _call(self) -> None:
        """Stay connected until it is time to drop. Raises LinkDown or OSError."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        call = _Call(reader, writer, self._address)
        try:
            await call.log_in()
            log.info("%s: logged in", self._name)
            await self._serve(call)
        except asyncio.CancelledError:
            await call.log_out()
            log.info("%s: logged out", self._name)
            raise
        finally:
            await call.close()

    async def _serve(self, call: "_Call") -> None:
        """Beat and answer until it is time to drop."""
        time = asyncio.get_running_loop().time
        beat_at = time() + self._site.heartbeat_s
        leave_at = time() + (self._site.drop_after_s or math.inf)
        while time() < leave_at:
            if time() >= beat_at:
                call.beat(utc_now().astimezone(self._zone))
                beat_at = time() + self._site.heartbeat_s
            frame = await call.next_frame(min(beat_at, leave_at))
            if frame is not None and frame.from_initiator:
                await self._answer(call, frame)

    async def _answer(self, call: "_Call", request: Frame) -> None:
        inner = forward.inner_bytes(request)
        if inner is None:
            call.send(forward.deny(request))
            return
        await asyncio.sleep(self._random.uniform(*self._site.delay_ms) / 1000)
        line = self._lines.get(forward.forwarded_port(request) or 0)
        timeout_s = _frame_timeout_s(request)
        came = b""
        if line is not None:
            came = await line.exchange(inner, utc_now(), timeout_s=timeout_s)
        if came:
            call.send(forward.forward_answer(request, came))
            return
        await asyncio.sleep(min(self._site.silence_ms / 1000, timeout_s))
        if self._site.silence == "deny":
            call.send(forward.deny(request))
        elif self._site.silence == "empty":
            call.send(forward.forward_answer(request, b""))


class _Call:
    """One connection to the station, from the dialling to its end."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Address
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._address = address
        self._parser = Parser()
        self._reading: asyncio.Task[bytes] | None = None
        self._sequence = 0
        self._unanswered = 0

    def send(self, frame: Frame) -> None:
        self._writer.write(frame.to_bytes())

    async def log_in(self) -> None:
        """Log in and wait for the confirmation. Raises LinkDown if none comes."""
        for _ in range(LOGINS_MAX):
            self.send(link.login(self._address, self._next_sequence()))
            if await self._confirmed(CONFIRMATION_TIMEOUT_S):
                return
        raise LinkDown(f"no confirmation of {LOGINS_MAX} logins")

    async def log_out(self) -> None:
        """Say goodbye; a station that does not answer is left all the same."""
        with contextlib.suppress(LinkDown, OSError):
            self.send(link.logout(self._address, self._next_sequence()))
            await self._confirmed(LOGOUT_TIMEOUT_S)

    def beat(self, clock: datetime) -> None:
        """Send a heartbeat. Raises LinkDown when nothing came since the last ones."""
        if self._unanswered == HEARTBEATS_MAX:
            raise LinkDown(f"no answer to {HEARTBEATS_MAX} heartbeats")
        self._unanswered += 1
        self.send(link.heartbeat(self._address, self._next_sequence(), clock))

    async def next_frame(self, until: float) -> Frame | None:
        """Return the next frame for this terminal, or None at `until`, a time of the loop.

        Raises LinkDown when the station closed the connection.
        """
        while True:
            event = self._parser.next_event()
            if event is None:
                data = await self._received(until)
                if data is None:
                    return None
                if not data:
                    raise LinkDown("the station closed the link")
                self._parser.receive_data(data)
            elif isinstance(event, Frame) and self._is_for_us(event):
                # A confirmation may wait behind requests; any frame shows that somebody is there.
                self._unanswered = 0
                return event

    async def close(self) -> None:
        """End the connection."""
        await tasks.cancel(self._reading)
        self._writer.close()

    async def _received(self, until: float) -> bytes | None:
        """Return the next bytes, none at the end of the connection; or None when time is up.

        A read that outlasts the time goes on: asyncio.wait_for may lose a cancellation that comes
        together with the bytes (until Python 3.12), and then nothing would stop a terminal.
        """
        if self._reading is None:
            self._reading = tasks.spawn(self._read(), name=f"reading of {self._address.text}")
        timeout_s = max(until - asyncio.get_running_loop().time(), 0)
        done, _ = await asyncio.wait((self._reading,), timeout=timeout_s)
        if not done:
            return None
        data = self._reading.result()
        self._reading = None
        return data

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(READ_SIZE)
        except OSError:
            return b""

    async def _confirmed(self, timeout_s: float) -> bool:
        until = asyncio.get_running_loop().time() + timeout_s
        while (frame := await self.next_frame(until)) is not None:
            if link.is_confirmation(frame):
                return True
        return False

    def _is_for_us(self, frame: Frame) -> bool:
        return not frame.from_terminal and frame.address.text == self._address.text

    def _next_sequence(self) -> int:
        self._sequence = self._sequence + 1 & SEQUENCE_MASK
        return self._sequence


def _frame_timeout_s(request: Frame) -> float:
    """Return how long a forward request lets the meter take (AFN10 F1; digest 15)."""
    value = request.data[FRAME_TIMEOUT_AT]
    return float(value & 0x7F) if value & forward.IN_SECONDS else value / 100


async def run_site(
    site: Site, host: str, port: int, *, seed: int = 1, language: Language = "en"
) -> None:
    """Run all terminals of a site until cancelled; then they log out."""
    zone = ZoneInfo(site.zone)
    running = [
        tasks.spawn(
            Terminal(terminal, zone, host, port, seed=seed, language=language).run(),
            name=f"terminal {terminal.address}",
        )
        for terminal in site.terminals
    ]
    try:
        await asyncio.gather(*running)
    finally:
        await tasks.cancel(*running)
