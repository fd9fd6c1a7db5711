"""Savers at once share transactions, and nobody gets another's fault or count."""

import asyncio
from collections.abc import Mapping

import pytest

from station.errors import DatabaseDown
from station.store.joint import JointWriter


class Pen:
    """Writes numbers under keys and remembers what went together; a negative one breaks it."""

    def __init__(self) -> None:
        self.together: list[dict[str, int]] = []
        self.down = False
        self.turn = asyncio.Event()
        self.turn.set()

    async def write(self, things: Mapping[str, int]) -> dict[str, int]:
        self.together.append(dict(things))
        await self.turn.wait()
        if self.down:
            raise DatabaseDown("the database does not answer")
        if any(value < 0 for value in things.values()):
            raise OverflowError("too small")
        return dict(things)


async def started(*saves: "asyncio.Future[int]") -> None:
    """Let the saves run until each waits."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(save.done() for save in saves)


async def test_what_comes_during_a_write_goes_together_into_the_next() -> None:
    pen = Pen()
    pen.turn.clear()
    writer = JointWriter(pen.write, 3)
    parts = [{"a": 1}, {"b": 2}, {"c": 3, "d": 4}, {"e": 5}]
    saves = [asyncio.ensure_future(writer.save(part)) for part in parts]
    await started(*saves)
    pen.turn.set()
    assert await asyncio.gather(*saves) == [1, 2, 7, 5]
    assert pen.together == [{"a": 1, "b": 2}, {"c": 3, "d": 4, "e": 5}]
    assert await writer.save({"f": 6}) == 6


async def test_one_key_is_never_twice_in_one_write() -> None:
    pen = Pen()
    writer = JointWriter(pen.write, 10)
    saves = (writer.save({"a": 1, "b": 1}), writer.save({"b": 2}), writer.save({"c": 3}))
    assert await asyncio.gather(*saves) == [2, 2, 3]
    assert pen.together == [{"a": 1, "b": 1}, {"b": 2, "c": 3}]


async def test_a_fault_is_only_its_savers() -> None:
    pen = Pen()
    writer = JointWriter(pen.write, 10)
    saves = (writer.save({"a": 1}), writer.save({"b": -1}), writer.save({"c": 3}))
    first, second, third = await asyncio.gather(*saves, return_exceptions=True)
    assert (first, third) == (1, 3)
    assert isinstance(second, OverflowError)
    assert await writer.save({"d": 4}) == 4


async def test_a_database_that_is_down_is_told_to_all_at_once() -> None:
    pen = Pen()
    pen.down = True
    writer = JointWriter(pen.write, 10)
    found = await asyncio.gather(*(writer.save({key: 1}) for key in "abc"), return_exceptions=True)
    assert [type(each) for each in found] == [DatabaseDown] * 3
    assert len(pen.together) == 1
    pen.down = False
    assert await writer.save({"a": 1}) == 1


async def test_a_saver_that_goes_does_not_hold_up_the_others() -> None:
    pen = Pen()
    pen.turn.clear()
    writer = JointWriter(pen.write, 10)
    gone, stays = (asyncio.ensure_future(writer.save({key: 1})) for key in "ab")
    await started(gone, stays)
    gone.cancel()
    pen.turn.set()
    assert await stays == 1
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert pen.together == [{"a": 1, "b": 1}]
