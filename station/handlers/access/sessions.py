"""Logins that stand: where is somebody logged in, with a browser or as a program, and end it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from station.handlers.access.identity import Forbidden, requires
from station.handlers.access.people import Permission
from station.handlers.access.roles import NAMES
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows
from station.store.objects.sessions import Session

KIND_NAMES = {"browser": N_("browser"), "token": N_("program")}


class SessionsQuery(ListQuery):
    """Whose logins are asked for: the own ones unless a person or everybody is named."""

    user: str | None = Field(None, max_length=32)
    everybody: bool = False
    kind: Literal["browser", "token"] | None = None


class SessionView(BaseModel):
    """A login; `permissions` are those that a program's token is limited to."""

    id: str
    user: str
    kind: str
    label: str
    permissions: list[str] | None
    address: str
    agent: str
    created_at: datetime
    last_seen: datetime
    expires_at: datetime
    is_this: bool


class SessionList(BaseModel):
    items: list[SessionView]
    total: int


class EndedView(BaseModel):
    """How many logins were ended."""

    ended: int


COLUMNS = (
    Column[SessionView](N_("Person"), lambda each: each.user, sort="person"),
    Column[SessionView](N_("Kind"), lambda each: each.kind, within="what"),
    Column[SessionView](N_("What for"), lambda each: each.label, key="what", head=N_("What")),
    Column[SessionView](N_("From"), lambda each: each.address, look="only-wide address small"),
    Column[SessionView](N_("Browser"), lambda each: each.agent, within="what"),
    Column[SessionView](
        N_("Begun"), lambda each: each.created_at, sort="-begun", look="only-wide nowrap"
    ),
    Column[SessionView](
        N_("Last seen"), lambda each: each.last_seen, sort="-last_seen", look="nowrap"
    ),
    Column[SessionView](
        N_("Ends"), lambda each: each.expires_at, sort="ends", look="only-wide nowrap"
    ),
)


class SessionHandler(Handler):
    """What the handlers of logins share."""

    def view_of(self, session: Session) -> SessionView:
        """Return a login as pages show it: nothing of its token."""
        return SessionView(
            id=session.id,
            user=session.user,
            kind=session.kind,
            label=session.label,
            permissions=None if session.scope is None else [*session.scope],
            address=session.address,
            agent=session.agent,
            created_at=session.created_at,
            last_seen=session.last_seen,
            expires_at=session.expires_at,
            is_this=self.session is not None and session.id == self.session.id,
        )

    def check_whose(self, name: str | None) -> None:
        """Raise Forbidden unless these are the own logins, or an administrator asks."""
        own = self.user is not None and name == self.user.name
        if not own and not self.can(Permission.ADMINISTER):
            raise Forbidden(self.language.say("these are another person's logins"))


class SessionsHandler(SessionHandler):
    """/sessions, /api/sessions"""

    @requires(Permission.VIEW)
    @contract(SessionList, query=SessionsQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(SessionsQuery)
        assert self.user is not None, "a permission needs a person"
        whose = None if query.everybody else query.user or self.user.name
        self.check_whose(whose)
        text = (query.text or "").casefold()
        found = [
            self.view_of(session)
            for session in await self.parts.database.sessions.list(whose, query.kind)
            if text in f"{session.user} {session.label} {session.address}".casefold()
        ]
        found = [*sorted_rows(found, COLUMNS, query.sort, self.language)]
        skip, limit = self.span(query)
        rows = found[skip : skip + limit]
        view = SessionList(items=rows, total=len(found))
        await self.show_list(
            "sessions.html",
            view,
            rows,
            COLUMNS,
            filter=query,
            whose=whose,
            session_kinds=KIND_NAMES,
            **NAMES,
        )


class OneSessionHandler(SessionHandler):
    """/sessions/ID, /api/sessions/ID"""

    serves_tokens = False

    @requires(Permission.VIEW)
    @contract(Nothing)
    async def delete(self, session_id: str) -> None:
        session = await self.parts.database.sessions.named(session_id)
        self.check_whose(session.user)
        assert self.user is not None, "a permission needs a person"
        is_own = session.user == self.user.name
        if not is_own:
            await self.tools.staff.manageable(self.actor, session.user)
        await self.parts.database.sessions.remove(session.token_hash)
        self.record(before=self.view_of(session))
        location = "/sessions" if is_own else f"/sessions?user={session.user}"
        self.done(Nothing(), location, self.language.say("The login is ended."))


class EndSessionsHandler(SessionHandler):
    """/sessions/end, /api/sessions/end: ends every other login of one's own with a browser"""

    serves_tokens = False

    @requires(Permission.VIEW)
    @contract(EndedView)
    async def post(self) -> None:
        assert self.user is not None, "a permission needs a person"
        assert self.session is not None, "a permission needs a session"
        ended = await self.parts.database.sessions.remove_of_user(
            self.user.name, kind="browser", but=self.session.token_hash
        )
        notice = self.language.say("Every other login of yours is ended.")
        self.done(EndedView(ended=ended), "/sessions", notice)


class UserSessionsHandler(SessionHandler):
    """/users/NAME/sessions, /api/users/NAME/sessions: ends every login and token of a person"""

    @requires(Permission.ADMINISTER)
    @contract(EndedView)
    async def delete(self, name: str) -> None:
        user = await self.tools.staff.manageable(self.actor, name)
        ended = await self.parts.database.sessions.remove_of_user(user.name)
        notice = self.language.say("Every login of %(name)s is ended.", name=name)
        self.done(EndedView(ended=ended), f"/users/{name}", notice)
