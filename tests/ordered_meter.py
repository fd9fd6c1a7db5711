"""A meter that obeys: DL/T 645 with writes and 1CH, which counts what it was made to do.

`fate` says what becomes of the next requests that change it: "done", "lost" (it never arrives),
"unheard" (it is done, and its answer is lost), "refused".
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from station.errors import LinkDown, MeterTimeout
from station.frontend.link import Answer, FrameT, Inquiry, Priority
from station.protocols.dlt645 import Frame, Version, functions, items, requests
from station.protocols.dlt645.parser import Parser
from station.units import utc_now

NOT_AUTHORISED, NO_DATA = 0b100, 0b010
RELAY_BITS = 1 << 4 | 1 << 6
PASSWORD = bytes.fromhex("02563412")  # PA, then 123456 as it is sent.
DATE, TIME, STATUS = 0x04000101, 0x04000102, 0x04000503


class OrderedMeter:
    """One 2007 meter."""

    def __init__(self, address: str = "000000000161", zone: str = "Asia/Shanghai") -> None:
        self.address = address
        self.zone = ZoneInfo(zone)
        self.parameters: dict[int, bytes] = {0x04000103: b"\x15"}
        self.status = 0
        self.clock_off = timedelta(minutes=20)
        self.changes: list[str] = []  # What it was made to do, in order.
        self.arrived: list[str] = []  # Every request, in order.
        self.fates: deque[str] = deque()
        self.silent = False

    def answer(self, request: Frame) -> Frame | None:
        """Return the answer to a request, or None for silence."""
        if request.address != self.address or request.from_meter or self.silent:
            return None
        if request.function == functions.READ:
            self.arrived.append(f"read {functions.data_id_of(request):08X}")
            return self._read(request)
        fate = self.fates.popleft() if self.fates else "done"
        if fate == "lost":
            return None
        self.arrived.append(f"change {request.function:02X}")
        if fate == "refused" or self._authority(request) != PASSWORD:
            return requests.refuse(request, NOT_AUTHORISED)
        self._change(request)
        return None if fate == "unheard" else requests.answer(request)

    def _authority(self, request: Frame) -> bytes:
        start = 4 if request.function == functions.WRITE else 0
        return request.data[start : start + 4]

    def _read(self, request: Frame) -> Frame:
        data_id = functions.data_id_of(request)
        now = (utc_now() + self.clock_off).astimezone(self.zone)
        if data_id == STATUS:
            data = self.status.to_bytes(2, "little")
        elif data_id == DATE:
            data = items.encode(Version.V2007, DATE, [now.date()])
        elif data_id == TIME:
            data = items.encode(Version.V2007, TIME, [now.time()])
        elif data_id in self.parameters:
            data = self.parameters[data_id]
        else:
            return requests.refuse(request, NO_DATA)
        return requests.answer(request, data)

    def _change(self, request: Frame) -> None:
        if request.function == functions.CONTROL:
            order = request.data[8]
            self.changes.append(f"order {order:02X}")
            if order == requests.Command.TRIP.value:
                self.status |= RELAY_BITS
            elif order == requests.Command.CLOSE.value:
                self.status &= ~RELAY_BITS
            return
        data_id = functions.data_id_of(request)
        assert data_id is not None
        data = request.data[12:]
        self.changes.append(f"set {data_id:08X}")
        if data_id == TIME:
            now = utc_now().astimezone(self.zone)
            hour = items.decode(Version.V2007, TIME, data)[0].value
            shown = datetime.combine(now.date(), hour, self.zone)
            self.clock_off = shown - now
        elif data_id != DATE:
            self.parameters[data_id] = data


class OrderedBus:
    """A bus with one such meter, for tests without a line; `registry` gives it out while it is up.

    `cut` makes the next question find the link going down, before or after the meter got it.
    """

    def __init__(self, meter: OrderedMeter) -> None:
        self.name = "line"
        self.meter = meter
        self.is_up = True
        self.cut: str | None = None
        self._exchanges = 0
        self._callbacks: list[Callable[[str], None]] = []

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask the meter; silence costs no time here."""
        assert priority in (Priority.CONTROL, Priority.RECALL)
        assert timeout_s > 0
        if not self.is_up or self.cut == "before":
            self._go_down()
        self._exchanges += 1
        parser = Parser()
        parser.receive_data(inquiry.raw)
        request = next(event for event in iter(parser.next_event, None) if isinstance(event, Frame))
        frame = self.meter.answer(request)
        if self.cut == "after":
            self._go_down()
        answer = None if frame is None else inquiry.answer_in(Frame.from_bytes(frame.to_bytes()))
        if answer is None:
            raise MeterTimeout(f"meter {self.meter.address}: no answer to {inquiry.asked}")
        return Answer(answer, utc_now(), self._exchanges, 0.0)

    def bus(self, _meter: object) -> "OrderedBus":
        """Be the registry."""
        if not self.is_up:
            raise LinkDown("line is down")
        return self

    def when_up(self, callback: Callable[[str], None]) -> None:
        self._callbacks.append(callback)

    def come_up(self) -> None:
        self.is_up, self.cut = True, None
        for callback in self._callbacks:
            callback(self.name)

    def _go_down(self) -> None:
        self.is_up, self.cut = False, None
        raise LinkDown("line went down")
