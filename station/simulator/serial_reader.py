"""A serial card reader on a pseudo-terminal: `path` is the port that a program opens.

A thread answers in one of the framings. Hooks are those of `card_link.VirtualSlot`.
"""

import contextlib
import os
import select
import threading
import tty

from station.simulator.card_link import Hook, InsertableCard
from station.simulator.serial_framings import ACTIVE, FRAMINGS, INACTIVE, NO_CARD

READ_SIZE = 4096
END_TIMEOUT_S = 5.0


class PtyReader:
    """A reader of a model that `serial_framings.FRAMINGS` names; close it."""

    def __init__(self, model: str) -> None:
        self._framing = FRAMINGS[model]()
        self._card: InsertableCard | None = None
        self._is_on = False
        self.asked = 0
        self.calm()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._closed, self._close = os.pipe()
        self._thread = threading.Thread(target=self._serve, name=model, daemon=True)
        self._thread.start()

    def insert(self, card: InsertableCard) -> None:
        """Put a card in; the reader tells of it."""
        self._card, self._is_on = card, False
        self._say(self._framing.moved(inserted=True))

    def pull(self) -> None:
        """Take the card out; the reader tells of it."""
        self._card = None
        self._say(self._framing.moved(inserted=False))

    def calm(self) -> None:
        """Have no hooks any more."""
        self.before_apdu: Hook = _nothing
        self.after_apdu: Hook = _nothing

    def close(self) -> None:
        """Unplug the reader: its port vanishes."""
        os.write(self._close, b"x")
        self._thread.join(END_TIMEOUT_S)
        for file in (self._slave, self._master, self._closed, self._close):
            os.close(file)

    @property
    def state(self) -> int:
        """Whether a card is there, and has power."""
        if self._card is None:
            return NO_CARD
        return ACTIVE if self._is_on else INACTIVE

    def power_on(self) -> bytes | None:
        """Power the card and return its ATR; None without a card."""
        if self._card is None:
            return None
        self._card.power_on()
        self._is_on = True
        return self._card.atr

    def power_off(self) -> None:
        """Switch the card off."""
        self._is_on = False

    def exchange(self, apdu: bytes) -> bytes | None:
        """Ask the card; None when it is gone by the time its answer is due."""
        card, number = self._card, self.asked
        self.asked += 1
        self.before_apdu(number, apdu)
        if card is None or self._card is not card:
            return None
        answer = card.transmit(apdu)
        self.after_apdu(number, apdu)
        return answer if self._card is card else None

    def _serve(self) -> None:
        heard = bytearray()
        while True:
            ready, _, _ = select.select([self._master, self._closed], [], [])
            if self._closed in ready:
                return
            heard += os.read(self._master, READ_SIZE)
            while self._framing.take(heard, self, self._say):
                pass

    def _say(self, message: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, message)


def _nothing(number: int, apdu: bytes) -> None:
    """Let the APDU pass."""
