"""Pictures that take a while to make: kept, and made anew behind those who look.

A picture is shown again for a while, the longer it took, the longer, so that making it takes no
more than a share of a core, however many look. After that whoever looks gets it once more, at once,
and it is made anew meanwhile. Waited for is one that was quick to make, that is older than anybody
should see, or that has been forgotten because what it shows has changed. Of many who wait, one
makes it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from station import tasks

Picture = TypeVar("Picture")

SHARE_MAX = 0.05  # Of one core.
QUICK_S = 0.1  # Nobody minds to wait so long; a small site always shows what is.
OLD_MAX_S = 300.0  # The first to look after a quiet night waits for what is.


class Kept(Generic[Picture]):
    """One picture, and how to make it."""

    def __init__(
        self,
        make: Callable[[], Awaitable[Picture]],
        *,
        name: str,
        age_min_s: float,
        old_max_s: float = OLD_MAX_S,
    ) -> None:
        """`age_min_s` is how long it may be shown in any case, `old_max_s` how long at most."""
        self._make = make
        self._name = name
        self._age_min_s = age_min_s
        self._old_max_s = old_max_s
        self._making = asyncio.Lock()
        self._picture: Picture | None = None
        self._made_at = 0.0
        self._took_s = 0.0
        self._changes = 0
        self._renewing: asyncio.Task[Any] | None = None

    def forget(self) -> None:
        """Have the next one who looks wait for a new picture."""
        self._changes += 1
        self._picture = None

    async def get(self) -> Picture:
        """Return the picture. Raises what making it raises."""
        standing = self._standing()
        if standing is not None:
            return standing
        async with self._making:
            standing = self._standing()  # Somebody else may have made it meanwhile.
            return await self._renew() if standing is None else standing

    def _standing(self) -> Picture | None:
        """Return the picture if it may be shown, and see to it that it does not grow old."""
        if self._picture is None:
            return None
        age_s = time.monotonic() - self._made_at
        if age_s < max(self._age_min_s, self._took_s / SHARE_MAX):
            return self._picture
        if self._took_s < QUICK_S or age_s > max(self._old_max_s, 2 * self._took_s / SHARE_MAX):
            return None
        if self._renewing is None or self._renewing.done():
            self._renewing = tasks.spawn(self._renew_behind(), name=self._name)
        return self._picture

    async def _renew_behind(self) -> None:
        async with self._making:
            await self._renew()

    async def _renew(self) -> Picture:
        """Make a picture; keep it unless something has changed meanwhile."""
        started, changes = time.monotonic(), self._changes
        picture = await self._make()
        if changes == self._changes:
            self._picture, self._made_at = picture, time.monotonic()
            self._took_s = self._made_at - started
        return picture
