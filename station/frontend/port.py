"""The thread of one port: it opens what a URL names, writes, reads, and opens it again.

pyserial blocks, so nothing of it runs on the loop; the thread tells its `Listener` there what
happened. A port that cannot be opened, or that fails, is tried again with a growing pause.
"""

import asyncio
import contextlib
import logging
import os
import queue
import termios
import threading
import time
from collections.abc import Callable
from typing import Protocol

import serial

from station.protocols.line import LineSettings
from station.store.objects.channels import Channel

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 0.02  # A request waits no longer for a read to end than for the least gap.
WRITE_TIMEOUT_S = 5.0  # The longest frame takes 1.2 s at 2400 bit/s, and 4.8 s at 600.
IDLE_POLL_S = 0.1  # How often an idle port is asked for bytes, and whether it is still there.
READ_MAX = 4096  # Bytes told at once; thirty times that come in a second over a fast network.
PAUSE_FIRST_S = 1.0  # Before a port is tried again; doubled each time up to what the channel says.

_Order = tuple[bytes, float]  # What to write, and for how long to listen closely then.


class Listener(Protocol):
    """Who hears, on the loop, what happens to a port."""

    def opened(self) -> None:
        """The port is open."""
        ...

    def not_opened(self, reason: str) -> None:
        """The port could not be opened."""
        ...

    def closed(self, reason: str) -> None:
        """The port is closed again."""
        ...

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        ...


class PortThread:
    """One port. All methods are called on the loop.

    Between an answer and the next request it is quiet for `gap_s`; a port that does not open is
    tried again after `pause_max_s` at most. Both may change at any time.
    """

    def __init__(self, channel: Channel, listener: Listener, pause_first_s: float) -> None:
        self._url = channel.url
        self._line_text = channel.line
        self.gap_s = self.pause_max_s = 0.0
        self.take(channel)
        self._reopen_for = ""  # Why the port is to be closed and opened anew.
        self._listener = listener
        self._pause_first_s = pause_first_s
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._ending = threading.Event()
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        name = f"channel {channel.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to open the port."""
        self._thread.start()

    def take(self, channel: Channel) -> None:
        """Take what may change while the port is open."""
        self.gap_s = channel.gap_ms / 1000
        self.pause_max_s = float(channel.retry_max_s)

    def reopen(self, reason: str) -> None:
        """Close the port, and open it anew."""
        self._reopen_for = reason
        self._orders.put(None)  # Wakes the thread.

    def send(self, data: bytes, listen_s: float) -> None:
        """Write, and listen closely for so long."""
        self._orders.put((data, listen_s))

    def end(self) -> None:
        """Close the port and end the thread."""
        self._ending.set()
        self._orders.put(None)  # Wakes the thread.

    async def ended(self, timeout_s: float) -> bool:
        """Wait until the thread has ended; return whether it has."""
        await asyncio.wait((self._ended,), timeout=timeout_s)
        return self._ended.done()

    # The rest runs in the thread.

    def _run(self) -> None:
        pause_s = self._pause_first_s
        while not self._ending.is_set():
            if self._open_and_serve() > pause_s:
                pause_s = self._pause_first_s
            self._ending.wait(min(pause_s, self.pause_max_s))
            pause_s = min(2 * pause_s, self.pause_max_s)
        self._tell(self._ended.set_result, None)

    def _open_and_serve(self) -> float:
        """Return for how many seconds the port was open."""
        opened_at: float | None = None
        try:
            with contextlib.closing(self._open()) as port:
                opened_at = time.monotonic()
                self._forget_orders()
                self._tell(self._listener.opened)
                self._serve(port)
            reason = "the channel was closed"
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError.
            reason = self._reason_text(error)
        except Exception as error:  # The border of a device thread: drivers raise what they like.
            log.exception("%s failed", self._thread.name)
            reason = str(error)
        if opened_at is None:
            self._tell(self._listener.not_opened, reason)
            return 0.0
        self._tell(self._listener.closed, reason)
        return time.monotonic() - opened_at

    def _open(self) -> serial.Serial:
        line = LineSettings.parse(self._line_text)
        is_device = "://" not in self._url
        has_write_timeout = not self._url.lower().startswith("rfc2217://")  # It has 5 s of its own.
        return serial.serial_for_url(
            self._url,
            baudrate=line.speed,
            bytesize=line.data_bits,
            parity=line.parity,
            stopbits=line.stop_bits,
            timeout=READ_TIMEOUT_S,
            write_timeout=WRITE_TIMEOUT_S if has_write_timeout else None,
            exclusive=True if is_device else None,
        )

    def _serve(self, port: serial.Serial) -> None:
        """Write and read until told to end; raises what the port raises when it fails."""
        listen_until = heard_at = 0.0
        while not self._ending.is_set():
            if self._reopen_for:
                reason, self._reopen_for = self._reopen_for, ""
                raise ConnectionError(reason)
            order = self._next_order(time.monotonic() < listen_until)
            if order is not None:
                data, listen_s = order
                time.sleep(max(0.0, heard_at + self.gap_s - time.monotonic()))
                port.write(data)
                listen_until = time.monotonic() + listen_s
            data = _read(port)
            if data:
                heard_at = time.monotonic()
                listen_until = max(listen_until, heard_at + IDLE_POLL_S)
                self._tell(self._listener.received, data)

    def _next_order(self, is_listening: bool) -> _Order | None:
        try:
            return self._orders.get(timeout=0.0 if is_listening else IDLE_POLL_S)
        except queue.Empty:
            return None

    def _forget_orders(self) -> None:
        """Drop what was to be written before the port failed."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._orders.get_nowait()

    def _tell(self, callback: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody listens any more.
            self._loop.call_soon_threadsafe(callback, *args)

    def _reason_text(self, error: Exception) -> str:
        if isinstance(error, termios.error):
            return f"the port does not take {self._line_text}: {error.args[-1]}"
        for cause in (error, error.__context__):  # pyserial wraps what a socket said.
            if isinstance(cause, OSError) and cause.errno:
                return os.strerror(cause.errno)
        return str(error)


def _read(port: serial.Serial) -> bytes:
    """Return what comes within the read timeout and all that is there with it."""
    data = port.read(1)
    while data and len(data) < READ_MAX and (waiting := port.in_waiting):
        data += port.read(waiting)  # Of a socket, pyserial only knows whether there is a byte.
    return data
