"""The keep-power list: who is never cut off from here, why, and until when?"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from station.collector.keep_power import REASON_SIZE_MAX, Device
from station.errors import Conflict, InvalidValue, NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.areas import check_device
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.control.control_views import (
    PROTECTION_COLUMNS,
    PROTECTION_STATE_NAMES,
    ProtectionList,
    ProtectionView,
    protection_view,
)
from station.handlers.control.parameter_views import KIND_NAMES
from station.store.objects.commands import DeviceKind
from station.store.objects.protections import Protection, ProtectionState
from station.units import from_local, utc_now

YEARS = (2000, 2199)  # Of an end: what lies outside is mistyped.


def _given(value: object) -> object:
    """Return None for the empty field of a form."""
    return None if value == "" else value


class ProtectionBody(BaseModel):
    """A device to protect, and why. Without `until` it is until somebody lifts it; a moment without
    an offset is the site's."""

    kind: DeviceKind = "meter"
    device: str = Field(min_length=1, max_length=32)
    reason: str = Field("", max_length=REASON_SIZE_MAX)
    until: Annotated[datetime | None, BeforeValidator(_given)] = None


class LiftBody(BaseModel):
    """Why a device is protected no longer."""

    reason: str = Field("", max_length=REASON_SIZE_MAX)


class ProtectionsQuery(ListQuery):
    """Which entries to show; `device` and `kind` are what the form begins with."""

    state: ProtectionState | None = None
    device: str = Field("", max_length=32)
    kind: DeviceKind = "meter"


class ProtectionHandler(Handler):
    """What the handlers of the keep-power list share."""

    async def views_of(self, entries: Sequence[Protection]) -> list[ProtectionView]:
        """Return entries with the names of their devices."""
        addresses, stores = [entry.address for entry in entries], self.parts.database
        devices: list[Device] = [
            *await stores.meters.many(addresses),
            *await stores.terminals.many(addresses),
        ]
        names = {device.address: device.name for device in devices}
        now = utc_now()
        return [protection_view(each, names.get(each.address, ""), now) for each in entries]


class ProtectionsHandler(ProtectionHandler):
    """/protected, /api/protected"""

    @requires(Permission.VIEW)
    @contract(ProtectionList, query=ProtectionsQuery, table=PROTECTION_COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ProtectionsQuery)
        await self._show(query, {"device": query.device, "kind": query.kind}, {}, 200)

    @requires(Permission.CONTROL)
    @contract(ProtectionView, body=ProtectionBody, status=201)
    async def post(self) -> None:
        assert self.user is not None, "a permission needs a person"
        try:
            body = self.parse_body(ProtectionBody)
            await check_device(self.parts, self.areas, body.device)
            until = body.until
            if until is not None and not YEARS[0] <= until.year <= YEARS[1]:
                raise InvalidValue("until", f"{until.year} is not in {YEARS[0]}..{YEARS[1]}")
            if until is not None and until.tzinfo is None:
                until = from_local(until, self.parts.config.site.zone_info)
            entry = await self.parts.keep_power.protect(
                body.kind, body.device, body.reason, until, self.user.name
            )
        except (InvalidValue, Conflict, NotFound) as error:
            if self.wants_json:
                raise
            field = "device" if isinstance(error, NotFound) else ""
            problems = self.problems_of(error)
            shown = {field: problems[""]} if field else problems
            self.note_error(error)
            await self._show(ProtectionsQuery(), self.typed(), shown, 400)
            return
        view = (await self.views_of([entry]))[0]
        self.record(after=view)
        notice = self.language.say("%(device)s is protected.", device=entry.address)
        self.done(view, "/protected", notice, status=201)

    async def _show(
        self, query: ProtectionsQuery, typed: dict[str, object], errors: dict[str, str], status: int
    ) -> None:
        skip, limit = self.span(query)
        sight = await self.sight()
        entries, total = await self.parts.database.protections.list(
            query.text,
            query.state,
            skip=skip,
            limit=limit,
            now=utc_now(),
            among=None if sight is None else sight.devices,
        )
        items = await self.views_of(entries)
        await self.show_list(
            "protected.html",
            ProtectionList(items=items, total=total),
            items,
            PROTECTION_COLUMNS,
            filter=query,
            typed={"kind": "meter", "device": "", "reason": "", "until": "", **typed},
            errors=errors,
            status=status,
            protection_state_names=PROTECTION_STATE_NAMES,
            device_kinds=KIND_NAMES,
        )


class LiftProtectionHandler(ProtectionHandler):
    """/protected/ID/lift, /api/protected/ID/lift"""

    @requires(Permission.APPROVE_CONTROL)
    @contract(ProtectionView, body=LiftBody)
    async def post(self, entry_id: str) -> None:
        assert self.user is not None, "a permission needs a person"
        body = self.parse_body(LiftBody)
        standing = await self.parts.database.protections.get(entry_id)
        await check_device(self.parts, self.areas, standing.address)
        entry = await self.parts.keep_power.lift(entry_id, body.reason, self.user.name)
        before, after = await self.views_of([standing, entry])
        self.record(object="/protected", before=before, after=after)
        notice = self.language.say("%(device)s is no longer protected.", device=entry.address)
        self.done(after, "/protected", notice)
