"""Codes of six digits that a person's telephone makes (TOTP, RFC 6238), and codes to recover with.

SHA-1, six digits and 30 s are what every such program knows. A code is taken from the step before
to the step after the present one, since telephones' clocks differ, and once only.
"""

import base64
import hashlib
import hmac
import secrets
import struct
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
STEPS_AROUND = 1  # 30 s early or late.
SECRET_SIZE = 20  # Bytes; as long as SHA-1's result (RFC 4226, section 4).
RECOVERY_CODES = 10
RECOVERY_SIZE = 10  # Bytes each, so that a stolen hash is of no use.
RECOVERY_GROUP = 4  # Characters between hyphens.


def new_secret() -> str:
    """Return a new secret in Base32, as it is typed or scanned."""
    return base64.b32encode(secrets.token_bytes(SECRET_SIZE)).decode()


def step_of(seconds: float) -> int:
    """Return the step of a moment, in seconds since 1970."""
    return int(seconds // STEP_S)


def code_of(secret: str, step: int) -> str:
    """Return the code of a step (RFC 4226, section 5.3)."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">q", step), hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: str, code: str, seconds: float) -> int | None:
    """Return the step around a moment whose code this is, or None."""
    now = step_of(seconds)
    given = tidy(code).encode()
    for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):
        if hmac.compare_digest(code_of(secret, step).encode(), given):
            return step
    return None


def setup_uri(site: str, name: str, secret: str) -> str:
    """Return what the picture for the telephone says."""
    label = quote(f"{site}:{name}")
    return f"otpauth://totp/{label}?" + urlencode({"secret": secret, "issuer": site})


def new_recovery_codes() -> list[str]:
    """Return codes that each stand in for the telephone once."""
    return [_grouped(secrets.token_bytes(RECOVERY_SIZE)) for _ in range(RECOVERY_CODES)]


def hash_recovery_code(code: str) -> str:
    """Return what the store keeps of a recovery code, however it was typed."""
    return hashlib.sha256(tidy(code).encode()).hexdigest()


def tidy(code: str) -> str:
    """Return a code without the spaces and hyphens that people put into it."""
    return code.replace(" ", "").replace("-", "").upper()


def _grouped(raw: bytes) -> str:
    text = base64.b32encode(raw).decode()
    return "-".join(
        text[start : start + RECOVERY_GROUP] for start in range(0, len(text), RECOVERY_GROUP)
    )
