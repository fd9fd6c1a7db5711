"""Channels: links that the station opens itself, to a serial port or a serial server."""

from dataclasses import replace
from datetime import datetime

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.place_views import person_of
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.communication.link_views import LinkView, link_of
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.store.objects.channels import GAPS_MS, REOPENS_AFTER, RETRIES_S, WAITS_MS, Channel
from station.units import utc_now


class ChannelChange(BaseModel):
    """What may change of a channel; waits, gaps and tries change while it stays open."""

    url: str = Field(min_length=1, max_length=200)
    line: str = Field("2400 8E1", min_length=1, max_length=20)
    enabled: bool = True
    wait_ms: int = Field(0, ge=WAITS_MS[0], le=WAITS_MS[1])
    gap_ms: int = Field(20, ge=GAPS_MS[0], le=GAPS_MS[1])
    reopen_after: int = Field(0, ge=REOPENS_AFTER[0], le=REOPENS_AFTER[1])
    retry_max_s: int = Field(60, ge=RETRIES_S[0], le=RETRIES_S[1])


class ChannelBody(ChannelChange):
    """What is entered of a channel."""

    name: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,31}$",
        description=N_("a letter, then letters, digits, dots or dashes, 32 at most"),
    )


class ChannelView(BaseModel):
    """A channel and its link."""

    name: str
    url: str
    line: str
    enabled: bool
    wait_ms: int
    gap_ms: int
    reopen_after: int
    retry_max_s: int
    created_at: datetime
    link: LinkView


class ChannelList(BaseModel):
    items: list[ChannelView]
    total: int


COLUMNS = (
    Column[ChannelView](N_("Name"), lambda channel: channel.name),
    Column[ChannelView](N_("Device or URL"), lambda channel: channel.url),
    Column[ChannelView](N_("Line"), lambda channel: channel.line),
    Column[ChannelView](N_("State"), lambda channel: channel.link.state),
    Column[ChannelView](N_("Reason"), lambda channel: channel.link.reason),
)


class ChannelHandler(Handler):
    """What the handlers of channels share."""

    async def view_of(self, channel: Channel) -> ChannelView:
        """Return a channel with its link."""
        return ChannelView(
            name=channel.name,
            url=channel.url,
            line=channel.line,
            enabled=channel.enabled,
            wait_ms=channel.wait_ms,
            gap_ms=channel.gap_ms,
            reopen_after=channel.reopen_after,
            retry_max_s=channel.retry_max_s,
            created_at=channel.created_at,
            link=await link_of(self.parts, channel),
        )


class ChannelsHandler(ChannelHandler):
    """/channels, /api/channels; the page of the links shows them to people"""

    @requires(Permission.VIEW)
    @contract(ChannelList, query=ListQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ListQuery)
        if not (self.wants_json or self.is_download):
            self.redirect("/links?kind=channel", status=303)
            return
        skip, limit = self.span(query)
        channels, total = await self.parts.database.channels.list(query.text, skip, limit)
        items = [await self.view_of(channel) for channel in channels]
        await self.show_list("", ChannelList(items=items, total=total), items, COLUMNS)

    @requires(Permission.CONFIGURE)
    @contract(ChannelView, body=ChannelBody, status=201)
    async def post(self) -> None:
        try:
            body = self.parse_body(ChannelBody)
            channel = Channel(**body.model_dump(), created_at=utc_now())
            await self.parts.archive.add_channel(channel, by=person_of(self))
        except (InvalidValue, Conflict) as error:
            self.refuse_form("channel_form.html", error, channel=None)
            return
        notice = self.language.say("Channel %(name)s is saved.", name=channel.name)
        self.done(await self.view_of(channel), f"/channels/{channel.name}", notice, status=201)


class NewChannelHandler(Handler):
    """/channels/new"""

    @requires(Permission.CONFIGURE)
    @contract(None)
    async def get(self) -> None:
        fields = ChannelChange.model_fields.items()
        usual = {name: "" if field.is_required() else field.default for name, field in fields}
        typed = {"name": "", **usual}
        self.finish_page("channel_form.html", typed=typed, channel=None)


class OneChannelHandler(ChannelHandler):
    """/channels/NAME, /api/channels/NAME"""

    @requires(Permission.VIEW)
    @contract(ChannelView)
    async def get(self, name: str) -> None:
        channel = await self.parts.database.channels.get(name)
        meters = [] if self.wants_json else await self.parts.database.meters.on_link(name)
        self.show("channel.html", await self.view_of(channel), meters=meters)

    @requires(Permission.CONFIGURE)
    @contract(ChannelView, body=ChannelChange)
    async def post(self, name: str) -> None:
        await self.put(name)

    @requires(Permission.CONFIGURE)
    @contract(ChannelView, body=ChannelChange)
    async def put(self, name: str) -> None:
        before = await self.parts.database.channels.get(name)
        try:
            channel = replace(before, **self.parse_body(ChannelChange).model_dump())
            await self.parts.archive.save_channel(channel, by=person_of(self))
        except (InvalidValue, Conflict) as error:
            self.refuse_form("channel_form.html", error, channel=before)
            return
        self.record(before=before, after=channel)
        notice = self.language.say("Channel %(name)s is saved.", name=name)
        self.done(await self.view_of(channel), f"/channels/{name}", notice)

    @requires(Permission.CONFIGURE)
    @contract(Nothing)
    async def delete(self, name: str) -> None:
        await self.parts.archive.remove_channel(name, by=person_of(self))
        notice = self.language.say("Channel %(name)s is removed.", name=name)
        self.done(Nothing(), "/links", notice)


class EditChannelHandler(Handler):
    """/channels/NAME/edit"""

    @requires(Permission.CONFIGURE)
    @contract(None)
    async def get(self, name: str) -> None:
        channel = await self.parts.database.channels.get(name)
        typed = {field: getattr(channel, field) for field in ChannelBody.model_fields}
        self.finish_page("channel_form.html", typed=typed, channel=channel)
