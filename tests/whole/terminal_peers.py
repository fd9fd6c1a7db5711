"""Small terminals of threads and plain sockets, for what a simulated site does not do."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from station.protocols.qgdw1376 import link
from station.protocols.qgdw1376.frame import Address, Frame

ANSWER_TIMEOUT_S = 30.0
READ_SIZE = 4096
NOISE_BETWEEN_BEATS = 32 * 1024  # Half of what a station puts up with.
NOISE_MAX = 100_000_000  # More than all buffers on the way hold.


class Beating(threading.Thread):
    """Terminals that log in and beat in turn, and note how long each confirmation took."""

    def __init__(self, port: int, count: int, *, pause_s: float = 0.02) -> None:
        super().__init__(daemon=True)
        self._place = ("127.0.0.1", port)
        self._addresses = [Address.from_text(f"9700{number + 1:04d}") for number in range(count)]
        self._pause_s = pause_s
        self._over = threading.Event()
        self.waited_s: list[float] = []
        self.failure: Exception | None = None

    @property
    def addresses(self) -> list[str]:
        return [address.text for address in self._addresses]

    def run(self) -> None:
        calls: list[socket.socket] = []
        try:
            for address in self._addresses:
                calls.append(socket.create_connection(self._place, ANSWER_TIMEOUT_S))
                self._confirmed(calls[-1], link.login(address, 0))
            sequence = 0
            while not self._over.is_set():
                sequence += 1
                for address, call in zip(self._addresses, calls, strict=True):
                    began = time.monotonic()
                    self._confirmed(call, link.heartbeat(address, sequence & 0x0F))
                    self.waited_s.append(time.monotonic() - began)
                    self._over.wait(self._pause_s)
        except (OSError, AssertionError) as error:
            self.failure = error
        finally:
            for call in calls:
                call.close()

    def stop(self) -> None:
        """End, and fail if a terminal was not answered as it should be."""
        self._over.set()
        self.join()
        if self.failure is not None:
            raise AssertionError("a heartbeat was not confirmed") from self.failure

    def _confirmed(self, call: socket.socket, frame: Frame) -> None:
        call.sendall(frame.to_bytes())
        answer = Frame.from_bytes(call.recv(READ_SIZE))
        assert link.is_confirmation(answer), answer
        assert answer.address.text == frame.address.text
        assert answer.sequence == frame.sequence


@contextmanager
def beating(port: int, count: int) -> Iterator[Beating]:
    """Have terminals beat for as long as the block lasts."""
    terminals = Beating(port, count)
    terminals.start()
    try:
        yield terminals
    finally:
        terminals.stop()


def send_noise(port: int, size: int) -> None:
    """Send so many bytes that are no frame, from a terminal that beats now and then.

    So the station has to read them all: it closes a link that makes nothing but noise.
    """
    address = Address.from_text("96000001")
    noise = bytes(range(256)) * (NOISE_BETWEEN_BEATS // 256)
    with socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S) as call:
        call.sendall(link.login(address, 0).to_bytes())
        assert call.recv(READ_SIZE)
        for number in range(size // NOISE_BETWEEN_BEATS):
            call.sendall(noise + link.heartbeat(address, number & 0x0F).to_bytes())
            assert call.recv(READ_SIZE), "the station closed the link"


def send_nothing_but_noise(port: int) -> int:
    """Send bytes that are no frame until the station closes the link; return how many it took."""
    noise = bytes(range(256)) * 16
    sent = 0
    with socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S) as call:
        try:
            while sent < NOISE_MAX:
                sent += call.send(noise)
        except OSError:
            return sent
    raise AssertionError(f"{sent} bytes of noise, and the link is still open")


def knock(port: int, per_second: float, seconds: float) -> list[socket.socket]:
    """Connect again and again from many addresses and never log in; return what is still open."""
    began = time.monotonic()
    calls: list[socket.socket] = []
    for number in range(int(per_second * seconds)):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        call = socket.socket()
        call.setblocking(False)
        call.bind((f"127.0.{20 + number % 200}.{1 + number // 200 % 200}", 0))
        call.connect_ex(("127.0.0.1", port))
        calls.append(call)
    return calls
