"""API tokens: with what does a program of mine work here, and for how long?"""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.access.roles import NAMES, in_order
from station.handlers.access.sessions import COLUMNS, SessionHandler, SessionList
from station.handlers.access.token_rules import DAYS, DAYS_MAX, LABEL_SIZE_MAX, new_api_token
from station.handlers.base import TableQuery
from station.handlers.contract import contract
from station.handlers.tables import sorted_rows, usual_table

LASTINGS = (7, 30, 90, 180, 366)  # Days that the form offers.


class TokenBody(BaseModel):
    """A new token: what it is for, what it may, and for how many days."""

    label: str = Field(min_length=1, max_length=LABEL_SIZE_MAX)
    permissions: tuple[str, ...] = Field((), max_length=50)
    days: int = Field(DAYS, ge=1, le=DAYS_MAX)


class NewTokenView(BaseModel):
    """A new token, told this once."""

    id: str
    token: str
    label: str
    permissions: list[str]
    expires_at: datetime


class TokensHandler(SessionHandler):
    """/tokens, /api/tokens: the own ones"""

    serves_tokens = False

    @requires(Permission.VIEW)
    @contract(SessionList, query=TableQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(TableQuery)
        view = await self._own()
        view.items = [*sorted_rows(view.items, COLUMNS, query.sort, self.language)]
        typed = {"label": "", "permissions": [Permission.VIEW.value], "days": DAYS}
        await self.show_list(
            "tokens.html",
            view,
            view.items,
            COLUMNS,
            filter=query,
            typed=typed,
            made=None,
            **self._choices(),
        )

    @requires(Permission.VIEW)
    @contract(NewTokenView, body=TokenBody, status=201)
    async def post(self) -> None:
        assert self.user is not None, "a permission needs a person"
        try:
            body = self.parse_body(TokenBody)
            made = await new_api_token(
                self.parts.database,
                self.user,
                label=body.label,
                permissions=body.permissions,
                lasts=timedelta(days=body.days),
                address=self.request.remote_ip or "",
            )
        except (InvalidValue, Conflict) as error:
            await self._refuse(error)
            return
        session = made.session
        self.record(object=f"/sessions/{session.id}")
        self.set_header("Cache-Control", "no-store")
        view = NewTokenView(
            id=session.id,
            token=made.token,
            label=session.label,
            permissions=[*(session.scope or ())],
            expires_at=session.expires_at,
        )
        if self.wants_json:
            self.show("", view, status=201)
            return
        typed = {"label": "", "permissions": [Permission.VIEW.value], "days": DAYS}
        own = await self._own()
        self.show(
            "tokens.html", own, status=201, the_table=usual_table(COLUMNS),
            typed=typed, made=view, **self._choices(),
        )  # fmt: skip

    async def _own(self) -> SessionList:
        assert self.user is not None, "a permission needs a person"
        sessions = await self.parts.database.sessions.list(self.user.name, kind="token")
        items = [self.view_of(session) for session in sessions]
        return SessionList(items=items, total=len(items))

    async def _refuse(self, error: StationError) -> None:
        typed = self.typed() | {"permissions": self.get_body_arguments("permissions")}
        own = None if self.wants_json else await self._own()
        self.refuse_form(
            "tokens.html",
            error,
            the_table=usual_table(COLUMNS),
            view=own,
            typed=typed,
            made=None,
            **self._choices(),
        )

    def _choices(self) -> dict[str, Any]:
        return {"offered": in_order(self.permissions), "lastings": LASTINGS, **NAMES}
