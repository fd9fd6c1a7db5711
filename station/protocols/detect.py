"""All protocols on one port, told apart by content: DL/T 645, Q/GDW 1376.1 and DL/T 698.45.

All three begin with 68H. What else a start has to show before its bytes are waited for:

    DL/T 645        a second 68H at byte 7                 12 + byte 9 bytes
    Q/GDW 1376.1    68H L L 68H, both L alike              L >> 2, and 8 bytes
    DL/T 698.45     a header with the right HCS            L + 2 bytes

Then the checksum and 16H decide. Should one start fit two protocols, the frame that ends first is
taken, so the result does not depend on how the stream was cut. A start that fits and turns out
wrong becomes `Broken`; the search goes on one byte further. A meter's frame inside a broken frame
of the other two, which carry such frames, is a part of it and does not count by itself.

A device that is no terminal, but a modem in front of a meter, tells which one it is by a text or
some bytes of its own when it connects and now and then: they are given to the parser beforehand.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from station.protocols import dlt645
from station.protocols.dlt645 import frame as meter_frame
from station.protocols.dlt698 import frame as object_frame
from station.protocols.faults import FrameError
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import frame as terminal_frame
from station.protocols.qgdw1376.parser import FRAME_SIZE_MAX

AnyFrame = dlt645.Frame | terminal_frame.Frame | object_frame.Frame

NO_START = "no start of a frame"

REGISTRATION_SIZE_MAX = 256  # Of one text; modems allow less.

_TERMINAL_FRAME_SIZE_MAX = terminal_frame.USER_SIZE_MAX + terminal_frame.ENVELOPE_SIZE
_START = 0x68
_END = 0x16
_PREAMBLE = b"\xfe"
_MORE_NEEDED = -1  # A size: the header is not all there.
_NO_FRAME = 0  # A size: nothing of the kind starts here.


@dataclass(frozen=True, slots=True)
class Broken(Noise):
    """Bytes that begin like a frame and are none; `offset`, from their first one, is the fault."""

    offset: int


@dataclass(frozen=True, slots=True)
class Registration:
    """One of the texts by which a modem tells that it is there."""

    data: bytes


Event = AnyFrame | Registration | Noise


class Fault(NamedTuple):
    """Why a start that fits is no frame, and where it would have ended."""

    reason: str
    offset: int
    end: int
    is_carrier: bool


class _Kind(NamedTuple):
    """One protocol: the size of a frame by its header, how to read it, what may lie inside."""

    size_at: Callable[[bytes, int, int], int]
    read: Callable[[bytes], AnyFrame]
    is_carrier: bool


class Parser:
    """Call `next_event` until it returns None after each `receive_data`.

    Then no more than the longest frame is held back (16 kB behind a sound header of DL/T 698.45,
    else `terminal_frame_size_max`). `registrations` are the texts of modems, none of which may
    begin with another; `password_size` and `accept_2005` are settings of Q/GDW 1376.1.
    """

    def __init__(
        self,
        registrations: Iterable[bytes] = (),
        *,
        password_size: int = terminal_frame.PASSWORD_SIZE,
        accept_2005: bool = False,
        terminal_frame_size_max: int = FRAME_SIZE_MAX,
    ) -> None:
        """Raises ValueError for a registration that is empty, too long or the start of another."""
        self._registrations = _checked(registrations)
        firsts = {_START, *(registration[0] for registration in self._registrations)}
        self._starts = re.compile(b"[%b]" % re.escape(bytes(sorted(firsts))))
        self._terminal_frame_size_max = terminal_frame_size_max

        def read_terminal_frame(raw: bytes) -> AnyFrame:
            return terminal_frame.Frame.from_bytes(raw, password_size, accept_2005)

        self._kinds = (
            _Kind(_meter_size, dlt645.Frame.from_bytes, is_carrier=False),
            _Kind(self._terminal_size, read_terminal_frame, is_carrier=True),
            _Kind(_object_size, object_frame.Frame.from_bytes, is_carrier=True),
        )
        self._carriers = self._kinds[1:]
        self._buffer = b""
        self._at = 0  # Everything before has become an event.
        self._events: deque[Event] = deque()
        self._given_up = False
        self._broken = Fault("", 0, 0, is_carrier=False)  # The last one; its end may lie ahead.
        self._carrier_end = 0

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the port."""
        rest = self._buffer[self._at :]
        self._buffer = rest + data if rest else bytes(data)
        self._broken = self._broken._replace(end=self._broken.end - self._at)
        self._carrier_end -= self._at
        self._at = 0
        self._given_up = False

    @property
    def waiting(self) -> int:
        """Return how many bytes are held back because a frame may begin with them."""
        return len(self._buffer) - self._at

    def next_event(self) -> Event | None:
        """Return the next frame or registration, bytes that are none, or None for "need more"."""
        if not self._events and self._at < len(self._buffer):
            self._scan()
        return self._events.popleft() if self._events else None

    def give_up(self) -> None:
        """Say that the rest of what is held back does not come: `next_event` then hands it out.

        For a port that stays silent inside a frame: 5 s are customary on a link, 0.5 s on a line.
        """
        self._given_up = True

    def _scan(self) -> None:
        """Turn bytes into events, up to the next frame or to where more bytes are needed."""
        fault: Fault | None = None  # Of a start at `_at`, that has turned out wrong.
        search = self._starts.search
        match = search(self._buffer, self._at)
        while match is not None:
            at = match.start()
            found = self._look(at)
            if isinstance(found, Fault):
                if at >= self._broken.end:
                    self._skip(at, fault)
                    fault = self._note(found)
            elif found is not None:
                self._skip(at, fault)
                event, end = found
                if event is not None:
                    self._events.append(event)
                    self._at = end
                return
            match = search(self._buffer, at + 1)
        self._skip(len(self._buffer), fault)

    def _note(self, fault: Fault) -> Fault:
        """Remember how far a broken frame reaches, for what lies inside."""
        self._broken = fault
        if fault.is_carrier:
            self._carrier_end = max(self._carrier_end, fault.end)
        return fault

    def _look(self, at: int) -> tuple[Event | None, int] | Fault | None:
        """Return what starts here with where it ends, no event to wait, or None for nothing."""
        buffer = self._buffer
        if self._registrations:
            registration = self._registration_at(at)
            if registration is not None:
                return registration
        here = len(buffer) - at
        faults: list[Fault] = []
        waiting = False
        for size, kind in self._candidates(at, here):
            if size <= here and size != _MORE_NEEDED:
                if buffer[at + size - 1] != _END:  # Cheap, and settles most false starts.
                    faults.append(Fault("no 16H", size - 1, at + size, kind.is_carrier))
                    continue
                try:
                    return kind.read(buffer[at : at + size]), at + size
                except FrameError as error:
                    faults.append(Fault(error.reason, error.offset, at + size, kind.is_carrier))
            elif not self._given_up:
                waiting = True
            elif size != _MORE_NEEDED:
                reason = f"L says {size} bytes, {here} are here"
                faults.append(Fault(reason, here, len(buffer), kind.is_carrier))
        if waiting:
            return None, at
        return max(faults, key=_offset) if faults else None

    def _candidates(self, at: int, here: int) -> list[tuple[int, _Kind]]:
        """Return the protocols that may start here, those whose frame ends first in front."""
        buffer = self._buffer
        found: list[tuple[int, _Kind]] = []
        for kind in self._kinds if at >= self._carrier_end else self._carriers:
            size = kind.size_at(buffer, at, here)
            if size != _NO_FRAME:
                found.append((size, kind))
        if len(found) > 1:
            found.sort(key=_size)
        return found

    def _terminal_size(self, buffer: bytes, at: int, here: int) -> int:
        if here < terminal_frame.HEADER_SIZE:
            return _MORE_NEEDED
        if buffer[at + 5] != _START or buffer[at + 1 : at + 3] != buffer[at + 3 : at + 5]:
            return _NO_FRAME
        size = (buffer[at + 1] | buffer[at + 2] << 8) >> 2
        size += terminal_frame.ENVELOPE_SIZE
        if not terminal_frame.FRAME_SIZE_MIN <= size <= self._terminal_frame_size_max:
            return _NO_FRAME
        return size

    def _registration_at(self, at: int) -> tuple[Event | None, int] | None:
        """Return the registration that starts here, no event while it may be one, or None."""
        for registration in self._registrations:
            if self._buffer.startswith(registration, at):
                return Registration(registration), at + len(registration)
            tail = self._buffer[at : at + len(registration)]
            if registration.startswith(tail) and not self._given_up:
                return None, at
        return None

    def _skip(self, end: int, fault: Fault | None) -> None:
        """Make noise of the bytes up to here; with a fault they are a broken frame."""
        data = self._buffer[self._at : end]
        if not data:
            return
        if fault is not None:
            self._events.append(Broken(data, fault.reason, fault.offset))
        elif self._at < self._broken.end:
            self._events.append(Noise(data, self._broken.reason))
        else:
            self._events.append(Noise(data, NO_START if data.strip(_PREAMBLE) else "preamble"))
        self._at = end


