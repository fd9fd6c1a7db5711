"""Questions to a DL/T 698.45 server, a meter or a terminal, and whole answers.

An answer may come in blocks, each asked for by GET-Next (digest, section 8.5); they are heard out
before anybody else asks that server. The pieces of split frames are joined by the link.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple, Protocol

from station.collector.drivers.base import (
    ATTEMPTS_MAX,
    Memory,
    NoMemory,
    Refusals,
    conversation,
    transfer_s,
)
from station.collector.items import DLT698
from station.errors import BadAnswer, MeterTimeout, Refused
from station.frontend.inquiries import Inquiry698
from station.frontend.link import Answer, Bus, FrameT, Inquiry, Priority
from station.frontend.registry import Registry
from station.protocols.dlt698 import get, proxy, requests
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.association import (
    ConnectRequest,
    ConnectResponse,
    PublicAccess,
    ServerError,
)
from station.protocols.dlt698.blocks import LongAnswer
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.envelope import NUMBER_MASK, Apdu, AttributeResult, RecordResult
from station.protocols.dlt698.frame import NO_CLIENT, Frame, ServerAddress
from station.protocols.dlt698.get import RecordQuery
from station.protocols.dlt698.identifiers import Oad
from station.protocols.faults import FrameError
from station.store.objects.meters import Meter

PROXY_MARGIN_S = 10.0  # For the way to a terminal and back (digest, section 11).
RECORDS_SIZE = 512  # Of an answer with records, as `dlt698_records` asks for them.
TIMED_OUT = Dar(33)
ANOTHER_SERVICE = "it answered with another service"

# What an association is asked for (digest, section 6).
VERSIONS = (0x0010, 0x0016)
VERSION_MISMATCH = 5
FRAME_SIZE = 1024
APDU_SIZE = 4096
ASSOCIATION_TIMEOUT_S = 7200

# Two questions to one server have the same number only with a multiple of 64 others in between.
_numbers = itertools.count()


class Port698(Protocol):
    """A bus, or a terminal that is asked itself."""

    @property
    def name(self) -> str:
        """Return what it is called."""
        ...

    async def exchange(
        self, inquiry: Inquiry[Frame], *, priority: Priority, timeout_s: float
    ) -> Answer[Frame]:
        """Ask, and return the answer; see `station.frontend.link.Bus`."""
        ...


class Objects(NamedTuple):
    """Objects, each with its value or why there is none, and when they were read."""

    results: Sequence[AttributeResult]
    read_at: datetime


class Records(NamedTuple):
    """Records of a store, in one result or several, and when they were read."""

    results: Sequence[RecordResult]
    read_at: datetime


class Asker(Protocol):
    """A way to have objects and records of a meter."""

    async def objects(self, oads: Sequence[Oad]) -> Objects:
        """Read objects. Raises Refused, and what `Bus.exchange` raises."""
        ...

    async def records(self, query: RecordQuery) -> Records:
        """Read records of a store. Raises Refused, and what `Bus.exchange` raises."""
        ...


class Talk698:
    """A conversation with one server; `meter` is the meter whose answers it waits for."""

    def __init__(
        self, port: Port698, server: str, meter: str, *, priority: Priority, memory: Memory
    ) -> None:
        self.server = server
        self.meter = meter
        self._port = port
        self._address = ServerAddress.from_text(server)
        self._priority = priority
        self._memory = memory
        self._associated = False
        self.last: Answer[Frame] | None = None  # What came last.

    @property
    def timeout_s(self) -> float:
        """Return how long the meter may take."""
        return self._memory.answer_timeout_s(self.meter)

    async def ask(
        self, make: Callable[[int], Apdu], *, timeout_s: float | None = None, once: bool = False
    ) -> tuple[Apdu, datetime]:
        """Send a request made with a new PIID; return the answer and when it came.

        `once`: it changes the server, and is not said again after an answer that nobody
        understands. Raises Refused for an ERROR-Response, and what `Bus.exchange`
        raises.
        """
        async with conversation(self._port.name, self.server):
            return await self._ask(make, timeout_s or self.timeout_s, once=once)

    async def ask_long(
        self, make: Callable[[int], Apdu], *, timeout_s: float | None = None
    ) -> tuple[Apdu | list[AttributeResult | RecordResult], datetime]:
        """Do as `ask`; return the results of all blocks where the answer comes in blocks."""
        each_s = timeout_s or self.timeout_s
        async with conversation(self._port.name, self.server):
            apdu, read_at = await self._ask(make, each_s)
            if not isinstance(apdu, get.GetResponseNext):
                return apdu, read_at
            answer = LongAnswer()
            following = answer.add(apdu)
            while following is not None:
                apdu, _ = await self._ask(partial(_as_it_is, following), each_s)
                if not isinstance(apdu, get.GetResponseNext):
                    raise BadAnswer(f"meter {self.meter}: {ANOTHER_SERVICE}")
                following = answer.add(apdu)
            if answer.dar is not None:
                raise Refused(f"meter {self.meter}: GET-Next refused: {answer.dar.words.en}")
            if not answer.is_complete:
                raise BadAnswer(f"meter {self.meter}: a block of its answer is missing")
            return answer.results, read_at

    async def _ask(
        self, make: Callable[[int], Apdu], timeout_s: float, *, once: bool = False
    ) -> tuple[Apdu, datetime]:
        """Ask; a server that serves nobody without an association gets one first."""
        ask = self._ask_once if once else self._ask_twice
        apdu, read_at = await ask(make, timeout_s)
        if isinstance(apdu, ServerError) and not self._associated:
            self._associated = True
            if await self._associate(timeout_s):
                apdu, read_at = await ask(make, timeout_s)
        if isinstance(apdu, ServerError):
            raise Refused(f"meter {self.meter}: it answered with error {apdu.kind}")
        return apdu, read_at

    async def associate(self) -> bool:
        """Ask for an association without a password; tell whether the server gave it."""
        async with conversation(self._port.name, self.server):
            return await self._associate(self.timeout_s)

    async def _associate(self, timeout_s: float) -> bool:
        for version in VERSIONS:
            connect = partial(_connect, version)
            answer, _ = await self._ask_twice(connect, timeout_s)
            if not isinstance(answer, ConnectResponse) or answer.result != VERSION_MISMATCH:
                return isinstance(answer, ConnectResponse) and answer.result == 0
        return False

    async def _ask_twice(
        self, make: Callable[[int], Apdu], timeout_s: float
    ) -> tuple[Apdu, datetime]:
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return await self._ask_once(make, timeout_s)
            except BadAnswer:
                continue
        return await self._ask_once(make, timeout_s)

    async def _ask_once(
        self, make: Callable[[int], Apdu], timeout_s: float
    ) -> tuple[Apdu, datetime]:
        request = requests.request(self._address, NO_CLIENT, make(next(_numbers) & NUMBER_MASK))
        answer = await self._port.exchange(
            Inquiry698(request), priority=self._priority, timeout_s=timeout_s
        )
        self.last = answer
        self._memory.note_wait(self.meter, answer.waited_s)
        try:
            return decode_apdu(answer.frame.apdu), answer.at
        except FrameError as error:
            raise BadAnswer(f"meter {self.meter}: {error}") from None


def _connect(version: int, piid: int) -> ConnectRequest:
    """Return the request for an association: all services, and no password."""
    sizes = (FRAME_SIZE, FRAME_SIZE, 1, APDU_SIZE, ASSOCIATION_TIMEOUT_S)
    return ConnectRequest(piid, version, b"\xff" * 8, b"\xff" * 16, *sizes, PublicAccess())


def _as_it_is(apdu: Apdu, _piid: int) -> Apdu:
    """Return a request that has its number already."""
    return apdu


class ForwardingBus:
    """A bus behind a terminal that may want an association before it forwards."""

    def __init__(self, bus: Bus, terminal: Talk698) -> None:
        self.name = bus.name
        self._bus = bus
        self._terminal = terminal
        self._associated = False

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask a meter; see `station.frontend.link.Bus`."""
        try:
            return await self._bus.exchange(inquiry, priority=priority, timeout_s=timeout_s)
        except Refused:
            if self._associated:
                raise
            self._associated = True
            if not await self._terminal.associate():
                raise
        return await self._bus.exchange(inquiry, priority=priority, timeout_s=timeout_s)


