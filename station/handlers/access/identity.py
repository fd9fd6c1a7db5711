"""Who asks, whether they may, and what to answer when something goes wrong.

Rules: a method that names no permission is closed, unless its handler is open to all on purpose;
every error of `station.errors` becomes one status in one table; anything else is a defect, logged
with a reference number that the answer repeats.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from jinja2 import Environment
from pydantic import BaseModel
from tornado.web import HTTPError, RequestHandler

from station.errors import (
    BadAnswer,
    CardError,
    CardFailed,
    Conflict,
    DatabaseDown,
    InvalidValue,
    LimitReached,
    LinkDown,
    MeterTimeout,
    NeedsApproval,
    NeedsShift,
    NotDelivered,
    NotFound,
    Protected,
    ReaderFailed,
    Refused,
    StationError,
)
from station.handlers.access.gate import PasswordGate, TooManyAttempts
from station.handlers.access.one_time_codes import hash_recovery_code, matching_step
from station.handlers.access.people import (
    SESSION_IDLE,
    SESSION_TOUCH,
    PasswordChangeNeeded,
    Permission,
    browser_session,
    hash_token,
    known_permissions,
    new_token,
    permissions_of,
)
from station.handlers.access.people import Forbidden as Forbidden
from station.handlers.access.staff import Actor, Staff
from station.handlers.areas import (
    DEVICE_QUERIES,
    Keeps,
    check_account,
    check_device,
    check_order,
    customers_in,
    way_of,
)
from station.handlers.collection.bus_views import Buses
from station.handlers.endings import Endings
from station.handlers.language import Language, preferred_language
from station.handlers.parts import Parts
from station.handlers.sights import Sight, Sights, TaskSight
from station.handlers.today import Today
from station.store.objects.sessions import Session
from station.store.objects.users import User
from station.units import utc_now

log = logging.getLogger(__name__)

SESSION_COOKIE = "session"
# Scripts, styles and frames come from this station alone; charts are drawn on a canvas.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
DAY_S = 86_400
LOGGED_MAX = 500  # Characters of an error in the log.
METHODS = ("GET", "POST", "PUT", "DELETE")
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


class LoginNeeded(StationError):
    """Nobody is logged in, or the session has ended."""


class CodeNeeded(LoginNeeded):
    """The password is right, and the code of the person's telephone is wanted, too."""


STATUSES: dict[type[StationError], tuple[int, str]] = {
    InvalidValue: (400, "invalid_value"),
    LoginNeeded: (401, "login_needed"),
    CodeNeeded: (401, "code_needed"),
    Forbidden: (403, "forbidden"),
    PasswordChangeNeeded: (403, "password_change_needed"),
    NotFound: (404, "not_found"),
    Conflict: (409, "conflict"),
    NeedsShift: (409, "needs_shift"),
    LimitReached: (409, "limit_reached"),
    NeedsApproval: (409, "needs_approval"),
    Protected: (409, "protected"),
    CardError: (409, "card_error"),
    TooManyAttempts: (429, "too_many_attempts"),
    BadAnswer: (502, "bad_answer"),
    NotDelivered: (502, "not_delivered"),
    Refused: (502, "refused"),
    CardFailed: (502, "card_failed"),
    ReaderFailed: (503, "reader_failed"),
    LinkDown: (503, "link_down"),
    DatabaseDown: (503, "database_down"),
    MeterTimeout: (504, "meter_timeout"),
}
CODES = {400: "invalid_value", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}


class ErrorBody(BaseModel):
    """What went wrong, as JSON tells it under `error`."""

    code: str
    message: str
    field: str | None = None


@dataclass(frozen=True)
class Tools:
    """What pages are made with; built once by `make_application`."""

    languages: Mapping[str, Language]
    environments: Mapping[str, Environment]
    gate: PasswordGate
    staff: Staff
    today: Today
    buses: Buses
    sights: Sights
    endings: Endings


Method = TypeVar("Method", bound=Callable[..., Any])

_permissions: dict[Callable[..., Any], Permission] = {}


def requires(permission: Permission) -> Callable[[Method], Method]:
    """Mark a handler's method with the permission it needs."""

    def mark(method: Method) -> Method:
        _permissions[method] = permission
        return method

    return mark


def permission_of(handler: type[RequestHandler], http_method: str) -> Permission | None:
    """Return the permission that a handler's method was marked with, or None."""
    return _permissions.get(getattr(handler, http_method.lower()))


def one_line(error: BaseException) -> str:
    """Return an error as one line of a log, whatever somebody has typed into it."""
    text = str(error)[:LOGGED_MAX]
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def status_of(error: BaseException | None) -> tuple[int, str]:
    """Return the status and the code of an error; what is wrong about a card has its own code."""
    for cls in type(error).__mro__:
        if issubclass(cls, StationError) and cls in STATUSES:
            status, code = STATUSES[cls]
            return status, error.code if isinstance(error, CardError) else code
    if isinstance(error, HTTPError):
        return error.status_code, CODES.get(error.status_code, "http_error")
    return 500, "internal_error"


