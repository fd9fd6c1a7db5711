"""The station's end of reader agents: who may lend readers, and the readers that are lent.

A workplace is paired once: a person takes a code from the page, the agent gives it back and gets a
token, of which only a hash is kept. An agent that connects again takes the place of its older
connection; whatever was under way there fails.
"""

import asyncio
import concurrent.futures
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from station.errors import CardError, Conflict, DatabaseDown, InvalidValue, NotFound, ReaderFailed
from station.prepaid.cards.apdu import Response
from station.prepaid.readers.agent_wire import (
    ANSWER_TIMEOUT_S,
    Answer,
    Asked,
    LentReader,
    Paired,
    answer_or_lent,
)
from station.prepaid.readers.base import Condition, ReaderIdentity
from station.prepaid.readers.workplace import Workplaces
from station.store.objects.reader_agents import ReaderAgent, ReaderAgents
from station.units import utc_now

log = logging.getLogger(__name__)

CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # None that looks like another.
CODE_SIZE = 8  # Letters: 40 bits, not to be guessed within the life of a code.
CODE_LIFE_S = 600.0  # Time to walk to the other computer.
CODES_MAX = 20  # At a time; more desks are not set up within ten minutes.
TOKEN_SIZE = 32  # Bytes of randomness.
AGENTS_MAX = 100  # Desks of one utility.
WORKPLACE_NAME = re.compile(r"\w[\w .-]{0,31}")
THREAD_SLACK_S = 2.0  # What a worker thread waits longer than the loop does.

Send = Callable[[str], Awaitable[None]]
Close = Callable[[], None]


@dataclass(frozen=True)
class Offer:
    """A code to pair a workplace with, and until when it is good."""

    workplace: str
    code: str
    good_until: datetime


@dataclass(frozen=True)
class _Expected:
    workplace: str
    by: str
    ends: float  # monotonic


class AgentLink:
    """One connection of an agent; its readers ask through it from their worker threads."""

    def __init__(self, workplace: str, send: Send, close: Close) -> None:
        self.workplace = workplace
        self.readers: tuple[LentCardReader, ...] = ()
        self._loop = asyncio.get_running_loop()
        self._send = send
        self._close = close
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._last_id = 0
        self._is_closed = False

    def hear(self, text: str | bytes) -> None:
        """Take what the agent said. Raises BadMessage."""
        message = answer_or_lent(text)
        if isinstance(message, Answer):
            waiting = self._waiting.get(message.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            return
        known = {reader.lent: reader for reader in self.readers}
        self.readers = tuple(
            known.get(lent) or LentCardReader(self, lent) for lent in message.readers
        )

    def close(self) -> None:
        """End the connection; whoever waits for an answer is told so."""
        self._is_closed = True
        self.readers = ()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self._gone())
        self._close()

    def ask(self, reader: int, do: str, command: bytes = b"") -> Answer:
        """Ask from a worker thread, and wait. Raises what the agent tells, or ReaderFailed."""
        asking = asyncio.run_coroutine_threadsafe(self._ask(reader, do, command), self._loop)
        try:
            answer = asking.result(ANSWER_TIMEOUT_S + THREAD_SLACK_S)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            raise self._gone() from None
        if answer.problem is not None:
            raise answer.problem.error()
        return answer

    async def _ask(self, reader: int, do: str, command: bytes) -> Answer:
        if self._is_closed:
            raise self._gone()
        self._last_id += 1
        asked = Asked.model_validate(
            {"id": self._last_id, "do": do, "reader": reader, "command": command.hex()}
        )
        waiting: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[asked.id] = waiting
        try:
            await self._send(asked.model_dump_json())
            return await asyncio.wait_for(waiting, ANSWER_TIMEOUT_S)
        except asyncio.TimeoutError:
            raise ReaderFailed(
                f"the reader agent of {self.workplace} gave no answer for {ANSWER_TIMEOUT_S:.0f} s",
                code="agent_silent",
            ) from None
        finally:
            del self._waiting[asked.id]

    def _gone(self) -> ReaderFailed:
        return ReaderFailed(
            f"the reader agent of {self.workplace} is not connected: start it there",
            code="agent_gone",
        )


class LentCardReader:
    """A `CardReader` at the other end of a link."""

    def __init__(self, link: AgentLink, lent: LentReader) -> None:
        self.identity = ReaderIdentity(lent.model, lent.name, lent.serial, lent.port)
        self.lent = lent
        self._link = link

    def connect(self) -> "LentChannel":
        """Power the card over there. Raises NoReader, NoCard, CardFailed or ReaderFailed."""
        answer = self._link.ask(self.lent.key, "connect")
        if answer.serial:
            self.identity = replace(self.identity, serial=answer.serial)
        return LentChannel(self._link, self.lent.key, bytes.fromhex(answer.data))

    def sense(self) -> Condition:
        """Return what the reader over there sees. Raises NoReader or ReaderFailed."""
        return self._link.ask(self.lent.key, "sense").condition

    def close(self) -> None:
        """Hold nothing: the agent lets go of the device by itself."""


class LentChannel:
    """A `CardChannel` at the other end of a link."""

    def __init__(self, link: AgentLink, reader: int, atr: bytes) -> None:
        self.atr = atr
        self._link = link
        self._reader = reader

    def transmit(self, apdu: bytes) -> Response:
        """Send one APDU and return the answer. Raises CardFailed or ReaderFailed."""
        answer = self._link.ask(self._reader, "transmit", apdu)
        return Response(bytes.fromhex(answer.data), answer.sw)

    def disconnect(self) -> None:
        """Let go of the card; an agent that is gone has done so already."""
        try:
            self._link.ask(self._reader, "disconnect")
        except CardError as error:
            log.info("%s", error)


