"""Changing people and roles: the rules that hold for pages, programs and the command line.

Nobody gives more than they have, or manages somebody who may more; nobody shuts themselves out;
one administrator who is not kept out remains. A role of the site's own goes when nobody has it;
the five built-in ones can be changed and set back, the administrator's stays as it is. People are
never removed, because their names stand in orders and in the audit log.
"""

import asyncio
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from station.errors import Conflict, InvalidValue, NotFound
from station.handlers.access.people import (
    ADMINISTRATOR,
    ROLES,
    Forbidden,
    Permission,
    hash_password,
    known_permissions,
    permissions_of,
)
from station.store.database import Database
from station.store.objects.roles import Role
from station.store.objects.users import User
from station.units import utc_now

USER_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
ROLE_NAME = re.compile(r"[\w.-]{1,32}")
NOT_NAMES = {"new", ".", ".."}  # They would be other addresses than the ones meant.
ROLES_MAX = 50  # More than a site has kinds of work; a page shows them all.
ONE_TIME_SIZE = 12  # Bytes of randomness in a password that Station makes.
ONE_TIME_LASTS = timedelta(days=3)  # Over a weekend; then somebody may have found the note.


@dataclass(frozen=True)
class Duty:
    """What a role may do, and whether the site has made or changed it."""

    name: str
    permissions: frozenset[Permission]
    is_builtin: bool
    changed: Role | None

    @property
    def is_fixed(self) -> bool:
        """Whether nobody can change it."""
        return self.name == ADMINISTRATOR


@dataclass(frozen=True)
class Actor:
    """Who changes people: the own name, and what that person may where; no areas: everywhere."""

    name: str
    permissions: frozenset[Permission]
    areas: tuple[str, ...] = ()


@dataclass(frozen=True)
class OneTimePassword:
    """A password to be told to a person; it is not kept, and opens only the page to change it."""

    name: str
    password: str
    good_until: datetime


COMMAND_LINE = Actor("", frozenset(Permission))  # Whoever may run it owns the box.