class Identity(RequestHandler):
    """Who asks: finds the session, and turns away those who may not."""

    open_to_all: ClassVar[bool] = False
    serves_newcomers: ClassVar[bool] = False  # Those who have to change their password first.
    serves_tokens: ClassVar[bool] = True  # Programs; not where a person's own login is changed.

    parts: Parts
    tools: Tools
    user: User | None = None
    session: Session | None = None
    permissions: frozenset[Permission] = frozenset()
    language: Language

    def initialize(self, parts: Parts, tools: Tools) -> None:
        self.parts = parts
        self.tools = tools
        self.language = tools.languages[self._language_code()]

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in SECURITY_HEADERS.items():
            self.set_header(name, value)
        hsts_days = self.settings["hsts_days"]
        if hsts_days:
            self.set_header("Strict-Transport-Security", f"max-age={hsts_days * DAY_S}")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Accept, Accept-Language, Cookie")

    def set_cookie(self, name: str, value: str | bytes, *given: Any, **more: Any) -> None:
        """Set a cookie that no script reads; one that came by https is never sent by http."""
        more.setdefault("secure", self.request.protocol == "https")
        more.setdefault("httponly", True)
        super().set_cookie(name, value, *given, **more)

    async def prepare(self) -> None:
        method = getattr(self, (self.request.method or "GET").lower())
        if method.__func__ is RequestHandler._unimplemented_method:
            raise HTTPError(405)
        await self._identify()
        if not self.open_to_all:
            self._check_permission(_permissions.get(method.__func__))
            if self.areas:
                await self._check_areas()
        if self.request.method not in ("GET", "HEAD", "OPTIONS") and self.needs_xsrf:
            self.check_xsrf_cookie()

    @property
    def bearer(self) -> str | None:
        """The token of a request that shows one; such a request does not use the cookie."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    @property
    def needs_xsrf(self) -> bool:
        """Whether another site could have made the browser send this request."""
        return self.bearer is None

    async def open_session(self, user: User) -> str:
        """Begin a login with a token of its own, never one that came in; return the token.

        The login that the request showed, if any, ends: nobody stays in who had planted it.
        """
        database, now, token = self.parts.database, utc_now(), new_token()
        shown = self.get_cookie(SESSION_COOKIE)
        if shown:
            await database.sessions.remove(hash_token(shown))
        await database.sessions.create(
            browser_session(
                user.name,
                token,
                now,
                address=self.request.remote_ip or "",
                agent=self.request.headers.get("User-Agent", ""),
            )
        )
        await database.users.note_login(user.name, now)
        return token

    async def code_is_right(self, user: User, code: str) -> bool:
        """Check and spend a code of a person's telephone, or a recovery code.

        Raises TooManyAttempts.
        """
        users = self.parts.database.users

        async def is_right() -> bool:
            step = matching_step(user.totp_secret, code, utc_now().timestamp())
            if step is not None:
                return await users.use_totp_step(user.name, step)
            return await users.use_recovery_code(user.name, hash_recovery_code(code))

        return await self.tools.gate.check_code(user.name, is_right)

    def can(self, permission: Permission) -> bool:
        """Tell whether the person who asks has a permission."""
        return permission in self.permissions

    @property
    def actor(self) -> Actor:
        """The person who asks, as one who changes people."""
        assert self.user is not None, "a permission needs a person"
        return Actor(self.user.name, self.permissions, self.areas)

    @property
    def areas(self) -> tuple[str, ...]:
        """The ids of the places whose devices the person deals with; none for everywhere."""
        return () if self.user is None else self.user.areas

    async def _identify(self) -> None:
        token = self.bearer
        if token is None:
            token = self.get_cookie(SESSION_COOKIE)
        if not token:
            return
        sessions = self.parts.database.sessions
        session = await sessions.find(hash_token(token))
        now = utc_now()
        if session is None or session.expires_at <= now:
            return
        user = await self.parts.database.users.find(session.user)
        if user is None or user.is_disabled:
            return
        self.user, self.session = user, session
        self.permissions = await self._permissions_of(user, session)
        self.language = self.tools.languages[self._language_code()]
        if now - session.last_seen >= SESSION_TOUCH:
            is_browser = session.kind == "browser"
            ends = now + SESSION_IDLE if is_browser else session.expires_at
            await sessions.touch(session.token_hash, now, ends)

    async def _permissions_of(self, user: User, session: Session) -> frozenset[Permission]:
        """Return what the person may do with this login: a program's token may have less."""
        permissions = permissions_of(user.role, await self.parts.database.roles.find(user.role))
        if session.scope is None:
            return permissions
        return permissions & (known_permissions(session.scope) | {Permission.VIEW})

    def _check_permission(self, permission: Permission | None) -> None:
        if self.user is None:
            raise LoginNeeded(self.language.say("please log in"))
        if permission is None or not self.can(permission):
            raise Forbidden(
                self.language.say("the role %(role)s does not allow this", role=self.user.role)
            )
        assert self.session is not None, "a person has come with a session"
        if self.session.kind == "token" and not self.serves_tokens:
            raise Forbidden(self.language.say("a token of a program cannot do this: log in"))
        if self.user.one_time_until is not None and not self.serves_newcomers:
            raise PasswordChangeNeeded(
                self.language.say("this password was made for one login: change it first")
            )

    async def _check_areas(self) -> None:
        """Raise NotFound for a device outside the person's areas, Forbidden for a closed page."""
        way = way_of(self.request.path, self.path_args)
        if way is Keeps.LOOK and self.request.method not in ("GET", "HEAD", "OPTIONS"):
            way = None
        named = [
            value
            for name in DEVICE_QUERIES
            for value in self.get_query_arguments(name)
            if value.strip()
        ]
        if way is Keeps.DEVICE:
            named.append(self.path_args[0])
        if way is None or (way is Keeps.ASKED and not named):
            raise Forbidden(self.language.say("this is of the whole site, and you work in areas"))
        for address in named:
            await check_device(self.parts, self.areas, address)
        if way is Keeps.ACCOUNT:
            await check_account(self.parts, self.areas, self.path_args[0])
        elif way is Keeps.ORDER:
            await check_order(self.parts, self.areas, self.path_args[0])
        elif way is Keeps.CUSTOMER:
            await self.check_customer(self.path_args[0])

    async def sight(self) -> Sight | None:
        """Return the devices that the person deals with; None for all."""
        return await self.tools.sights.of(self.areas)

    async def tasks_in_sight(self) -> TaskSight | None:
        """Return the tasks that read something of the person's; None for all."""
        return await self.tools.sights.tasks_of(self.areas)

    async def meters_in_sight(self) -> frozenset[str] | None:
        """Return the meters that the person deals with; None for all."""
        sight = await self.sight()
        return None if sight is None else sight.meters

    async def customers_in_sight(self) -> set[str] | None:
        """Return the customers whom the person deals with; None for all."""
        sight = await self.sight()
        if sight is None:
            return None
        assert self.user is not None, "areas are a person's"
        return await customers_in(self.parts, sight, self.user.name)

    async def people_in_sight(self) -> frozenset[str] | None:
        """Return the names of those who work in the person's areas and nowhere else; None: all."""
        return await self.tools.staff.names_within(self.actor)

    async def check_customer(self, number: str) -> None:
        """Check that the person deals with a customer. Raises NotFound, as if there were none."""
        own = await self.customers_in_sight()
        if own is not None and number not in own:
            raise NotFound(f"there is no customer {number}")

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, StationError):
            log.info("%s %s: %s", self.request.method, self.request.path, one_line(value))
        elif isinstance(value, HTTPError):
            log.info("%s %s: %d", self.request.method, self.request.path, value.status_code)
        else:
            self._reference = secrets.token_hex(4)
            log.error(
                "%s %s: internal error %s",
                self.request.method,
                self.request.path,
                self._reference,
                exc_info=(typ, value, tb),
            )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        body = self.explain(status_code, **kwargs)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish({"error": body.model_dump(exclude_none=True)})

    def explain(self, status_code: int, **kwargs: Any) -> ErrorBody:
        """Set the status of the error that Tornado reports, and return what to tell of it."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        status, code = status_code, CODES.get(status_code, "http_error")
        if error is not None:
            status, code = status_of(error)
        self.set_status(status)
        if status == 405:
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        if isinstance(error, TooManyAttempts):
            self.set_header("Retry-After", f"{error.wait_s:.0f}")
        field = error.field if isinstance(error, InvalidValue) else None
        return ErrorBody(code=code, message=self.message_of(error, status), field=field)

    def allowed_methods(self) -> list[str]:
        """Return the methods that this address answers to."""
        closed = RequestHandler._unimplemented_method
        return [name for name in METHODS if getattr(type(self), name.lower()) is not closed]

    def message_of(self, error: BaseException | None, status: int) -> str:
        """Return what to tell the person about an error, in the person's language."""
        if isinstance(error, StationError):
            return self.language.sentence(str(error))
        if status == 404:
            return self.language.say("there is no such page")
        if status == 405:
            return self.language.say("this cannot be done here")
        if isinstance(error, HTTPError) and status == 403:
            return self.language.say("the page is too old; load it again and repeat")
        if status < 500:
            return self.language.say("the request cannot be understood")
        reference = getattr(self, "_reference", None) or secrets.token_hex(4)
        return self.language.say("internal error %(reference)s", reference=reference)

    def _language_code(self) -> str:
        """Return the person's choice, else the browser's, else the site's."""
        wishes = (
            self.get_cookie("language"),
            None if self.user is None else self.user.language,
            preferred_language(self.request.headers.get("Accept-Language", "")),
        )
        known = (wish for wish in wishes if wish is not None and wish in self.tools.languages)
        return next(known, self.parts.config.site.language)
