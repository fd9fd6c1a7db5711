"""Announcements inside the process: who has something new tells it once, open pages hear it.

A listener that is slow loses its oldest announcements, never the speaker's time.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Listener = Callable[[str, dict[str, Any]], None]


class Feed:
    """Tells each topic to all who listen; a message is a dict that JSON can hold.

    Topics: `links`, `frames`, `runs`, `readings`, `commands`, `controls`, `protections`, `events`,
    `alarms`, `orders`, `imports`; `finished` tells of any of these to whoever began it.
    """

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}  # By topic; "" hears all.

    def has_listeners(self, topic: str) -> bool:
        """Tell whether anybody would hear: a message is not made for nobody."""
        return topic in self._listeners or "" in self._listeners

    def announce(self, topic: str, message: dict[str, Any]) -> None:
        """Tell every listener of the topic; it must return at once."""
        for listener in (*self._listeners.get(topic, ()), *self._listeners.get("", ())):
            listener(topic, message)

    @contextmanager
    def listening(self, listener: Listener, topics: Iterable[str] = ("",)) -> Iterator[None]:
        """Hear every announcement of the topics, or all, for as long as the block lasts."""
        chosen = tuple(topics)
        for topic in chosen:
            self._listeners.setdefault(topic, []).append(listener)
        try:
            yield
        finally:
            for topic in chosen:
                self._listeners[topic].remove(listener)
                if not self._listeners[topic]:
                    del self._listeners[topic]
