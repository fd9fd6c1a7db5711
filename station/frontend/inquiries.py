"""Questions to meters, one class for each protocol of meters. Pure.

Which frame is the answer is the protocol's own word. What else comes instead is told apart here:
an echo of the question, another meter's frame, bytes that a checksum proves wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from station.errors import BadAnswer, BadChecksum, StationError, WrongAddress
from station.frontend.link import Fault, FrameT, Inquiry, MeterFrame
from station.protocols.detect import Parser
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt645 import requests as requests645
from station.protocols.dlt645.functions import data_id_of, identifier_size
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698 import requests as requests698
from station.protocols.dlt698 import segments
from station.protocols.dlt698.apdu import service_of
from station.protocols.faults import FrameError
from station.protocols.noise import Noise

PREAMBLE_698 = bytes((dlt698.PREAMBLE,)) * 4  # Wakes a sleeping receiver, as in DL/T 645.

_PREAMBLE, _START = b"\xfe", b"\x68"
_CHECKSUM_REASONS = ("checksum", "FCS")  # The parsers' own words.
_OAD = slice(3, 7)  # Of a normal GET, SET or ACTION: behind tag, choice and PIID.


@dataclass(frozen=True, slots=True)
class Piece:
    """A split frame that came instead of a whole answer."""

    frame: dlt698.Frame


@dataclass(frozen=True, slots=True)
class Inquiry645:
    """A question of DL/T 645."""

    request: dlt645.Frame

    @property
    def meter(self) -> str:
        """Return the meter's address, 12 digits."""
        return self.request.address

    @property
    def asked(self) -> str:
        """Return the data identifier, or the function if there is none."""
        return asked_text(self.request)

    @property
    def raw(self) -> bytes:
        """Return the bytes on the line."""
        return dlt645.PREAMBLE + self.request.to_bytes()

    def answer_in(self, frame: MeterFrame) -> dlt645.Frame | None:
        """Return the frame if it is the answer, a refusal included."""
        if isinstance(frame, dlt645.Frame) and requests645.is_answer(self.request, frame):
            return frame
        return None

    def fault_of(self, frame: MeterFrame) -> StationError | None:
        """Return why a frame is no answer, or None for an echo."""
        if not isinstance(frame, dlt645.Frame):
            return BadAnswer("it answered in DL/T 698.45")
        if not frame.from_meter:
            return None
        if requests645.is_active_report(self.request, frame):
            return BadAnswer("it sent its active report status instead")
        if frame.address != self.request.address:
            return WrongAddress(f"meter {frame.address} answered")
        return BadAnswer(f"it answered {asked_text(frame)}")


@dataclass(frozen=True, slots=True)
class Inquiry698:
    """A question of DL/T 698.45."""

    request: dlt698.Frame

    @property
    def meter(self) -> str:
        """Return the digits of the server's address."""
        return self.request.server.text

    @property
    def asked(self) -> str:
        """Return the service, and the object where there is one only."""
        return _service_text(self.request)

    @property
    def raw(self) -> bytes:
        """Return the bytes on the line."""
        return PREAMBLE_698 + self.request.to_bytes()

    def answer_in(self, frame: MeterFrame) -> dlt698.Frame | None:
        """Return the frame if it is the answer, an ERROR-Response included."""
        if isinstance(frame, dlt698.Frame) and requests698.is_answer(self.request, frame):
            return frame
        return None

    def fault_of(self, frame: MeterFrame) -> StationError | None:
        """Return why a frame is no answer, or None for an echo."""
        if not isinstance(frame, dlt698.Frame):
            return BadAnswer("it answered in DL/T 645")
        if not frame.from_terminal:
            return None
        if not self.request.server.is_met_by(frame.server):
            return WrongAddress(f"meter {frame.server.text} answered")
        return BadAnswer(f"it answered {_service_text(frame)}")