def port_of(registry: Registry, meter: Meter, priority: Priority) -> Port698:
    """Return the way to a meter of DL/T 698.45, whatever it hangs on. Raises LinkDown."""
    bus = registry.bus(meter)
    terminal = registry.terminals.get(meter.link)
    if terminal is None or terminal.protocol != DLT698 or terminal.address == meter.address:
        return bus
    port, address = registry.terminal(terminal.address), terminal.address
    talk = Talk698(port, address, address, priority=priority, memory=NoMemory())
    return ForwardingBus(bus, talk)


class DirectAsker:
    """Asks a meter on a bus, or one that is the link itself."""

    def __init__(self, talk: Talk698, line: str) -> None:
        """`line` is the settings of the meter's line, on which records take their time."""
        self._talk = talk
        self._records_s = transfer_s(line, RECORDS_SIZE)

    async def objects(self, oads: Sequence[Oad]) -> Objects:
        """Read objects of the meter, in one question."""
        if len(oads) == 1:
            answer, read_at = await self._talk.ask_long(
                lambda piid: get.GetRequestNormal(piid, oads[0])
            )
        else:
            answer, read_at = await self._talk.ask_long(
                lambda piid: get.GetRequestNormalList(piid, tuple(oads))
            )
        if isinstance(answer, get.GetResponseNormal):
            return Objects((answer.result,), read_at)
        if isinstance(answer, get.GetResponseNormalList):
            return Objects(answer.results, read_at)
        if isinstance(answer, list):
            return Objects([one for one in answer if isinstance(one, AttributeResult)], read_at)
        raise BadAnswer(f"meter {self._talk.meter}: {ANOTHER_SERVICE}")

    async def records(self, query: RecordQuery) -> Records:
        """Read records of the meter."""
        answer, read_at = await self._talk.ask_long(
            lambda piid: get.GetRequestRecord(piid, query),
            timeout_s=self._talk.timeout_s + self._records_s,
        )
        if isinstance(answer, get.GetResponseRecord):
            return Records((answer.result,), read_at)
        if isinstance(answer, list):
            return Records([one for one in answer if isinstance(one, RecordResult)], read_at)
        raise BadAnswer(f"meter {self._talk.meter}: {ANOTHER_SERVICE}")


