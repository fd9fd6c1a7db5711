"""A full loop stays quick: only some of those who want to start do so in one turn of it."""

import asyncio

from station.collector.gate import Gate


async def test_a_few_pass_in_each_turn_of_the_loop_in_the_order_they_came() -> None:
    gate, passed, turns = Gate(per_turn=3), list[tuple[int, int]](), 0

    async def enter(number: int) -> None:
        await gate.enter()
        passed.append((turns, number))

    entering = [asyncio.create_task(enter(number)) for number in range(10)]
    while not all(each.done() for each in entering):
        await asyncio.sleep(0)
        turns += 1
        assert turns < 50, "somebody never passes"
    assert [number for _, number in passed] == list(range(10))
    per_turn = [sum(1 for each, _ in passed if each == turn) for turn in range(turns + 1)]
    assert max(per_turn) == 3


async def test_one_who_is_cancelled_takes_nobodys_place() -> None:
    gate, passed = Gate(per_turn=1), list[str]()

    async def enter(name: str) -> None:
        await gate.enter()
        passed.append(name)

    first, second, third = (asyncio.create_task(enter(name)) for name in ("a", "b", "c"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait({first, second, third}, timeout=5)
    assert passed == ["a", "c"]


async def test_an_idle_gate_lets_pass_at_once() -> None:
    gate = Gate(per_turn=1)
    await gate.enter()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    passes = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    assert passes.done()