class Joining(Generic[FrameT]):
    """An inquiry whose answer may come in split frames (DL/T 698.45), each asked for in turn.

    `take` says whether an answer is whole; while it is not, `raw` is the acknowledgement that
    brings the next piece.
    """

    def __init__(self, inquiry: Inquiry[FrameT]) -> None:
        self._inquiry = inquiry
        self._joiner: segments.Joiner | None = None
        self.meter = inquiry.meter
        self.asked = inquiry.asked
        self.raw = inquiry.raw

    def answer_in(self, frame: MeterFrame) -> FrameT | Piece | None:
        """Return the frame if it is the answer or a piece that may be of it."""
        if isinstance(frame, dlt698.Frame) and frame.is_split and frame.from_terminal:
            return Piece(frame)
        return self._inquiry.answer_in(frame)

    def fault_of(self, frame: MeterFrame) -> StationError | None:
        """Return why a frame is no answer, or None for an echo."""
        return self._inquiry.fault_of(frame)

    def take(self, answer: FrameT | Piece) -> FrameT | None:
        """Return the whole answer, or None when another piece is to be asked for.

        Raises BadAnswer when the pieces make no answer.
        """
        if not isinstance(answer, Piece):
            return answer
        self._joiner = self._joiner or segments.Joiner()
        joined = self._joiner.add(answer.frame)
        if joined.acknowledgement is not None:
            self.raw = PREAMBLE_698 + joined.acknowledgement.to_bytes()
            return None
        whole = None if joined.whole is None else self._inquiry.answer_in(joined.whole)
        if whole is None:
            raise BadAnswer(f"meter {self.meter}: the pieces of its answer do not fit together")
        return whole


def answer_among(
    inquiry: Inquiry[FrameT], inner: bytes, on_report: Callable[[dlt645.Frame], None]
) -> FrameT | StationError | None:
    """Return the answer among bytes that came from a line, what came instead, or None for silence.

    Preambles, noise and an echo of the question may stand around the answer. `on_report` is told of
    active report statuses among them.
    """
    only = _only_frame(inner)
    answer = None if only is None else inquiry.answer_in(only)
    if answer is not None:
        return answer
    parser = Parser()
    parser.receive_data(inner)
    parser.give_up()
    fault: StationError | None = None
    while (event := parser.next_event()) is not None:
        if isinstance(event, Noise):
            fault = more_telling(fault, fault_of_noise(event))
        elif isinstance(event, dlt645.Frame | dlt698.Frame):
            answer = inquiry.answer_in(event)
            if answer is not None:
                return answer
            if isinstance(event, dlt645.Frame) and is_active_report(event):
                on_report(event)
            fault = more_telling(fault, inquiry.fault_of(event))
    return fault


def _only_frame(inner: bytes) -> MeterFrame | None:
    """Return the frame that these bytes are behind their preamble: most often they are one."""
    raw = inner.lstrip(_PREAMBLE)
    kind: type[MeterFrame] = dlt645.Frame if raw[7:8] == _START else dlt698.Frame
    try:
        return kind.from_bytes(raw)
    except FrameError:
        return None


def fault_kind(error: StationError) -> Fault | None:
    """Return as what an error counts on its link."""
    if isinstance(error, WrongAddress):
        return "wrong_address"
    return "bad" if isinstance(error, BadChecksum) else None


def fault_of_noise(noise: Noise) -> StationError | None:
    """Return what bytes that are no frame say of an answer; None for a preamble."""
    if noise.reason == "preamble":
        return None
    if any(word in noise.reason for word in _CHECKSUM_REASONS):
        return BadChecksum(noise.reason)
    return BadAnswer(noise.reason)


def more_telling(known: StationError | None, new: StationError | None) -> StationError | None:
    """Return which of two faults to tell: noise around another meter's frame says little."""
    if known is None or (new is not None and type(known) is BadAnswer):
        return known if new is None else new
    return known


def meter_address(frame: MeterFrame) -> str:
    """Return the address of the meter that a frame comes from or goes to."""
    return frame.address if isinstance(frame, dlt645.Frame) else frame.server.text


def is_from_meter(frame: MeterFrame) -> bool:
    """Tell whether a meter sent a frame."""
    return frame.from_meter if isinstance(frame, dlt645.Frame) else frame.from_terminal


def is_active_report(frame: dlt645.Frame) -> bool:
    """Tell whether a meter sends its active report status, which no answer else holds."""
    return frame.from_meter and data_id_of(frame) == requests645.ACTIVE_REPORT


def asked_text(request: dlt645.Frame) -> str:
    """Return what a request asks for, as messages name it: its data identifier or its function."""
    data_id = data_id_of(request)
    if data_id is None:
        return f"function {request.function:02X}H"
    return f"{data_id:0{2 * identifier_size(request)}X}"


def _service_text(frame: dlt698.Frame) -> str:
    service, choice = service_of(frame.apdu)
    text = f"{service.en} {choice}".rstrip()
    return f"{text} {frame.apdu[_OAD].hex().upper()}" if choice == "Normal" else text
