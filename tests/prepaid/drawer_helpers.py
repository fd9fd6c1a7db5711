"""Orders as the journal holds them, for tests of what only adds them up."""

from typing import Any
from zoneinfo import ZoneInfo

from motor.motor_asyncio import AsyncIOMotorClient

from station.store.objects.base import new_id
from station.units import utc_now

ZONE = ZoneInfo("Asia/Shanghai")


class Journal:
    """Puts orders into a test's database, past the counter and the card."""

    def __init__(self, uri: str, database: str) -> None:
        self._client: AsyncIOMotorClient = AsyncIOMotorClient(uri, tz_aware=True)
        self.orders = self._client[database]["orders"]

    async def put(self, shift: str | None, amount_fen: int, **more: Any) -> str:
        """Insert an order and return its id."""
        order_id = new_id()
        order = {
            "_id": order_id,
            "request_id": f"request-{order_id}",
            "fingerprint": "",
            "by": "clerk",
            "account": f"account-{order_id}",
            "kind": "purchase",
            "state": "written",
            "amount_fen": amount_fen,
            "count": 1,
            "shift": shift,
            "at": utc_now(),
            "receipt": None,
        }
        await self.orders.insert_one(order | more)
        return order_id

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
