"""How a virtual card gets into a reader of pcscd: a client of the virtual driver "vpcd".

The wire (digest prepaid_card, section 14): the card connects by TCP; both directions carry a length
of two bytes, highest first, and the payload. One byte from pcscd is a control; anything longer is
a command for the card. The card is pulled by closing the connection.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Protocol

HOST = "127.0.0.1"
POWER_ON, RESET, SEND_ATR = 1, 2, 4  # Power off (0) needs nothing.
LENGTH_SIZE = 2
CONNECT_TIMEOUT_S = 5.0
END_TIMEOUT_S = 5.0  # For the thread, once its connection is closed.

Hook = Callable[[int, bytes], None]


class InsertableCard(Protocol):
    """What a reader needs of a virtual card."""

    atr: bytes

    def power_on(self) -> None:
        """Begin anew."""

    def transmit(self, apdu: bytes) -> bytes:
        """Return the answer: data, if any, and two bytes of status."""


def _nothing(number: int, apdu: bytes) -> None:
    """Let the APDU pass."""


class VirtualSlot:
    """One slot of a virtual reader; a thread answers for the card that is in it.

    `before_apdu` and `after_apdu` are called with the APDU's number since the slot was made (from
    0) and its bytes: before the card sees it, and before its answer goes out. They may `pull`.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.before_apdu: Hook = _nothing
        self.after_apdu: Hook = _nothing
        self.asked = 0
        self._link: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def insert(self, card: InsertableCard) -> None:
        """Put a card in; a card that was there is pulled. Raises OSError without a reader."""
        self.pull()
        link = socket.create_connection((HOST, self.port), CONNECT_TIMEOUT_S)
        link.settimeout(None)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._link = link
        self._thread = threading.Thread(
            target=self._serve, args=(link, card), name=f"card in slot {self.port}", daemon=True
        )
        self._thread.start()

    def pull(self) -> None:
        """Take the card out, whatever it is doing."""
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(END_TIMEOUT_S)
            self._thread = None

    def calm(self) -> None:
        """Have no hooks any more."""
        self.before_apdu = self.after_apdu = _nothing

    def _serve(self, link: socket.socket, card: InsertableCard) -> None:
        with link, contextlib.suppress(OSError):
            while self._link is link:
                answer = self._answer(link, card, _receive(link))
                if answer is not None:
                    link.sendall(len(answer).to_bytes(LENGTH_SIZE, "big") + answer)

    def _answer(self, link: socket.socket, card: InsertableCard, payload: bytes) -> bytes | None:
        if len(payload) > 1:
            return self._obey(link, card, payload)
        if payload == bytes([SEND_ATR]):
            return card.atr
        if payload in (bytes([POWER_ON]), bytes([RESET])):
            card.power_on()
        return None

    def _obey(self, link: socket.socket, card: InsertableCard, apdu: bytes) -> bytes | None:
        number = self.asked
        self.asked += 1
        self.before_apdu(number, apdu)
        if self._link is not link:
            return None
        answer = card.transmit(apdu)
        self.after_apdu(number, apdu)
        return answer if self._link is link else None


def _receive(link: socket.socket) -> bytes:
    """Return one payload. Raises ConnectionResetError when the reader is gone."""
    return _exactly(link, int.from_bytes(_exactly(link, LENGTH_SIZE), "big"))


def _exactly(link: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = link.recv(size - len(received))
        if not part:
            raise ConnectionResetError
        # Not sticky: without it each APDU waits 40 ms, for length and body come as two packets.
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        received += part
    return received
