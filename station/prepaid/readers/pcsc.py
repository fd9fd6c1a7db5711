"""Readers of the PC/SC service (pcscd): any model that has a driver, seen when it is plugged in.

Every list, look and conversation has a context of its own, so that nothing goes stale when the
service is started again. Whether a card is there is asked of the service, never of the card. The
codes and what they mean were measured (digest section 14): a card that is pulled during an exchange
gives an empty answer with code 0, or 80100016, 80100068 or 80100069.
"""

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from smartcard import scard

from station.errors import CardError, CardFailed, NoCard, NoReader, ReaderFailed
from station.prepaid.cards.apdu import Response
from station.prepaid.readers.base import Condition, ReaderIdentity

log = logging.getLogger(__name__)

# Name [interface] (serial) index slot, as pcscd makes it from a driver's answers.
READER_NAME = re.compile(
    r"(?P<model>.*?)(?: \[.*?\])?(?: \((?P<serial>[^()]*)\))? (?P<port>[0-9A-F]{2} [0-9A-F]{2})"
)
SERIAL_ATTRIBUTE = scard.SCARD_ATTR_VENDOR_IFD_SERIAL_NO

NO_SERVICE = {
    scard.SCARD_E_NO_SERVICE,
    scard.SCARD_E_SERVICE_STOPPED,
    scard.SCARD_E_INVALID_HANDLE,
    scard.SCARD_F_COMM_ERROR,
}
NO_READER = {scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE}
NO_CARD = {scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_REMOVED_CARD}
MUTE = {scard.SCARD_W_UNRESPONSIVE_CARD, scard.SCARD_W_UNPOWERED_CARD}
CARD_GONE = {
    *NO_CARD,
    *MUTE,
    scard.SCARD_W_RESET_CARD,
    scard.SCARD_E_NOT_TRANSACTED,
    scard.SCARD_E_COMM_DATA_LOST,
}

DENIED = {scard.SCARD_W_SECURITY_VIOLATION, scard.SCARD_E_NO_ACCESS}

DENIED_TEXT = "the card reader service (pcscd) does not let Station in: allow its user in polkit"
SERVICE_TEXT = "the card reader service (pcscd) does not run on this computer: start it"


@contextlib.contextmanager
def a_context() -> Iterator[Any]:
    """Talk to the service. Raises NoReader when it does not run or lets nobody in."""
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if result != scard.SCARD_S_SUCCESS:
        raise NoReader(DENIED_TEXT if result in DENIED else SERVICE_TEXT, code="no_service")
    try:
        yield context
    finally:
        scard.SCardReleaseContext(context)


def list_names(context: Any) -> list[str]:
    """Return the names of the readers that are attached. Raises NoReader, ReaderFailed."""
    result, names = scard.SCardListReaders(context, [])
    if result == scard.SCARD_E_NO_READERS_AVAILABLE:
        return []
    if result != scard.SCARD_S_SUCCESS:
        raise problem_of(result, "the list of readers")
    return list(names)


class PcscReaders:
    """Every reader that the service knows."""

    def __init__(self) -> None:
        self._readers: dict[str, PcscReader] = {}

    def find(self) -> Sequence["PcscReader"]:
        """Return the readers that are attached now. Raises NoReader without the service."""
        with a_context() as context:
            names = list_names(context)
        self._readers = {name: self._readers.get(name) or PcscReader(name) for name in names}
        return [*self._readers.values()]

    def close(self) -> None:
        """Forget them."""
        self._readers.clear()


