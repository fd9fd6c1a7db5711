"""A station as a process of its own, asked through its JSON like any integrator would."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from station.store import processes

START_TIMEOUT_S = 30.0
WAIT_TIMEOUT_S = 30.0
POLL_PERIOD_S = 0.05


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(check: Callable[[], Any], what: str, timeout_s: float = WAIT_TIMEOUT_S) -> Any:
    """Return what `check` returns once that is true; fail by name when it never is."""
    deadline = time.monotonic() + timeout_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:.0f} s"
        time.sleep(POLL_PERIOD_S)
    return found


class Refusal(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class StationProcess:
    """One `station run`, its files in a folder, killed or stopped and started again at will."""

    def __init__(self, folder: Path, zone: str = "Asia/Shanghai") -> None:
        self.folder = folder
        self.web_port, self.front_port = free_port(), free_port()
        self.config = folder / "config.yaml"
        self.config.write_text(
            f"site: {{zone: {zone}, simulation: true}}\n"
            f"web: {{host: 127.0.0.1, port: {self.web_port}}}\n"
            f"frontend: {{host: 127.0.0.1, port: {self.front_port}}}\n"
        )
        self.log = folder / "station.log"
        self.password = ""
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once it is ready."""
        with self.log.open("ab") as log:
            begin = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "station", "run", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                preexec_fn=processes.die_with_parent,
            )
        try:
            until(lambda: b"ready: pages" in self._said(begin), "station ready", START_TIMEOUT_S)
        except BaseException:  # Nobody would end it: it must not live on beside the next tests.
            self.kill()
            raise
        if found := re.search(rb"first start: user admin +password (\S+)", self._said(0)):
            self.password = found[1].decode()

    def _said(self, begin: int) -> bytes:
        assert self._process is not None
        said = self.log.read_bytes()[begin:]
        assert self._process.poll() is None, said.decode()
        return said

    def stop(self) -> None:
        """Stop it as the service manager does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                status = self._process.wait(START_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            self._process = None
            assert status == 0, self.log.read_text()

    def kill(self) -> None:
        """Take it away without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """Return its process id."""
        assert self._process is not None
        return self._process.pid

    def resident_mb(self) -> float:
        """Return its resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024

    def mongod_pid(self) -> int:
        """Return the process id of its private database."""
        assert self._process is not None
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        for pid in map(int, children.split()):
            if b"mongod" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        raise AssertionError("the station has no mongod")

    def call(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Ask the station's JSON. Raises Refusal."""
        if not self._token and path != "/api/login":
            login = {"username": "admin", "password": self.password}
            self._token = self.call("/api/login", login)["token"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web_port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT_TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refusal(error.code, json.load(error)) from None

    def wait_online(self, address: str) -> None:
        """Return once a link is online."""
        until(lambda: self.link_state(address) == "online", f"{address} online")

    def link_state(self, address: str) -> str | None:
        """Return a link's state, or None if it was never seen."""
        links = self.call("/api/links?size=1000")["items"]
        return next((link["state"] for link in links if link["address"] == address), None)
