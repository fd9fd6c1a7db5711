"""AFN00, confirm and deny (digest, sections 7 and 8): always one frame, always of p0.

F1 confirms all, F2 denies all, F3 answers item by item: the AFN being answered, then a data unit
identification and an ERR byte for each item.
"""

from station.protocols.qgdw1376.frame import (
    CONFIRMATION,
    IDENTIFICATION_SIZE,
    LINK_TEST,
    SEQUENCE_MASK,
    SINGLE,
    Address,
    Frame,
)

ALL_CONFIRMED = b"\x00\x00\x01\x00"  # p0 F1
ALL_DENIED = b"\x00\x00\x02\x00"  # p0 F2
ITEM_BY_ITEM = b"\x00\x00\x04\x00"  # p0 F3

ITEMS_START = IDENTIFICATION_SIZE + 1  # Behind the identification and the AFN being answered.
ITEM_SIZE = IDENTIFICATION_SIZE + 1

# C as the digest recommends (section 2); receivers look at DIR and PRM only.
CONFIRM_LINK = 0x0B
CONFIRM_OTHER = 0x00
CONFIRM_UP = 0x80
DENY_UP = 0x89  # Requested data not available.


def confirm(frame: Frame, item_by_item: bool = True, master: int | None = None) -> Frame:
    """Return the confirmation of a frame, in the direction opposite to it.

    A login, logout or heartbeat is confirmed by F3, or by F1 when `item_by_item` is off; everything
    else by F1, as section 8 has it. MSA is that of the frame unless `master` names another one, as
    some stations do.
    """
    data = ALL_CONFIRMED
    if frame.afn == LINK_TEST and item_by_item and len(frame.data) >= IDENTIFICATION_SIZE:
        data = b"\x00\x00\x04\x00\x02" + frame.data[:IDENTIFICATION_SIZE] + b"\x00"
    if not frame.from_terminal:
        control = CONFIRM_UP
    else:
        control = CONFIRM_LINK if frame.afn == LINK_TEST else CONFIRM_OTHER
    address = frame.address if master is None else frame.address.with_master(master)
    return _answer(frame, control, address, data)


def deny(frame: Frame) -> Frame:
    """Return the refusal of everything a frame asks."""
    control = CONFIRM_OTHER if frame.from_terminal else DENY_UP
    return _answer(frame, control, frame.address, ALL_DENIED)


def _answer(frame: Frame, control: int, address: Address, data: bytes) -> Frame:
    return Frame(control, address, CONFIRMATION, SINGLE | frame.seq & SEQUENCE_MASK, data)


def item_errors(frame: Frame) -> tuple[int, ...]:
    """Return the ERR bytes of an item-by-item answer; none for any other frame."""
    if frame.afn != CONFIRMATION or frame.data[:IDENTIFICATION_SIZE] != ITEM_BY_ITEM:
        return ()
    items = frame.data[ITEMS_START:]
    return tuple(items[ITEM_SIZE - 1 :: ITEM_SIZE])


def is_confirmation(frame: Frame) -> bool:
    """Tell whether a frame confirms everything: F1, or F3 without an error."""
    if frame.afn != CONFIRMATION:
        return False
    if frame.data[:IDENTIFICATION_SIZE] == ALL_CONFIRMED:
        return True
    errors = item_errors(frame)
    return bool(errors) and not any(errors)


def is_denial(frame: Frame) -> bool:
    """Tell whether a frame denies something: F2, or F3 with an error."""
    if frame.afn != CONFIRMATION:
        return False
    return frame.data[:IDENTIFICATION_SIZE] == ALL_DENIED or any(item_errors(frame))
