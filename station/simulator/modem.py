"""A simulated DTU: a modem that makes its meters' line the connection itself.

It says its registration packet when it connects, and its heartbeat now and then; everything that
comes from the station goes on the line, and what the meters say comes back. Nothing is confirmed.
"""

from zoneinfo import ZoneInfo

from station.protocols import dlt645
from station.protocols.detect import Parser
from station.protocols.dlt698 import frame as object_frame
from station.simulator.dialler import Call, Dialler, Done
from station.simulator.line import Line
from station.simulator.site import Language, TerminalSite
from station.simulator.terminal1376 import ask
from station.units import utc_now

REAL_METER_TIMEOUT_S = 2.0  # For meters of the site with `tcp`; longer than a meter may take.


class Modem(Dialler):
    """One DTU of a site and the line behind it."""

    confirms = False

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
        self._line = Line(site.lines[0], zone, self.random, seed=seed)
        self._parser = Parser()

    def begin(self) -> None:
        self._parser = Parser()

    def login(self) -> bytes:
        return bytes.fromhex(self.site.registration)

    def heartbeat(self) -> bytes:
        return bytes.fromhex(self.site.heartbeat)

    def logout(self) -> bytes:
        return b""

    def hear(self, call: Call, data: bytes) -> None:
        call.heard()
        self._parser.receive_data(data)
        while (event := self._parser.next_event()) is not None:
            if isinstance(event, dlt645.Frame | object_frame.Frame):
                call.take(0, event.to_bytes())

    def work(self, call: Call, request: bytes, done: Done) -> None:
        def answer(came: bytes) -> None:
            if came:
                call.answer(came)
            done()

        def on_the_line() -> None:
            ask(self._line, request, utc_now(), REAL_METER_TIMEOUT_S, answer)

        call.later(self.delay_s(), on_the_line)
