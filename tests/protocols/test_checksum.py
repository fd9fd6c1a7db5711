"""The sum of bytes, modulo 256."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.protocols.checksum import SUMMED_AT_ONCE, byte_sum


@given(st.binary(max_size=3 * SUMMED_AT_ONCE))
def test_any_bytes(data: bytes) -> None:
    assert byte_sum(data) == sum(data) % 256


@pytest.mark.parametrize("size", range(SUMMED_AT_ONCE - 1, SUMMED_AT_ONCE + 3))
def test_largest_sum_of_each_size(size: int) -> None:
    assert byte_sum(b"\xff" * size) == size * 255 % 256


def test_longest_frame_of_1376() -> None:
    assert byte_sum(b"\xff" * 16383) == 16383 * 255 % 256
