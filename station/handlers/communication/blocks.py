"""Blocks: who may not dial in, since when, by whom and why."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows, usual_table
from station.store.objects.blocks import Block
from station.units import utc_now


class BlockBody(BaseModel):
    """Whom to block, and why: a terminal's address, an IP address, or a network."""

    kind: Literal["address", "ip"] = "address"
    key: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=200)


class BlocksQuery(ListQuery):
    """The list, and what its form begins with."""

    key: str = Field("", max_length=64)
    kind: Literal["address", "ip"] = "address"


class BlockView(BaseModel):
    """One block; `by` is the person who made it."""

    key: str
    kind: Literal["address", "ip"]
    reason: str
    by: str
    created_at: datetime


class BlockList(BaseModel):
    """All blocks, the newest first."""

    items: list[BlockView]
    total: int


COLUMNS = (
    Column[BlockView](N_("Blocked"), lambda block: block.key, look="address", sort="blocked"),
    Column[BlockView](N_("Kind"), lambda block: block.kind, sort="kind"),
    Column[BlockView](N_("Reason"), lambda block: block.reason),
    Column[BlockView](N_("By"), lambda block: block.by, sort="by"),
    Column[BlockView](N_("Since"), lambda block: block.created_at, sort="-since", look="nowrap"),
)


class BlocksHandler(Handler):
    """/blocks, /api/blocks"""

    @requires(Permission.VIEW)
    @contract(BlockList, query=BlocksQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(BlocksQuery)
        typed = {"key": query.key, "kind": query.kind, "reason": ""}
        view = await self._all(query)
        await self.show_list("blocks.html", view, view.items, COLUMNS, filter=query, typed=typed)

    @requires(Permission.CONFIGURE)
    @contract(BlockView, body=BlockBody, status=201)
    async def post(self) -> None:
        assert self.user is not None, "a permission needs a person"
        try:
            body = self.parse_body(BlockBody)
            block = Block(body.key, body.kind, body.reason, self.user.name, utc_now())
            added = await self.parts.blocking.add(block)
        except (InvalidValue, Conflict) as error:
            query = ListQuery()
            shown = None if self.wants_json else await self._all(query)
            self.refuse_form(
                "blocks.html", error, view=shown, filter=query, the_table=usual_table(COLUMNS)
            )
            return
        notice = self.language.say("%(key)s is blocked.", key=added.key)
        self.done(_view(added), "/blocks", notice, status=201)

    async def _all(self, query: ListQuery) -> BlockList:
        blocks = [_view(block) for block in await self.parts.database.blocks.all()]
        text = (query.text or "").casefold()
        found = [
            each for each in blocks if text in f"{each.key} {each.reason} {each.by}".casefold()
        ]
        found = [*sorted_rows(found, COLUMNS, query.sort, self.language)]
        skip, limit = self.span(query)
        return BlockList(items=found[skip : skip + limit], total=len(found))


class OneBlockHandler(Handler):
    """/blocks/KEY, /api/blocks/KEY"""

    @requires(Permission.CONFIGURE)
    @contract(Nothing)
    async def delete(self, key: str) -> None:
        await self.parts.blocking.remove(key)
        notice = self.language.say("%(key)s may dial in again.", key=key)
        self.done(Nothing(), "/blocks", notice)


def _view(block: Block) -> BlockView:
    return BlockView(
        key=block.key,
        kind=block.kind,
        reason=block.reason,
        by=block.by,
        created_at=block.created_at,
    )