class Staff:
    """The people of the site and their roles."""

    def __init__(self, database: Database) -> None:
        self._users = database.users
        self._roles = database.roles
        self._sessions = database.sessions
        self._places = database.places
        # Two administrators who keep each other out at once must not both succeed.
        self._turn = asyncio.Lock()

    async def duties(self) -> dict[str, Duty]:
        """Return every role by name, the built-in ones first."""
        changed = {role.name: role for role in await self._roles.list()}
        names = [*ROLES, *sorted(set(changed) - set(ROLES))]
        return {
            name: Duty(
                name, permissions_of(name, changed.get(name)), name in ROLES, changed.get(name)
            )
            for name in names
        }

    async def duty(self, name: str) -> Duty:
        """Return one role. Raises NotFound."""
        duties = await self.duties()
        if name not in duties:
            raise NotFound(f"there is no role {name}")
        return duties[name]

    # --- people -------------------------------------------------------------------------------

    async def add(
        self,
        actor: Actor,
        name: str,
        role: str,
        *,
        full_name: str = "",
        areas: tuple[str, ...] = (),
        password: str | None = None,
    ) -> OneTimePassword | None:
        """Add a person. Without a password one is made, for the first login only.

        Raises InvalidValue for the name, the role or the password, Conflict when it is taken.
        """
        if not USER_NAME.fullmatch(name) or name in NOT_NAMES:
            raise InvalidValue(
                "name", f"{name!r} is not a user name: letters, digits, . _ - (1 to 32)"
            )
        await self._check_role(actor, role)
        await self._check_areas(actor, areas)
        made = None if password is not None else _one_time(name)
        text = made.password if made is not None else str(password)
        await self._users.add(
            User(
                name,
                await hashed(text),
                role=role,
                full_name=full_name,
                areas=areas,
                one_time_until=None if made is None else made.good_until,
            )
        )
        return made

    async def change(
        self, actor: Actor, name: str, role: str, *, full_name: str, areas: tuple[str, ...]
    ) -> User:
        """Give a person other work. Raises NotFound, InvalidValue, Forbidden, Conflict."""
        user = await self.manageable(actor, name)
        await self._check_role(actor, role)
        if name == actor.name and (role, areas) != (user.role, user.areas):
            raise Forbidden("nobody changes the own role or areas: ask another administrator")
        if areas != user.areas:
            await self._check_areas(actor, areas)
        async with self._turn:
            if role != ADMINISTRATOR:
                await self._check_remaining(user)
            await self._users.set_duty(name, role=role, areas=areas, full_name=full_name)
        return await self._users.get(name)

    async def set_disabled(self, actor: Actor, name: str, is_disabled: bool) -> User:
        """Keep a person out, which ends every login, or let in again."""
        user = await self.manageable(actor, name)
        if is_disabled and name == actor.name:
            raise Forbidden("nobody shuts out themselves: ask another administrator")
        async with self._turn:
            if is_disabled:
                await self._check_remaining(user)
            await self._users.set_disabled(name, is_disabled)
        if is_disabled:
            await self._sessions.remove_of_user(name)
        return await self._users.get(name)

    async def reset_password(self, actor: Actor, name: str) -> OneTimePassword:
        """Give a person a password for one login; every login that stands ends."""
        await self.manageable(actor, name)
        if name == actor.name:
            raise Forbidden("another administrator resets yours; your own is under Change password")
        made = _one_time(name)
        password_hash = await hashed(made.password)
        await self._users.set_password(name, password_hash, one_time_until=made.good_until)
        await self._sessions.remove_of_user(name)
        return made

    async def stop_totp(self, actor: Actor, name: str) -> User:
        """Ask a person for no codes any more: the telephone is lost, and the recovery codes too."""
        await self.manageable(actor, name)
        await self._users.stop_totp(name)
        return await self._users.get(name)

    async def names_within(self, actor: Actor) -> frozenset[str] | None:
        """Return the actor and those who work nowhere else; None for everybody."""
        if not actor.areas:
            return None
        users = await self._users.list()
        own = [user.name for user in users if await self._is_within(actor, user.areas)]
        return frozenset((*own, actor.name))

    async def manageable(self, actor: Actor, name: str) -> User:
        """Return a person whom the actor may change. Raises NotFound and Forbidden."""
        user = await self._users.get(name)
        theirs = permissions_of(user.role, await self._roles.find(user.role))
        if not theirs <= actor.permissions or not await self._is_within(actor, user.areas):
            raise Forbidden(f"{name} may do more than you: ask an administrator")
        return user

    # --- roles --------------------------------------------------------------------------------

    async def put_role(
        self, actor: Actor, name: str, permissions: Iterable[str], note: str, *, is_new: bool
    ) -> Duty:
        """Make a role, or change what its people may. Raises InvalidValue, Conflict, Forbidden."""
        duties = await self.duties()
        if is_new and name in duties:
            raise Conflict(f"role {name} exists already")
        if is_new and (not ROLE_NAME.fullmatch(name) or name in NOT_NAMES):
            raise InvalidValue(
                "name", f"{name!r} is not a role's name: letters, digits, . _ - (1 to 32)"
            )
        if is_new and len(duties) >= ROLES_MAX:
            raise Conflict(f"there are {ROLES_MAX} roles already")
        before = frozenset() if is_new else self._changeable(duties, name).permissions
        wanted = known_permissions(permissions) | {Permission.VIEW}
        if not (wanted | before) <= actor.permissions:
            raise Forbidden("nobody gives or takes what they may not do themselves")
        await self._roles.put(
            Role(name, tuple(sorted(each.value for each in wanted)), note, actor.name, utc_now())
        )
        return await self.duty(name)

    async def remove_role(self, actor: Actor, name: str) -> Duty | None:
        """Set a built-in role back to what it was; remove one of the site's own.

        Returns what it is now. Raises NotFound, Forbidden, and Conflict while somebody has it.
        """
        duty = self._changeable(await self.duties(), name)
        if not (duty.permissions | ROLES.get(name, frozenset())) <= actor.permissions:
            raise Forbidden("nobody gives or takes what they may not do themselves")
        people = await self._users.count_of_role(name)
        if people and not duty.is_builtin:
            raise Conflict(f"role {name} is that of {people} people: give them another one first")
        if duty.changed is not None:
            await self._roles.remove(name)
        return await self.duty(name) if duty.is_builtin else None

    def _changeable(self, duties: dict[str, Duty], name: str) -> Duty:
        if name not in duties:
            raise NotFound(f"there is no role {name}")
        if duties[name].is_fixed:
            raise Conflict("the administrator's role may always do everything")
        return duties[name]

    async def _check_role(self, actor: Actor, role: str) -> None:
        duties = await self.duties()
        if role not in duties:
            raise InvalidValue("role", f"there is no role {role!r}; choose {', '.join(duties)}")
        if not duties[role].permissions <= actor.permissions:
            raise Forbidden("nobody gives or takes what they may not do themselves")

    async def _check_areas(self, actor: Actor, areas: tuple[str, ...]) -> None:
        tree = await self._places.tree()
        for place_id in areas:
            if place_id not in tree.by_id:
                raise InvalidValue("areas", f"there is no place {place_id}")
        if not await self._is_within(actor, areas):
            raise Forbidden("nobody gives or takes what they may not do themselves")

    async def _is_within(self, actor: Actor, areas: tuple[str, ...]) -> bool:
        """Tell whether who works in these areas works nowhere that the actor does not."""
        if not actor.areas:
            return True
        tree = await self._places.tree()
        return bool(areas) and tree.under(areas) <= tree.under(actor.areas)

    async def _check_remaining(self, user: User) -> None:
        """Raise Conflict when without this person no administrator could log in."""
        if user.role != ADMINISTRATOR or user.is_disabled:
            return
        if not await self._users.count_active(ADMINISTRATOR, but=user.name):
            raise Conflict(f"{user.name} is the last administrator")


async def hashed(password: str) -> str:
    """Return what the store keeps of a password, made off the loop. Raises InvalidValue."""
    return await asyncio.get_running_loop().run_in_executor(None, hash_password, password)


def _one_time(name: str) -> OneTimePassword:
    return OneTimePassword(name, secrets.token_urlsafe(ONE_TIME_SIZE), utc_now() + ONE_TIME_LASTS)
