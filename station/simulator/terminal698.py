"""A simulated terminal of DL/T 698.45: asks its meters for the station, or forwards frames to them.

A meter with the terminal's own address is the terminal itself: one with a module that dials in.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from station.protocols.dlt698 import link, proxy, report, requests
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.association import ServerError
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.envelope import Apdu, AttributeResult, RecordResult
from station.protocols.dlt698.frame import UP, USER_DATA, Frame, ServerAddress
from station.protocols.dlt698.identifiers import Oad, Tsa
from station.protocols.dlt698.moments import DateTimeS
from station.protocols.dlt698.parser import Parser
from station.protocols.faults import FrameError
from station.simulator.dialler import Call, Dialler, Done
from station.simulator.line import Line
from station.simulator.object_meter import NOT_SUPPORTED, ObjectMeter
from station.simulator.object_rounds import ObjectRounds
from station.simulator.objects import HeldObjects
from station.simulator.site import Language, TerminalSite
from station.simulator.terminal1376 import ask
from station.units import utc_now

POWER_CUT = Oad.of(0x3106)  # Terminal power cut event.
TIMED_OUT = Dar(33)
CLIENT = 0x10


class Terminal698(Dialler):
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
        self._address = ServerAddress.from_text(site.address)
        self._lines = {line.port: Line(line, zone, self.random, seed=seed) for line in site.lines}
        self._parser = Parser()
        self._rounds = ObjectRounds()
        self._objects = HeldObjects(site, zone)
        self._reports = 0

    def begin(self) -> None:
        self._parser = Parser()

    def login(self) -> bytes:
        return self._said(link.login)

    def heartbeat(self) -> bytes:
        return self._said(link.heartbeat)

    def logout(self) -> bytes:
        return self._said(link.logout)

    def event(self) -> bytes:
        self._reports = self._reports + 1 & 0x3F
        time = DateTimeS.of(utc_now().astimezone(self._zone))
        row = (Data(DataType.DOUBLE_LONG_UNSIGNED, self._reports), Data(DataType.DATE_TIME_S, time))
        columns = (Oad.of(0x2022), Oad.of(0x201E))  # Number and start of the event.
        result = RecordResult(POWER_CUT, columns, (row,))
        notification = report.ReportNotificationRecordList(self._reports, (result,))
        return Frame(UP | USER_DATA, self._address, CLIENT, notification.to_bytes()).to_bytes()

    def hear(self, call: Call, data: bytes) -> None:
        self._parser.receive_data(data)
        while (event := self._parser.next_event()) is not None:
            if not isinstance(event, Frame) or event.from_terminal or event.is_split:
                continue
            if not event.server.is_met_by(self._address):
                continue
            call.heard()
            if link.is_confirmation(event):
                call.confirmed()
            else:
                call.take(0, event)

    def work(self, call: Call, request: Frame, done: Done) -> None:
        try:
            asked = decode_apdu(request.apdu)
        except FrameError:
            done()
            return
        if isinstance(asked, proxy.ProxyRequestTransCommand):
            call.later(self.delay_s(), self._forward, call, request, asked, done)
        else:
            call.later(self.delay_s(), self._reply, call, request, asked, done)

    def _reply(self, call: Call, request: Frame, asked: Apdu, done: Done) -> None:
        reply = self._asked_of_meters(asked)
        if reply is None:
            myself = self._meter(self._address.text)
            now = utc_now()
            reply = self._own(asked) if myself is None else myself.reply(asked, now)
        if _has_timed_out(reply):
            call.later(self.site.silence_ms / 1000, self._send, call, request, reply, done)
        else:
            self._send(call, request, reply, done)

    def _send(self, call: Call, request: Frame, reply: Apdu, done: Done) -> None:
        call.answer(requests.answer(request, reply, self._address).to_bytes())
        done()

    def _asked_of_meters(self, asked: Apdu) -> Apdu | None:
        """Return what meters say to a proxy request; None for any other service."""
        if isinstance(asked, proxy.ProxyRequestGetList):
            targets = tuple(self._read(target) for target in asked.targets)
            return proxy.ProxyResponseGetList(asked.piid, targets)
        if isinstance(asked, proxy.ProxyRequestGetRecord):
            meter = self._heard(asked.meter)
            result = RecordResult(asked.query.oad, asked.query.columns, TIMED_OUT)
            if meter is not None:
                result = meter.records(asked.query, utc_now())
            return proxy.ProxyResponseGetRecord(asked.piid, asked.meter, result)
        return None

    def _read(self, target: proxy.ProxyGetTarget) -> proxy.ProxyGetResult:
        meter, now = self._heard(target.meter), utc_now()
        results = tuple(
            AttributeResult(oad, TIMED_OUT) if meter is None else meter.result(oad, now)
            for oad in target.oads
        )
        return proxy.ProxyGetResult(target.meter, results)

    def _own(self, asked: Apdu) -> Apdu:
        """Return what the terminal says of itself."""
        now = utc_now()
        reply = self._rounds.reply(asked, now.astimezone(self._zone).replace(tzinfo=None))
        reply = reply or self._objects.reply(asked, now)
        return reply or ServerError(getattr(asked, "piid", 0), NOT_SUPPORTED)

    def _forward(
        self, call: Call, request: Frame, asked: proxy.ProxyRequestTransCommand, done: Done
    ) -> None:
        line = self._lines.get(asked.port.index)
        answer = partial(self._forwarded, call, request, asked, done)
        if line is None:
            answer(b"")
        else:
            ask(line, asked.command, utc_now(), self.site.silence_ms / 1000, answer)

    def _forwarded(
        self,
        call: Call,
        request: Frame,
        asked: proxy.ProxyRequestTransCommand,
        done: Done,
        came: bytes,
    ) -> None:
        reply = proxy.ProxyResponseTransCommand(asked.piid, asked.port, came or TIMED_OUT)
        wait_s = 0 if came else self.site.silence_ms / 1000
        call.later(wait_s, self._send, call, request, reply, done)

    def _heard(self, tsa: Tsa) -> ObjectMeter | None:
        """Return a meter if it answers this time."""
        meter = self._meter(tsa.address)
        if meter is None or meter.site.dead or self.random.random() < meter.site.lost:
            return None
        return meter

    def _meter(self, address: str) -> ObjectMeter | None:
        found = (line.object_meter(address) for line in self._lines.values())
        return next((meter for meter in found if meter is not None), None)

    def _said(self, what: Callable[[ServerAddress, datetime, int], Frame]) -> bytes:
        clock = utc_now().astimezone(self._zone)
        return what(self._address, clock, round(self.site.heartbeat_s)).to_bytes()


def _has_timed_out(reply: Apdu) -> bool:
    if isinstance(reply, proxy.ProxyResponseGetRecord):
        return reply.result.rows == TIMED_OUT
    if isinstance(reply, proxy.ProxyResponseGetList):
        return any(one.result == TIMED_OUT for target in reply.targets for one in target.results)
    return False
