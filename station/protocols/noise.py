"""Bytes that cannot be part of a frame; every parser accounts for them with this event."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes a parser gave up on, and why, so that the trace can show both."""

    data: bytes
    reason: str
