"""Transactions that a dead station left open.

The database keeps them, and what they touched, for a minute and a half; meanwhile nobody can finish
the order that the station died over. So a station that starts ends them: those of its own user that
nobody has gone on with for a while. A living station that was hit runs its transaction again.
"""

import logging

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import OperationFailure

from station.store.driver import Document

log = logging.getLogger(__name__)

# Between two commands of a transaction pass milliseconds, and a station takes longer to start.
IDLE_S = 0.3


async def end_abandoned(client: "AsyncIOMotorClient[Document]") -> int:
    """End the transactions of this user that are idle, and return how many there were."""
    idle = {"transaction.timeInactiveMicros": {"$gte": round(IDLE_S * 1e6)}}
    looking: list[Document] = [
        {"$currentOp": {"allUsers": False, "idleSessions": True}},
        {"$match": {"type": "idleSession", **idle}},
    ]
    try:
        found = await client.admin.aggregate(looking).to_list(None)
        if found:
            sessions = [{"id": each["lsid"]["id"]} for each in found]
            await client.admin.command({"killSessions": sessions})
            log.warning("%d transactions, left open by a station that died, are ended", len(found))
    except OperationFailure as error:
        log.info("transactions of a dead station end by themselves: %s", error)
        return 0
    return len(found)
