"""People who may log in: who may what, who is kept out, and who needs a new password."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue, StationError
from station.handlers.access.identity import Forbidden, requires
from station.handlers.access.people import Permission
from station.handlers.access.roles import NAMES, in_order
from station.handlers.access.staff import OneTimePassword
from station.handlers.archive.place_views import part_of
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.store.objects.users import User

AREAS_MAX = 100  # Places of one person; who has more works everywhere.


class UserChange(BaseModel):
    """What may change of a person; `areas` are ids of places, none for everywhere."""

    role: str = Field(min_length=1, max_length=32)
    full_name: str = Field("", max_length=64)
    areas: tuple[str, ...] = Field((), max_length=AREAS_MAX)


class UserBody(UserChange):
    """A new person."""

    name: str = Field(min_length=1, max_length=32)


class UsersQuery(ListQuery):
    """Which people are asked for."""

    role: str | None = Field(None, max_length=32)


class UserView(BaseModel):
    """A person; `must_change_password` is set until the one-time password was changed."""

    name: str
    full_name: str
    role: str
    areas: list[str]
    is_disabled: bool
    must_change_password: bool
    has_totp: bool
    created_at: datetime
    last_login: datetime | None


class UserPage(UserView):
    """A person with what the role allows and the logins that stand."""

    permissions: list[str]
    logins: int
    tokens: int


class UserList(BaseModel):
    items: list[UserView]
    total: int


class PasswordView(BaseModel):
    """A password for one login, told this once; it has to be changed at that login."""

    name: str
    password: str
    good_until: datetime


COLUMNS = (
    Column[UserView](N_("User name"), lambda user: user.name, sort="name"),
    Column[UserView](N_("Full name"), lambda user: user.full_name, look="only-wide"),
    Column[UserView](N_("Role"), lambda user: user.role, sort="role"),
    Column[UserView](N_("Kept out"), lambda user: user.is_disabled, head=N_("State")),
    Column[UserView](N_("Login codes"), lambda user: user.has_totp, look="only-wide"),
    Column[UserView](
        N_("Last login"), lambda user: user.last_login, sort="-last_login", look="only-wide nowrap"
    ),
    Column[UserView](N_("Entered"), lambda user: user.created_at, more=True),
)


class UserHandler(Handler):
    """What the handlers of people share."""

    async def page_of(self, user: User) -> UserPage:
        """Return a person with what the role allows and the logins that stand."""
        duties = await self.tools.staff.duties()
        duty = duties.get(user.role)
        sessions = await self.parts.database.sessions.list(user.name)
        tokens = sum(session.kind == "token" for session in sessions)
        return UserPage(
            **user_view(user).model_dump(),
            permissions=[] if duty is None else in_order(duty.permissions),
            logins=len(sessions) - tokens,
            tokens=tokens,
        )

    async def form_context(self) -> dict[str, Any]:
        """Return what the forms of people choose from."""
        tree = part_of(await self.parts.archive.places(), self.areas)
        return {
            "roles": [*await self.tools.staff.duties()],
            "places": [(place.id, tree.path_text(place.id)) for _, place in tree.walk()],
            **NAMES,
        }

    def refuse(self, template: str, error: StationError, **context: object) -> None:
        """Show a form again with what was typed."""
        typed = self.typed() | {"areas": self.get_body_arguments("areas")}
        self.refuse_form(template, error, **context, typed=typed)

    def show_password(self, made: OneTimePassword, *, status: int = 200) -> None:
        """Tell a one-time password: this once, and no cache keeps it."""
        self.set_header("Cache-Control", "no-store")
        view = PasswordView(name=made.name, password=made.password, good_until=made.good_until)
        self.show("one_time_password.html", view, status=status)


class UsersHandler(UserHandler):
    """/users, /api/users"""

    @requires(Permission.ADMINISTER)
    @contract(UserList, query=UsersQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(UsersQuery)
        skip, limit = self.span(query)
        users, total = await self.parts.database.users.page(
            query.text, query.role, skip=skip, limit=limit, sort=query.sort
        )
        rows = [user_view(user) for user in users]
        view = UserList(items=rows, total=total)
        context = await self.form_context()
        await self.show_list("users.html", view, rows, COLUMNS, filter=query, **context)

    @requires(Permission.ADMINISTER)
    @contract(PasswordView, body=UserBody, status=201)
    async def post(self) -> None:
        try:
            body = self.parse_body(UserBody)
            made = await self.tools.staff.add(
                self.actor, body.name, body.role, full_name=body.full_name, areas=body.areas
            )
        except (InvalidValue, Conflict, Forbidden) as error:
            await self._refuse(error)
            return
        assert made is not None, "a person added from here gets a one-time password"
        self.record(object=f"/users/{made.name}")
        self.show_password(made, status=201)

    async def _refuse(self, error: StationError) -> None:
        context = {} if self.wants_json else await self.form_context()
        self.refuse("user_form.html", error, **context)


class NewUserHandler(UserHandler):
    """/users/new"""

    @requires(Permission.ADMINISTER)
    @contract(None)
    async def get(self) -> None:
        typed = {"name": "", "full_name": "", "role": "reader", "areas": []}
        self.finish_page("user_form.html", typed=typed, **await self.form_context())


class OneUserHandler(UserHandler):
    """/users/NAME, /api/users/NAME"""

    @requires(Permission.ADMINISTER)
    @contract(UserPage)
    async def get(self, name: str) -> None:
        view = await self.page_of(await self.parts.database.users.get(name))
        self.show("user.html", view, typed=view.model_dump(), **await self.form_context())

    @requires(Permission.ADMINISTER)
    @contract(UserPage, body=UserChange)
    async def post(self, name: str) -> None:
        await self.put(name)

    @requires(Permission.ADMINISTER)
    @contract(UserPage, body=UserChange)
    async def put(self, name: str) -> None:
        before = await self.parts.database.users.get(name)
        try:
            body = self.parse_body(UserChange)
            user = await self.tools.staff.change(
                self.actor, name, body.role, full_name=body.full_name, areas=body.areas
            )
        except (InvalidValue, Conflict, Forbidden) as error:
            if self.wants_json:
                raise
            view = await self.page_of(before)
            self.refuse("user.html", error, view=view, **await self.form_context())
            return
        self.record(before=user_view(before), after=user_view(user))
        notice = self.language.say("%(name)s is saved.", name=name)
        self.done(await self.page_of(user), f"/users/{name}", notice)


class DisableUserHandler(UserHandler):
    """/users/NAME/disable, /api/users/NAME/disable: ends every login"""

    @requires(Permission.ADMINISTER)
    @contract(UserView)
    async def post(self, name: str) -> None:
        user = await self.tools.staff.set_disabled(self.actor, name, is_disabled=True)
        notice = self.language.say("%(name)s is kept out from now on.", name=name)
        self.done(user_view(user), f"/users/{name}", notice)


class EnableUserHandler(UserHandler):
    """/users/NAME/enable, /api/users/NAME/enable"""

    @requires(Permission.ADMINISTER)
    @contract(UserView)
    async def post(self, name: str) -> None:
        user = await self.tools.staff.set_disabled(self.actor, name, is_disabled=False)
        notice = self.language.say("%(name)s may log in again.", name=name)
        self.done(user_view(user), f"/users/{name}", notice)


class ResetPasswordHandler(UserHandler):
    """/users/NAME/reset, /api/users/NAME/reset: a password for one login; ends every login"""

    @requires(Permission.ADMINISTER)
    @contract(PasswordView)
    async def post(self, name: str) -> None:
        self.show_password(await self.tools.staff.reset_password(self.actor, name))


class UserTotpHandler(UserHandler):
    """/users/NAME/totp, /api/users/NAME/totp"""

    @requires(Permission.ADMINISTER)
    @contract(Nothing)
    async def delete(self, name: str) -> None:
        await self.tools.staff.stop_totp(self.actor, name)
        notice = self.language.say("%(name)s is asked for no login codes any more.", name=name)
        self.done(Nothing(), f"/users/{name}", notice)


def user_view(user: User) -> UserView:
    """Return a person as pages and programs see one."""
    return UserView(
        name=user.name,
        full_name=user.full_name,
        role=user.role,
        areas=[*user.areas],
        is_disabled=user.is_disabled,
        must_change_password=user.one_time_until is not None,
        has_totp=user.has_totp,
        created_at=user.created_at,
        last_login=user.last_login,
    )
