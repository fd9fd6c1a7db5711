"""/healthz: is the station able to work? For service managers and load balancers."""

import asyncio

from station.errors import DatabaseDown
from station.handlers.access.identity import Identity

PING_TIMEOUT_S = 2.0  # A database that needs longer for a ping is down for whoever asks.


class HealthHandler(Identity):
    """/healthz"""

    open_to_all = True

    async def prepare(self) -> None:
        """Ask nobody who they are; that would need the database."""

    async def get(self) -> None:
        try:
            await asyncio.wait_for(self.parts.database.ping(), PING_TIMEOUT_S)
        except (DatabaseDown, asyncio.TimeoutError):
            self.set_status(503)
            self.write({"status": "database_down"})
        else:
            self.write({"status": "ok", "station": self.parts.config.station})
