"""A simulated meter: takes a request, answers or stays silent. The clock is the caller's.

A 2007 meter reads, sends what is longer than the standard's 200 data bytes in parts, tells its
address and takes another, and lets itself be ordered by who knows its password (`orders`). A 1997
meter answers reads only. Both take the time from a broadcast.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from station.protocols import bcd
from station.protocols.dlt645 import functions, items, requests
from station.protocols.dlt645.formats import Content
from station.protocols.dlt645.frame import BROADCAST, Frame, Version
from station.protocols.dlt645.tables import SEPARATOR
from station.simulator import recorder, registers, registers1997
from station.simulator.metering import Metering
from station.simulator.orders import NO_DATA, OTHER_ERROR, PASSWORD_SIZE, Orders
from station.simulator.orders1997 import Orders1997
from station.simulator.site import MeterSite

log = logging.getLogger(__name__)

DATA_SIZE_MAX = 200  # Of an answer (digest 1.3).
FIRST_PART_MAX = DATA_SIZE_MAX - 4  # Behind the identifier.
PART_MAX = FIRST_PART_MAX - 1  # Behind the identifier and before the sequence number.

ADDRESS_SIZE = 6
LOAD_PROFILE = 0x06  # Class of the identifier.
SET_1997 = (functions.WRITE_1997, functions.CHANGE_PASSWORD_1997)


class Meter:
    """One meter of a site; from one request to the next it keeps the rest of a long answer."""

    def __init__(self, site: MeterSite, zone: ZoneInfo, *, seed: int = 1) -> None:
        self.site = site
        self.address = site.address
        self._version = Version(site.protocol)
        self._metering = Metering(site, zone, seed=seed)
        self._orders = Orders(self._metering, site.password)
        self._orders_1997 = Orders1997(self._metering, site.password)
        self._rest_of: int | None = None
        self._rest: list[bytes] = []

    def answer(self, request: Frame, now: datetime) -> Frame | None:
        """Return the answer to a request at an aware moment, or None for silence."""
        if self.site.dead or request.from_meter:
            return None
        if request.function == functions.BROADCAST_TIME:
            if request.address == BROADCAST or hears(self.address, request.address):
                self._orders.hear_time(request.data, now)
            return None
        if self._version is Version.V1997:
            return self._answer_1997(request, now)
        if not hears(self.address, request.address):
            return None
        return self._answer_2007(request, now)

    def _answer_2007(self, request: Frame, now: datetime) -> Frame | None:
        function = request.function
        if function == functions.READ:
            return self._read(request, now)
        if function == functions.READ_FOLLOWING:
            return self._read_following(request)
        if function == functions.READ_ADDRESS:
            return self._accept(request, bcd.from_text(self.address))
        if function == functions.WRITE_ADDRESS:
            return self._take_address(request)
        if functions.find_function(Version.V2007, function) is None:
            return None
        is_password = function == functions.CHANGE_PASSWORD
        error_bits = self._orders.obey(request, now)
        if error_bits:
            return self._refuse(request, error_bits)
        return self._accept(request, request.data[-PASSWORD_SIZE:] if is_password else b"")

    def _take_address(self, request: Frame) -> Frame | None:
        """Take another address; who will not says nothing (digest 2.1)."""
        if len(request.data) != ADDRESS_SIZE or not request.data.hex().isdecimal():
            return None
        self.address = bcd.to_text(request.data)
        self._orders.take_address(self.address)
        return self._accept(request, b"")

    def _answer_1997(self, request: Frame, now: datetime) -> Frame | None:
        """Answer 01H; to 9999.. too, which means whoever is there (digest 1.2); and be set."""
        is_heard = request.address == BROADCAST or hears(self.address, request.address)
        if is_heard and request.function == functions.READ_1997:
            return self._read(request, now)
        if request.function not in SET_1997 or not hears(self.address, request.address):
            return None
        error_bits = self._orders_1997.obey(request, now)
        return self._refuse(request, error_bits) if error_bits else self._accept(request, b"")

    def _read(self, request: Frame, now: datetime) -> Frame:
        data_id = functions.data_id_of(request)
        if data_id is None:
            return self._refuse(request, OTHER_ERROR)
        try:
            data = self._data(request, data_id, self._metering.clock(now))
        except ValueError as error:
            log.warning("meter %s: %s", self.address, error)
            return self._refuse(request, OTHER_ERROR)
        if data is None:
            return self._refuse(request, NO_DATA)
        first, rest = data[:FIRST_PART_MAX], data[FIRST_PART_MAX:]
        self._rest_of = data_id
        self._rest = [rest[at : at + PART_MAX] for at in range(0, len(rest), PART_MAX)]
        return self._accept(request, first, has_more=bool(rest))

    def _data(self, request: Frame, data_id: int, at: datetime) -> bytes | None:
        """Return what stands behind the identifier. Raises ValueError if a value does not fit."""
        version = self._version
        if version is Version.V1997:
            values = registers1997.read(self._metering, data_id, at)
            return self._orders_1997.written(data_id) or _encoded(version, data_id, values)
        if data_id >> 24 == LOAD_PROFILE:
            return recorder.read(self._metering, request, at)
        parts = registers.freeze_parts(data_id)
        if not parts:
            written = self._orders.written(data_id)
            if written is not None:
                return written
            values = registers.read(self._metering, data_id, at)
            return _encoded(version, data_id, self._orders.shown(data_id, values))
        found = [
            _encoded(version, part, registers.read(self._metering, part, at)) for part in parts
        ]
        return b"".join((part or b"") + SEPARATOR for part in found) if any(found) else None

    def _read_following(self, request: Frame) -> Frame:
        """Answer by sequence number, so that a part that was lost can be asked for again."""
        data_id = functions.data_id_of(request)
        sequence = request.data[4] if len(request.data) > 4 else 0
        if data_id != self._rest_of or not 1 <= sequence <= len(self._rest):
            return self._refuse(request, NO_DATA)
        part = self._rest[sequence - 1]
        return self._accept(request, part, has_more=sequence < len(self._rest))

    def _accept(self, request: Frame, data: bytes, *, has_more: bool = False) -> Frame:
        return requests.answer(request, data, address=self.address, has_more=has_more)

    def _refuse(self, request: Frame, error_bits: int) -> Frame:
        return requests.refuse(request, error_bits, address=self.address)


def hears(address: str, asked: str) -> bool:
    """Tell whether a meter is meant; AA in what is asked stands for any two digits."""
    return all(
        asked[place : place + 2] in ("AA", address[place : place + 2]) for place in range(0, 12, 2)
    )


def _encoded(version: Version, data_id: int, values: Sequence[Content] | None) -> bytes | None:
    return None if values is None else items.encode(version, data_id, values)
