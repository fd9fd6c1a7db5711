"""The tree of the archive: places, terminals and channels on them, their meters, and customers.

A customer hangs on the meters of the own accounts, as long as these are not closed.
A branch is loaded when it is opened. What a branch shows of links and meters is loaded again when
links come and go, without touching what is open or has the focus.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, Field

from station.collector.census import NOTHING, Count
from station.errors import NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.place_views import (
    UNPLACED,
    CountView,
    PlaceHandler,
    check_in_sight,
    count_view,
    within_of,
)
from station.handlers.base import ListQuery
from station.handlers.contract import contract
from station.store.objects.accounts import Account
from station.store.objects.channels import Channel
from station.store.objects.meters import Meter
from station.store.objects.places import Place, PlaceTree
from station.store.objects.stages import REMOVED
from station.store.objects.terminals import Terminal

BRANCH_MAX = 200  # Of one kind in one branch; the list behind the link has them all.
FOUND_MAX = 50  # Of each kind, in a search.

Type = Literal["place", "unplaced", "terminal", "channel", "meter", "customer"]


class NodeView(BaseModel):
    """A node of the tree. `state` is that of a link ("online", "offline"), or a meter's "silent".

    `opens`: something hangs on it. `path` are the places above, in a search.
    """

    type: Type
    id: str
    name: str
    kind: str = ""
    code: str = ""
    stage: str = ""
    state: str = ""
    counts: CountView
    opens: bool
    page: str
    path: str = ""


class BranchView(BaseModel):
    """What hangs right on a node, and how many that are; `more` leads to the rest of them."""

    items: list[NodeView]
    total: int
    more: str = ""


class TreeQuery(ListQuery):
    """What to look for in the tree; `open` is a place to which it stands open."""

    open: str = Field("", max_length=32)


class BranchQuery(BaseModel):
    """Which branch: of a place ("-": of none), of a terminal or channel, or of a meter."""

    place: str = Field("", max_length=32)
    link: str = Field("", max_length=64)
    meter: str = Field("", max_length=32)
    counts: bool = False  # A page wants only what may have changed in it.


class TreeHandler(PlaceHandler):
    """/tree, /api/tree: the top of the tree, or what was found in it."""

    @requires(Permission.VIEW)
    @contract(BranchView, query=TreeQuery)
    async def get(self) -> None:
        query = self.parse_query(TreeQuery)
        tree = await self.visible_tree()
        text = (query.text or "").strip()
        view = await (self._found(tree, text) if text else self.branch(tree, ""))
        branches = {} if text or self.wants_json else await self._open(tree, view, query.open)
        self.show(
            "tree.html",
            view,
            filter=query,
            branches=branches,
            places=len(tree.by_id),
        )

    async def _open(self, tree: PlaceTree, top: BranchView, wanted: str) -> dict[str, BranchView]:
        """Return the branches that stand open: down to a place, or the only one at the top."""
        opened = [place.id for place in tree.path(wanted)]
        if not opened:
            places = [node.id for node in top.items if node.type == "place"]
            opened = places if len(places) == 1 else []
        return {place_id: await self.branch(tree, place_id) for place_id in opened}

    async def branch(self, tree: PlaceTree, place_id: str) -> BranchView:
        """Return what hangs right on a place; "" is the top, UNPLACED what hangs on none."""
        if place_id not in ("", UNPLACED) and place_id not in tree.by_id:
            raise NotFound(f"there is no place {place_id}")
        counts = await self.parts.archive.counts()
        nodes = [] if place_id == UNPLACED else [
            _place_node(place, tree, counts) for place in tree.children(place_id)
        ]  # fmt: skip
        if place_id == "":
            nodes += [] if self.areas else [_unplaced_node(counts)]
            return BranchView(items=nodes, total=len(nodes))
        own = "" if place_id == UNPLACED else place_id
        terminals = [
            each
            for each in self.parts.registry.terminals.values()
            if each.place == own and each.stage != REMOVED
        ]
        channels: Sequence[Channel] = ()
        if not own and not self.areas:
            channels, _ = await self.parts.database.channels.list(limit=BRANCH_MAX)
        terminals.sort(key=lambda each: (each.name, each.address))
        links = [self._terminal_node(each) for each in terminals[:BRANCH_MAX]]
        links += [self._channel_node(each) for each in channels]
        meters, there = await self._own_meters(own)
        total = len(nodes) + len(terminals) + len(channels) + there
        shown = [*nodes, *links, *await self._meter_nodes(meters)]
        rest = f"/terminals?place={own}" if own else "/terminals"
        more = rest if total > len(shown) else ""
        return BranchView(items=shown, total=total, more=more)

    async def _own_meters(self, place_id: str) -> tuple[list[Meter], int]:
        """Return the meters that hang on a place by themselves, and not through their terminal."""
        if not place_id:
            return [], 0
        return await self.parts.database.meters.on_place(place_id, BRANCH_MAX)

    async def meters_of(self, link: str) -> BranchView:
        """Return the meters of a terminal or channel. Raises NotFound for one out of sight."""
        within = await within_of(self, None)
        meters, total = await self.parts.database.meters.list(
            link=link, limit=BRANCH_MAX, within=within
        )
        more = f"/meters?link={link}" if total > len(meters) else ""
        return BranchView(items=await self._meter_nodes(meters), total=total, more=more)

    async def customers_of(self, meter: str) -> BranchView:
        """Return the customer of a meter, through its account. Raises NotFound."""
        await check_in_sight(self, meter=meter)
        accounts = await self.parts.database.accounts.at([meter])
        nodes = [node for node, _ in await self._customer_nodes(accounts)]
        return BranchView(items=nodes, total=len(nodes))

    async def _customer_nodes(self, accounts: Sequence[Account]) -> list[tuple[NodeView, str]]:
        """Return the customers of accounts, each with the meter."""
        owners = {each.id: each.owner or each.customer for each in accounts}
        found = await self.parts.database.customers.many([*owners.values()])
        names = {customer.number: customer.name for customer in found}
        return [
            (_customer_node(owners[each.id], names.get(owners[each.id], "")), each.meter)
            for each in accounts
        ]

    async def _found_customers(self, text: str) -> tuple[list[NodeView], int]:
        """Find customers with an account, and say on which meter each hangs."""
        database = self.parts.database
        customers, total = await database.customers.list(
            text, limit=FOUND_MAX, numbers=await self.customers_in_sight()
        )
        wanted = {customer.number for customer in customers}
        seen = await self.meters_in_sight()
        accounts = [
            each
            for each in await database.accounts.of_customers([*wanted])
            if each.is_living
            and (each.owner or each.customer) in wanted
            and (seen is None or each.meter in seen)
        ]
        nodes = await self._customer_nodes(accounts[:FOUND_MAX])
        return [node.model_copy(update={"path": meter}) for node, meter in nodes], total

    async def _found(self, tree: PlaceTree, text: str) -> BranchView:
        counts = await self.parts.archive.counts()
        within = await within_of(self, None)
        database, wanted = self.parts.database, text.casefold()
        places = [
            _place_node(place, tree, counts)
            for _, place in tree.walk()
            if wanted in f"{place.name} {place.code}".casefold()
        ]
        terminals, terminal_count = await database.terminals.list(
            text, limit=FOUND_MAX, within=within
        )
        meters, meter_count = await database.meters.list(text, limit=FOUND_MAX, within=within)
        customers, customer_count = await self._found_customers(text)
        ends = self.parts.registry.terminals
        items = [
            *(_with_path(node, tree, node.id) for node in places[:FOUND_MAX]),
            *(_with_path(self._terminal_node(each), tree, each.place) for each in terminals),
            *(
                _with_path(node, tree, each.place or _place_of(ends, each.link))
                for node, each in zip(await self._meter_nodes(meters), meters, strict=True)
            ),
            *customers,
        ]
        total = len(places) + terminal_count + meter_count + customer_count
        return BranchView(items=items, total=total)

    def _terminal_node(self, terminal: Terminal) -> NodeView:
        count = self.parts.archive.count_of(terminal.address)
        return NodeView(
            type="terminal",
            id=terminal.address,
            name=terminal.name,
            kind=terminal.protocol,
            stage=terminal.stage,
            state=self._link_state(terminal.address),
            counts=count_view(count),
            opens=count.meters > 0,
            page=f"/terminals/{terminal.address}",
        )

    def _channel_node(self, channel: Channel) -> NodeView:
        count = self.parts.archive.count_of(channel.name)
        return NodeView(
            type="channel",
            id=channel.name,
            name="",
            kind=channel.url,
            state=self._link_state(channel.name),
            counts=count_view(count),
            opens=count.meters > 0,
            page=f"/channels/{channel.name}",
        )

    async def _meter_nodes(self, meters: Sequence[Meter]) -> list[NodeView]:
        accounts = await self.parts.database.accounts.at([each.address for each in meters])
        sold = {account.meter for account in accounts}
        return [self._meter_node(each, opens=each.address in sold) for each in meters]

    def _meter_node(self, meter: Meter, *, opens: bool) -> NodeView:
        silent = self.parts.memory.is_dead(meter.address)
        return NodeView(
            type="meter",
            id=meter.address,
            name=meter.name,
            kind=meter.protocol,
            stage=meter.stage,
            state="silent" if silent else self._link_state(meter.link),
            counts=CountView(),
            opens=opens,
            page=f"/meters/{meter.address}",
        )

    def _link_state(self, address: str) -> str:
        return "online" if self.parts.registry.find(address) else "offline"


class BranchHandler(TreeHandler):
    """/tree/branch, /api/tree/branch: what hangs right on a place, a link or a meter."""

    @requires(Permission.VIEW)
    @contract(BranchView, query=BranchQuery)
    async def get(self) -> None:
        query = self.parse_query(BranchQuery)
        if query.meter:
            view = await self.customers_of(query.meter)
        elif query.link:
            view = await self.meters_of(query.link)
        else:
            view = await self.branch(await self.visible_tree(), query.place)
        template = "tree_counts.html" if query.counts else "tree_branch.html"
        self.show(template, view, within=_branch_id(query), branches={})


def _branch_id(query: BranchQuery) -> str:
    """Return the id that the branch has on the page, as `parts/tree.html` makes it."""
    if query.meter:
        return f"meter-{query.meter}"
    if query.link:
        return f"link-{query.link.replace('.', '_')}"
    if not query.place:
        return "top"
    return f"unplaced-{UNPLACED}" if query.place == UNPLACED else f"place-{query.place}"


def _place_node(place: Place, tree: PlaceTree, counts: Mapping[str, Count]) -> NodeView:
    count = counts.get(place.id, NOTHING)
    return NodeView(
        type="place",
        id=place.id,
        name=place.name,
        kind=place.kind,
        code=place.code,
        counts=count_view(count),
        opens=bool(tree.children(place.id)) or count.terminals > 0 or count.meters > 0,
        page=f"/places/{place.id}",
    )


def _customer_node(number: str, name: str) -> NodeView:
    return NodeView(
        type="customer",
        id=number,
        name=name,
        counts=CountView(),
        opens=False,
        page=f"/customers/{number}",
    )


def _unplaced_node(counts: Mapping[str, Count]) -> NodeView:
    return NodeView(
        type="unplaced",
        id=UNPLACED,
        name="",
        counts=count_view(counts.get("", NOTHING)),
        opens=True,
        page="/tree",
    )


def _with_path(node: NodeView, tree: PlaceTree, place_id: str) -> NodeView:
    above = tree.path(place_id)
    if node.type == "place":
        above = above[:-1]
    return node.model_copy(update={"path": " / ".join(place.name for place in above)})


def _place_of(ends: Mapping[str, Terminal], link: str) -> str:
    end = ends.get(link)
    return "" if end is None else end.place
