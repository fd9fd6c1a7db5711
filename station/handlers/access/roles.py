"""Roles: what may the people of each role do? The five built-in ones can be changed, one cannot."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue, StationError
from station.handlers.access.identity import Forbidden, requires
from station.handlers.access.people import Permission
from station.handlers.access.staff import Duty
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_

PERMISSION_NAMES: dict[Permission, str] = {
    Permission.VIEW: N_("look"),
    Permission.COLLECT: N_("collect"),
    Permission.SELL: N_("sell"),
    Permission.APPROVE: N_("approve"),
    Permission.CONFIGURE: N_("configure"),
    Permission.CONTROL: N_("control"),
    Permission.APPROVE_CONTROL: N_("approve control"),
    Permission.AUDIT: N_("audit"),
    Permission.ADMINISTER: N_("administer"),
}
PERMISSION_HELP: dict[Permission, str] = {
    Permission.VIEW: N_("See every page. Each role may."),
    Permission.COLLECT: N_("Read meters, run tasks, fill holes."),
    Permission.SELL: N_("Open accounts, sell, keep a drawer."),
    Permission.APPROVE: N_("Agree as the second person, and to tariffs."),
    Permission.CONFIGURE: N_("Change terminals, channels, meters, tasks and tariffs."),
    Permission.CONTROL: N_("Order to trip, to close, to keep power; protect devices."),
    Permission.APPROVE_CONTROL: N_("Agree to such orders of others, and end a protection."),
    Permission.AUDIT: N_("Read who did what."),
    Permission.ADMINISTER: N_("Manage people, roles and limits."),
}


class RoleChange(BaseModel):
    """What a role may do, by the names of the permissions."""

    permissions: tuple[str, ...] = Field((), max_length=50)
    note: str = Field("", max_length=200)


class RoleBody(RoleChange):
    """A new role."""

    name: str = Field(min_length=1, max_length=32)


class RoleView(BaseModel):
    """A role; `people` is how many have it."""

    name: str
    permissions: list[str]
    note: str
    people: int
    is_builtin: bool
    is_fixed: bool
    changed_by: str | None
    changed_at: datetime | None


class RoleList(BaseModel):
    items: list[RoleView]
    total: int


COLUMNS = (
    Column[RoleView](N_("Role"), lambda role: role.name),
    Column[RoleView](N_("May"), lambda role: " ".join(role.permissions)),
    Column[RoleView](N_("People"), lambda role: role.people),
    Column[RoleView](N_("Note"), lambda role: role.note),
    Column[RoleView](N_("Changed by"), lambda role: role.changed_by),
    Column[RoleView](N_("Changed"), lambda role: role.changed_at),
)


class RoleHandler(Handler):
    """What the handlers of roles share."""

    async def view_of(self, duty: Duty) -> RoleView:
        """Return a role with the number of its people."""
        changed = duty.changed
        return RoleView(
            name=duty.name,
            permissions=in_order(duty.permissions),
            note="" if changed is None else changed.note,
            people=await self.parts.database.users.count_of_role(duty.name),
            is_builtin=duty.is_builtin,
            is_fixed=duty.is_fixed,
            changed_by=None if changed is None else changed.changed_by,
            changed_at=None if changed is None else changed.changed_at,
        )

    def refuse(self, error: StationError, view: RoleView | None) -> None:
        """Show the form again with what was typed."""
        typed = self.typed() | {"permissions": self.get_body_arguments("permissions")}
        self.refuse_form("role_form.html", error, view=view, typed=typed, **NAMES)


class RolesHandler(RoleHandler):
    """/roles, /api/roles"""

    @requires(Permission.ADMINISTER)
    @contract(RoleList, query=ListQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ListQuery)
        text = (query.text or "").casefold()
        duties = await self.tools.staff.duties()
        views = [
            await self.view_of(duty) for duty in duties.values() if text in duty.name.casefold()
        ]
        skip, limit = self.span(query)
        rows = views[skip : skip + limit]
        view = RoleList(items=rows, total=len(views))
        await self.show_list("roles.html", view, rows, COLUMNS, fixed=True, filter=query, **NAMES)

    @requires(Permission.ADMINISTER)
    @contract(RoleView, body=RoleBody, status=201)
    async def post(self) -> None:
        try:
            body = self.parse_body(RoleBody)
            duty = await self.tools.staff.put_role(
                self.actor, body.name, checked_permissions(body.permissions), body.note, is_new=True
            )
        except (InvalidValue, Conflict, Forbidden) as error:
            self.refuse(error, None)
            return
        self.record(object=f"/roles/{duty.name}")
        notice = self.language.say("Role %(name)s is saved.", name=duty.name)
        self.done(await self.view_of(duty), "/roles", notice, status=201)


class NewRoleHandler(RoleHandler):
    """/roles/new"""

    @requires(Permission.ADMINISTER)
    @contract(None)
    async def get(self) -> None:
        typed = {"name": "", "note": "", "permissions": [Permission.VIEW.value]}
        self.finish_page("role_form.html", view=None, typed=typed, **NAMES)


class OneRoleHandler(RoleHandler):
    """/roles/NAME, /api/roles/NAME"""

    @requires(Permission.ADMINISTER)
    @contract(RoleView)
    async def get(self, name: str) -> None:
        view = await self.view_of(await self.tools.staff.duty(name))
        self.show("role_form.html", view, typed=view.model_dump(), **NAMES)

    @requires(Permission.ADMINISTER)
    @contract(RoleView, body=RoleChange)
    async def post(self, name: str) -> None:
        await self.put(name)

    @requires(Permission.ADMINISTER)
    @contract(RoleView, body=RoleChange)
    async def put(self, name: str) -> None:
        before = await self.view_of(await self.tools.staff.duty(name))
        try:
            body = self.parse_body(RoleChange)
            duty = await self.tools.staff.put_role(
                self.actor, name, checked_permissions(body.permissions), body.note, is_new=False
            )
        except (InvalidValue, Conflict, Forbidden) as error:
            self.refuse(error, before)
            return
        after = await self.view_of(duty)
        self.record(before=before, after=after)
        self.done(after, "/roles", self.language.say("Role %(name)s is saved.", name=name))

    @requires(Permission.ADMINISTER)
    @contract(Nothing | RoleView)
    async def delete(self, name: str) -> None:
        before = await self.view_of(await self.tools.staff.duty(name))
        duty = await self.tools.staff.remove_role(self.actor, name)
        self.record(before=before, after=None if duty is None else await self.view_of(duty))
        if duty is None:
            notice = self.language.say("Role %(name)s is removed.", name=name)
            self.done(Nothing(), "/roles", notice)
        else:
            notice = self.language.say("Role %(name)s is as it was at first.", name=name)
            self.done(await self.view_of(duty), "/roles", notice)


def in_order(permissions: frozenset[Permission]) -> list[str]:
    """Return the names of permissions, the harmless ones first."""
    return [each.value for each in Permission if each in permissions]


def checked_permissions(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of permissions as they are. Raises InvalidValue for one that does not exist."""
    known = {each.value for each in Permission}
    for name in names:
        if name not in known:
            raise InvalidValue("permissions", f"there is no permission {name}")
    return names


NAMES: dict[str, Any] = {
    "permission_names": {each.value: name for each, name in PERMISSION_NAMES.items()},
    "permission_help": {each.value: text for each, text in PERMISSION_HELP.items()},
}
