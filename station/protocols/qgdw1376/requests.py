"""What the station asks, and which frame is the answer (digest, sections 2, 4 and 16)."""

from collections.abc import Iterable

from station.protocols.qgdw1376.frame import (
    CLASS_1,
    CLASS_2,
    CONFIRMATION,
    PASSWORD_DOWN,
    PASSWORD_SIZE,
    RESET,
    SEQUENCE_MASK,
    SINGLE,
    TASK_DATA,
    Address,
    Frame,
)
from station.protocols.qgdw1376.units import DataUnit, join

# C as the digest recommends it (section 2).
READ_CONTROL = 0x4B
WRITE_CONTROL = 0x4A
RESET_CONTROL = 0x41
ANSWER_CONTROL = 0x88

NO_PASSWORD = bytes(PASSWORD_SIZE)  # No scheme is configured.

# Task data is answered in the layout, and under the AFN, of the data that the task reports.
_ANSWERED_AS = {TASK_DATA: (CLASS_1, CLASS_2)}


def ask(
    afn: int,
    address: Address,
    units: Iterable[DataUnit],
    *,
    sequence: int,
    master: int,
    password: bytes = NO_PASSWORD,
) -> Frame:
    """Return a request for these units; PW closes it where the AFN has one."""
    writes = afn in PASSWORD_DOWN
    control = RESET_CONTROL if afn == RESET else WRITE_CONTROL if writes else READ_CONTROL
    return Frame(
        control,
        address.with_master(master),
        afn,
        SINGLE | sequence & SEQUENCE_MASK,
        join(units),
        password if writes else b"",
    )


def answer(request: Frame, units: Iterable[DataUnit], afn: int | None = None) -> Frame:
    """Return what a terminal answers; `afn` where it is not that of the request (task data)."""
    return Frame(
        ANSWER_CONTROL,
        request.address,
        request.afn if afn is None else afn,
        SINGLE | request.sequence,
        join(units),
    )


def is_answer(request: Frame, frame: Frame) -> bool:
    """Tell whether a frame is the first, or the only, answer to a request (16, rule 4).

    A1, A2, MSA, AFN and the sequence decide. AFN00 with the same sequence answers anything.
    """
    return frame.sequence == request.sequence and belongs_to(request, frame)


def is_further_answer(request: Frame, frame: Frame, index: int) -> bool:
    """Tell whether a frame is number `index`, counted from 0, of a multi-frame answer."""
    expected = (request.sequence + index) & SEQUENCE_MASK
    return frame.sequence == expected and belongs_to(request, frame)


def belongs_to(request: Frame, frame: Frame) -> bool:
    """Tell whether a frame answers a request, whatever its sequence."""
    if not frame.from_terminal or frame.from_initiator:
        return False
    if frame.address != request.address:
        return False
    if frame.afn in (request.afn, CONFIRMATION):
        return True
    return frame.afn in _ANSWERED_AS.get(request.afn, ())


class Answer:
    """Collects the frames of one answer, from the first (FIR) to the last (FIN) (16, rule 5).

    A frame that is missing ends the answer: what came before can be used, each frame by itself.
    """

    def __init__(self, request: Frame) -> None:
        self.request = request
        self.frames: list[Frame] = []

    def add(self, frame: Frame) -> bool:
        """Take a frame if it is the next one of the answer; tell whether it was."""
        if self.complete or not is_further_answer(self.request, frame, len(self.frames)):
            return False
        self.frames.append(frame)
        return True

    @property
    def complete(self) -> bool:
        """Tell whether the last frame has come."""
        return bool(self.frames) and (self.frames[-1].last or self.frames[-1].afn == CONFIRMATION)
