"""Reader agents: the computers that may lend their card readers; of a token only a hash is kept."""

from dataclasses import dataclass, field
from datetime import datetime

from station.store.objects.base import Many, Objects


@dataclass(frozen=True, slots=True)
class ReaderAgent:
    """One computer, by the name of its workplace."""

    workplace: str
    token_hash: str = field(repr=False)
    paired_by: str
    paired_at: datetime
    last_seen: datetime | None = None


class ReaderAgents(Objects[ReaderAgent]):
    """Every computer that was paired."""

    shape = ReaderAgent
    key = "workplace"
    word = "reader agent"

    async def keep(self, agent: ReaderAgent) -> None:
        """Keep an agent; one that was paired with the same workplace before is replaced."""
        await self._collection.replace(
            {"_id": agent.workplace}, self._to_document(agent), upsert=True
        )

    async def all(self) -> Many[ReaderAgent]:
        """Return every agent, by workplace."""
        return await self._all({})

    async def of_token(self, token_hash: str) -> ReaderAgent | None:
        """Return the agent whose token this is."""
        found = await self._all({"token_hash": token_hash})
        return found[0] if found else None

    async def seen(self, workplace: str, at: datetime) -> None:
        """Note that an agent came or went; one that has been forgotten stays so."""
        await self._collection.update({"_id": workplace}, {"$set": {"last_seen": at}})
