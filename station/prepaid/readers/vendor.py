"""Readers whose vendor gives only a library: its functions are called through ctypes, by a table.

Nothing of such a reader's own language is known or guessed here (digest section 13). The table says
for each library which functions to call with what, and how they tell success; the names and
parameters are those of the vendors' published headers, and none was tried on a device. A further
library of the same manners is a further row.

Words for parameters:
    device        the configured port, as the text that the library wants
    number        the configured port as a number
    baud          the configured speed, or the row's own
    handle        what opening returned
    slot          which card socket
    size          how many bytes the command has
    command       the command's bytes
    answer        a buffer of 512 bytes for the answer
    answer size   where the library writes how many bytes it answered
Ways to tell success:
    SIZE          the function returns the size of the answer, above 0
    ZERO          it returns 0, and the size stands in `answer size`
"""

import ctypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from station.errors import CardFailed, NoCard, NoReader, ReaderFailed
from station.prepaid.cards.apdu import Response
from station.prepaid.readers.base import Condition, ReaderIdentity

ANSWER_MAX = 512  # Bytes; a card answers 258 at most, an ATR has 33.
BAUD = 9600  # What every one of these libraries opens a serial port with, unless told otherwise.


class Success(Enum):
    """How a function tells that it worked."""

    SIZE = "size"
    ZERO = "zero"


@dataclass(frozen=True)
class Call:
    """A function of a library, what it is called with, and how it tells success."""

    function: str
    parameters: tuple[str, ...]
    success: Success = Success.ZERO


@dataclass(frozen=True)
class Library:
    """A vendor's library: `find` says 0 when a card lies there; a library may have none.

    `prepare` chooses the socket, where that is a call of its own. `slot` is the contact socket.
    """

    name: str
    open: Call
    power_on: Call
    exchange: Call
    power_off: Call
    close: Call
    slot: int = 0
    find: Call | None = None
    prepare: Call | None = None
    baud: int = BAUD


_SIZED = ("answer size", "answer")
LIBRARIES = {
    "huada-hd100": Library(
        "Huada HD100",  # SSSE32
        open=Call("ICC_Reader_Open", ("device",)),
        find=Call("ICC_Reader_GetStatus", ("handle", "slot")),
        power_on=Call("ICC_Reader_PowerOn", ("handle", "slot", "answer"), Success.SIZE),
        exchange=Call(
            "ICC_Reader_Application",
            ("handle", "slot", "size", "command", "answer"),
            Success.SIZE,
        ),
        power_off=Call("ICC_Reader_PowerOff", ("handle", "slot")),
        close=Call("ICC_Reader_Close", ("handle",)),
        slot=0x01,
    ),
    "decard-ic": Library(
        "Decard D3",  # dcic32
        open=Call("IC_InitComm_Baud", ("number", "baud")),
        find=Call("IC_Status", ("handle",)),
        power_on=Call("IC_CpuReset", ("handle", *_SIZED)),
        exchange=Call("IC_CpuApdu", ("handle", "size", "command", *_SIZED)),
        power_off=Call("IC_Down", ("handle",)),
        close=Call("IC_ExitComm", ("handle",)),
    ),
    "decard-rf": Library(
        "Decard D8/T10",  # dcrf32
        open=Call("dc_init", ("number", "baud")),
        prepare=Call("dc_setcpu", ("handle", "slot")),
        power_on=Call("dc_cpureset", ("handle", *_SIZED)),
        exchange=Call("dc_cpuapdu", ("handle", "size", "command", *_SIZED)),
        power_off=Call("dc_cpudown", ("handle",)),
        close=Call("dc_exit", ("handle",)),
        slot=0x0C,
        baud=115200,
    ),
}


class VendorReader:
    """A reader that a vendor's library speaks with; `path` is the library's file."""

    def __init__(self, model: str, path: Path, port: str, baud: int | None = None) -> None:
        self._library = LIBRARIES[model]
        self._path = path
        self._baud = baud or self._library.baud
        name = self._library.name
        self.identity = ReaderIdentity(name, f"{name} on {port}", port=port)

    def connect(self) -> "VendorChannel":
        """Open the reader and power the card. Raises NoReader, NoCard, CardFailed, ReaderFailed."""
        functions = _Functions(self._load(), self._library, self.identity, self._baud)
        functions.open()
        try:
            atr = functions.power_on()
        except BaseException:
            functions.close()
            raise
        return VendorChannel(functions, atr)

    def sense(self) -> Condition:
        """See whether the library is there; the reader is not asked. Raises ReaderFailed."""
        if not self._path.exists():
            raise ReaderFailed(f"{self.identity.name}: there is no library {self._path}")
        return "ready"

    def close(self) -> None:
        """Hold nothing between two conversations."""

    def _load(self) -> ctypes.CDLL:
        try:
            if sys.platform == "win32":
                return ctypes.WinDLL(str(self._path))  # They are stdcall there.
            return ctypes.CDLL(str(self._path))
        except OSError as error:
            raise ReaderFailed(f"the library {self._path} cannot be loaded: {error}") from None


