"""Passwords and roles, without any HTTP."""

from itertools import pairwise

import pytest

from station.errors import InvalidValue
from station.handlers.access.people import (
    _NOBODY,
    ROLES,
    Permission,
    _hasher,
    hash_password,
    password_is_right,
)


def test_password_is_right_only_for_what_was_hashed() -> None:
    password_hash = hash_password("correct horse")
    assert password_hash != hash_password("correct horse")  # Each has its own salt.
    assert "correct horse" not in password_hash
    assert password_is_right(password_hash, "correct horse")
    assert not password_is_right(password_hash, "correct horse ")
    assert not password_is_right("not a hash", "correct horse")
    assert not password_is_right(None, "correct horse")


def test_it_costs_as_much_to_check_a_user_who_is_not_there() -> None:
    assert not _hasher.check_needs_rehash(_NOBODY)


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
