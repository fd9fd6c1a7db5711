"""Limits: what may each clerk do alone? Only an administrator changes them."""

from typing import Any

from pydantic import BaseModel, Field, field_validator

from station.errors import InvalidValue, NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission, permissions_of
from station.handlers.base import Handler
from station.handlers.contract import contract
from station.handlers.marking import N_
from station.handlers.selling.money import Yuan, whole_fen
from station.handlers.selling.shift_views import LimitsList, LimitsView
from station.prepaid.limits import Allowed, Limits
from station.store.objects.limits import ClerkLimits
from station.store.objects.users import User
from station.units import utc_now

AMOUNT = N_("an amount such as 100.00")


class LimitsBody(BaseModel):
    """One person's own limits: programs say fen, the form yuan; what is left out is the site's."""

    sale_max_fen: int | None = None
    shift_max_fen: int | None = None
    approval_above_fen: int | None = None
    sale_max: Yuan | None = Field(None, description=AMOUNT)
    shift_max: Yuan | None = Field(None, description=AMOUNT)
    approval_above: Yuan | None = Field(None, description=AMOUNT)

    @field_validator("sale_max", "shift_max", "approval_above", mode="before")
    @classmethod
    def _empty_is_the_site_s(cls, value: object) -> object:
        return None if value == "" else value

    def fen(self, field: str) -> int | None:
        """Return a limit in fen, however it was said; None when it was not."""
        amount_fen: int | None = getattr(self, f"{field}_fen")
        amount = getattr(self, field)
        return whole_fen(amount) if amount_fen is None and amount is not None else amount_fen


class LimitsBase(Handler):
    """What the handlers of limits and approvals share."""

    @property
    def limits(self) -> Limits:
        """What clerks may do alone."""
        database, prepaid = self.parts.database, self.parts.config.prepaid
        site = Allowed(prepaid.sale_max_fen, prepaid.shift_max_fen, prepaid.approval_above_fen)
        return Limits(database.limits, database.approvals, site)

    async def view_of(self, user: User, own: ClerkLimits) -> LimitsView:
        """Return what holds for one person."""
        allowed = await self.limits.of(user.name)
        return LimitsView(
            clerk=user.name,
            role=user.role,
            sale_max_fen=allowed.sale_max_fen,
            shift_max_fen=allowed.shift_max_fen,
            approval_above_fen=allowed.approval_above_fen,
            own_sale_max_fen=own.sale_max_fen,
            own_shift_max_fen=own.shift_max_fen,
            own_approval_above_fen=own.approval_above_fen,
            changed_by=own.changed_by,
            changed_at=own.changed_at if own.changed_by else None,
        )


class LimitsHandler(LimitsBase):
    """/limits, /api/limits"""

    @requires(Permission.ADMINISTER)
    @contract(LimitsList)
    async def get(self) -> None:
        own = {each.clerk: each for each in await self.parts.database.limits.list()}
        people = await self.people_in_sight()
        changed = {role.name: role for role in await self.parts.database.roles.list()}
        items = [
            await self.view_of(user, own.get(user.name) or ClerkLimits(user.name))
            for user in await self.parts.database.users.list()
            if Permission.SELL in permissions_of(user.role, changed.get(user.role))
            and (people is None or user.name in people)
        ]
        self.show("limits.html", LimitsList(items=items, total=len(items)))


class OneLimitsHandler(LimitsBase):
    """/limits/NAME, /api/limits/NAME"""

    @requires(Permission.ADMINISTER)
    @contract(LimitsView)
    async def get(self, name: str) -> None:
        await self._show(await self._user(name), None, {})

    @requires(Permission.ADMINISTER)
    @contract(LimitsView, body=LimitsBody)
    async def post(self, name: str) -> None:
        user = await self._user(name)
        before = await self.parts.database.limits.find(user.name) or ClerkLimits(user.name)
        assert self.user is not None, "a permission needs a person"
        try:
            body = self.parse_body(LimitsBody)
            own = ClerkLimits(
                user.name,
                body.fen("sale_max"),
                body.fen("shift_max"),
                body.fen("approval_above"),
                changed_by=self.user.name,
                changed_at=utc_now(),
            )
            await self.limits.set(own)
        except InvalidValue as error:
            if self.wants_json:
                raise
            self.set_status(400)
            found = self.problems_of(error)
            problems = {field.removesuffix("_fen"): text for field, text in found.items()}
            await self._show(user, self.typed(), problems)
            return
        self.record(before=before, after=own)
        notice = self.language.say("The limits are set.")
        self.done(await self.view_of(user, own), "/limits", notice)

    async def _user(self, name: str) -> User:
        """Return a person. Raises NotFound, also for one who works elsewhere."""
        people = await self.people_in_sight()
        if people is not None and name not in people:
            raise NotFound(f"there is no user {name}")
        return await self.parts.database.users.get(name)

    async def _show(self, user: User, typed: dict[str, Any] | None, errors: dict[str, str]) -> None:
        own = await self.parts.database.limits.find(user.name) or ClerkLimits(user.name)
        self.show(
            "limits_form.html",
            await self.view_of(user, own),
            status=self.get_status(),
            allowed=self.limits.site,
            typed=typed,
            errors=errors,
        )
