"""Announcements inside the process: who has something new tells it once, open pages hear it.

A listener that is slow loses its oldest announcements, never the speaker's time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Listener = Callable[[str, dict[str, Any]], None]


class Feed:
    """Topics: `links`, `frames`, `runs`, `readings`; a message is a dict that JSON can hold."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def announce(self, topic: str, message: dict[str, Any]) -> None:
        """Tell every listener; it must return at once."""
        for listener in tuple(self._listeners):
            listener(topic, message)

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Hear every announcement for as long as the block lasts."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
