"""What the station asks, and which frame is the answer (digest, sections 2, 4 and 16)."""

from station.protocols.qgdw1376.frame import (
    CLASS_1,
    CLASS_2,
    CONFIRMATION,
    SEQUENCE_MASK,
    TASK_DATA,
    Frame,
)

# Task data is answered in the layout, and under the AFN, of the data that the task reports.
_ANSWERED_AS = {TASK_DATA: (CLASS_1, CLASS_2)}


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