def events_of(raw: bytes) -> Iterator[tuple[int, int, Event]]:
    """Yield every frame among these bytes and what stands between, each with its start and end.

    What a link would not accept is read here too: the edition of 2005, and frames of any length.
    """
    parser = Parser(accept_2005=True, terminal_frame_size_max=_TERMINAL_FRAME_SIZE_MAX)
    parser.receive_data(raw)
    parser.give_up()
    start = 0
    while (event := parser.next_event()) is not None:
        own = event.data if isinstance(event, Noise | Registration) else event.to_bytes()
        end = start + len(own)
        yield start, end, event
        start = end


def _checked(registrations: Iterable[bytes]) -> tuple[bytes, ...]:
    texts = tuple(sorted(set(registrations)))
    for text in texts:
        if not 0 < len(text) <= REGISTRATION_SIZE_MAX:
            raise ValueError(f"a registration has 1..{REGISTRATION_SIZE_MAX} bytes, got {text!r}")
    for text, following in pairwise(texts):
        if following.startswith(text):  # Sorted, the one that begins with another comes next.
            raise ValueError(f"registration {following!r} begins with {text!r}")
    return texts


def _meter_size(buffer: bytes, at: int, here: int) -> int:
    if here > 7 and buffer[at + 7] != _START:
        return _NO_FRAME
    if here < meter_frame.HEADER_SIZE:
        return _MORE_NEEDED
    return meter_frame.OVERHEAD + buffer[at + 9]


def _object_size(buffer: bytes, at: int, here: int) -> int:
    if here < object_frame.HEADER_START_SIZE:
        return _MORE_NEEDED
    length = buffer[at + 1] | buffer[at + 2] << 8
    if not object_frame.LENGTH_MIN <= length <= object_frame.LENGTH_MAX:
        return _NO_FRAME
    header_size = object_frame.HEADER_SIZE_MIN + (buffer[at + 4] & 0x0F)
    if here < header_size:
        return _MORE_NEEDED
    hcs_at = at + header_size - object_frame.CHECKSUM_SIZE
    hcs = object_frame.checksum(buffer[at + 1 : hcs_at])
    if buffer[hcs_at : at + header_size] != hcs:
        return _NO_FRAME
    size = length + object_frame.ENVELOPE_SIZE
    return size if size >= header_size + object_frame.TRAILER_SIZE else _NO_FRAME


def _size(candidate: tuple[int, _Kind]) -> int:
    return candidate[0]


def _offset(fault: Fault) -> int:
    return fault.offset
