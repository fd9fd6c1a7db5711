"""Codes at the login: turn them on with a telephone, and off again."""

import segno
from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue, StationError
from station.handlers.access.gate import TooManyAttempts
from station.handlers.access.identity import requires
from station.handlers.access.one_time_codes import (
    hash_recovery_code,
    matching_step,
    new_recovery_codes,
    new_secret,
    setup_uri,
)
from station.handlers.access.people import PASSWORD_SIZE_MAX, Permission
from station.handlers.base import Handler
from station.handlers.contract import GUESSING, contract
from station.store.objects.users import User
from station.units import utc_now

CODE_SIZE_MAX = 40  # Characters; a recovery code has 19.


class PasswordBody(BaseModel):
    """The own password once more: a browser that was left open is not enough."""

    password: str = Field(min_length=1, max_length=PASSWORD_SIZE_MAX)


class CodeBody(BaseModel):
    """A code of the telephone."""

    code: str = Field(min_length=1, max_length=CODE_SIZE_MAX)


class TotpView(BaseModel):
    """Whether codes are asked for, and how many recovery codes are left."""

    is_on: bool
    recovery_codes_left: int


class OfferView(BaseModel):
    """What the telephone is to know; codes are asked for once one of them was given."""

    secret: str
    uri: str


class RecoveryView(TotpView):
    """The recovery codes, told this once."""

    recovery_codes: list[str]


class TotpHandler(Handler):
    """/totp, /api/totp: POST offers a secret"""

    serves_tokens = False

    @requires(Permission.VIEW)
    @contract(TotpView)
    async def get(self) -> None:
        self.show("totp.html", totp_view(self.person), step="start")

    @requires(Permission.VIEW)
    @contract(OfferView, body=PasswordBody, fails=GUESSING)
    async def post(self) -> None:
        try:
            await self.check_password(self.parse_body(PasswordBody).password)
            if self.person.has_totp:
                raise Conflict("codes are asked for already: turn them off first")
        except (InvalidValue, TooManyAttempts, Conflict) as error:
            self.refuse_totp(error, step="start")
            return
        secret = new_secret()
        await self.parts.database.users.offer_totp(self.person.name, secret)
        self.set_header("Cache-Control", "no-store")
        view = self.offer_view(secret)
        self.show("totp.html", view, step="scan", picture=picture_of(view.uri))

    @property
    def person(self) -> User:
        """The person who asks."""
        assert self.user is not None, "a permission needs a person"
        return self.user

    def offer_view(self, secret: str) -> OfferView:
        """Return what the telephone is to know."""
        site = self.parts.config.site.name
        return OfferView(secret=secret, uri=setup_uri(site, self.person.name, secret))

    def refuse_totp(self, error: StationError, *, step: str) -> None:
        """Show the page again with what was wrong."""
        offered = self.person.totp_offered
        if step == "scan" and offered:
            view: BaseModel = self.offer_view(offered)
            picture = picture_of(setup_uri(self.parts.config.site.name, self.person.name, offered))
            self.refuse_form("totp.html", error, view=view, step="scan", picture=picture)
        else:
            self.refuse_form("totp.html", error, view=totp_view(self.person), step="start")

    async def check_password(self, password: str) -> None:
        """Raise InvalidValue unless it is the person's own, TooManyAttempts while to wait."""
        right = await self.tools.gate.check(
            self.person.name, self.request.remote_ip or "", self.person.password_hash, password
        )
        if not right:
            raise InvalidValue("password", self.language.say("this is not the password"))


class ConfirmTotpHandler(TotpHandler):
    """/totp/confirm, /api/totp/confirm: the first code turns them on; tells the recovery codes"""

    @requires(Permission.VIEW)
    @contract(None)
    async def get(self) -> None:
        self.redirect("/totp", status=303)

    @requires(Permission.VIEW)
    @contract(RecoveryView, body=CodeBody, fails=GUESSING)
    async def post(self) -> None:
        secret = self.person.totp_offered
        try:
            body = self.parse_body(CodeBody)
            if not secret:
                raise Conflict("no codes are being set up: begin anew")
            step = matching_step(secret, body.code, utc_now().timestamp())
            if step is None:
                raise InvalidValue(
                    "code", "this is not the code: look whether the telephone's clock is right"
                )
            codes = new_recovery_codes()
            hashes = tuple(hash_recovery_code(code) for code in codes)
            if not await self.parts.database.users.start_totp(
                self.person.name, secret, step, hashes
            ):
                raise Conflict("no codes are being set up: begin anew")
        except (InvalidValue, Conflict) as error:
            self.refuse_totp(error, step="scan")
            return
        self.set_header("Cache-Control", "no-store")
        view = RecoveryView(is_on=True, recovery_codes_left=len(codes), recovery_codes=codes)
        self.show("totp.html", view, step="done")


class StopTotpHandler(TotpHandler):
    """/totp/off, /api/totp/off"""

    @requires(Permission.VIEW)
    @contract(None)
    async def get(self) -> None:
        self.redirect("/totp", status=303)

    @requires(Permission.VIEW)
    @contract(TotpView, body=PasswordBody, fails=GUESSING)
    async def post(self) -> None:
        try:
            await self.check_password(self.parse_body(PasswordBody).password)
        except (InvalidValue, TooManyAttempts) as error:
            self.refuse_totp(error, step="start")
            return
        await self.parts.database.users.stop_totp(self.person.name)
        notice = self.language.say("No codes are asked for any more.")
        self.done(TotpView(is_on=False, recovery_codes_left=0), "/totp", notice)


def totp_view(user: User) -> TotpView:
    """Return whether codes are asked for."""
    return TotpView(is_on=user.has_totp, recovery_codes_left=len(user.recovery_hashes))


def picture_of(uri: str) -> str:
    """Return the picture to scan, as the address of an image."""
    return segno.make(uri, error="m").svg_data_uri(scale=5, border=2, dark="#000", light="#fff")
