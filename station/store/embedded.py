"""A private MongoDB for a box that has none: started with the station, stopped with it.

Everything lies in one directory that only its owner can enter: `db/`, `mongod.log`, and the files
`key`, `password`, `port`, `lock` and `ready`. The server listens on the loopback only and lets in
one user. It is a replica set of one, because only replica sets give transactions. It runs in a
session of its own, so that Ctrl-C reaches the station alone, and dies with the station.
"""

import asyncio
import fcntl
import importlib.util
import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import OperationFailure, PyMongoError

from station.errors import StartError
from station.store import processes
from station.store.driver import Document

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
SET_NAME = "station"
USER = "station"

READY_TIMEOUT_S = 120.0  # Replaying the journal of a big database on a slow disk takes a minute.
POLL_PERIOD_S = 0.01  # A start takes some 0.5 s, so this adds nothing that is felt.
CALL_TIMEOUT_S = 10.0  # One answer of a server that has just come up.
WATCH_PERIOD_S = 0.5
RESTART_PAUSE_S = 1.0  # Doubled after each attempt that fails.
RESTART_PAUSE_MAX_S = 60.0
SOUND_AFTER_S = 60.0  # Up for this long, the next crash is a new story.
LOG_SIZE_MAX = 16 * 2**20  # Bytes; one older file is kept beside it.
LOG_TAIL_SIZE = 16 * 2**10  # Bytes searched for the reason of an end.
OPLOG_SIZE_MB = 990  # The smallest that is allowed; nobody replicates from here.

PORTS = range(20000, 32768)  # Below those that the kernel lends to outgoing connections.

# Already initialized; unauthorized: a user exists, so all before it is done; not yet initialized.
HARMLESS_CODES = frozenset({23, 13, 94})


def find_binary() -> Path:
    """Return the mongod of the package or of the system. Raises StartError."""
    package = importlib.util.find_spec("fiftyone")
    for place in (package.submodule_search_locations or []) if package else []:
        binary = Path(place, "db", "bin", "mongod")
        if os.access(binary, os.X_OK):
            return binary
    found = shutil.which("mongod")
    if found is None:
        raise StartError(
            "there is no mongod on this box: set database.uri to a MongoDB, "
            "or install station[embedded] (Linux on x86-64)"
        )
    return Path(found)


