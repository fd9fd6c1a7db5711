"""A real pcscd with virtual readers, for one test module at a time on a machine.

What the digest prepaid_card, section 14, found out by trying: one pcscd per machine (hence the file
lock), ports below the ephemeral range, one copy of the driver for each reader (copies of one file
share a table), two slots for each reader, and old files of a killed pcscd stop the next one.
"""

import contextlib
import fcntl
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from smartcard.scard import (
    SCARD_S_SUCCESS,
    SCARD_SCOPE_SYSTEM,
    SCARD_STATE_EMPTY,
    SCARD_STATE_EXCLUSIVE,
    SCARD_STATE_INUSE,
    SCARD_STATE_PRESENT,
    SCARD_STATE_UNAWARE,
    SCardEstablishContext,
    SCardGetStatusChange,
    SCardListReaders,
    SCardReleaseContext,
)

from station.simulator.card_link import HOST, InsertableCard, VirtualSlot

PCSCD = "/usr/sbin/pcscd"
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
RUN_FOLDER = Path("/run/pcscd")
LOCK_FILE = Path(tempfile.gettempdir()) / "station-tests-pcscd.lock"
LOCK_TIMEOUT_S = 100.0  # A test module of another run may hold it.
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 15.0
NOTICE_TIMEOUT_S = 5.0  # pcscd looks every 0.4 s.
PORTS = range(20000, 30000, 2)  # Below 32768, where the system takes its own from.
POLL_S = 0.05
SLOTS = 2  # Of one virtual reader; pcscd ends their names in " 00 00" and " 00 01".
IN_USE = SCARD_STATE_INUSE | SCARD_STATE_EXCLUSIVE

BLOCK = """FRIENDLYNAME "{name}"
DEVICENAME /dev/null:0x{port:X}
LIBPATH {driver}
CHANNELID 0x{port:X}
"""


class VirtualPcscd:
    """pcscd with readers of the given names; `slots` are by the name that PC/SC gives them."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.slots: dict[str, VirtualSlot] = {}
        blocks = []
        for index, (name, port) in enumerate(zip(names, _free_ports(len(names)), strict=True)):
            driver = folder / f"driver{index}.so"
            shutil.copy(DRIVER, driver)
            blocks.append(BLOCK.format(name=name, port=port, driver=driver))
            for slot in range(SLOTS):
                self.slots[f"{name} 00 {slot:02}"] = VirtualSlot(port + slot)
        (folder / "readers.conf").write_text("\n".join(blocks))

    def start(self) -> None:
        """Start pcscd, and wait until it tells of every slot."""
        _clear_old_files()
        command = [PCSCD, "--foreground", "--config", str(self._folder / "readers.conf")]
        with (self._folder / "pcscd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        _poll(lambda: set(listed()) == set(self.slots), START_TIMEOUT_S, "pcscd shows no readers")

    def insert(self, name: str, card: InsertableCard) -> None:
        """Put a card into an empty slot, and return when pcscd has seen it."""
        self.slots[name].insert(card)
        _poll(lambda: _holds(name, SCARD_STATE_PRESENT), NOTICE_TIMEOUT_S, f"{name} sees no card")

    def pull(self, name: str) -> None:
        """Take the card out of a slot, if there is one, and return when pcscd has seen it go.

        A card inserted before that, which nobody's hand can do, may stay unseen for ever.
        """
        slot = self.slots[name]
        slot.pull()
        with socket.create_connection((HOST, slot.port), NOTICE_TIMEOUT_S) as probe:
            probe.recv(1)  # pcscd looks for a card, and is left without an answer.
        _poll(lambda: _holds(name, SCARD_STATE_EMPTY), NOTICE_TIMEOUT_S, f"{name} keeps its card")

    def wait_idle(self, name: str) -> None:
        """Return when nobody talks to the card in a slot; pcscd takes a moment to bury the dead."""
        _poll(lambda: not _holds(name, IN_USE), NOTICE_TIMEOUT_S, f"{name} stays in use")

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither stopped nor killed."""
        return self._process is not None

    def kill(self) -> None:
        """Take it away without a word; the cards have to be put in anew after the next start."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        process.wait()

    def stop(self) -> None:
        """Pull every card and stop pcscd."""
        for slot in self.slots.values():
            slot.pull()
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            _clear_old_files()


@contextlib.contextmanager
def virtual_pcscd(folder: Path, names: Sequence[str]) -> Iterator[VirtualPcscd]:
    """Run a pcscd with virtual readers; it waits for its turn on this machine."""
    with LOCK_FILE.open("w") as lock:
        _poll(lambda: _locked(lock.fileno()), LOCK_TIMEOUT_S, f"{LOCK_FILE} stays locked")
        pcscd = VirtualPcscd(folder, names)
        try:
            pcscd.start()
            yield pcscd
        finally:
            pcscd.stop()


def _holds(name: str, wanted: int) -> bool:
    """Say whether pcscd tells a state of a slot, asked with a context of its own."""
    status, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
    if status != SCARD_S_SUCCESS:
        return False
    try:
        status, states = SCardGetStatusChange(context, 0, [(name, SCARD_STATE_UNAWARE)])
        return status == SCARD_S_SUCCESS and bool(states[0][1] & wanted)
    finally:
        SCardReleaseContext(context)


def listed() -> list[str]:
    """Return the names of the readers that PC/SC tells of, with a context of its own."""
    status, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
    if status != SCARD_S_SUCCESS:
        return []
    try:
        status, names = SCardListReaders(context, [])
        return list(names) if status == SCARD_S_SUCCESS else []
    finally:
        SCardReleaseContext(context)


def _clear_old_files() -> None:
    """Remove what a killed pcscd left; a living one that is not ours stops the tests."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(RUN_FOLDER / "pcscd.comm"))
        except OSError:
            for name in ("pcscd.comm", "pcscd.pid"):
                (RUN_FOLDER / name).unlink(missing_ok=True)
            return
    raise RuntimeError("a pcscd is running already: stop it (systemctl stop pcscd.socket pcscd)")


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Return even ports that are free together with the next one."""
    candidates = random.sample(PORTS, len(PORTS))
    free = (port for port in candidates if all(_is_free(port + slot) for slot in range(SLOTS)))
    return [next(free) for _ in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def _poll(done: Callable[[], bool], timeout_s: float, complaint: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(POLL_S)
