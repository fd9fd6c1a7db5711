"""What selling asks of the clerk's drawer before money moves; `shifts.Drawer` answers it."""

from typing import Protocol


class Drawer(Protocol):
    """What the clerk's drawer has to say before money moves."""

    async def check(
        self, by: str, kind: str, amount_fen: int, approved_by: str | None, subject: str
    ) -> None:
        """Raise a StationError when this clerk may not do this.

        `subject` is the account or order that it is about; an approval may be bound to it.
        """

    async def shift_of(self, by: str) -> str | None:
        """Return the clerk's open shift. Raises a StationError when there must be one."""


class NoDrawer:
    """Where nobody counts."""

    async def check(
        self, by: str, kind: str, amount_fen: int, approved_by: str | None, subject: str
    ) -> None:
        """Allow everything."""

    async def shift_of(self, by: str) -> str | None:  # noqa: ARG002  As above.
        """Return no shift."""
        return None
