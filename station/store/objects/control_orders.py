"""Control orders: what one or many devices were ordered to do, and who agreed to it.

    waiting -> approved | refused | withdrawn | expired

One that needs no second person is approved from the start, by nobody. A decision names the state
that it starts from, so of two at once one is refused. An approved order becomes one command for
each of its targets, whose `batch` is the order's id; `issued` says that all of them were made.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, matching
from station.store.objects.commands import DeviceKind

ControlState = Literal["waiting", "approved", "refused", "withdrawn", "expired"]
Decision = Literal["approved", "refused", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Target:
    """One device; `problem` is why it is not ordered of this one."""

    address: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ControlOrder:
    """An order to trip, to close, to keep power; `what` is that of the commands it becomes.

    `group` is the group that was ordered, whose devices then are the targets. `request_id` is made
    by whoever orders, so that an order sent twice is one. `decided_by` is nobody where no second
    person was needed, or where its time was over.
    """

    id: str
    request_id: str
    device: DeviceKind
    what: Mapping[str, Any]
    targets: tuple[Target, ...]
    purpose: str
    by: str
    created_at: datetime
    expires_at: datetime
    _: KW_ONLY
    station: str
    group: str = ""
    valid_min: int = 0
    why_approval: str = ""  # Why a second person has to agree; empty: nobody has to.
    state: ControlState = "waiting"
    decided_by: str = ""
    decided_at: datetime | None = None
    decision: str = ""  # What the second person said.
    issued: bool = False
    addresses: tuple[str, ...] = field(default_factory=tuple)

    @property
    def ready(self) -> tuple[str, ...]:
        """The devices that nothing speaks against."""
        return tuple(target.address for target in self.targets if not target.problem)

    def orders_the_same(self, other: "ControlOrder") -> bool:
        """Whether two ask for the same; when, and what speaks against a device, do not count."""
        return self._order() == other._order()

    def _order(self) -> tuple[object, ...]:
        what = dict(self.what)
        return (self.device, what, self.addresses, self.by, self.purpose, self.valid_min)


class ControlOrders(Objects[ControlOrder]):
    """The control orders of all stations."""

    shape = ControlOrder
    key = "id"
    word = "control order"

    async def order(self, order: ControlOrder) -> ControlOrder:
        """Keep a new order and return it, or the one that the same request made before.

        Raises Conflict when the request id stands for another order.
        """
        try:
            await self._collection.insert(self._to_document(order))
        except DuplicateKeyError:
            standing = await self.find_request(order.request_id)
            if standing is None or not standing.orders_the_same(order):
                raise Conflict(f"request {order.request_id} was another order") from None
            return standing
        return order

    async def find_request(self, request_id: str) -> ControlOrder | None:
        """Return what a request has made, or None."""
        held = await self._collection.find_one({"request_id": request_id})
        return None if held is None else self._from_document(held)

    async def decide(
        self, order_id: str, decision: Decision, by: str, reason: str, now: datetime
    ) -> ControlOrder:
        """Write what a person decided and return the order.

        Raises NotFound, and Conflict when it waits for nobody any more.
        """
        change = {"state": decision, "decided_by": by, "decided_at": now, "decision": reason}
        query = {"_id": order_id, "state": "waiting", "expires_at": {"$gt": now}}
        changed = await self._collection.update(query, {"$set": change})
        standing = await self.get(order_id)
        if not changed:
            state = "expired" if standing.state == "waiting" else standing.state
            raise Conflict(f"control order {order_id} is {state} already")
        return standing

    async def expire(self, station: str, now: datetime) -> int:
        """End the orders of a station whose time was over before anybody agreed."""
        query = {"station": station, "state": "waiting", "expires_at": {"$lte": now}}
        return await self._collection.update_all(
            query, {"$set": {"state": "expired", "decided_at": now}}
        )

    async def waiting(self, station: str) -> Many[ControlOrder]:
        """Return the orders of a station that wait for a second person, the oldest first."""
        return await self._all({"station": station, "state": "waiting"})

    async def unissued(self, station: str) -> Many[ControlOrder]:
        """Return the approved orders of a station whose commands were not all made."""
        return await self._all({"station": station, "state": "approved", "issued": False})

    async def issue(self, order: ControlOrder, targets: Sequence[Target]) -> ControlOrder:
        """Write that the commands of an order were made, and what spoke against some."""
        kept = [asdict(target) for target in targets]
        await self._collection.update(
            {"_id": order.id}, {"$set": {"issued": True, "targets": kept}}
        )
        return replace(order, issued=True, targets=tuple(targets))

    async def list(
        self,
        text: str | None = None,
        state: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        among: Collection[str] | None = None,
    ) -> Page[ControlOrder]:
        """Return a page of orders, the newest first, and how many there are.

        `among` are the only devices to look at: all of an order's have to be among them.
        """
        query = matching(text, "addresses", "by", "purpose", "group", "decided_by")
        if among is not None:
            query["$and"] = [{"addresses": {"$not": {"$elemMatch": {"$nin": [*among]}}}}]
        if state is not None:
            query["state"] = state
        return await self._page(query, skip, limit, order=[("_id", -1)])

    def _to_document(self, thing: ControlOrder) -> Document:
        document = super()._to_document(thing)
        document["what"] = dict(thing.what)
        document["targets"] = [asdict(target) for target in thing.targets]
        return document

    def _from_document(self, document: Document) -> ControlOrder:
        targets = tuple(Target(**target) for target in document["targets"])
        return super()._from_document({**document, "targets": targets})