class EmbeddedMongo:
    """One private mongod in one directory."""

    def __init__(self, data: Path, cache_mb: int = 256) -> None:
        self._data = data.resolve()
        self._cache_mb = cache_mb
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process id of the running mongod."""
        return None if self._process is None else self._process.pid

    async def start(self) -> str:
        """Start the server and return its uri, credentials included, once it takes writes.

        Raises StartError: no binary, a directory in use, mongod ended or not ready in time.
        """
        binary = find_binary()
        self._stopping = False
        self._take_directory()
        try:
            await processes.end_orphans("mongod", "--dbpath", str(self._database_path))
            self._choose_port()
            await self._bring_up(binary)
        except BaseException:
            await self.stop()
            raise
        return self._uri()

    async def stop(self) -> None:
        """Stop the server cleanly; kill it if it will not within the bound."""
        self._stopping = True
        if self._process is not None:
            await processes.end(self._process)
            self._process = None
        self._close_lock()

    async def watch(self) -> None:
        """Start the server again, on the same port, whenever it ends by itself; bound its log."""
        pause_s, up_since = RESTART_PAUSE_S, time.monotonic()
        while not self._stopping:
            await asyncio.sleep(WATCH_PERIOD_S)
            process = self._process
            if process is None or process.poll() is None:
                self._bound_log()
                continue
            if time.monotonic() - up_since > SOUND_AFTER_S:
                pause_s = RESTART_PAUSE_S
            log.error("%s; it is started again in %.0f s", self._ending(process), pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RESTART_PAUSE_MAX_S)
            if await self._come_back():
                up_since = time.monotonic()

    def running_uri(self) -> str | None:
        """Return the uri of the server that another process runs in this directory, if one does."""
        try:
            with self._path("lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._uri()
        except FileNotFoundError:
            pass
        return None

    @property
    def _database_path(self) -> Path:
        return self._path("db")

    def _path(self, name: str) -> Path:
        return self._data / name

    def _address(self) -> str:
        return f"{HOST}:{self._path('port').read_text()}"

    def _uri(self, *, user: bool = True) -> str:
        if not user:
            return f"mongodb://{self._address()}/?directConnection=true"
        login = f"{USER}:{quote(self._path('password').read_text(), safe='')}"
        return f"mongodb://{login}@{self._address()}/?directConnection=true&authSource=admin"

    def _take_directory(self) -> None:
        """Make the directory and its secrets, and keep every other station out of it."""
        try:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._data.chmod(0o700)
            self._database_path.mkdir(mode=0o700, exist_ok=True)
            self._lock = self._path("lock").open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close_lock()
            raise StartError(f"another station is running on the data in {self._data}") from None
        except OSError as error:
            self._close_lock()
            raise StartError(f"cannot use {self._data} for data: {error.strerror}") from error
        self._make_secret("key", secrets.token_urlsafe(48).replace("-", "+").replace("_", "/"))
        self._make_secret("password", secrets.token_urlsafe(24))

    def _close_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _make_secret(self, name: str, value: str) -> None:
        if not self._path(name).exists():
            _write(self._path(name), value)

    async def _come_back(self) -> bool:
        """Try to start again, and return whether the server takes writes."""
        if self._stopping:
            return False
        try:
            await self._bring_up(find_binary())
        except StartError as error:
            log.error("database: %s", error)
            if self._process is not None:
                await processes.end(self._process)
            return False
        log.warning("the database is up again")
        return True

    async def _bring_up(self, binary: Path) -> None:
        """Run mongod and wait until it is a primary with our user."""
        self._keep_old_log()
        self._process = self._launch(binary)
        deadline = time.monotonic() + READY_TIMEOUT_S
        await self._until(deadline, self._is_listening)
        if not self._path("ready").exists():
            await self._first_start(deadline)
        async with self._client() as client:
            await self._until(deadline, lambda: self._is_member(client))
            await self._until(deadline, lambda: _is_primary(client))

    def _choose_port(self) -> None:
        """Keep the port of last time, unless somebody else has it now."""
        file = self._path("port")
        if not file.exists() or not _is_free(int(file.read_text())):
            _write(file, str(_free_port()))

    def _launch(self, binary: Path) -> "subprocess.Popen[bytes]":
        command = [str(binary), "--dbpath", str(self._database_path), "--nounixsocket", "--quiet"]
        command += ["--bind_ip", HOST, "--port", self._path("port").read_text()]
        command += ["--replSet", SET_NAME, "--oplogSize", str(OPLOG_SIZE_MB)]
        command += ["--auth", "--keyFile", str(self._path("key"))]
        command += ["--wiredTigerCacheSizeGB", f"{self._cache_mb / 1024:.3f}"]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        with self._path("mongod.log").open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=processes.die_with_parent,
            )

    async def _until(self, deadline: float, check: Callable[[], Any]) -> None:
        """Wait until the check holds. Raises StartError if mongod ends, or at the deadline."""
        while not await check():
            if self._process is None or self._process.poll() is not None:
                raise StartError(self._ending(self._process))
            if time.monotonic() > deadline:
                raise StartError(
                    f"mongod was not ready within {READY_TIMEOUT_S:.0f} s, "
                    f"see {self._path('mongod.log')}"
                )
            await asyncio.sleep(POLL_PERIOD_S)

    async def _is_listening(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, int(self._path("port").read_text()))
        except OSError:
            return False
        writer.close()
        return True

    async def _first_start(self, deadline: float) -> None:
        """Make the replica set and the user; any step may have been done by a start cut off."""
        async with self._client(user=False) as client:
            member = {"_id": 0, "host": self._address()}
            await _call(client, {"replSetInitiate": {"_id": SET_NAME, "members": [member]}})
            await self._until(deadline, lambda: _is_primary(client))
            password = self._path("password").read_text()
            await _call(client, {"createUser": USER, "pwd": password, "roles": ["root"]})
        self._path("ready").touch(mode=0o600)

    async def _is_member(self, client: "AsyncIOMotorClient[Document]") -> bool:
        """Whether the replica set knows its port; it is told a new one as soon as it listens."""
        set_config = await client["local"]["system.replset"].find_one()
        if set_config is None:
            raise StartError(f"the data in {self._database_path} is not of an embedded database")
        if set_config["members"][0]["host"] == self._address():
            return True
        set_config["members"][0]["host"] = self._address()
        set_config["version"] += 1
        await _call(client, {"replSetReconfig": set_config, "force": True})
        return False

    @asynccontextmanager
    async def _client(self, *, user: bool = True) -> AsyncIterator["AsyncIOMotorClient[Document]"]:
        """Open the running server; the driver's errors leave as StartError."""
        client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            self._uri(user=user), timeoutMS=round(CALL_TIMEOUT_S * 1000)
        )
        try:
            yield client
        except PyMongoError as error:
            raise StartError(f"mongod does not obey: {error}") from error
        finally:
            client.close()

    def _ending(self, process: "subprocess.Popen[bytes] | None") -> str:
        """Return how mongod ended and its last word about it."""
        code = 0 if process is None else process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"mongod {how}: {_last_words(self._path('mongod.log'))}"

    def _keep_old_log(self) -> None:
        """Begin a new log; that of the last run stays as `mongod.log.1`."""
        current = self._path("mongod.log")
        if current.exists():
            current.replace(self._path("mongod.log.1"))

    def _bound_log(self) -> None:
        """Empty a log that has grown too long; mongod appends, so it goes on at the start."""
        current = self._path("mongod.log")
        if current.exists() and current.stat().st_size > LOG_SIZE_MAX:
            shutil.copyfile(current, self._path("mongod.log.1"))
            os.truncate(current, 0)


