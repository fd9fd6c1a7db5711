"""What people began that goes on by itself, and how it ended: told to their own open pages.

It is held in memory only. After a restart the pages of runs, imports and commands tell it.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from station import tasks
from station.live import Feed
from station.store.objects.orders import Orders

BEGUN_MAX = 2000  # Things under way that are remembered; the oldest is forgotten first.
TOPICS = ("runs", "imports", "commands", "orders")

What = Literal["run", "import", "commands"]


@dataclass
class Begun:
    """What one person began: one thing, or several that end one by one."""

    what: What
    by: str
    name: str
    href: str
    waiting: set[str]
    all: int = field(init=False)
    failed: int = 0

    def __post_init__(self) -> None:
        self.all = len(self.waiting)


class Endings:
    """Hears what ends, and announces it on the topic `finished` to whoever began it."""

    def __init__(self, feed: Feed, orders: Orders) -> None:
        self._feed = feed
        self._orders = orders
        self._begun: OrderedDict[str, Begun] = OrderedDict()  # By the id of each thing.
        self._listening = feed.listening(self._hear, TOPICS)
        self._listening.__enter__()  # For as long as the feed is there.

    def began(self, what: What, ids: Iterable[str], *, by: str, name: str, href: str) -> None:
        """Remember who began these; nobody is told before all of them have ended."""
        begun = Begun(what, by, name, href, {*ids})
        for each in begun.waiting:
            self._begun[each] = begun
        while len(self._begun) > BEGUN_MAX:
            self._begun.popitem(last=False)

    def _hear(self, topic: str, message: dict[str, Any]) -> None:
        if topic == "orders":
            if message["state"] == "written" and self._feed.has_listeners("finished"):
                tasks.spawn(self._tell_sale(message["id"]), name="tell of a sale")
        elif message.get("id") in self._begun:
            self._end(topic, message)

    def _end(self, topic: str, message: dict[str, Any]) -> None:
        begun = self._begun[message["id"]]
        if topic == "runs" and message["state"] != "running":
            told = {"done": message["success"], "all": message["due"], "error": ""}
            whole = message["state"] == "finished" and message["success"] >= message["due"]
            self._finish(begun, message, good=whole, **told)
        elif topic == "imports" and message["over"]:
            told = {"act": message["act"], "error": message["error"]}
            self._finish(begun, message, good=not message["error"], **told)
        elif topic == "commands" and message["state"] in ("confirmed", "failed", "expired"):
            begun.failed += message["state"] != "confirmed"
            done = begun.all - begun.failed
            self._finish(begun, message, good=not begun.failed, done=done, all=begun.all)

    def _finish(self, begun: Begun, message: dict[str, Any], *, good: bool, **told: object) -> None:
        del self._begun[message["id"]]
        begun.waiting.discard(message["id"])
        if not begun.waiting:
            said = {"what": begun.what, "by": begun.by, "name": begun.name, "href": begun.href}
            self._feed.announce("finished", {**said, "good": good, **told})

    async def _tell_sale(self, order_id: str) -> None:
        order = await self._orders.get(order_id)
        self._feed.announce(
            "finished",
            {"what": "order", "by": order.by, "name": order.kind, "href": f"/orders/{order.id}",
             "good": True, "amount_fen": order.amount_fen, "meter": order.meter},
        )  # fmt: skip
