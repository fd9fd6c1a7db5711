"""A serial line to a card reader: opened for one conversation, read exactly, every wait bounded."""

import contextlib
import errno
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import serial

from station.errors import NoReader, ReaderFailed

# What pyserial 3.5 raises when a port vanishes; the TypeError comes during a read.
UNPLUGGED: tuple[type[Exception], ...] = (OSError, TypeError)
if sys.platform != "win32":  # A clerk's computer, which lends its readers, may have no termios.
    import termios

    UNPLUGGED = (*UNPLUGGED, termios.error)

READ_TIMEOUT_S = 1.0  # One answer of the reader itself; at 9600 baud 300 bytes take 0.3 s.
WRITE_TIMEOUT_S = 1.0
POWER_TIMEOUT_S = 5.0  # The reader tries three voltages.
CARD_TIMEOUT_S = 5.0  # One APDU; a card's EEPROM takes some 10 ms per row.


@dataclass(frozen=True)
class LineSettings:
    """How a line is opened; DTR is kept asserted, RTS too unless said otherwise."""

    baud: int = 9600
    stop_bits: int = 1
    rts: bool = True


class Line:
    """An open serial port."""

    def __init__(self, port: str, settings: LineSettings) -> None:
        """Open the port for us alone. Raises NoReader, ReaderFailed."""
        self.port = port
        self._serial = serial.Serial(
            baudrate=settings.baud,
            bytesize=serial.EIGHTBITS,
            parity=serial.PARITY_NONE,
            stopbits=settings.stop_bits,
            timeout=READ_TIMEOUT_S,
            write_timeout=WRITE_TIMEOUT_S,
            exclusive=True,
        )
        self._serial.rts = settings.rts
        self._serial.port = port
        try:
            self._serial.open()
        except (OSError, ValueError) as error:  # SerialException is an OSError.
            raise _not_opened(port, error) from None

    def send(self, data: bytes) -> None:
        """Drop what nobody asked for and send this. Raises ReaderFailed."""
        with self._plugged_in():
            self._serial.reset_input_buffer()
            self._serial.write(data)

    def receive(self, size: int, timeout_s: float = READ_TIMEOUT_S) -> bytes:
        """Return exactly so many bytes. Raises ReaderFailed when they do not come in time."""
        deadline = time.monotonic() + timeout_s
        data = b""
        while len(data) < size:
            self._serial.timeout = max(0.0, deadline - time.monotonic())
            with self._plugged_in():
                part = self._serial.read(size - len(data))
            data += part
            if not part and time.monotonic() >= deadline:
                raise ReaderFailed(f"the reader on {self.port} does not answer", code="silent")
        return data

    def close(self) -> None:
        """Give the port back; it never raises."""
        self._serial.close()

    @contextlib.contextmanager
    def _plugged_in(self) -> Iterator[None]:
        try:
            yield
        except UNPLUGGED as error:
            raise ReaderFailed(f"the reader on {self.port} was unplugged ({error})") from None


def _not_opened(port: str, error: OSError | ValueError) -> NoReader | ReaderFailed:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO):
        return NoReader(f"no reader on {port}: the port is not there")
    if number in (errno.EAGAIN, errno.EBUSY):
        return ReaderFailed(f"{port} is in use by another program: close that", code="in_use")
    if number in (errno.EACCES, errno.EPERM):
        return ReaderFailed(f"Station may not use {port}: add its user to the group dialout")
    return ReaderFailed(f"{port} cannot be opened: {error}")


def xor(data: bytes) -> int:
    """Return the exclusive or of all bytes: the checksum of every framing here."""
    result = 0
    for byte in data:
        result ^= byte
    return result
