"""What the station asks, and which frame is the answer (digest, sections 1.1 and 4)."""

from .apdu import piid_of
from .association import ServerError
from .envelope import NUMBER_MASK, Apdu
from .frame import BY_CLIENT, SCRAMBLED, UP, USER_DATA, Frame, ServerAddress

ANSWER = 0x80  # Added to the tag of a request it is the tag of the answer.


def request(server: ServerAddress, client: int, apdu: Apdu, *, scrambled: bool = False) -> Frame:
    """Return the frame of a request of the master station."""
    control = BY_CLIENT | USER_DATA | (SCRAMBLED if scrambled else 0)
    return Frame(control, server, client, apdu.to_bytes())


def answer(request: Frame, apdu: Apdu, server: ServerAddress | None = None) -> Frame:
    """Return the frame of an answer, from `server` if the request went to a wildcard."""
    return Frame(request.control | UP, server or request.server, request.client, apdu.to_bytes())


def is_answer(request: Frame, frame: Frame) -> bool:
    """Tell whether a frame answers a request, or refuses it with an ERROR-Response.

    The addresses, the tag and the number in the PIID decide; the number cannot be compared where
    one of the two lies in a cipher. Pieces of a split frame are joined first.
    """
    if not frame.from_terminal or frame.from_initiator or frame.is_split:
        return False
    if not request.server.is_met_by(frame.server) or frame.client != request.client:
        return False
    if not request.apdu or not frame.apdu:
        return False
    if frame.apdu[0] not in (request.apdu[0] | ANSWER, ServerError.TAG[0]):
        return False
    return _same_number(_number(request.apdu), _number(frame.apdu))


def _same_number(asked: int | None, answered: int | None) -> bool:
    return asked is None or answered is None or asked == answered


def _number(apdu: bytes) -> int | None:
    try:
        piid = piid_of(apdu)
    except ValueError:
        return None
    return None if piid is None else piid & NUMBER_MASK