async def _call(client: "AsyncIOMotorClient[Document]", command: Document) -> None:
    """Send a command of the start, unless it is done already or must wait and be sent again."""
    try:
        await client.admin.command(command)
    except OperationFailure as error:
        if error.code not in HARMLESS_CODES:
            raise


async def _is_primary(client: "AsyncIOMotorClient[Document]") -> bool:
    return bool((await client.admin.command("hello")).get("isWritablePrimary"))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As mongod itself does.
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    for _ in PORTS:
        if _is_free(port := secrets.choice(PORTS)):
            return port
    raise StartError(f"no port from {PORTS[0]} to {PORTS[-1]} is free on {HOST}")


def _write(file: Path, text: str) -> None:
    """Write a small file that only its owner may read, whole or not at all."""
    draft = file.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    draft.replace(file)


def _last_words(file: Path) -> str:
    """Return the first error near the end of a log of mongod, or its last line of any kind."""
    lines = file.read_bytes()[-LOG_TAIL_SIZE:].decode(errors="replace").splitlines()
    entries = [_log_entry(line) for line in lines[1:] or lines]  # The first one may be cut.
    errors = [text for severity, text in entries if severity in ("F", "E")]
    return (errors or [text for _, text in reversed(entries)] or ["it said nothing"])[0]


def _log_entry(line: str) -> tuple[str, str]:
    """Return severity and words of a log line; what is not JSON is an error as it stands."""
    try:
        entry = json.loads(line)
        attributes = entry.get("attr", {})
        reason = attributes.get("message") or attributes.get("error", "")
        return entry["s"], f"{entry['msg']} {reason}".strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        return "E", line
