"""Passwords, roles and the brake on guessing, without any HTTP."""

import contextlib
from itertools import pairwise

import pytest

from station.errors import InvalidValue
from station.handlers import people
from station.handlers.people import (
    ROLES,
    PasswordGate,
    Permission,
    TooManyAttempts,
    hash_password,
    password_is_right,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until a test moves it."""
    now = [1000.0]
    monkeypatch.setattr(people.time, "monotonic", lambda: now[0])
    return now


def test_password_is_right_only_for_what_was_hashed() -> None:
    password_hash = hash_password("correct horse")
    assert password_hash != hash_password("correct horse")  # Each has its own salt.
    assert "correct horse" not in password_hash
    assert password_is_right(password_hash, "correct horse")
    assert not password_is_right(password_hash, "correct horse ")
    assert not password_is_right("not a hash", "correct horse")
    assert not password_is_right(None, "correct horse")


@pytest.mark.parametrize(("size", "is_allowed"), [(7, False), (8, True), (200, True), (201, False)])
def test_password_has_eight_to_two_hundred_characters(size: int, is_allowed: bool) -> None:
    if is_allowed:
        assert password_is_right(hash_password("密" * size), "密" * size)
    else:
        with pytest.raises(InvalidValue, match="expected 8 to 200 characters") as caught:
            hash_password("密" * size)
        assert caught.value.field == "password"


def test_each_role_may_do_what_the_lesser_ones_may() -> None:
    assert ROLES["administrator"] == frozenset(Permission)
    for names in (
        ("reader", "clerk", "supervisor", "administrator"),
        ("reader", "technician", "administrator"),
    ):
        ladder = [ROLES[name] for name in names]
        assert all(lesser < greater for lesser, greater in pairwise(ladder))
    assert Permission.SELL not in ROLES["technician"]  # Whoever sets meters up takes no money.


async def test_wait_grows_with_each_wrong_password_and_ends(clock: list[float]) -> None:
    gate = PasswordGate()
    waits = []
    for _ in range(11):
        assert not await gate.check("ann", "10.0.0.1", None, "guess")
        with contextlib.suppress(TooManyAttempts):
            while True:
                assert not await gate.check("ann", "10.0.0.1", None, "guess")
        with pytest.raises(TooManyAttempts) as caught:
            await gate.check("ann", "10.0.0.1", None, "guess")
        waits.append(caught.value.wait_s)
        clock[0] += caught.value.wait_s
    assert waits[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert waits[-1] == people.ATTEMPT_WAIT_MAX_S
    assert not await gate.check("ann", "10.0.0.2", None, "guess")  # From elsewhere: another count.


async def test_right_password_clears_the_count(clock: list[float]) -> None:
    gate = PasswordGate()
    password_hash = hash_password("correct horse")
    for _ in range(3):
        for _ in range(3):
            assert not await gate.check("ann", "10.0.0.1", password_hash, "guess")
        assert await gate.check("ann", "10.0.0.1", password_hash, "correct horse")


async def test_memory_of_attempts_is_bounded(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "ATTEMPTS_KEPT", 10)
    gate = PasswordGate()
    for number in range(50):
        gate._count((f"name {number}", "10.0.0.1"))
    assert len(gate._attempts) == 10
    assert ("name 49", "10.0.0.1") in gate._attempts
