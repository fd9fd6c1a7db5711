"""/healthz: is the station able to work? For service managers and load balancers."""

import asyncio
from typing import Literal

from pydantic import BaseModel

from station.errors import DatabaseDown
from station.handlers.access.identity import Identity
from station.handlers.contract import contract

PING_TIMEOUT_S = 2.0  # A database that needs longer for a ping is down for whoever asks.


class HealthView(BaseModel):
    """Whether the station can work, and which one it is."""

    status: Literal["ok", "database_down"]
    station: str


class HealthHandler(Identity):
    """/healthz: is the station able to work?"""

    open_to_all = True

    async def prepare(self) -> None:
        """Ask nobody who they are; that would need the database."""

    @contract(HealthView, status=(200, 503))
    async def get(self) -> None:
        view = HealthView(status="ok", station=self.parts.config.station)
        try:
            await asyncio.wait_for(self.parts.database.ping(), PING_TIMEOUT_S)
        except (DatabaseDown, asyncio.TimeoutError):
            self.set_status(503)
            view.status = "database_down"
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.write(view.model_dump_json())
