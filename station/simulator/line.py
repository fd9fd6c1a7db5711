"""One line of meters: who on it hears a request, and what comes back over a bad wire."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from station import tasks
from station.protocols.dlt645 import functions
from station.protocols.dlt645.frame import BROADCAST, PREAMBLE, Frame
from station.protocols.dlt645.parser import Parser
from station.protocols.dlt698.frame import Frame as ObjectFrame
from station.protocols.dlt698.parser import Parser as ObjectParser
from station.simulator.dialler import with_a_wrong_bit
from station.simulator.meter import Meter, hears
from station.simulator.object_meter import ObjectMeter
from station.simulator.site import DLT698, LineSite, MeterSite

log = logging.getLogger(__name__)

READ_SIZE = 4096
STRANGER = "999999999998"  # Answers in place of the one that was asked.


class Line:
    """The meters of a line; those with `tcp` are real and answer for themselves."""

    def __init__(self, site: LineSite, zone: ZoneInfo, random: Random, *, seed: int) -> None:
        self._noise = site.noise
        self._random = random
        simulated = [meter for meter in site.meters if not meter.tcp]
        self._meters = {
            meter.address: Meter(meter, zone, seed=seed)
            for meter in simulated
            if meter.protocol != DLT698
        }
        self._object_meters = {
            meter.address: ObjectMeter(meter, zone, seed=seed)
            for meter in simulated
            if meter.protocol == DLT698
        }
        self._bridges = {meter.address: meter.tcp for meter in site.meters if meter.tcp}

    def object_meter(self, address: str) -> ObjectMeter | None:
        """Return the meter of 698.45 with an address."""
        return self._object_meters.get(address)

    def is_real(self, raw: bytes) -> bool:
        """Tell whether a request is for a real meter: `exchange` asks it, and takes its time."""
        return bool(self._bridges) and self._bridge_of(raw) is not None

    async def exchange(self, raw: bytes, now: datetime, *, timeout_s: float) -> bytes:
        """Return the bytes that come back, or none when nobody answers."""
        place = self._bridge_of(raw)
        if place is None:
            return self.answer(raw, now)
        return await _ask(place, raw, timeout_s=timeout_s)

    def answer(self, raw: bytes, now: datetime) -> bytes:
        """Return what the simulated meters say, or nothing."""
        request = _request_in(raw)
        if request is None:
            return self._object_answer(raw, now) if self._object_meters else b""
        asked = [*self._asked(request)]
        answers = [(meter.site, meter.answer(request, now)) for meter in asked]
        if request.function == functions.WRITE_ADDRESS:
            self._meters = {meter.address: meter for meter in self._meters.values()}
        spoken = [self._sent(site, answer) for site, answer in answers if answer is not None]
        return self._disturbed(_together([each for each in spoken if each]))

    def _bridge_of(self, raw: bytes) -> str | None:
        request = _request_in(raw)
        if request is None:
            return None
        found = (
            place for address, place in self._bridges.items() if hears(address, request.address)
        )
        return next(found, None)

    def _object_answer(self, raw: bytes, now: datetime) -> bytes:
        parser = ObjectParser()
        parser.receive_data(raw)
        parser.give_up()
        while (event := parser.next_event()) is not None:
            if isinstance(event, ObjectFrame) and not event.from_terminal:
                for meter in self._object_meters.values():
                    answer = meter.answer(event, now)
                    if answer is not None and not self._happens(meter.site.lost):
                        return self._disturbed(PREAMBLE + answer.to_bytes())
        return b""

    def _asked(self, request: Frame) -> Iterable[Meter]:
        """Return the meters that may mean themselves; a whole address is one meter's at most.

        Another address is taken by a meter that is alone on its line.
        """
        address = request.address
        if request.function == functions.WRITE_ADDRESS and len(self._meters) > 1:
            return ()
        if address.isdecimal() and address != BROADCAST:
            meter = self._meters.get(address)
            return () if meter is None else (meter,)
        return self._meters.values()

    def _sent(self, site: MeterSite, answer: Frame) -> bytes:
        """Return what of a meter's answer arrives, by the faults of the site."""
        if self._happens(site.lost):
            return b""
        if self._happens(site.wrong_meter):
            answer = Frame(STRANGER, answer.control, answer.data)
        raw = PREAMBLE + answer.to_bytes()
        if self._happens(site.corrupt):
            raw = with_a_wrong_bit(raw, self._random, len(PREAMBLE))
        return raw

    def _happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share

    def _disturbed(self, raw: bytes) -> bytes:
        if not raw or not self._happens(self._noise):
            return raw
        return with_a_wrong_bit(raw, self._random, len(PREAMBLE))


def _frames(parser: Parser) -> Iterator[Frame]:
    """Yield the frames that a parser holds; the bytes around them are left out."""
    while (event := parser.next_event()) is not None:
        if isinstance(event, Frame):
            yield event


def _request_in(raw: bytes) -> Frame | None:
    """Return the request in what was forwarded, behind whatever stands in front of it."""
    parser = Parser()
    parser.receive_data(raw)
    return next((frame for frame in _frames(parser) if not frame.from_meter), None)


def _together(spoken: list[bytes]) -> bytes:
    """Return what a line carries when several speak at once: a 0 wins over a 1."""
    if len(spoken) < 2:
        return spoken[0] if spoken else b""
    size = max(map(len, spoken))
    whole = int.from_bytes(b"\xff" * size, "big")
    for raw in spoken:
        whole &= int.from_bytes(raw.ljust(size, b"\xff"), "big")
    return whole.to_bytes(size, "big")


async def _ask(place: str, raw: bytes, *, timeout_s: float) -> bytes:
    """Put the bytes on a real line and return all that comes, until a meter's frame is whole."""
    came = bytearray()
    work = tasks.spawn(_collect(place, raw, came), name=f"meter line {place}")
    try:
        await asyncio.wait((work,), timeout=timeout_s)
    finally:
        await tasks.cancel(work)
    return bytes(came)


async def _collect(place: str, raw: bytes, came: bytearray) -> None:
    host, port = place.rsplit(":", 1)
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError as error:
        log.info("meter line %s: %s", place, error)
        return
    parser = Parser()
    try:
        writer.write(raw)
        while data := await reader.read(READ_SIZE):
            came += data
            parser.receive_data(data)
            if any(frame.from_meter for frame in _frames(parser)):
                return
    except OSError as error:
        log.info("meter line %s: %s", place, error)
    finally:
        writer.close()
