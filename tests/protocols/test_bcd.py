"""Packed BCD both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.protocols import bcd


def test_lowest_byte_comes_first() -> None:
    assert bcd.from_number(123456, 4) == bytes.fromhex("56341200")
    assert bcd.to_number(bytes.fromhex("56341200")) == 123456
    assert bcd.to_text(bytes.fromhex("61010000AA00")) == "00AA00000161"
    assert bcd.from_text("000000000161") == bytes.fromhex("610100000000")


@pytest.mark.parametrize("data", ["0A", "FFFF", "1E03", "E0", ""])
def test_other_digits_are_no_number(data: str) -> None:
    assert bcd.to_number(bytes.fromhex(data)) is None


@pytest.mark.parametrize("number", [-1, 100])
def test_number_that_does_not_fit(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        bcd.from_number(number, 1)


@given(st.integers(0, 99_999_999))
def test_round_trip(number: int) -> None:
    assert bcd.to_number(bcd.from_number(number, 4)) == number


@given(st.binary(max_size=20))
def test_text_round_trip(data: bytes) -> None:
    assert bcd.from_text(bcd.to_text(data)) == data
