"""Logging in and out: name and password, then a code for those who have codes.

Between the two steps the browser holds a signed note, good for some minutes, that the password was
right; it names the password by its hash, so that a changed one ends it.
"""

import json
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from station.handlers.access.gate import TooManyAttempts
from station.handlers.access.identity import SESSION_COOKIE, CodeNeeded, LoginNeeded, requires
from station.handlers.access.people import PASSWORD_SIZE_MAX, Permission, hash_token
from station.handlers.access.totp import CODE_SIZE_MAX
from station.handlers.base import Handler, Nothing, local_path
from station.handlers.contract import GUESSING, contract
from station.store.objects.users import User
from station.units import utc_now

ENTERING_COOKIE = "entering"
ENTERING_DAYS = 5 / 1440  # Time to find the telephone.


class NextQuery(BaseModel):
    """The page that was asked for."""

    next: str = "/"


class LoginBody(BaseModel):
    """A name and a password; `next` is the page that was asked for, `code` the telephone's."""

    username: str = Field(min_length=1, max_length=100)
    password: str = Field(min_length=1, max_length=PASSWORD_SIZE_MAX)
    code: str = Field("", max_length=CODE_SIZE_MAX)
    next: str = "/"


class CodeBody(BaseModel):
    """The code of the second step."""

    code: str = Field(min_length=1, max_length=CODE_SIZE_MAX)
    next: str = "/"


class LoginForm(BaseModel):
    """What the page of the login shows."""

    next: str = "/"
    username: str = ""
    message: str | None = None
    wants_code: bool = False


class TokenView(BaseModel):
    """The token of a new session, for `Authorization: Bearer`."""

    token: str


class EnteringHandler(Handler):
    """What the two steps of a login share."""

    open_to_all = True

    @property
    def needs_xsrf(self) -> bool:
        # Another site cannot send JSON without asking first, and no session is at stake yet.
        return not self.is_json_body

    async def enter(self, user: User, target: str, *, failed: int = 0) -> None:
        """Open a session, go on to the page that was asked for, and tell of wrong passwords."""
        await self.begin_act(user.name)
        token = await self.open_session(user)
        self.set_session_cookie(token)
        self.clear_cookie(ENTERING_COOKIE)
        notice = None
        if failed:
            notice = self.language.say(
                "Wrong passwords for your name since the last login: %(number)s.", number=failed
            )
        self.done(TokenView(token=token), local_path(target), notice)

    async def check_code(self, user: User, code: str) -> None:
        """Raise LoginNeeded unless the code is right, TooManyAttempts while to wait."""
        self.record(object=f"/users/{user.name}")
        if not await self.code_is_right(user, code):
            raise LoginNeeded(self.language.say("the code is not right, or was used already"))

    def refuse(self, form: LoginForm, error: LoginNeeded | TooManyAttempts) -> None:
        """Show the page again with what was wrong."""
        self.note_error(error)
        told = {"next": local_path(form.next), "message": self.language.sentence(str(error))}
        status = 401 if isinstance(error, LoginNeeded) else 429
        self.show("login.html", form.model_copy(update=told), status=status)


class LoginHandler(EnteringHandler):
    """/login, /api/login"""

    @contract(None, query=NextQuery)
    async def get(self) -> None:
        target = local_path(self.parse_query(NextQuery).next)
        if self.user is not None:
            self.redirect(target, status=303)
            return
        self.show("login.html", LoginForm(next=target))

    @contract(TokenView, body=LoginBody, fails=GUESSING)
    async def post(self) -> None:
        body: LoginBody | None = None
        try:
            body = self.parse_body(LoginBody)
            failed = await self.tools.gate.failed(body.username)
            user = await self._by_password(body)
            if user.has_totp and not body.code:
                self._ask_for_code(user, body)
                return
            if user.has_totp:
                await self.check_code(user, body.code)
        except (LoginNeeded, TooManyAttempts) as error:
            if self.wants_json or body is None:
                raise
            self.refuse(LoginForm(next=body.next, username=body.username), error)
            return
        await self.enter(user, body.next, failed=failed)

    async def _by_password(self, body: LoginBody) -> User:
        """Return the person whose name and password these are. Raises LoginNeeded."""
        user = await self.parts.database.users.find(body.username)
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
        return user

    def _ask_for_code(self, user: User, body: LoginBody) -> None:
        """Let the browser go on to the second step. A program gets CodeNeeded."""
        if self.wants_json:
            raise CodeNeeded(self.language.say("the code of your telephone is needed, too"))
        self.set_signed_cookie(
            ENTERING_COOKIE,
            json.dumps([user.name, _mark(user)]),
            expires_days=None,
            httponly=True,
            samesite="Lax",
            secure=self.request.protocol == "https",
        )
        self.redirect("/login/code?" + urlencode({"next": local_path(body.next)}), status=303)


class LoginCodeHandler(EnteringHandler):
    """/login/code: the second step, for who has codes"""

    @contract(None, query=NextQuery)
    async def get(self) -> None:
        target = local_path(self.parse_query(NextQuery).next)
        if await self._entering() is None:
            self.redirect("/login?" + urlencode({"next": target}), status=303)
            return
        self.show("login.html", LoginForm(next=target, wants_code=True))

    @contract(None, body=CodeBody, fails=GUESSING)
    async def post(self) -> None:
        body = self.parse_body(CodeBody)
        user = await self._entering()
        if user is None:
            self.redirect("/login?" + urlencode({"next": local_path(body.next)}), status=303)
            return
        try:
            await self.check_code(user, body.code)
        except (LoginNeeded, TooManyAttempts) as error:
            self.refuse(LoginForm(next=body.next, wants_code=True), error)
            return
        await self.enter(user, body.next)

    async def _entering(self) -> User | None:
        """Return who has given the right password some minutes ago."""
        note = self.get_signed_cookie(ENTERING_COOKIE, max_age_days=ENTERING_DAYS)
        if note is None:
            return None
        name, mark = json.loads(note)
        user = await self.parts.database.users.find(name)
        if user is None or user.is_disabled or not user.has_totp or _mark(user) != mark:
            return None
        return user


class LogoutHandler(Handler):
    """/logout, /api/logout"""

    serves_newcomers = True

    @requires(Permission.VIEW)
    @contract(Nothing)
    async def post(self) -> None:
        assert self.session is not None, "a permission needs a session"
        await self.parts.database.sessions.remove(self.session.token_hash)
        self.clear_cookie(SESSION_COOKIE)
        self.done(Nothing(), "/login")


def _mark(user: User) -> str:
    """Return what changes with the person's password and secret, and tells nothing of them."""
    return hash_token(f"{user.password_hash} {user.totp_secret}")
