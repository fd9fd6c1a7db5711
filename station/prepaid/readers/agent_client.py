"""The reader agent: a program on a clerk's computer that lends its card readers to the station.

It is paired once by a code and keeps its token in a file of mode 0600. It then stays connected,
comes back by itself when the connection or the station was away, says which readers are attached,
and passes commands to their cards. It knows no key and understands no command. When the connection
ends, it lets go of every card at once, so that no half conversation is left.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from station import tasks
from station.errors import CardError, NoReader, ReaderFailed, StartError, StationError
from station.prepaid.readers.agent_wire import (
    ANSWER_TIMEOUT_S,
    LINK_PATH,
    MESSAGE_SIZE_MAX,
    PAIRING_PATH,
    Answer,
    Asked,
    BadMessage,
    Lent,
    LentReader,
    Paired,
    PairingAsked,
    Problem,
    parsed,
)
from station.prepaid.readers.base import (
    READERS_MAX,
    CardChannel,
    CardReader,
    ReaderSource,
    SensingReader,
)
from station.prepaid.readers.worker import GivenUp, Worker

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # How soon a reader that was plugged in is known; it asks the service, no card.
FIND_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 5.0
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # Between attempts; the last one is repeated.
CONNECT_TIMEOUT_S = 10.0
PING_S = 20.0  # Finds a connection that ended without a word.
UNAUTHORIZED = 401
STATE_FILE = Path.home() / ".config" / "station" / "reader-agent.json"


class Unpaired(StationError):
    """The station does not know this agent, or no longer."""


# --- pairing --------------------------------------------------------------------------------------


def station_address(typed: str) -> str:
    """Return a station's address as it is kept. Raises StartError."""
    address = urlsplit(typed if "//" in typed else f"http://{typed}")
    if address.scheme not in ("http", "https") or not address.hostname:
        raise StartError(f"{typed} is no address of a station, such as http://192.168.1.10:8080")
    return urlunsplit((address.scheme, address.netloc, address.path.rstrip("/"), "", ""))


async def pair(station: str, code: str) -> Paired:
    """Give a code to the station and return the token. Raises StartError."""
    request = HTTPRequest(
        station + PAIRING_PATH,
        method="POST",
        headers={"Content-Type": "application/json"},
        body=PairingAsked(code=code[:40]).model_dump_json(),
        request_timeout=CONNECT_TIMEOUT_S,
    )
    try:
        answer = await AsyncHTTPClient().fetch(request)
        return parsed(Paired, answer.body)
    except HTTPClientError as error:
        said = error.response.body.decode(errors="replace")[:300] if error.response else str(error)
        raise StartError(f"{station} does not take the code: {_message(said)}") from None
    except (OSError, BadMessage) as error:
        raise StartError(f"{station} cannot be asked: {error}") from None


def _message(body: str) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body


def remember(path: Path, station: str, paired: Paired) -> None:
    """Keep a token, readable by its owner alone. Raises StartError."""
    known = _known(path)
    known[station] = paired.model_dump()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600, exist_ok=False)
        fresh.write_text(json.dumps(known))
        fresh.replace(path)
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from None


def recall(path: Path, station: str) -> Paired:
    """Return the token that was kept. Raises StartError when there is none."""
    kept = _known(path).get(station)
    if kept is None:
        raise StartError(
            f"this computer was never paired with {station}: take a code from its page Reader"
            " agents and start again with --code"
        )
    return parsed(Paired, json.dumps(kept))


def _known(path: Path) -> dict[str, object]:
    try:
        known = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StartError(f"{path} cannot be read: {error}") from None
    return known if isinstance(known, dict) else {}


# --- lending --------------------------------------------------------------------------------------


@dataclass
class _Local:
    """A reader of this computer, its thread, and the card it talks to."""

    key: int
    reader: CardReader
    worker: Worker
    channel: CardChannel | None = None

    @property
    def lent(self) -> LentReader:
        """What the station is told of it."""
        identity = self.reader.identity
        return LentReader(
            key=self.key,
            model=identity.model[:200],
            name=identity.name[:200],
            serial=identity.serial[:200],
            port=identity.port[:200],
        )


