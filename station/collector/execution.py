"""One command on its way: sent, asked for, confirmed, failed or expired.

The store knows that a command is sent before its first byte leaves. A set or a control that nobody
knows the outcome of is asked for: it is sent again only when the meter shows that it has not
happened, and only while attempts and time are left. A read changes nothing and is simply repeated.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from station.collector.clock import pause_before, told
from station.collector.control import Finding, Mandate, MeterLine, deed_of
from station.collector.control_errands import CONTROL_STATE, ControlErrand, Controls
from station.collector.errands import (
    PARAMETERS,
    DeedErrand,
    Errand,
    Tools,
    errand_of,
    is_clock,
    needs_authority,
)
from station.collector.parameter_dialects import Device
from station.collector.reader import Reader, ReadResult
from station.errors import DatabaseDown, ExchangeError, InvalidValue, LinkDown, Refused, TooLate
from station.frontend.registry import Registry
from station.live import Feed
from station.protocols.dlt645.requests import Authority
from station.store.objects import commands as store
from station.store.objects.commands import Command, Step, StepName
from station.store.objects.meters import Meter, Meters
from station.store.objects.terminals import Terminal, Terminals
from station.units import utc_now

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 3  # Sendings of one command; a line that loses three in a row needs a person.
CHECKS_MAX = 3  # Looks at a relay that has promised to move, or a meter that said "done".
OUTCOME_DAYS = 7  # So long is a meter asked what became of a command; then a person has to look.

PAUSE_S = 2.0  # Before a silent meter is asked again; doubled each time
PAUSE_MAX_S = 300.0  # up to this.
OFFLINE_LOOK_S = 60.0  # The link tells when it comes up; this is for a meter that has moved.
DATABASE_PAUSE_S = 2.0

Result = Mapping[str, Any]


@dataclass(slots=True)
class Pending:
    """A command that is still open, with what only memory holds.

    `waits_for` is the link that it waits for.
    """

    command: Command
    authority: Authority | None = None
    secret: Authority | None = None  # A new password.
    pause_s: float = 0.0
    checks: int = 0
    waits_for: str = ""


class Execution:
    """Carries out commands, one step at a time."""

    def __init__(
        self,
        *,
        registry: Registry,
        meters: Meters,
        commands: store.Commands,
        reader: Reader,
        feed: Feed,
        zone: ZoneInfo,
        terminals: Terminals | None = None,
        tools: Tools | None = None,
        controls: Controls | None = None,
        pause_s: float = PAUSE_S,
    ) -> None:
        """Without `terminals` and `tools` nothing is ordered but what changes one meter.

        With `controls` terminals are controlled, too, and protected devices are not.
        """
        self._controls = controls
        self._terminals = terminals
        self._tools = tools
        self._registry = registry
        self._meters = meters
        self._store = commands
        self._reader = reader
        self._feed = feed
        self._zone = zone
        self._pause_s = pause_s

    async def step(self, pending: Pending) -> float:
        """Take one step with an open command and return how long to pause before the next, in s.

        Raises DatabaseDown and Conflict: it is then tried again, with what the store holds.
        """
        command = pending.command
        pending.waits_for = ""
        if command.state == "queued" and command.expires_at <= utc_now():
            await self.expire(pending)
            return 0.0
        device = await self._device(command)
        if device is None:
            await self._fail(pending, f"there is no {command.device} {command.meter}")
            return 0.0
        if command.kind == "read":
            return await self._read(pending, device)
        try:
            errand = self._errand(command, device)
        except LinkDown as down:
            return await self._wait_for_link(pending, device, down)
        except InvalidValue as error:  # The archive has changed since.
            await self._fail(pending, str(error))
            return 0.0
        if command.state == "queued":
            return await self._send(pending, errand)
        return await self._ask_outcome(pending, errand)

    async def _device(self, command: Command) -> Device | None:
        if command.device == "meter":
            return await self._meters.find(command.meter)
        return None if self._terminals is None else await self._terminals.find(command.meter)

    def _errand(self, command: Command, device: Device) -> Errand:
        if command.kind == "control" and self._controls is not None:
            return self._controls.errand(device, command.what)
        if self._tools is not None:
            return errand_of(command, device, self._tools)
        if not isinstance(device, Meter):
            raise InvalidValue("parameter", "this is not ordered of a terminal")
        deed = deed_of(command.kind, command.what, device)
        return DeedErrand(deed, MeterLine(self._registry.bus(device), device, self._zone))

    async def _send(self, pending: Pending, errand: Errand) -> float:
        """Send a set or a control once; the store knows of it before the first byte leaves."""
        mandate = _mandate_of(pending)
        if mandate is None:
            await self._fail(pending, "its password is no longer known")
            return 0.0
        if pending.command.what.get("guarded"):
            wait = pause_before(utc_now(), self._zone)
            if wait:
                return wait.total_seconds()
        if isinstance(errand, ControlErrand) and (reason := await errand.refusal()):
            await self._fail(pending, reason)
            return 0.0
        if pending.command.expires_at <= utc_now():
            await self.expire(pending)
            return 0.0
        began_at = await self._mark_sent(pending)
        try:
            exchange = await errand.perform(mandate)
        except Refused as refusal:
            await self._fail(pending, str(refusal), began_at)
        except TooLate:
            await self.expire(pending)
        except (ExchangeError, LinkDown) as error:
            await self._note(pending, "unanswered", str(error), began_at)
            return self._next_pause(pending)
        else:
            step = Step(utc_now(), "accepted", "", exchange, began_at)
            await self._advance(pending, pending.command.stepped(step, accepted=True))
        return 0.0

    async def _ask_outcome(self, pending: Pending, errand: Errand) -> float:
        """Ask the meter what became of a command that was sent, and act on what it says."""
        began_at = utc_now()
        try:
            finding = await errand.outcome(_mandate_of(pending))
        except Refused as refusal:
            if pending.command.accepted:
                await self._confirm(pending, {"verified": False}, str(refusal), None, began_at)
            else:
                await self._fail(pending, f"its outcome is not known: {refusal}", began_at)
            return 0.0
        except (ExchangeError, LinkDown) as error:
            await self._note(pending, "asked", str(error), began_at)
            return await self._give_up_or_pause(pending, str(error))
        pending.pause_s = 0.0  # It is not silent.
        if finding.verdict == "done":
            await self._confirm(pending, finding.result, "", finding.exchange, began_at)
            return 0.0
        step = Step(utc_now(), "asked", finding.words, finding.exchange, began_at)
        await self._advance(pending, pending.command.stepped(step))
        return await self._act_on(finding, pending, errand)

    async def _act_on(self, finding: Finding, pending: Pending, errand: Errand) -> float:
        """Go on after the meter has shown that a command has not happened, or not yet."""
        command = pending.command
        if finding.verdict == "under way" or command.accepted:
            pending.checks += 1
            if pending.checks < CHECKS_MAX:
                return self._next_pause(pending)
        if finding.verdict == "under way":
            await self._confirm(pending, finding.result, finding.words, finding.exchange)
        elif command.accepted:
            await self._fail(pending, f"the meter accepted it, but {finding.words}")
        elif command.expires_at <= utc_now():
            await self.expire(pending)
        elif _mandate_of(pending) is None or command.attempts >= ATTEMPTS_MAX:
            why = f"sent {command.attempts} times"
            if _mandate_of(pending) is None:
                why = "the station was started again, and its password was only kept in memory"
            await self._fail(pending, f"it did not happen, {finding.words} ({why})")
        else:
            return await self._send(pending, errand)
        return 0.0

    async def _read(self, pending: Pending, device: Device) -> float:
        """Ask the items or the parameters of a read; it may be repeated at will."""
        if pending.command.expires_at <= utc_now():
            await self.expire(pending)
            return 0.0
        try:
            if isinstance(device, Meter):
                self._registry.bus(device)
            else:
                self._registry.terminal(device.address)
        except LinkDown as down:
            return await self._wait_for_link(pending, device, down)
        except InvalidValue as error:
            await self._fail(pending, str(error))
            return 0.0
        began_at = await self._mark_sent(pending)
        try:
            result, problem = await self._ask(pending.command, device)
        except (Refused, InvalidValue) as error:
            await self._fail(pending, str(error), began_at)
        except (ExchangeError, LinkDown) as error:
            await self._note(pending, "unanswered", str(error), began_at)
            is_silent = isinstance(error, ExchangeError)
            if not is_silent or pending.command.attempts < ATTEMPTS_MAX:
                return self._next_pause(pending)
            await self._fail(pending, str(error))
        else:
            if problem:
                await self._fail(pending, problem, began_at)
            else:
                await self._confirm(pending, result, "", None, began_at)
        return 0.0

    async def _ask(self, command: Command, device: Device) -> tuple[Result, str]:
        """Return what was read, and what to say if that is nothing at all."""
        if CONTROL_STATE in command.what and self._controls is not None:
            return await self._controls.look(device), ""
        if is_clock(command.what) and self._tools is not None:
            return told(await self._tools.clocks.check(device)), ""
        if PARAMETERS in command.what and self._tools is not None:
            rows = await self._tools.parameters.read(device, command.what[PARAMETERS])
            refused = [row for row in rows if row.problem]
            found = {"read": len(rows) - len(refused), "refused": len(refused)}
            return found, refused[0].problem if len(refused) == len(rows) else ""
        results = await self._reader.read_now(device.address, command.what["items"])
        if any(result.reading is not None for result in results):
            return _read_result(results), ""
        return {}, results[0].text or "it has no value"

    # What becomes of a command.

    async def _wait_for_link(self, pending: Pending, device: Device, down: LinkDown) -> float:
        """Wait until the link of a device is up; also where a meter was hung on another one."""
        pending.waits_for = device.address if isinstance(device, Terminal) else device.link
        if self._is_lost(pending.command):
            await self._fail(pending, f"its outcome is not known: {down}")
            return 0.0
        return OFFLINE_LOOK_S

    async def _give_up_or_pause(self, pending: Pending, reason: str) -> float:
        if not self._is_lost(pending.command):
            return self._next_pause(pending)
        if pending.command.accepted:
            await self._confirm(pending, {"verified": False}, reason, None)
        else:
            await self._fail(pending, f"its outcome is not known: {reason}")
        return 0.0

    def _is_lost(self, command: Command) -> bool:
        """Tell whether nobody will learn any more what became of a command."""
        given_up_at = command.expires_at + timedelta(days=OUTCOME_DAYS)
        return command.state == "sent" and utc_now() >= given_up_at

    def _next_pause(self, pending: Pending) -> float:
        pending.pause_s = min(max(2 * pending.pause_s, self._pause_s), PAUSE_MAX_S)
        return pending.pause_s

    async def _mark_sent(self, pending: Pending) -> datetime:
        """Write that a command leaves now, and return the moment. Raises DatabaseDown, Conflict."""
        now, attempts = utc_now(), pending.command.attempts + 1
        step = Step(now, "sent", f"attempt {attempts}")
        sent = pending.command.stepped(step, state="sent", attempts=attempts, sent_at=now)
        pending.command = await self._store.advance(pending.command, sent)
        self.announce(sent)
        pending.checks = 0
        return now

    async def _note(
        self, pending: Pending, name: StepName, reason: str, began_at: datetime
    ) -> None:
        """Keep that nobody knows yet."""
        step = Step(utc_now(), name, reason, None, began_at)
        await self._advance(pending, pending.command.stepped(step))

    async def _confirm(
        self,
        pending: Pending,
        result: Result,
        reason: str,
        exchange: int | None,
        began_at: datetime | None = None,
    ) -> None:
        step = Step(utc_now(), "confirmed", reason, exchange, began_at)
        await self._advance(pending, ended(pending.command, step, result))

    async def _fail(self, pending: Pending, reason: str, began_at: datetime | None = None) -> None:
        step = Step(utc_now(), "failed", reason, None, began_at)
        await self._advance(pending, ended(pending.command, step))

    async def expire(self, pending: Pending) -> None:
        reason = "its time was over before it could be sent"
        if pending.command.state == "sent":
            reason = "it did not happen before its time was over"
        step = Step(utc_now(), "expired", reason)
        await self._advance(pending, ended(pending.command, step))

    async def _advance(self, pending: Pending, after: Command) -> None:
        """Write what a command has become; what a meter said is not forgotten for a database."""
        while True:
            try:
                pending.command = await self._store.advance(pending.command, after)
            except DatabaseDown:
                await asyncio.sleep(DATABASE_PAUSE_S)
            else:
                self.announce(after)
                return

    def announce(self, command: Command) -> None:
        step = command.history[-1]
        log.info("command %s, meter %s: %s %s", command.id, command.meter, step.name, step.reason)
        message = {"id": command.id, "meter": command.meter, "state": command.state}
        self._feed.announce("commands", {**message, "step": step.name, "at": step.at.isoformat()})


def _mandate_of(pending: Pending) -> Mandate | None:
    """Return by what right a command is carried out, or None if its password is gone."""
    command, authority = pending.command, pending.authority
    if authority is None:
        if needs_authority(command.kind, command.what, command.device):
            return None
        authority = Authority()
    return Mandate(authority, command.expires_at, pending.secret)


def ended(command: Command, step: Step, result: Result | None = None) -> Command:
    """Return a command that has ended as its last step says."""
    return command.stepped(
        step, state=step.name, ended_at=step.at, reason=step.reason, result=result or {}
    )


def _read_result(results: list[ReadResult]) -> Result:
    values = [
        {"item": each.item, "value": each.reading.value, "read_at": each.reading.read_at}
        for each in results
        if each.reading is not None
    ]
    missed = [
        {"item": each.item, "cause": each.cause.value if each.cause else "", "text": each.text}
        for each in results
        if each.reading is None
    ]
    return {"values": values, "missed": missed}
