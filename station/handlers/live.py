"""The live socket of a page: what happens in the station, told as it happens.

A page that is slow loses its oldest messages, never the station's time. The session is looked at
again every minute, so that a page does not go on listening after its person has logged out.
"""

import asyncio
import logging
import time
from collections import deque
from typing import Any

from tornado.websocket import WebSocketClosedError, WebSocketHandler

from station import tasks
from station.errors import DatabaseDown
from station.handlers.access.identity import Identity, requires
from station.handlers.access.people import Permission
from station.handlers.communication.frames import words_of
from station.handlers.ending_words import ending_words

log = logging.getLogger(__name__)

TOPICS = frozenset(
    {
        "links",
        "frames",
        "runs",
        "readings",
        "commands",
        "controls",
        "protections",
        "events",
        "orders",
        "imports",
        "alarms",
    }
    | {"finished"}
)
WAITING_MAX = 500  # Messages for one page; a browser shows no more rows than that.
RECHECK_S = 60.0  # How long a page may go on listening after its session has ended.


class LiveHandler(Identity, WebSocketHandler):
    """/live?topics=links,runs; `terminal` and `meter` narrow the frames"""

    @requires(Permission.VIEW)
    async def get(self, *args: Any, **kwargs: Any) -> None:
        await super().get(*args, **kwargs)

    async def open(self, *_args: str, **_kwargs: str) -> None:
        """Begin to listen."""
        asked = self.get_query_argument("topics", "").split(",")
        self._topics = TOPICS.intersection(asked)
        self._terminal = self.get_query_argument("terminal", "")
        self._meter = self.get_query_argument("meter", "")
        self._waiting: deque[dict[str, Any]] = deque(maxlen=WAITING_MAX)
        self._something = asyncio.Event()
        self._sight, self._tasks = await self.sight(), await self.tasks_in_sight()
        self._telling = tasks.spawn(self._tell(), name="live page")

    def on_message(self, message: str | bytes) -> None:
        """Pages only listen."""

    def on_close(self) -> None:
        """Stop listening."""
        if hasattr(self, "_telling"):
            self._telling.cancel()

    def _hear(self, topic: str, message: dict[str, Any]) -> None:
        if topic == "frames" and not self._is_wanted(message):
            return
        if topic == "finished":  # What a person began is theirs, wherever it lies.
            if self.user is not None and message["by"] == self.user.name:
                self._take(topic, message)
            return
        heard = message if self._sight is None else self._sight.heard(topic, message)
        if heard is None:
            return
        self._take(topic, heard)

    def _take(self, topic: str, message: dict[str, Any]) -> None:
        self._waiting.append({**message, "topic": topic})
        self._something.set()

    def _is_wanted(self, message: dict[str, Any]) -> bool:
        return (not self._terminal or message["link"] == self._terminal) and (
            not self._meter or message["meter"] == self._meter
        )

    async def _tell(self) -> None:
        """Send what was heard until the page closes or its session ends."""
        checked = time.monotonic()
        with self.parts.feed.listening(self._hear, self._topics):
            while True:
                await self._wait()
                if time.monotonic() - checked >= RECHECK_S:
                    if not await self._session_stands():
                        self.close(4401, "please log in")
                        return
                    checked = time.monotonic()
                while self._waiting:
                    message = await self._seen(self._waiting.popleft())
                    if message is None:
                        continue
                    try:
                        await self.write_message(self._complete(message))
                    except WebSocketClosedError:
                        return

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._something.wait(), RECHECK_S)
        except asyncio.TimeoutError:
            return
        self._something.clear()

    async def _seen(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return what somebody with areas may hear of a run or an order, None for nothing.

        The steps of an order that is not entered yet name only the form that it comes from.
        """
        if self._tasks is None:
            return message
        if message["topic"] == "runs":
            shown = {name: message[name] for name in ("topic", "id", "task", "state")}
            return shown if not message["task"] or message["task"] in self._tasks.tasks else None
        if message["topic"] == "orders":
            try:
                order = await self.parts.database.orders.find(message["id"])
            except DatabaseDown:
                return None
            if order is None:
                return {**message, "id": ""}
            return message if order.meter in self._tasks.devices else None
        return message

    def _complete(self, message: dict[str, Any]) -> dict[str, Any]:
        """Add the words to a frame or an ending; only here, because few are ever shown."""
        if message["topic"] == "finished":
            return {"topic": "finished", **ending_words(message, self.language)}
        if message["topic"] != "frames":
            return message
        raw = bytes.fromhex(message["hex"])
        return {**message, "words": words_of(raw, message["note"], self.language)}

    async def _session_stands(self) -> bool:
        assert self.session is not None, "a permission needs a session"
        try:
            session = await self.parts.database.sessions.find(self.session.token_hash)
            user = await self.parts.database.users.find(self.session.user)
            if session is None or user is None or user.is_disabled:
                return False
            self.user = user  # Other areas may be theirs by now, or other devices in them.
            self._sight, self._tasks = await self.sight(), await self.tasks_in_sight()
        except DatabaseDown:
            return True  # Nobody can be logged out meanwhile; ask again in a minute.
        return True