class ReaderAgent:
    """Lends the readers of some sources to one station."""

    def __init__(self, station: str, token: str, sources: Sequence[ReaderSource]) -> None:
        parts = urlsplit(station)
        scheme = "wss" if parts.scheme == "https" else "ws"
        self._url = urlunsplit((scheme, parts.netloc, parts.path + LINK_PATH, "", ""))
        self._token = token
        self._sources = [(source, Worker("the list of readers")) for source in sources]
        self._local: dict[CardReader, _Local] = {}
        self._keys = count(1)
        self._complaints: set[str] = set()
        self._acts: dict[str, Callable[[_Local, Asked], Answer]] = {
            "connect": self._connect,
            "sense": self._sense,
            "transmit": self._transmit,
            "disconnect": self._disconnect,
        }

    async def run(self) -> None:
        """Stay connected for ever. Raises Unpaired when the station does not know the token."""
        failures = 0
        try:
            while True:
                try:
                    await self._connected()
                    failures = 0
                    log.warning("the connection to %s ended", self._url)
                except (OSError, HTTPClientError, WebSocketClosedError) as error:
                    if isinstance(error, HTTPClientError) and error.code == UNAUTHORIZED:
                        raise Unpaired(
                            "the station does not know this computer any more: pair it again"
                        ) from None
                    log.warning("%s: %s", self._url, error)
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1
        finally:
            await self._stop()

    async def _connected(self) -> None:
        """Serve one connection until it ends."""
        connection = await websocket_connect(
            HTTPRequest(
                self._url,
                headers={"Authorization": f"Bearer {self._token}"},
                connect_timeout=CONNECT_TIMEOUT_S,
            ),
            ping_interval=PING_S,
            ping_timeout=PING_S,
            max_message_size=MESSAGE_SIZE_MAX,
        )
        log.info("connected to %s", self._url)
        ended = asyncio.Event()
        telling = tasks.spawn(
            self._tell_readers(connection, ended), name="the readers that are lent"
        )
        try:
            while (text := await connection.read_message()) is not None:
                asked = parsed(Asked, text)
                tasks.spawn(self._serve(asked, connection.write_message), name=f"{asked.do}")
        except BadMessage as error:
            log.warning("%s: %s", self._url, error)
        finally:
            connection.close()
            ended.set()
            await asyncio.wait({telling}, timeout=FIND_TIMEOUT_S)
            await self._let_go()

    async def _tell_readers(
        self, connection: WebSocketClientConnection, ended: asyncio.Event
    ) -> None:
        """Tell which readers are attached, at once and whenever that changes."""
        told: Lent | None = None
        while not ended.is_set():
            await self._look()
            lent = Lent(readers=tuple(each.lent for each in self._local.values())[:READERS_MAX])
            if lent != told:
                try:
                    await connection.write_message(lent.model_dump_json())
                except WebSocketClosedError:
                    return
                told = lent
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(ended.wait(), LOOK_EVERY_S)

    async def _look(self) -> None:
        found: list[CardReader] = []
        for source, worker in self._sources:
            try:
                found += await worker.run(partial(_find_in, source), FIND_TIMEOUT_S)
            except CardError as error:
                self._complain(str(error))
        for reader in found:
            if reader not in self._local:
                worker = Worker(f"reader {reader.identity.name}")
                self._local[reader] = _Local(next(self._keys), reader, worker)
                log.info("reader %s is attached", reader.identity.name)
        for reader in [each for each in self._local if each not in found]:
            gone = self._local.pop(reader)
            log.info("reader %s is gone", reader.identity.name)
            tasks.spawn(gone.worker.stop(reader.close, STOP_TIMEOUT_S), name="end of a reader")

    def _complain(self, complaint: str) -> None:
        """Log what keeps readers from being found, once."""
        if complaint not in self._complaints:
            self._complaints.add(complaint)
            log.warning("%s", complaint)

    async def _serve(self, asked: Asked, send: Callable[[str], Awaitable[object]]) -> None:
        """Do what is asked in the reader's thread, and answer."""
        local = next((each for each in self._local.values() if each.key == asked.reader), None)
        try:
            if local is None:
                raise NoReader("this reader is not attached any more")
            answer = await self._do(local, asked)
        except CardError as error:
            answer = Answer(id=asked.id, problem=Problem.of(error))
        try:
            await send(answer.model_dump_json())
        except WebSocketClosedError:
            log.info("nobody hears the answer to %s any more", asked.do)

    async def _do(self, local: _Local, asked: Asked) -> Answer:
        act = self._acts[asked.do]
        return await local.worker.run(lambda _: act(local, asked), ANSWER_TIMEOUT_S)

    async def _let_go(self) -> None:
        """Let go of every card."""
        for local in [*self._local.values()]:
            asked = Asked(id=0, do="disconnect", reader=local.key)
            try:
                await self._do(local, asked)
            except CardError as error:
                log.warning("%s", error)

    async def _stop(self) -> None:
        for local in self._local.values():
            await local.worker.stop(local.reader.close, STOP_TIMEOUT_S)
        for source, worker in self._sources:
            await worker.stop(source.close, STOP_TIMEOUT_S)

    # --- in a reader's thread ---------------------------------------------------------------------

    def _connect(self, local: _Local, asked: Asked) -> Answer:
        self._disconnect(local, asked)
        local.channel = local.reader.connect()
        serial = local.reader.identity.serial
        return Answer(id=asked.id, data=local.channel.atr.hex(), serial=serial[:200])

    def _sense(self, local: _Local, asked: Asked) -> Answer:
        if local.channel is not None or not isinstance(local.reader, SensingReader):
            return Answer(id=asked.id)
        return Answer(id=asked.id, condition=local.reader.sense())

    def _transmit(self, local: _Local, asked: Asked) -> Answer:
        if local.channel is None:
            raise ReaderFailed("the conversation with the card has ended", code="not_connected")
        data, sw = local.channel.transmit(bytes.fromhex(asked.command))
        return Answer(id=asked.id, data=data.hex(), sw=sw)

    def _disconnect(self, local: _Local, asked: Asked) -> Answer:
        channel, local.channel = local.channel, None
        if channel is not None:
            channel.disconnect()
        return Answer(id=asked.id)


def _find_in(source: ReaderSource, _: GivenUp) -> Sequence[CardReader]:
    return source.find()
