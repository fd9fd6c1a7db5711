"""Readers on a serial line: the port is opened for each conversation and given back at its end.

A line that says nothing when it is opened has no reader on it; one that falls silent later has a
reader that failed. The models differ in their framing and in nothing else.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from station.errors import CardError, CardFailed, NoReader, ReaderFailed
from station.prepaid.cards.apdu import Response
from station.prepaid.readers import acr30s, acr1281s, gempc_twin
from station.prepaid.readers.base import Condition, ReaderIdentity
from station.prepaid.readers.ccid import (
    EXCHANGE,
    POWER_OFF,
    POWER_ON,
    Answer,
    check,
    command,
)
from station.prepaid.readers.serial_line import (
    CARD_TIMEOUT_S,
    POWER_TIMEOUT_S,
    Line,
    LineSettings,
)

LAST_SEQUENCE = 0xFF

Carry = Callable[[Line, bytes, float], Answer]


class Talk(Protocol):
    """A conversation with the card over one framing."""

    def power_on(self) -> bytes:
        """Return the ATR. Raises NoCard, CardFailed, ReaderFailed."""

    def exchange(self, apdu: bytes) -> bytes:
        """Return data and status. Raises CardFailed, ReaderFailed."""

    def power_off(self) -> None:
        """Switch the card off. Raises CardError."""


class CcidTalk:
    """A conversation with the card in CCID messages, which `carry` brings over the line."""

    def __init__(self, line: Line, name: str, carry: Carry, slot: int) -> None:
        self._line = line
        self._name = name
        self._carry = carry
        self._slot = slot
        self._sequence = 0

    def power_on(self) -> bytes:
        """Return the ATR. Raises NoCard, CardFailed, ReaderFailed."""
        return self._ask(POWER_ON, b"", POWER_TIMEOUT_S)

    def exchange(self, apdu: bytes) -> bytes:
        """Return data and status. Raises CardFailed, ReaderFailed."""
        return self._ask(EXCHANGE, apdu, CARD_TIMEOUT_S)

    def power_off(self) -> None:
        """Switch the card off. Raises CardError."""
        self._ask(POWER_OFF, b"", POWER_TIMEOUT_S)

    def _ask(self, kind: int, data: bytes, timeout_s: float) -> bytes:
        sequence = self._sequence
        self._sequence = 0 if sequence == LAST_SEQUENCE else sequence + 1
        message = command(kind, self._slot, sequence, data)
        answer = self._carry(self._line, message, timeout_s)
        check(answer, kind, sequence, self._name)
        return answer.data


class GemPcTalk(CcidTalk):
    """GemPC Twin passes bare T=0 commands: those with data announce their answer with 61xx."""

    def exchange(self, apdu: bytes) -> bytes:
        """Return data and status. Raises CardFailed, ReaderFailed."""
        return super().exchange(apdu[: 5 + apdu[4]] if len(apdu) > 5 else apdu.ljust(5, b"\0"))


@dataclass(frozen=True)
class SerialModel:
    """A model: the name that people know, how its line is opened, and its framing."""

    name: str
    line: LineSettings
    talk: Callable[[Line, str], Talk]


MODELS = {
    "acr1281s": SerialModel(
        "ACS ACR1281S",
        acr1281s.SETTINGS,
        lambda line, name: CcidTalk(line, name, acr1281s.carry, acr1281s.SLOT),
    ),
    "acr30s": SerialModel("ACS ACR30S", acr30s.SETTINGS, acr30s.Acr30s),
    "gempc-twin": SerialModel(
        "Gemalto GemPC Twin",
        gempc_twin.SETTINGS,
        lambda line, name: GemPcTalk(line, name, gempc_twin.carry, gempc_twin.SLOT),
    ),
}


class SerialReader:
    """A reader on a serial port."""

    def __init__(self, model: str, port: str, baud: int | None = None) -> None:
        self._model = MODELS[model]
        line = self._model.line
        self._settings = LineSettings(baud or line.baud, line.stop_bits, line.rts)
        self.identity = ReaderIdentity(self._model.name, f"{self._model.name} on {port}", port=port)

    def connect(self) -> "SerialChannel":
        """Open the port and power the card. Raises NoReader, NoCard, CardFailed, ReaderFailed."""
        name = self.identity.name
        line = Line(self.identity.port, self._settings)
        try:
            talk = self._model.talk(line, name)
            return SerialChannel(line, talk, talk.power_on(), name)
        except ReaderFailed as problem:
            line.close()
            if problem.code == "silent":
                raise NoReader(f"{name} does not answer: is it connected and powered?") from None
            raise
        except BaseException:
            line.close()
            raise

    def sense(self) -> Condition:
        """See whether the port is there; the card is not asked for. Raises NoReader."""
        if sys.platform != "win32" and not Path(self.identity.port).exists():
            raise NoReader(f"no reader on {self.identity.port}: the port is not there")
        return "ready"

    def close(self) -> None:
        """Hold nothing between two conversations."""


class SerialChannel:
    """A conversation with the card in a serial reader."""

    def __init__(self, line: Line, talk: Talk, atr: bytes, name: str) -> None:
        self.atr = atr
        self._line = line
        self._talk = talk
        self._name = name

    def transmit(self, apdu: bytes) -> Response:
        """Send one APDU. Raises CardFailed, ReaderFailed."""
        answer = self._talk.exchange(apdu)
        if len(answer) < 2:
            raise CardFailed(f"{self._name}: the card was removed or reset", code="removed")
        return Response(answer[:-2], int.from_bytes(answer[-2:], "big"))

    def disconnect(self) -> None:
        """Switch the card off, so that nobody uses what we proved to it, and close the port."""
        try:
            self._talk.power_off()
        except CardError:
            pass  # A reader that was unplugged has switched it off.
        finally:
            self._line.close()
