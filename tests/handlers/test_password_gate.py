"""The brake on guessing: how the wait grows, whom it holds up, and that a restart lifts nothing."""

import asyncio
from datetime import datetime, timedelta

import pytest

from station.handlers.access import gate
from station.handlers.access.gate import ADDRESS, CODE, PAIR, PERSON, PasswordGate, TooManyAttempts
from station.handlers.access.people import hash_password
from station.store.database import Database
from station.units import utc_now

RIGHT = "correct horse"
RIGHT_HASH = hash_password(RIGHT)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The gate's clock; and passwords that are compared without the work of hashing."""
    standing = Clock()
    monkeypatch.setattr(gate, "utc_now", standing)
    monkeypatch.setattr(
        gate, "password_is_right", lambda known, given: known == RIGHT_HASH and given == RIGHT
    )
    return standing


async def guess(door: PasswordGate, name: str = "ann", address: str = "10.0.0.1") -> float:
    """Try a wrong password and return how long the next one has to wait."""
    assert not await door.check(name, address, RIGHT_HASH, "guess")
    try:
        assert not await door.check(name, address, RIGHT_HASH, "guess")
    except TooManyAttempts as error:
        return error.wait_s
    return 0.0


async def test_the_wait_grows_to_a_quarter_of_an_hour_and_survives_a_restart(
    database: Database, clock: Clock
) -> None:
    door = PasswordGate(database.attempts)
    for _ in range(PAIR.free):
        assert not await door.check("ann", "10.0.0.1", RIGHT_HASH, "guess")
    waits = []
    for number in range(12):
        waits.append(await guess(door))
        door = PasswordGate(database.attempts)  # As after a restart.
        with pytest.raises(TooManyAttempts):  # Even the right one waits, or guesses could go on.
            await door.check("ann", "10.0.0.1", RIGHT_HASH, RIGHT)
        assert number > 5 or await door.check("bob", "10.0.0.1", RIGHT_HASH, RIGHT)
        clock.pass_s(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert await door.failed("ann") == PAIR.free + 12
    assert await door.check("ann", "10.0.0.1", RIGHT_HASH, RIGHT)
    assert await door.failed("ann") == 0
    assert await guess(door, "ann") == 0.0  # It begins anew.


async def test_a_stranger_holds_a_person_up_for_a_minute_at_most(
    database: Database, clock: Clock
) -> None:
    door = PasswordGate(database.attempts)
    longest = 0.0
    for number in range(60):
        try:
            await door.check("ann", f"10.0.{number}.1", RIGHT_HASH, "guess")
        except TooManyAttempts as error:
            longest = max(longest, error.wait_s)
            clock.pass_s(error.wait_s)
    assert longest == PERSON.wait_max_s
    clock.pass_s(PERSON.wait_max_s)
    assert await door.check("ann", "10.9.9.9", RIGHT_HASH, RIGHT)


async def test_one_address_does_not_try_a_password_on_everybody(
    database: Database, clock: Clock
) -> None:
    door = PasswordGate(database.attempts)
    for number in range(ADDRESS.free + 1):
        assert not await door.check(f"user{number}", "2001:db8::1", None, "guess")
    for address in ("2001:db8::1", "2001:db8::ffff:1"):  # All of one owner's network.
        with pytest.raises(TooManyAttempts):
            await door.check("another", address, None, "guess")
    assert not await door.check("another", "2001:db8:0:1::1", None, "guess")


async def test_an_office_that_logs_in_rightly_is_not_held_up(
    database: Database, clock: Clock
) -> None:
    door = PasswordGate(database.attempts)
    for number in range(2 * ADDRESS.free):
        assert await door.check(f"clerk{number % 7}", "10.0.0.1", RIGHT_HASH, RIGHT)
    assert await guess(door, "clerk1") == 0.0


async def test_many_guesses_at_once_gain_nothing(database: Database, clock: Clock) -> None:
    door = PasswordGate(database.attempts)
    tries = [door.check("ann", "10.0.0.1", RIGHT_HASH, "guess") for _ in range(30)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert answers.count(False) == PAIR.free + 1
    assert sum(isinstance(answer, TooManyAttempts) for answer in answers) == 26


async def test_codes_are_counted_wherever_they_come_from(database: Database, clock: Clock) -> None:
    door = PasswordGate(database.attempts)

    async def wrong() -> bool:
        return False

    for _ in range(CODE.free + 1):
        assert not await door.check_code("ann", wrong)
    with pytest.raises(TooManyAttempts):
        await door.check_code("ann", wrong)


async def test_a_clock_that_is_set_back_lengthens_no_wait(database: Database, clock: Clock) -> None:
    door = PasswordGate(database.attempts)
    for _ in range(PAIR.free):
        await door.check("ann", "10.0.0.1", RIGHT_HASH, "guess")
    await guess(door)
    clock.pass_s(-86_400)
    assert await guess(door) == 2 * PAIR.wait_s(PAIR.free + 1)  # It is counted on from there.
    assert await door.failed("ann") == PAIR.free + 2
