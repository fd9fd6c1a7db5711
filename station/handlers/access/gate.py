"""The brake on guessing: after some wrong passwords or codes each further one waits, ever longer.

What was tried is counted in the database, so that a restart lets nobody try anew. Three counts run
at once: of one person from one address, which grows fast; of one person from everywhere, and of
one address for everybody, which bear more mistakes and hold nobody up for more than a minute, so
that a stranger cannot shut a person out. An attempt counts from its start: many at once gain
nothing.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from station.errors import StationError
from station.handlers.access.people import PASSWORD_SIZE_MAX, password_is_right
from station.store.objects.attempts import Attempt, Attempts
from station.units import utc_now

CHECKS_WAITING_MAX = 32  # Each check takes a core for a moment; more at once is an attack.
NETWORK_BITS = 64  # Of an IPv6 address: the rest is free for whoever has it.

# One thread: a check holds 64 MiB and a core, and logins are rare.
_checking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")


@dataclass(frozen=True)
class Rule:
    """How many may be wrong before the first wait, and how long the longest wait is."""

    free: int
    wait_max_s: float

    def wait_s(self, count: int) -> float:
        """Return how long to wait after so many wrong ones: 1 s, 2 s, 4 s and so on."""
        if count <= self.free:
            return 0.0
        return min(2.0 ** min(count - self.free - 1, 20), self.wait_max_s)


PAIR = Rule(free=3, wait_max_s=900)  # People mistype; a quarter of an hour stops a guesser.
PERSON = Rule(free=20, wait_max_s=60)
ADDRESS = Rule(free=50, wait_max_s=60)  # A whole office may come from one.
CODE = Rule(free=5, wait_max_s=900)  # Three of a million codes are right at a time.


class TooManyAttempts(StationError):
    """Too many wrong passwords in a row, or too many people logging in at once."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many attempts; try again in {wait_s:.0f} s")
        self.wait_s = wait_s


class PasswordGate:
    """Checks passwords one after another, off the loop, and makes guessing slow."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._turn = asyncio.Lock()  # Counts are read and written in one go.
        self._waiting = 0

    async def check(
        self, name: str, address: str, password_hash: str | None, password: str
    ) -> bool:
        """Check one person's password. Raises TooManyAttempts while that person must wait."""
        person, place = name[:PASSWORD_SIZE_MAX].casefold(), network_of(address)
        rules = {
            f"pair {place} {person}": PAIR,
            _person_key(name): PERSON,
            f"address {place}": ADDRESS,
        }

        async def is_right() -> bool:
            return await asyncio.get_running_loop().run_in_executor(
                _checking, password_is_right, password_hash, password[:PASSWORD_SIZE_MAX]
            )

        return await self._counted(rules, is_right)

    async def check_code(self, name: str, is_right: Callable[[], Awaitable[bool]]) -> bool:
        """Check the code of a person whose password was right. Raises TooManyAttempts."""
        return await self._counted({f"code {name}": CODE}, is_right)

    async def failed(self, name: str) -> int:
        """Return how many wrong passwords were tried for a person since the last right one."""
        found = await self._attempts.find(_person_key(name))
        return 0 if found is None else found.count

    async def _counted(
        self, rules: Mapping[str, Rule], is_right: Callable[[], Awaitable[bool]]
    ) -> bool:
        if self._waiting >= CHECKS_WAITING_MAX:
            raise TooManyAttempts(1.0)
        self._waiting += 1
        try:
            async with self._turn:
                await self._count(rules)
            if not await is_right():
                return False
        finally:
            self._waiting -= 1
        await self._settle(rules)
        return True

    async def _count(self, rules: Mapping[str, Rule]) -> None:
        now = utc_now()
        known = {attempt.key: attempt for attempt in await self._attempts.many([*rules])}
        waits_s = [
            (attempt.free_at - now).total_seconds()
            for attempt in known.values()
            if attempt.last_at <= now  # A clock that was set back must not lengthen the wait.
        ]
        if any(wait_s > 0 for wait_s in waits_s):
            raise TooManyAttempts(max(1.0, *waits_s))
        counts = {key: known[key].count + 1 if key in known else 1 for key in rules}
        await self._attempts.put(
            [
                Attempt(key, counts[key], now + timedelta(seconds=rule.wait_s(counts[key])), now)
                for key, rule in rules.items()
            ]
        )

    async def _settle(self, rules: Mapping[str, Rule]) -> None:
        """Forget what was wrong before; an address goes on bearing what it did to others."""
        shared = [key for key, rule in rules.items() if rule is ADDRESS]
        await self._attempts.forget([key for key in rules if key not in shared])
        for key in shared:
            await self._attempts.take_back(key, utc_now())


def network_of(address: str) -> str:
    """Return what counts as one address: itself, of IPv6 the network that one owner has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, NETWORK_BITS), strict=False))


def _person_key(name: str) -> str:
    return f"person {name[:PASSWORD_SIZE_MAX].casefold()}"
