"""What a simulated 1997 meter lets itself be ordered: parameters, its clock and its password.

A write carries a password of four bytes, its level first (digest dlt645.md, section 2.2); levels 00
and 02 may write. What was set is kept for as long as the simulation runs.
"""

from datetime import datetime

from station.protocols.dlt645 import functions, items
from station.protocols.dlt645.frame import Frame, Version
from station.simulator import registers1997
from station.simulator.metering import Metering
from station.simulator.orders import (
    DONE,
    NO_DATA,
    NOT_AUTHORISED,
    OTHER_ERROR,
    PASSWORD_SIZE,
    WRITE_LEVELS,
    clock_with,
)

IDENTIFIER_SIZE = 2
DATE, TIME = 0xC010, 0xC011
PARAMETERS = 0xC
NEVER_SET = frozenset((0xC020, 0xC021, 0xC032))  # Status words, the meter's number.
TABLES = 0xC3  # Zones and slots, which may change their length.


class Orders1997:
    """What one meter was ordered so far."""

    def __init__(self, metering: Metering, password: str) -> None:
        self._metering = metering
        self._passwords = dict.fromkeys(WRITE_LEVELS, bytes.fromhex(password)[::-1])
        self._written: dict[int, bytes] = {}

    def written(self, data_id: int) -> bytes | None:
        """Return what was set under an identifier."""
        return self._written.get(data_id)

    def obey(self, request: Frame, now: datetime) -> int:
        """Do what a request orders; return DONE or the bits of an error word."""
        if request.function == functions.WRITE_1997:
            return self._write(request, now)
        if request.function == functions.CHANGE_PASSWORD_1997:
            return self._change_password(request.data)
        return OTHER_ERROR

    def _write(self, request: Frame, now: datetime) -> int:
        data_id = functions.data_id_of(request)
        password = request.data[IDENTIFIER_SIZE : IDENTIFIER_SIZE + PASSWORD_SIZE]
        value = request.data[IDENTIFIER_SIZE + PASSWORD_SIZE :]
        if data_id is None or not self._is_allowed(password):
            return NOT_AUTHORISED
        if data_id >> 12 != PARAMETERS or data_id in NEVER_SET:
            return NOT_AUTHORISED
        shown = self._metering.clock(now)
        try:
            found = items.decode(Version.V1997, data_id, value)
            if not found or not all(one.valid for one in found):
                return OTHER_ERROR
            if data_id in (DATE, TIME):
                self._metering.set_clock(now, clock_with(shown, found[0].value))
                return DONE
            values = registers1997.read(self._metering, data_id, shown)
            if values is None:
                return NO_DATA
            size = len(items.encode(Version.V1997, data_id, values))
        except ValueError:
            return OTHER_ERROR
        if len(value) != size and data_id >> 8 != TABLES:
            return OTHER_ERROR
        self._written[data_id] = value
        return DONE

    def _change_password(self, data: bytes) -> int:
        old, new = data[:PASSWORD_SIZE], data[PASSWORD_SIZE:]
        if len(new) != PASSWORD_SIZE or not self._is_allowed(old) or new[0] < old[0]:
            return NOT_AUTHORISED
        self._passwords[new[0]] = new[1:]
        return DONE

    def _is_allowed(self, password: bytes) -> bool:
        return len(password) == PASSWORD_SIZE and self._passwords.get(password[0]) == password[1:]
