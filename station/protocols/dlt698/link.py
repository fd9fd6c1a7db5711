"""Link upkeep and reports: what a terminal begins, and what it waits for (digest 2, 5 and 10).

A terminal logs in, sends heartbeats and reports; each has to be confirmed, and after three without
an answer it connects anew. Times are local, without a zone.
"""

from datetime import datetime
from enum import Enum

from .apdu import decode_apdu
from .association import (
    ACCEPTED,
    CLOCK_TRUSTED,
    HEARTBEAT,
    LOGIN,
    LOGOUT,
    LinkRequest,
    LinkResponse,
)
from .envelope import ACCESS_DEMAND, Apdu
from .frame import LINK_MANAGEMENT, SCRAMBLED, UP, USER_DATA, Frame, ServerAddress
from .moments import DateTime
from .report import (
    ReportNotificationList,
    ReportNotificationRecordList,
    ReportNotificationTransData,
    ReportResponseList,
    ReportResponseRecordList,
    ReportResponseTransData,
)
from .security import Plain, SecurityRequest, SecurityResponse, plain_bytes

LINK_REQUEST_SIZE = 15
_PIID_AT = 1
_KIND_AT = 2
_TIME = slice(5, 15)
_RESULT_AT = 2  # Of a LINK-Response.

# A server opens with SECURITY-Request only to report.
_CONFIRMED = (LinkRequest.TAG, ReportNotificationList.TAG[:1], SecurityRequest.TAG)


class LinkFunction(Enum):
    """What a terminal says about its link; the value is the type of the LINK-Request."""

    LOGIN = LOGIN
    HEARTBEAT = HEARTBEAT
    LOGOUT = LOGOUT


_BY_KIND = {function.value: function for function in LinkFunction}


def link_function(frame: Frame) -> LinkFunction | None:
    """Return what a terminal says about its link, or None if the frame is about something else."""
    if not frame.from_terminal or frame.apdu[:1] != LinkRequest.TAG or frame.is_split:
        return None
    if len(frame.apdu) != LINK_REQUEST_SIZE:
        return None
    return _BY_KIND.get(frame.apdu[_KIND_AT])


def heartbeat_s(frame: Frame) -> int | None:
    """Return how many seconds apart heartbeats are to come, as a login or a heartbeat says."""
    if link_function(frame) is None:
        return None
    return LinkRequest.from_bytes(frame.apdu).heartbeat_s


def wants_confirmation(frame: Frame) -> bool:
    """Tell whether a terminal waits for `confirm`."""
    return frame.from_terminal and not frame.is_split and frame.apdu[:1] in _CONFIRMED


def confirm(
    frame: Frame,
    received: datetime | None = None,
    answered: datetime | None = None,
    *,
    refusal: int = ACCEPTED,
    client: int | None = None,
) -> Frame:
    """Return the confirmation of a login, logout, heartbeat or report.

    `received` and `answered` are what the clock of this station said when the frame came and says
    now; terminals set theirs by them. Without them the terminal's own time goes back, and nothing
    is said of a clock that could be trusted. `refusal` tells a login why it fails
    (`association.NO_CAPACITY`). CA is that of the frame unless `client` gives the terminal another
    one to use. Raises ValueError for a frame that waits for nothing, cannot be decoded, or lies in
    a cipher.
    """
    control = frame.control & SCRAMBLED
    if link_function(frame) is not None:
        control |= LINK_MANAGEMENT
        apdu = _link_response(frame.apdu, received, answered, refusal)
    else:
        control |= USER_DATA
        apdu = _report_response(frame.apdu).to_bytes()
    return Frame(control, frame.server, frame.client if client is None else client, apdu)


def _link_response(
    request: bytes, received: datetime | None, answered: datetime | None, refusal: int
) -> bytes:
    """Answer byte for byte: half of all frames of a station with many terminals are these."""
    own_time = request[_TIME]
    if received is None:
        times = own_time * 3
    else:
        times = own_time + DateTime.of(received).to_bytes()
        times += DateTime.of(answered or received).to_bytes()
        refusal |= CLOCK_TRUSTED
    return LinkResponse.TAG + bytes((request[_PIID_AT] & ~ACCESS_DEMAND, refusal)) + times


def _report_response(raw: bytes) -> Apdu:
    """A report inside a wrapper is confirmed inside one; there is no MAC to add to it."""
    report = decode_apdu(raw)
    inner = plain_bytes(report)
    if inner is None:
        return _response_to(report)
    return SecurityResponse(Plain(_response_to(decode_apdu(inner)).to_bytes()))


def _response_to(report: Apdu) -> Apdu:
    if isinstance(report, ReportNotificationList):
        return ReportResponseList(_number(report.piid), tuple(r.oad for r in report.results))
    if isinstance(report, ReportNotificationRecordList):
        return ReportResponseRecordList(_number(report.piid), tuple(r.oad for r in report.results))
    if isinstance(report, ReportNotificationTransData):
        return ReportResponseTransData(_number(report.piid))
    raise ValueError(f"nothing waits for the confirmation of {type(report).__name__}")


def _number(piid: int) -> int:
    return piid & ~ACCESS_DEMAND


def is_confirmation(frame: Frame) -> bool:
    """Tell whether a frame confirms a login, logout, heartbeat or report, and refuses nothing."""
    if frame.from_terminal or frame.is_split:
        return False
    if frame.apdu[:1] == LinkResponse.TAG:
        return len(frame.apdu) > _RESULT_AT and not frame.apdu[_RESULT_AT] & ~CLOCK_TRUSTED
    return frame.apdu[:1] == ReportResponseList.TAG[:1]


def login(address: ServerAddress, clock: datetime, heartbeat: int) -> Frame:
    """Return the first frame of a terminal on a new connection; `heartbeat` in seconds."""
    return _link_frame(address, LOGIN, clock, heartbeat)


def heartbeat(address: ServerAddress, clock: datetime, heartbeat: int) -> Frame:
    """Return what a terminal sends every `heartbeat` seconds."""
    return _link_frame(address, HEARTBEAT, clock, heartbeat)


def logout(address: ServerAddress, clock: datetime, heartbeat: int) -> Frame:
    """Return the last frame of a terminal before it closes the connection."""
    return _link_frame(address, LOGOUT, clock, heartbeat)


def _link_frame(address: ServerAddress, kind: int, clock: datetime, heartbeat: int) -> Frame:
    request = LinkRequest(0, kind, heartbeat, DateTime.of(clock))
    return Frame(UP | LINK_MANAGEMENT, address, 0, request.to_bytes())
