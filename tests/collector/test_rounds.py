"""Whose turn it is on a bus: rounds, pauses from each meter's own failure, never idle."""

import asyncio
from itertools import pairwise

from station.collector.items import ITEM_BY_CODE
from station.collector.plan import Want, Way
from station.collector.rounds import IDLE_SHARE, BusQueue, MeterWork
from station.store.objects.meters import Meter
from station.units import utc_now

WANTS = (Want(ITEM_BY_CODE["power_total"], utc_now(), (Way.LIVE,)),)
PAUSES_S = (0.0, 0.2, 0.5)


def work(*names: str) -> list[MeterWork]:
    return [MeterWork(Meter(name, "", link="bus"), WANTS) for name in names]


async def test_a_meter_that_failed_waits_while_the_others_are_read() -> None:
    queue = BusQueue(work("a", "b", "c"), PAUSES_S)
    time = asyncio.get_running_loop().time
    first = await queue.next()
    assert first is not None
    failed_at = time()
    assert queue.ended(first, WANTS)
    order = []
    while (turn := await queue.next()) is not None:
        order.append((turn.work.meter.address, turn.round_number))
        if turn.round_number == 2:
            assert time() - failed_at >= IDLE_SHARE * PAUSES_S[1]
        queue.ended(turn, ())
    assert order == [("b", 1), ("c", 1), ("a", 2)]


async def test_a_pause_that_is_over_goes_before_the_first_round() -> None:
    queue = BusQueue(work("a", "b", "c"), (0.0, 0.01))
    first = await queue.next()
    assert first is not None
    queue.ended(first, WANTS)
    second = await queue.next()
    assert second is not None
    await asyncio.wait_for(asyncio.sleep(0.02), 1)  # The exchange with the second meter.
    queue.ended(second, ())
    third = await queue.next()
    assert third is not None
    assert (third.work.meter.address, third.round_number) == ("a", 2)


async def test_pauses_grow_and_rounds_end() -> None:
    queue = BusQueue(work("a"), PAUSES_S)
    time = asyncio.get_running_loop().time
    moments = []
    while (turn := await queue.next()) is not None:
        moments.append(time())
        more = queue.ended(turn, WANTS)
    assert not more
    assert len(moments) == len(PAUSES_S)
    steps = [later - earlier for earlier, later in pairwise(moments)]
    assert steps[0] >= IDLE_SHARE * PAUSES_S[1] - 0.001
    assert steps[1] >= IDLE_SHARE * PAUSES_S[2] - 0.001


async def test_a_worker_without_a_turn_waits_for_the_other_ones() -> None:
    queue = BusQueue(work("a"), (0.0, 0.0))
    turn = await queue.next()
    assert turn is not None
    other = asyncio.ensure_future(queue.next())
    await asyncio.sleep(0)
    assert not other.done()
    queue.ended(turn, WANTS)
    again = await asyncio.wait_for(other, 1)
    assert again is not None
    assert again.round_number == 2
    assert [one.meter.address for one in queue.left()] == ["a"]
    queue.ended(again, ())
    assert await queue.next() is None


async def test_what_was_not_handed_out_is_the_rest() -> None:
    queue = BusQueue(work("a", "b", "c"), PAUSES_S)
    turn = await queue.next()
    assert turn is not None
    queue.ended(turn, WANTS)
    assert {rest.work.meter.address for rest in queue.rest()} == {"a", "b", "c"}
    assert await queue.next() is None
