"""One line behind a terminal: who on it hears a request, and what comes back over a bad wire."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from station import tasks
from station.protocols.dlt645.frame import BROADCAST, PREAMBLE, Frame
from station.protocols.dlt645.parser import Parser
from station.simulator.meter import Meter, hears
from station.simulator.site import LineSite

log = logging.getLogger(__name__)

READ_SIZE = 4096


class Line:
    """The meters of a line; those with `tcp` are real and answer for themselves."""

    def __init__(self, site: LineSite, zone: ZoneInfo, random: Random, *, seed: int) -> None:
        self._noise = site.noise
        self._random = random
        self._meters = {
            meter.address: Meter(meter, zone, seed=seed) for meter in site.meters if not meter.tcp
        }
        self._lost = {meter.address: meter.lost for meter in site.meters if meter.lost}
        self._bridges = {meter.address: meter.tcp for meter in site.meters if meter.tcp}

    async def exchange(self, raw: bytes, now: datetime, *, timeout_s: float) -> bytes:
        """Return the bytes that come back, or none when nobody answers."""
        request = _request_in(raw)
        if request is None:
            return b""
        for address, place in self._bridges.items():
            if hears(address, request.address):
                return await _ask(place, raw, timeout_s=timeout_s)
        answers = [meter.answer(request, now) for meter in self._asked(request.address)]
        spoken = [
            PREAMBLE + answer.to_bytes()
            for answer in answers
            if answer is not None and not self._is_lost(answer.address)
        ]
        return self._disturbed(_together(spoken))

    def _asked(self, address: str) -> Iterable[Meter]:
        """Return the meters that may mean themselves; a whole address is one meter's at most."""
        if address.isdecimal() and address != BROADCAST:
            meter = self._meters.get(address)
            return () if meter is None else (meter,)
        return self._meters.values()

    def _is_lost(self, address: str) -> bool:
        share = self._lost.get(address)
        return share is not None and self._random.random() < share

    def _disturbed(self, raw: bytes) -> bytes:
        if not raw or self._random.random() >= self._noise:
            return raw
        place = self._random.randrange(len(PREAMBLE), len(raw))
        flipped = raw[place] ^ 1 << self._random.randrange(8)
        return raw[:place] + bytes((flipped,)) + raw[place + 1 :]


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
    if not spoken:
        return b""
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
