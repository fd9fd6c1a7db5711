"""What a frame is, told by a few of its bytes, for the index of the frame log. Pure.

A key is a protocol and a code: `qgdw1376 0C` with `qgdw1376 0C F25` (AFN, and the Fn of the first
unit), `dlt645 91` (the control byte), `dlt698 85` with `dlt698 85 03` (tag and choice of an APDU).
A frame that another one carries has its keys behind the carrier's. The frames were read already:
nothing is checked here, and bytes that do not fit only miss a key.
"""

from typing import NamedTuple

TERMINAL_PROTOCOL, METER_PROTOCOL, OBJECT_PROTOCOL = "qgdw1376", "dlt645", "dlt698.45"

_START = 0x68
_PREAMBLE = b"\xfe"

# Where things stand in a frame of Q/GDW 1376.1 (digest, sections 2 to 5).
_AFN_AT, _DT_AT = 12, 16
_LINK_TEST, _FORWARDING = 0x02, 0x10
_HEARTBEAT_DT = b"\x04\x00"  # F3.

_CONTROL_AT = 8  # In a frame of DL/T 645 (digest, section 1).

# Of DL/T 698.45 (digest, section 2): before the server's address, and behind it up to the APDU.
_CONTROL_698_AT, _ADDRESS_SIZE_AT, _ADDRESS_AT, _BETWEEN = 3, 4, 5, 3
_SPLIT, _SCRAMBLED = 0x20, 0x08  # Bits of the control byte: the APDU cannot be seen.
_LINK_REQUEST, _LINK_HEARTBEAT = b"\x01", b"\x01"  # Tag and, behind the PIID, type.
_PROXIES = frozenset((0x09, 0x89))
_NAMING = frozenset(
    (b"\x08", b"\x09", b"\x10", b"\x88", b"\x89", b"\x90")
)  # Tags: may name meters.
_WITHOUT_CHOICE = frozenset((0x01, 0x02, 0x03, 0x10, 0x6E, 0x81, 0x82, 0x83, 0x84, 0x90, 0xEE))


class Keys(NamedTuple):
    """The protocol of a frame, "" for bytes that are none, and its keys."""

    protocol: str
    functions: tuple[str, ...]


NO_KEYS = Keys("", ())


def keys_of(raw: bytes) -> Keys:
    """Return what the first frame among these bytes is."""
    at = raw.find(_START)
    if at < 0 or len(raw) - at < _AFN_AT:
        return NO_KEYS
    if raw[at + 5] == _START and raw[at + 1 : at + 3] == raw[at + 3 : at + 5]:
        return _terminal_keys(raw, at)
    if raw[at + 7] == _START:
        return Keys(METER_PROTOCOL, (f"dlt645 {raw[at + _CONTROL_AT]:02X}",))
    return _object_keys(raw, at)


def is_heartbeat(raw: bytes) -> bool:
    """Tell whether a frame from a terminal is a heartbeat."""
    if len(raw) <= _DT_AT or raw[0] != _START:
        return False
    if raw[5] == _START != raw[7]:
        return raw[_AFN_AT] == _LINK_TEST and raw[_DT_AT : _DT_AT + 2] == _HEARTBEAT_DT
    if raw[7] == _START:
        return False
    apdu = _apdu_at(raw, 0)
    return raw[apdu : apdu + 1] == _LINK_REQUEST and raw[apdu + 2 : apdu + 3] == _LINK_HEARTBEAT


def may_name_a_meter(raw: bytes) -> bool:
    """Tell whether to look for a meter in a frame; a terminal's own frames name none."""
    if len(raw) <= _AFN_AT or raw[0] != _START or raw[7] == _START:
        return True
    if raw[5] == _START:
        return raw[_AFN_AT] == _FORWARDING
    apdu = _apdu_at(raw, 0)
    hidden = raw[_CONTROL_698_AT] & (_SPLIT | _SCRAMBLED)
    return bool(hidden) or raw[apdu : apdu + 1] in _NAMING


def _terminal_keys(raw: bytes, at: int) -> Keys:
    afn = raw[at + _AFN_AT] if len(raw) > at + _AFN_AT else 0
    key = f"qgdw1376 {afn:02X}"
    low, high = raw[at + _DT_AT : at + _DT_AT + 2].ljust(2, b"\0")
    if not low:
        return Keys(TERMINAL_PROTOCOL, (key,))
    fn = high * 8 + (low & -low).bit_length()
    inner = _carried(raw, at + _DT_AT) if afn == _FORWARDING else ()
    return Keys(TERMINAL_PROTOCOL, (key, f"{key} F{fn}", *inner))


def _object_keys(raw: bytes, at: int) -> Keys:
    apdu = _apdu_at(raw, at)
    if apdu + 1 >= len(raw) or raw[at + _CONTROL_698_AT] & (_SPLIT | _SCRAMBLED):
        return Keys(OBJECT_PROTOCOL, ())
    tag, choice = raw[apdu], raw[apdu + 1]
    key = f"dlt698 {tag:02X}"
    if tag in _WITHOUT_CHOICE:
        return Keys(OBJECT_PROTOCOL, (key,))
    inner = _carried(raw, apdu) if tag in _PROXIES else ()
    return Keys(OBJECT_PROTOCOL, (key, f"{key} {choice:02X}", *inner))


def _carried(raw: bytes, start: int) -> tuple[str, ...]:
    """Return the keys of a frame inside another one."""
    at = raw.find(_START, start)
    while 0 <= at < len(raw) - _AFN_AT:
        if raw[at + 7] == _START:
            return (f"dlt645 {raw[at + _CONTROL_AT]:02X}",)
        length = raw[at + 1] | raw[at + 2] << 8
        if at + length + 2 <= len(raw) and raw[at + length + 1] == 0x16:
            return _object_keys(raw[at:], 0).functions
        at = raw.find(_START, at + 1)
    return ()


def _apdu_at(raw: bytes, at: int) -> int:
    """Return where the APDU of a frame of DL/T 698.45 begins."""
    address_size = (raw[at + _ADDRESS_SIZE_AT] & 0x0F) + 1
    return at + _ADDRESS_AT + address_size + _BETWEEN
