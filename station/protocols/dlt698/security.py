"""SECURITY: an APDU, plain or enciphered, with what proves its origin (digest, section 12).

Only the wrapping is done here. Ciphers, MACs and random numbers come from the grid's key machine
and from the device's ESAM, and pass through as they are. The wrapped APDU has its own trailers.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from .axdr import Choice, Wire
from .dar import Dar
from .envelope import Apdu
from .identifiers import Sid, SidMac


@dataclass(frozen=True, slots=True)
class Plain(Wire):
    """An APDU that anyone can read."""

    apdu: bytes


@dataclass(frozen=True, slots=True)
class Ciphertext(Wire):
    """An enciphered APDU."""

    data: bytes


@dataclass(frozen=True, slots=True)
class RandomNumber(Wire):
    """A random number (RN), for which the server computes a MAC."""

    number: bytes


@dataclass(frozen=True, slots=True)
class RandomNumberMac(Wire):
    """A random number, with a MAC of the client."""

    number: bytes
    mac: bytes


Verification = Annotated[
    SidMac | RandomNumber | RandomNumberMac | Sid,
    Choice("verification", {0: SidMac, 1: RandomNumber, 2: RandomNumberMac, 3: Sid}),
]


@dataclass(frozen=True, slots=True)
class SecurityRequest(Apdu):
    """A wrapped request."""

    TAG: ClassVar[bytes] = b"\x10"
    content: Annotated[Plain | Ciphertext, Choice("secured data", {0: Plain, 1: Ciphertext})]
    verification: Verification


@dataclass(frozen=True, slots=True)
class SecurityResponse(Apdu):
    """A wrapped answer, or why there is none."""

    TAG: ClassVar[bytes] = b"\x90"
    content: Annotated[
        Plain | Ciphertext | Dar, Choice("secured data", {0: Plain, 1: Ciphertext, 2: Dar})
    ]
    mac: Annotated[bytes, Choice("verification", {0: bytes})] | None = None


def plain_bytes(apdu: Apdu) -> bytes | None:
    """Return the APDU that a wrapper carries readably, or None."""
    if isinstance(apdu, SecurityRequest | SecurityResponse) and isinstance(apdu.content, Plain):
        return apdu.content.apdu
    return None