class VendorChannel:
    """A conversation with the card through a vendor's library."""

    def __init__(self, functions: "_Functions", atr: bytes) -> None:
        self.atr = atr
        self._functions = functions

    def transmit(self, apdu: bytes) -> Response:
        """Send one APDU. Raises CardFailed, ReaderFailed."""
        answer = self._functions.exchange(apdu)
        return Response(answer[:-2], int.from_bytes(answer[-2:], "big"))

    def disconnect(self) -> None:
        """Switch the card off and give the reader back."""
        self._functions.power_off()
        self._functions.close()


class _Functions:
    """A loaded library with an open reader."""

    def __init__(
        self, loaded: ctypes.CDLL, library: Library, identity: ReaderIdentity, baud: int
    ) -> None:
        self._loaded = loaded
        self._library = library
        self._identity = identity
        self._known: dict[str, Any] = {
            "device": ctypes.c_char_p(identity.port.encode()),
            "baud": ctypes.c_ulong(baud),
            "slot": ctypes.c_int(library.slot),
        }
        if identity.port.isdecimal():
            self._known["number"] = ctypes.c_int(int(identity.port))

    def open(self) -> None:
        """Open the reader. Raises NoReader, ReaderFailed."""
        handle, _ = self._call(self._library.open)
        if handle <= 0:
            raise NoReader(f"{self._identity.name} does not answer: is it connected and powered?")
        self._known["handle"] = ctypes.c_int(handle)

    def power_on(self) -> bytes:
        """Return the ATR. Raises NoCard, CardFailed, ReaderFailed."""
        library, name = self._library, self._identity.name
        if library.find is not None and self._call(library.find)[0] != 0:
            raise NoCard(f"{name}: no card lies in it")
        if library.prepare is not None:
            self._call(library.prepare)
        result, answer = self._call(library.power_on)
        if _worked(library.power_on, result) and answer:
            return answer
        if library.find is None:
            raise NoCard(f"{name}: no card lies in it, or its chip is on the wrong side")
        raise CardFailed(
            f"{name}: the card does not answer: is the chip on the right side?", code="mute"
        )

    def exchange(self, apdu: bytes) -> bytes:
        """Return data and status. Raises CardFailed, ReaderFailed."""
        call = self._library.exchange
        result, answer = self._call(call, apdu)
        if not _worked(call, result) or len(answer) < 2:
            name = self._identity.name
            raise CardFailed(f"{name}: the card was removed or reset ({result})", code="removed")
        return answer

    def power_off(self) -> None:
        """Switch the card off; what the library says to it changes nothing."""
        self._call(self._library.power_off)

    def close(self) -> None:
        """Give the reader back."""
        self._call(self._library.close)

    def _call(self, call: Call, command: bytes = b"") -> tuple[int, bytes]:
        """Return what a function returned, and the answer it wrote."""
        answer = ctypes.create_string_buffer(ANSWER_MAX)
        # Libraries write one, two or four bytes here, the lowest first: the others stay 0.
        size = ctypes.c_uint32(0)
        values = {
            **self._known,
            "size": ctypes.c_int(len(command)),
            "command": ctypes.c_char_p(command),
            "answer": answer,
            "answer size": ctypes.byref(size),
        }
        try:
            arguments: Sequence[Any] = [values[word] for word in call.parameters]
            function = getattr(self._loaded, call.function)
        except KeyError:
            raise ReaderFailed(
                f"{self._library.name} wants a port number, not {self._identity.port}"
            ) from None
        except AttributeError:
            raise ReaderFailed(
                f"the library of {self._library.name} has no function {call.function}"
            ) from None
        function.restype = ctypes.c_int
        result = int(function(*arguments))
        length = result if call.success is Success.SIZE else size.value
        return result, answer.raw[: max(0, min(length, ANSWER_MAX))]


def _worked(call: Call, result: int) -> bool:
    return result > 0 if call.success is Success.SIZE else result == 0
