"""What a simulated 2007 meter lets itself be ordered: parameters, passwords, its clock, its relay.

A password is asked for, of a level that may do it (digest 2.1, 2.3): 02 for the relay, 02 or 04 for
parameters; level 00 may do all. What was set is kept for as long as the simulation runs.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from station.protocols.dlt645 import functions, items
from station.protocols.dlt645.formats import Content
from station.protocols.dlt645.frame import Frame, Version
from station.protocols.dlt645.requests import Command
from station.simulator import registers
from station.simulator.metering import Metering

OTHER_ERROR = 0b001
NO_DATA = 0b010
NOT_AUTHORISED = 0b100
DONE = 0

AUTHORITY_SIZE = 8  # PA P0 P1 P2 C0 C1 C2 C3.
CONTROL_SIZE = AUTHORITY_SIZE + 8  # N1 N2 and the time.
RELAY_LEVELS = (0x00, 0x02)
WRITE_LEVELS = (0x00, 0x02, 0x04)

STATUS_WORD_3 = 0x04000503
STATUS_WORDS = 0x040005FF
RELAY_OPEN, ORDERED_OPEN, POWER_KEPT = 1 << 4, 1 << 6, 1 << 12

DATE, TIME, DATE_AND_TIME = 0x04000101, 0x04000102, 0x0400010C
ADDRESS = 0x04000401
PASSWORDS = 0x04000C01  # Of level 0; those of the other levels follow.
PASSWORD_SIZE = 4  # PA P0 P1 P2.
BROADCAST_MAX = timedelta(minutes=5)  # A clock further out is not set by a broadcast.
NEVER_SET = (0x04000500 >> 8, 0x04000401 >> 8)  # Status words, addresses.
PARAMETERS = 0x04

_SET = {Command.TRIP: RELAY_OPEN | ORDERED_OPEN, Command.KEEP_POWER: POWER_KEPT}
_CLEARED = {
    Command.PERMIT_CLOSING: RELAY_OPEN | ORDERED_OPEN,  # Somebody presses the button at once.
    Command.CLOSE: RELAY_OPEN | ORDERED_OPEN,
    Command.END_KEEP_POWER: POWER_KEPT,
    Command.ALARM_ON: 0,
    Command.ALARM_OFF: 0,
}


class Orders:
    """What one meter was ordered so far."""

    def __init__(self, metering: Metering, password: str) -> None:
        self._metering = metering
        self._password = bytes.fromhex(password)[::-1]
        self._passwords: dict[int, bytes] = {}  # Changed ones by their level.
        self._written: dict[int, bytes] = {}
        self._relay = 0  # Its bits of status word 3.

    def written(self, data_id: int) -> bytes | None:
        """Return what was set under an identifier."""
        return self._written.get(data_id)

    def take_address(self, address: str) -> None:
        """Show another address from now on."""
        self._written[ADDRESS] = bytes.fromhex(address)[::-1]

    def hear_time(self, data: bytes, now: datetime) -> None:
        """Set the clock as a broadcast says, unless that is too far away."""
        shown = self._metering.clock(now)
        try:
            told = _time_in(data)
        except ValueError:
            return
        if abs(told - shown) <= BROADCAST_MAX:
            self._metering.set_clock(now, told)

    def _change_password(self, request: Frame) -> int:
        """Change a level's password for who knows it; return DONE or the bits of an error word."""
        data_id, body = functions.data_id_of(request), request.data[4:]
        if data_id is None or len(body) != 2 * PASSWORD_SIZE:
            return OTHER_ERROR
        old, new = body[:PASSWORD_SIZE], body[PASSWORD_SIZE:]
        level = data_id - PASSWORDS
        if new[0] != level or old[0] > level or old[1:] != self._password_of(old[0]):
            return NOT_AUTHORISED
        self._passwords[level] = new[1:]
        return DONE

    def shown(self, data_id: int, values: Sequence[Content] | None) -> Sequence[Content] | None:
        """Return values as they are with the relay as it was ordered."""
        if not self._relay or values is None or data_id not in (STATUS_WORD_3, STATUS_WORDS):
            return values
        place = 0 if data_id == STATUS_WORD_3 else 2
        word = values[place]
        assert isinstance(word, int)
        return [*values[:place], word | self._relay, *values[place + 1 :]]

    def obey(self, request: Frame, now: datetime) -> int:
        """Do what a request orders; return DONE or the bits of an error word."""
        if request.function == functions.CONTROL:
            return self._control(request.data, now)
        if request.function == functions.WRITE:
            return self._write(request, now)
        if request.function == functions.CHANGE_PASSWORD:
            return self._change_password(request)
        return NOT_AUTHORISED

    def _control(self, data: bytes, now: datetime) -> int:
        if len(data) != CONTROL_SIZE or not self._is_allowed(data, RELAY_LEVELS):
            return NOT_AUTHORISED
        try:
            command = Command(data[AUTHORITY_SIZE])
            until = _time_in(data[-6:])
        except ValueError:
            return OTHER_ERROR
        if until < self._metering.clock(now):
            return OTHER_ERROR
        if command is Command.TRIP and self._relay & POWER_KEPT:
            return NOT_AUTHORISED
        if command not in _SET and command not in _CLEARED:
            return OTHER_ERROR
        self._relay = (self._relay | _SET.get(command, 0)) & ~_CLEARED.get(command, 0)
        return DONE

    def _write(self, request: Frame, now: datetime) -> int:
        data_id = functions.data_id_of(request)
        body = request.data[4:]
        if data_id is None or not self._is_allowed(body, WRITE_LEVELS):
            return NOT_AUTHORISED
        value = body[AUTHORITY_SIZE:]
        shown = self._metering.clock(now)
        if data_id >> 24 != PARAMETERS or data_id >> 8 in NEVER_SET:
            return NOT_AUTHORISED
        values = registers.read(self._metering, data_id, shown)
        if values is None:
            return NO_DATA
        try:
            whole = len(items.encode(Version.V2007, data_id, values))
            if len(value) != whole and data_id not in registers.TABLES:
                return OTHER_ERROR
            found = items.decode(Version.V2007, data_id, value)
            if data_id in (DATE, TIME, DATE_AND_TIME):
                self._metering.set_clock(now, clock_with(shown, found[0].value))
                return DONE
        except ValueError:
            return OTHER_ERROR
        self._written[data_id] = value
        return DONE

    def _is_allowed(self, authority: bytes, levels: Sequence[int]) -> bool:
        return (
            len(authority) >= AUTHORITY_SIZE
            and authority[0] in levels
            and authority[1:4] == self._password_of(authority[0])
        )

    def _password_of(self, level: int) -> bytes:
        return self._passwords.get(level, self._password)


def _time_in(data: bytes) -> datetime:
    """Return ss mm hh DD MM YY as a time of the meter's clock. Raises ValueError."""
    second, minute, hour, day, month, year = (int(f"{digits:02x}") for digits in data)
    return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001  It has no zone.


def clock_with(shown: datetime, value: object) -> datetime:
    """Return the clock with its date, its time or both replaced. Raises ValueError."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, time):
        return datetime.combine(shown.date(), value)
    if isinstance(value, date):
        return datetime.combine(value, shown.time())
    raise ValueError(f"{value!r} is no date or time")