class LentReaders:
    """The readers of one workplace: those that its agent lends while it is connected."""

    def __init__(self) -> None:
        self.link: AgentLink | None = None

    def find(self) -> Sequence[LentCardReader]:
        """Return what the agent said last."""
        link = self.link
        return () if link is None else link.readers

    def close(self) -> None:
        """Hold nothing."""


class Agents:
    """Every workplace that is paired, and who of them is connected."""

    def __init__(self, store: ReaderAgents, workplaces: Workplaces) -> None:
        self._store = store
        self._workplaces = workplaces
        self._lent: dict[str, LentReaders] = {}
        self._expected: dict[str, _Expected] = {}

    async def start(self) -> None:
        """Know the workplaces that were paired before."""
        for agent in await self._store.all():
            self._add(agent.workplace)

    async def stop(self) -> None:
        """Close every connection."""
        for lent in self._lent.values():
            if lent.link is not None:
                lent.link.close()

    async def all(self) -> list[tuple[ReaderAgent, bool]]:
        """Return every agent, and whether it is connected."""
        return [(agent, self.is_connected(agent.workplace)) for agent in await self._store.all()]

    def is_connected(self, workplace: str) -> bool:
        """Whether the agent of a workplace is connected."""
        lent = self._lent.get(workplace)
        return lent is not None and lent.link is not None

    # --- pairing ----------------------------------------------------------------------------------

    def offer(self, workplace: str, by: str) -> Offer:
        """Make a code for a workplace, new or known. Raises InvalidValue, Conflict."""
        self._check_name(workplace)
        self._drop_old_codes()
        if len(self._expected) >= CODES_MAX:
            raise Conflict(f"{CODES_MAX} codes are waiting already: use them first")
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_SIZE))
        self._expected[code] = _Expected(workplace, by, time.monotonic() + CODE_LIFE_S)
        shown = f"{code[: CODE_SIZE // 2]}-{code[CODE_SIZE // 2 :]}"
        return Offer(workplace, shown, utc_now() + timedelta(seconds=CODE_LIFE_S))

    async def pair(self, typed: str) -> Paired:
        """Give an agent its token for a code that is used up by it. Raises NotFound."""
        self._drop_old_codes()
        code = re.sub(r"[\s-]", "", typed).upper()
        expected = self._expected.pop(code, None)
        if expected is None:
            raise NotFound("this code is not known, or no longer good: take a new one")
        token = secrets.token_urlsafe(TOKEN_SIZE)
        agent = ReaderAgent(expected.workplace, _hash(token), expected.by, utc_now())
        await self._store.keep(agent)
        self._add(agent.workplace)
        self._end_link(agent.workplace)
        log.info("workplace %s was paired for %s", agent.workplace, agent.paired_by)
        return Paired(workplace=agent.workplace, token=token)

    async def forget(self, workplace: str) -> None:
        """Let a workplace lend no readers any more. Raises NotFound."""
        await self._store.remove(workplace)
        self._end_link(workplace)
        if self._lent.pop(workplace, None) is not None:
            await self._workplaces.remove(workplace)

    # --- connections ------------------------------------------------------------------------------

    async def recognise(self, token: str) -> ReaderAgent | None:
        """Return the agent whose token this is."""
        return await self._store.of_token(_hash(token))

    async def connect(self, agent: ReaderAgent, send: Send, close: Close) -> AgentLink:
        """Take an agent's new connection in place of an older one."""
        self._end_link(agent.workplace)
        link = AgentLink(agent.workplace, send, close)
        self._add(agent.workplace).link = link
        await self._note_seen(agent.workplace)
        return link

    async def disconnect(self, link: AgentLink) -> None:
        """Do without a connection that has ended."""
        link.close()
        lent = self._lent.get(link.workplace)
        if lent is not None and lent.link is link:
            lent.link = None
        await self._note_seen(link.workplace)

    def _end_link(self, workplace: str) -> None:
        lent = self._lent.get(workplace)
        if lent is not None and lent.link is not None:
            link, lent.link = lent.link, None
            link.close()

    def _add(self, workplace: str) -> LentReaders:
        if workplace not in self._lent:
            self._lent[workplace] = LentReaders()
            self._workplaces.add(self._lent[workplace], workplace)
        return self._lent[workplace]

    async def _note_seen(self, workplace: str) -> None:
        try:
            await self._store.seen(workplace, utc_now())
        except DatabaseDown as error:  # It is only shown.
            log.warning("workplace %s: %s", workplace, error)

    def _check_name(self, workplace: str) -> None:
        if not WORKPLACE_NAME.fullmatch(workplace):
            raise InvalidValue(
                "workplace", "a workplace's name has 1 to 32 letters, digits, spaces, dots, dashes"
            )
        if workplace in self._lent:
            return
        if workplace in self._workplaces.names():
            raise Conflict(f"workplace {workplace} has readers of its own")
        if len(self._lent) >= AGENTS_MAX:
            raise Conflict(f"{AGENTS_MAX} workplaces are paired already: forget one first")

    def _drop_old_codes(self) -> None:
        now = time.monotonic()
        self._expected = {code: each for code, each in self._expected.items() if each.ends > now}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
