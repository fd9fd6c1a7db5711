"""Pages of what is written behind: it is written before it is asked for, if that is quick."""

import asyncio
from collections.abc import Awaitable

FLUSH_TIMEOUT_S = (
    1.0  # Of a page's time; a database that is away says so to the page's own question.
)


async def written(*flushes: Awaitable[None]) -> None:
    """Wait until these have written what waits, but no longer than a moment."""
    try:
        await asyncio.wait_for(asyncio.gather(*flushes), FLUSH_TIMEOUT_S)
    except asyncio.TimeoutError:
        return  # The page shows what is there; the rest comes with its next refresh.
