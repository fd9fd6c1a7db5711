"""A simulated terminal of Q/GDW 1376.1: forwards frames to its meters.

It holds parameters, a clock and rounds that can be set. If the site says that it collects, it also
answers from what it has; all else it denies.
"""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from station import tasks
from station.protocols.qgdw1376 import forward, link
from station.protocols.qgdw1376.frame import (
    CLASS_3,
    CONFIRM,
    IDENTIFICATION_SIZE,
    INITIATOR,
    SEQUENCE_MASK,
    SINGLE,
    UP,
    Address,
    Frame,
)
from station.protocols.qgdw1376.functions import make_unit
from station.protocols.qgdw1376.parser import Parser
from station.protocols.qgdw1376.units import join
from station.simulator.dialler import Call, Dialler, Done
from station.simulator.line import Line
from station.simulator.parameters import HeldParameters
from station.simulator.rounds import Rounds1376
from station.simulator.site import Language, TerminalSite
from station.simulator.stored import Stored
from station.units import utc_now

REPORT_CONTROL = UP | INITIATOR | 4  # User data; CON decides whether it is confirmed.
FRAME_TIMEOUT_AT = IDENTIFICATION_SIZE + 2  # Behind the port and the line control.


class Terminal1376(Dialler):
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
        super().__init__(site, host, port, seed=seed, language=language)
        self._zone = zone
        self._address = Address.from_text(site.address)
        self._lines = {line.port: Line(line, zone, self.random, seed=seed) for line in site.lines}
        self._stored = Stored(site, zone, seed=seed) if site.collects else None
        self._held = HeldParameters(site, zone)
        self._rounds = Rounds1376()
        self._parser = Parser()
        self._sequence = 0
        self._events = 0

    def begin(self) -> None:
        self._parser = Parser()

    def login(self) -> bytes:
        return link.login(self._address, self._next_sequence()).to_bytes()

    def heartbeat(self) -> bytes:
        clock = utc_now().astimezone(self._zone)
        return link.heartbeat(self._address, self._next_sequence(), clock).to_bytes()

    def logout(self) -> bytes:
        return link.logout(self._address, self._next_sequence()).to_bytes()

    def event(self) -> bytes:
        """A status input has changed (ERC4): somebody opened or closed the door of its cabinet."""
        self._events = self._events + 1 & 0xFF
        time = utc_now().astimezone(self._zone).replace(tzinfo=None)
        is_open = self._events & 1
        values = {
            "important_counter": self._events,
            "general_counter": 0,
            "start_pointer": self._events - 1 & 0xFF,
            "end_pointer": self._events,
            "records": [{"erc": 4, "values": {"time": time, "changed": 1, "state": is_open}}],
        }
        seq = SINGLE | CONFIRM | self._next_sequence()
        data = join([make_unit(CLASS_3, 0, 1, values, up=True)])
        return Frame(REPORT_CONTROL, self._address, CLASS_3, seq, data).to_bytes()

    def hear(self, call: Call, data: bytes) -> None:
        self._parser.receive_data(data)
        while (event := self._parser.next_event()) is not None:
            if not isinstance(event, Frame) or not self._is_for_us(event):
                continue
            call.heard()
            if link.is_confirmation(event):
                call.confirmed()
            elif event.from_initiator:
                port = forward.forwarded_port(event) if self.site.parallel_ports else 0
                call.take(port or 0, event)

    def work(self, call: Call, request: Frame, done: Done) -> None:
        inner = forward.inner_bytes(request)
        if inner is None:
            call.later(self.delay_s(), self._answer_itself, call, request, done)
        else:
            call.later(self.delay_s(), self._ask_line, call, request, inner, done)

    def _answer_itself(self, call: Call, request: Frame, done: Done) -> None:
        now = utc_now()
        answer = self._held.answer(request, now) or self._rounds.answer(request, now)
        if answer is None and self._stored is not None:
            answer = self._stored.answer(request, now)
        call.answer((answer or forward.deny(request)).to_bytes())
        done()

    def _ask_line(self, call: Call, request: Frame, inner: bytes, done: Done) -> None:
        line = self._lines.get(forward.forwarded_port(request) or 0)

        def answer(came: bytes) -> None:
            if came:
                call.answer(forward.forward_answer(request, came).to_bytes())
                done()
            else:
                silence_s = min(self.site.silence_ms / 1000, _frame_timeout_s(request))
                call.later(silence_s, self._tell_silence, call, request, done)

        if line is None:
            answer(b"")
        else:
            ask(line, inner, utc_now(), _frame_timeout_s(request), answer)

    def _tell_silence(self, call: Call, request: Frame, done: Done) -> None:
        if self.site.silence == "deny":
            call.answer(forward.deny(request).to_bytes())
        elif self.site.silence == "empty":
            call.answer(forward.forward_answer(request, b"").to_bytes())
        done()

    def _is_for_us(self, frame: Frame) -> bool:
        return not frame.from_terminal and frame.address.text == self._address.text

    def _next_sequence(self) -> int:
        self._sequence = self._sequence + 1 & SEQUENCE_MASK
        return self._sequence


def ask(
    line: Line, raw: bytes, now: datetime, timeout_s: float, answer: Callable[[bytes], None]
) -> None:
    """Put bytes on a line and hand on what comes back: at once, unless the meter is a real one."""
    if not line.is_real(raw):
        answer(line.answer(raw, now))
        return

    async def wait() -> None:
        answer(await line.exchange(raw, now, timeout_s=timeout_s))

    tasks.spawn(wait(), name="real meter")


def _frame_timeout_s(request: Frame) -> float:
    """Return how long a forward request lets the meter take (AFN10 F1; digest 15)."""
    value = request.data[FRAME_TIMEOUT_AT]
    return float(value & 0x7F) if value & forward.IN_SECONDS else value / 100