class ProxyAsker:
    """Has a terminal ask a meter of its archive; a terminal that will not is passed by."""

    def __init__(self, terminal: Talk698, direct: Asker, refusals: Refusals, line: str) -> None:
        """`terminal` is the conversation with the terminal about the meter on such a line."""
        self._records_s = transfer_s(line, RECORDS_SIZE)
        self._terminal = terminal
        self._direct = direct
        self._refusals = refusals
        self._meter = ServerAddress.from_text(terminal.meter).tsa

    async def objects(self, oads: Sequence[Oad]) -> Objects:
        """Read objects of the meter, in one question."""
        if _PROXY_OBJECTS in self._refusals:
            return await self._direct.objects(oads)
        total_s = math.ceil(self._terminal.timeout_s)
        target = proxy.ProxyGetTarget(self._meter, 0, tuple(oads))
        try:
            answer, read_at = await self._terminal.ask(
                lambda piid: proxy.ProxyRequestGetList(piid, total_s, (target,)),
                timeout_s=total_s + PROXY_MARGIN_S,
            )
        except Refused:
            self._refusals.note(_PROXY_OBJECTS)
            return await self._direct.objects(oads)
        if not isinstance(answer, proxy.ProxyResponseGetList):
            raise BadAnswer(f"meter {self._terminal.meter}: {ANOTHER_SERVICE}")
        results = [one for target in answer.targets for one in target.results]
        if results and all(one.result == TIMED_OUT for one in results):
            raise self._timeout()
        return Objects(results, read_at)

    async def records(self, query: RecordQuery) -> Records:
        """Read records of the meter."""
        if _PROXY_RECORDS in self._refusals:
            return await self._direct.records(query)
        total_s = math.ceil(self._terminal.timeout_s + self._records_s)
        try:
            answer, read_at = await self._terminal.ask(
                lambda piid: proxy.ProxyRequestGetRecord(piid, total_s, self._meter, query),
                timeout_s=total_s + PROXY_MARGIN_S,
            )
        except Refused:
            self._refusals.note(_PROXY_RECORDS)
            return await self._direct.records(query)
        if not isinstance(answer, proxy.ProxyResponseGetRecord):
            raise BadAnswer(f"meter {self._terminal.meter}: {ANOTHER_SERVICE}")
        if answer.result.rows == TIMED_OUT:
            raise self._timeout()
        return Records((answer.result,), read_at)

    def _timeout(self) -> MeterTimeout:
        meter, terminal = self._terminal.meter, self._terminal.server
        return MeterTimeout(f"meter {meter}: terminal {terminal} had no answer of it")


_PROXY_OBJECTS, _PROXY_RECORDS = "proxy get", "proxy record"  # As the refusals call them.
