"""What is wrong with bytes that should be a frame or an APDU, and where."""


class FrameError(ValueError):
    """These bytes are no frame, or no APDU: why, and at which byte of them."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at byte {offset}")
        self.reason = reason
        self.offset = offset
