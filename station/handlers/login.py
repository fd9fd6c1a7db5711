"""Logging in and out."""

from pydantic import BaseModel, Field

from station.handlers.base import Handler, Nothing, local_path
from station.handlers.gate import TooManyAttempts
from station.handlers.identity import SESSION_COOKIE, LoginNeeded, requires
from station.handlers.people import (
    PASSWORD_SIZE_MAX,
    Permission,
)
from station.units import utc_now


class LoginBody(BaseModel):
    """A name and a password; `next` is the page that was asked for."""

    username: str = Field(min_length=1, max_length=100)
    password: str = Field(min_length=1, max_length=PASSWORD_SIZE_MAX)
    next: str = "/"


class LoginForm(BaseModel):
    """What the page of the login shows."""

    next: str = "/"
    username: str = ""
    message: str | None = None


class TokenView(BaseModel):
    """The token of a new session, for `Authorization: Bearer`."""

    token: str


class LoginHandler(Handler):
    """/login, /api/login"""

    open_to_all = True

    @property
    def needs_xsrf(self) -> bool:
        # Another site cannot send JSON without asking first, and no session is at stake yet.
        return not self.is_json_body

    async def get(self) -> None:
        target = local_path(self.get_query_argument("next", "/"))
        if self.user is not None:
            self.redirect(target, status=303)
            return
        self.show("login.html", LoginForm(next=target))

    async def post(self) -> None:
        body: LoginBody | None = None
        try:
            body = self.parse_body(LoginBody)
            token = await self._log_in(body)
        except (LoginNeeded, TooManyAttempts) as error:
            if self.wants_json or body is None:
                raise
            self._refuse(body, error)
            return
        self.set_session_cookie(token)
        if self.wants_json:
            self.show("", TokenView(token=token))
        else:
            self.redirect(local_path(body.next), status=303)

    async def _log_in(self, body: LoginBody) -> str:
        database = self.parts.database
        user = await database.users.find(body.username)
        if user is not None:
            self.record(object=f"/users/{user.name}")
        right = await self.tools.gate.check(
            body.username,
            self.request.remote_ip or "",
            user.password_hash if user is not None else None,
            body.password,
        )
        if user is None or user.is_disabled or not right:
            raise LoginNeeded(self.language.say("the name or the password is not right"))
        if user.one_time_until is not None and user.one_time_until <= utc_now():
            raise LoginNeeded(
                self.language.say("this one-time password has run out: ask for a new one")
            )
        await self.begin_act(user.name)
        return await self.open_session(user)

    def _refuse(self, body: LoginBody, error: LoginNeeded | TooManyAttempts) -> None:
        form = LoginForm(
            next=local_path(body.next),
            username=body.username,
            message=self.language.sentence(str(error)),
        )
        self.show("login.html", form, status=401 if isinstance(error, LoginNeeded) else 429)


class LogoutHandler(Handler):
    """/logout, /api/logout"""

    serves_newcomers = True

    @requires(Permission.VIEW)
    async def post(self) -> None:
        assert self.session is not None, "a permission needs a session"
        await self.parts.database.sessions.remove(self.session.token_hash)
        self.clear_cookie(SESSION_COOKIE)
        self.done(Nothing(), "/login")