class PcscReader:
    """One reader of the service, by its name there."""

    def __init__(self, name: str) -> None:
        self.identity = identity_of(name)
        self._asked_serial = bool(self.identity.serial)

    def connect(self) -> "PcscChannel":
        """Power the card, for us alone.

        Raises NoReader, NoCard, ReaderFailed, and CardFailed for a card that stays mute.
        """
        name = self.identity.name
        with contextlib.ExitStack() as ends:
            context = ends.enter_context(a_context())
            result, card, protocol = scard.SCardConnect(
                context,
                name,
                scard.SCARD_SHARE_EXCLUSIVE,
                scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
            )
            if result in MUTE:
                raise CardFailed(
                    f"{name}: the card does not answer: is the chip on the right side?", code="mute"
                )
            if result != scard.SCARD_S_SUCCESS:
                raise problem_of(result, name)
            channel = PcscChannel(name, card, protocol)
            ends.callback(channel.let_go)
            self._learn_serial(card)
            channel.ends = ends.pop_all()
            return channel

    def sense(self) -> Condition:
        """Return whether a card is in it. Raises NoReader, ReaderFailed."""
        name = self.identity.name
        with a_context() as context:
            result, states = scard.SCardGetStatusChange(
                context, 0, [(name, scard.SCARD_STATE_UNAWARE)]
            )
        if result != scard.SCARD_S_SUCCESS:
            raise problem_of(result, name)
        event = states[0][1]
        if event & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
            raise NoReader(f"{name} is not attached any more")
        return "card" if event & scard.SCARD_STATE_PRESENT else "no_card"

    def close(self) -> None:
        """Hold nothing between two conversations."""

    def _learn_serial(self, card: Any) -> None:
        """Ask the reader's serial number, once; many have none."""
        if not self._asked_serial:
            self._asked_serial = True
            result, raw = scard.SCardGetAttrib(card, SERIAL_ATTRIBUTE)
            if result == scard.SCARD_S_SUCCESS:
                serial = bytes(raw).rstrip(b"\0").decode("ascii", "replace").strip()
                self.identity = replace(self.identity, serial=serial)


class PcscChannel:
    """A conversation with the card in a reader of the service."""

    def __init__(self, name: str, card: Any, protocol: int) -> None:
        self.ends = contextlib.ExitStack()
        self._name = name
        self._card = card
        self._protocol = protocol
        self._is_gone = False

    @property
    def atr(self) -> bytes:
        """The card's answer to reset. Raises as `PcscReader.connect`."""
        result, _, _, _, atr = scard.SCardStatus(self._card)
        if result != scard.SCARD_S_SUCCESS:
            raise problem_of(result, self._name)
        return bytes(atr)

    def transmit(self, apdu: bytes) -> Response:
        """Send one APDU. Raises CardFailed when the card is gone, ReaderFailed otherwise."""
        result, answer = scard.SCardTransmit(self._card, self._protocol, [*apdu])
        if result != scard.SCARD_S_SUCCESS and result not in CARD_GONE:
            problem = problem_of(result, self._name)
            raise ReaderFailed(str(problem), code=problem.code)
        if result != scard.SCARD_S_SUCCESS or len(answer) < 2:
            self._is_gone = True
            raise CardFailed(f"{self._name}: the card was removed or reset", code="removed")
        return Response(bytes(answer[:-2]), answer[-2] << 8 | answer[-1])

    def disconnect(self) -> None:
        """Let go of the card and of the service."""
        self.ends.close()

    def let_go(self) -> None:
        """Reset the card, so that nobody uses what we proved to it.

        One that is gone is left alone: pcscd 1.9.9 takes the failing reset for the removal, and
        when the next card comes within its 0.4 s it never sees that one.
        """
        disposition = scard.SCARD_LEAVE_CARD if self._is_gone else scard.SCARD_RESET_CARD
        scard.SCardDisconnect(self._card, disposition)


def identity_of(name: str) -> ReaderIdentity:
    """Take a reader's name of the service apart."""
    match = READER_NAME.fullmatch(name)
    if match is None:
        return ReaderIdentity(model=name, name=name, port="PC/SC")
    return ReaderIdentity(
        match["model"], name, serial=match["serial"] or "", port=f"PC/SC {match['port']}"
    )


def problem_of(result: int, name: str) -> CardError:
    """Return what a code of the service means to a clerk."""
    if result in NO_SERVICE:
        return NoReader(SERVICE_TEXT, code="no_service")
    if result in DENIED:
        return NoReader(DENIED_TEXT, code="no_service")
    if result in NO_READER:
        return NoReader(f"{name} is not attached any more")
    if result in NO_CARD:
        return NoCard(f"{name}: no card lies in it")
    if result == scard.SCARD_E_SHARING_VIOLATION:
        return ReaderFailed(f"{name} is in use by another program: close that", code="in_use")
    text = scard.SCardGetErrorMessage(result).strip().rstrip(".")
    return ReaderFailed(f"{name}: {text} ({result & 0xFFFFFFFF:08X})")
