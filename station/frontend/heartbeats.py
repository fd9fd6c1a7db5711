"""The shortest way through the station: a heartbeat of 1376.1 and its confirmation. Pure.

Nine of ten frames are heartbeats, and those of one terminal differ in the sequence number alone,
and in a clock where they carry one. What is answered here the parser, the session and the dialect
would answer with the same bytes; whatever is not exactly such a heartbeat is left to them.
"""

from datetime import datetime

from station.protocols.checksum import byte_sum
from station.protocols.qgdw1376.frame import END, SEQUENCE_MASK, Address, Frame
from station.protocols.qgdw1376.link import confirm, heartbeat

# Where the parts of a heartbeat lie: the header, C to AFN, SEQ, and DA with DT.
_HEADER, _OWN, _SEQ_AT, _UNIT = slice(0, 6), slice(6, 13), 13, slice(14, 18)
_SUMMED = slice(6, -2)

_ANYBODY = Address("0000", 1)
_PLAIN = heartbeat(_ANYBODY, 0).to_bytes()
_CLOCKED = heartbeat(_ANYBODY, 0, datetime(2000, 1, 1)).to_bytes()  # noqa: DTZ001  Not a moment.
_HEADERS = {len(raw): raw[_HEADER] for raw in (_PLAIN, _CLOCKED)}
_SEQUENCED = _PLAIN[_SEQ_AT]  # FIR, FIN and CON; the number is added.
_HEARTBEAT = _PLAIN[_UNIT]


class HeartbeatAnswers:
    """Confirms the heartbeats of all terminals, item by item (F3) or as a whole (F1)."""

    def __init__(self, item_by_item: bool) -> None:
        raw = confirm(heartbeat(_ANYBODY, 0), item_by_item).to_bytes()
        self._header = raw[_HEADER]
        self._control, self._afn = raw[6:7], raw[12:13]
        self._seq = raw[_SEQ_AT]
        self._data = raw[14:-2]

    def answer(self, raw: bytes, own: bytes) -> bytes | None:
        """Return the confirmation if these bytes are one heartbeat of a terminal, or None.

        `own` is what `own_part` made of the terminal's login or its first heartbeat.
        """
        if raw[_OWN] != own or raw[_UNIT] != _HEARTBEAT or _HEADERS.get(len(raw)) != raw[_HEADER]:
            return None
        seq = raw[_SEQ_AT]
        number = seq & SEQUENCE_MASK
        if seq - number != _SEQUENCED or raw[-1] != END or byte_sum(raw[_SUMMED]) != raw[-2]:
            return None
        user = b"%b%b%b%c%b" % (self._control, own[1:6], self._afn, self._seq | number, self._data)
        return b"%b%b%c\x16" % (self._header, user, byte_sum(user))


def own_part(frame: Frame) -> bytes:
    """Return what all plain heartbeats of the terminal that sent a frame have in common."""
    return heartbeat(frame.address, 0).to_bytes()[_OWN]
