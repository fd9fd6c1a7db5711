"""People who may log in: what the station knows of them, and the second step of their login."""

from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from station.store.objects.base import Many, Objects, Page, matching
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class User:
    """A person: `password_hash` is an Argon2 hash in its own text form.

    `language` is en or zh, or empty for the language that the browser asks for. `areas` are ids of
    places whose devices the person deals with; none stands for everywhere. A password with
    `one_time_until` was made by somebody else: it opens no page but the one that changes it.

    `totp_secret` (Base32) is there once codes are asked for at the login, `totp_offered` while
    they are being set up. `totp_step` is the last step whose code was used; of the recovery codes
    only hashes are kept.
    """

    name: str
    password_hash: str = field(repr=False)
    role: str
    language: str = ""
    created_at: datetime = field(default_factory=utc_now)
    _: KW_ONLY
    full_name: str = ""
    areas: tuple[str, ...] = ()
    is_disabled: bool = False
    one_time_until: datetime | None = None
    last_login: datetime | None = None
    totp_secret: str = field(default="", repr=False)
    totp_offered: str = field(default="", repr=False)
    totp_step: int = 0
    recovery_hashes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def has_totp(self) -> bool:
        """Whether a code is asked for at the login."""
        return self.totp_secret != ""


class Users(Objects[User]):
    """The people who may log in; each verb changes its own fields only."""

    shape = User
    key = "name"
    word = "user"

    async def set_password(
        self, name: str, password_hash: str, *, one_time_until: datetime | None = None
    ) -> None:
        """Replace a person's password. Raises NotFound."""
        await self._set(name, password_hash=password_hash, one_time_until=one_time_until)

    async def set_language(self, name: str, language: str) -> None:
        """Replace a person's language. Raises NotFound."""
        await self._set(name, language=language)

    async def set_duty(
        self, name: str, *, role: str, areas: tuple[str, ...], full_name: str
    ) -> None:
        """Replace what a person does and where. Raises NotFound."""
        await self._set(name, role=role, areas=[*areas], full_name=full_name)

    async def set_disabled(self, name: str, is_disabled: bool) -> None:
        """Keep a person out, or let in again. Raises NotFound."""
        await self._set(name, is_disabled=is_disabled)

    async def note_login(self, name: str, at: datetime) -> None:
        """Note that a person has logged in. Raises NotFound."""
        await self._set(name, last_login=at)

    async def offer_totp(self, name: str, secret: str) -> None:
        """Keep the secret that the person is to scan; codes are not asked for yet."""
        await self._set(name, totp_offered=secret)

    async def start_totp(
        self, name: str, secret: str, step: int, recovery_hashes: tuple[str, ...]
    ) -> bool:
        """Ask for codes from now on; False when another secret has been offered meanwhile."""
        change = {
            "totp_secret": secret,
            "totp_offered": "",
            "totp_step": step,
            "recovery_hashes": [*recovery_hashes],
        }
        query = {"_id": name, "totp_offered": secret}
        return bool(await self._collection.update(query, {"$set": change}))

    async def stop_totp(self, name: str) -> None:
        """Ask for no codes any more. Raises NotFound."""
        await self._set(name, totp_secret="", totp_offered="", totp_step=0, recovery_hashes=[])

    async def use_totp_step(self, name: str, step: int) -> bool:
        """Spend the code of a step; False when it, or a later one, is spent already."""
        query = {"_id": name, "$or": [{"totp_step": {"$lt": step}}, {"totp_step": None}]}
        return bool(await self._collection.update(query, {"$set": {"totp_step": step}}))

    async def use_recovery_code(self, name: str, code_hash: str) -> bool:
        """Spend a recovery code; False when there is no such code, or not any more."""
        query = {"_id": name, "recovery_hashes": code_hash}
        return bool(await self._collection.update(query, {"$pull": {"recovery_hashes": code_hash}}))

    async def list(self) -> Many[User]:
        """Return everybody, by name."""
        return await self._all({})

    async def page(
        self,
        text: str | None = None,
        role: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        sort: str = "",
    ) -> Page[User]:
        """Return a page of people by name, and how many there are."""
        query = {**matching(text, "_id", "full_name"), **({"role": role} if role else {})}
        return await self._page(query, skip, limit, order=self._order(sort))

    async def count(self) -> int:
        """Return how many there are."""
        return await self._collection.count({})

    async def count_of_role(self, role: str) -> int:
        """Return how many people have a role, those who are kept out too."""
        return await self._collection.count({"role": role})

    async def count_active(self, role: str, *, but: str = "") -> int:
        """Return how many people of a role are not kept out, leaving one name out."""
        query = {"role": role, "_id": {"$ne": but}, "is_disabled": {"$ne": True}}
        return await self._collection.count(query)

    async def _set(self, name: str, **fields: object) -> None:
        if not await self._collection.update({"_id": name}, {"$set": fields}):
            raise self._missing(name)
