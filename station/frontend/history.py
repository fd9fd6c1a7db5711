"""The history of each link: every coming up and going down, with its reason, in the store.

Strangers have a history too, so that it can be seen why one does not stay, but only so much of it:
whoever dials in with one made-up address after the other must not fill the disk.
"""

from station.frontend.behind import WriteBehind
from station.frontend.registry import Registry
from station.store.objects.link_events import LinkEvent, LinkEvents

UNSAVED_MAX = 50_000  # All of 15,000 terminals lost and come back, while the database is away.
STOP_TIMEOUT_S = 3.0
STRANGERS_PER_HOUR_MAX = 1000  # Events of terminals that are not in the archive.
HOUR_S = 3600


class History:
    """Writes what the registry tells of its links."""

    def __init__(self, registry: Registry, events: LinkEvents) -> None:
        self._registry = registry
        self._events: WriteBehind[LinkEvent] = WriteBehind(
            "link events", events.save_many, UNSAVED_MAX
        )
        self._hour = 0
        self._strangers = 0  # Events of them in this hour.
        registry.when_changed(self._note)

    def start(self) -> None:
        """Begin to write."""
        self._events.start()

    async def stop(self) -> None:
        """Write what waits, if the database takes it soon, and end the writing."""
        await self._events.stop(STOP_TIMEOUT_S)

    async def flush(self) -> None:
        """Write what waits now, if the database takes it."""
        await self._events.flush()

    def _note(self, event: LinkEvent) -> None:
        if self._registry.is_known(event.address) or self._may_be_told(event):
            self._events.put(event)

    def _may_be_told(self, event: LinkEvent) -> bool:
        hour = int(event.at.timestamp()) // HOUR_S
        if hour != self._hour:
            self._hour, self._strangers = hour, 0
        self._strangers += 1
        return self._strangers <= STRANGERS_PER_HOUR_MAX
