"""What is wrong with bytes that should be a frame, of any protocol, and where."""


class FrameError(ValueError):
    """These bytes are no frame, or no APDU: the `reason`, and the `offset` of the byte at fault."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at byte {offset}")
        self.reason = reason
        self.offset = offset
