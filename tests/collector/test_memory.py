"""What is remembered of meters: silence, refusals, answer times; and across a restart."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from station.collector import memory as memory_module
from station.collector.memory import DEAD_AFTER, TIMEOUT_UNKNOWN_S, Memory, floor_s
from station.collector.outcome import Cause
from station.errors import DatabaseDown
from station.store.database import Database
from station.store.objects.meters import Meter
from station.units import local_day, utc_now

ZONE = ZoneInfo("Asia/Shanghai")
A, B = "000000000161", "000000000162"


def made(database: Database) -> Memory:
    return Memory(database.meter_health, database.meter_days, ZONE)


def meter(address: str = A, line: str = "2400 8E1") -> Meter:
    return Meter(address, "", link="02001234", line=line)


async def test_a_meter_is_dead_after_silent_runs_and_alive_at_once(database: Database) -> None:
    memory = made(database)
    for _ in range(DEAD_AFTER):
        assert not memory.is_dead(A)
        memory.note_round(A, False, Cause.NO_ANSWER)
    assert memory.is_dead(A)
    now = utc_now()
    assert not memory.probe_due(A, now)
    assert memory.probe_due(A, now + timedelta(minutes=15))
    memory.note_round(A, False, Cause.NO_ANSWER)
    assert not memory.probe_due(A, now + timedelta(minutes=16))
    assert memory.probe_due(A, now + timedelta(minutes=31))
    memory.note_round(A, True)
    assert not memory.is_dead(A)
    assert memory.probe_due(A, now)


async def test_a_link_that_is_down_says_nothing_of_the_meter(database: Database) -> None:
    memory = made(database)
    for _ in range(DEAD_AFTER):
        memory.note_round(A, False, Cause.LINK_DOWN)
    assert not memory.is_dead(A)


async def test_gap_filling_that_gives_nothing_comes_later_and_later(database: Database) -> None:
    memory, now = made(database), utc_now()
    for minutes in (1, 2, 4):
        memory.note_gap(A, fruitful=False)
        assert not memory.probe_due(A, now + timedelta(minutes=minutes, seconds=-10))
        assert memory.probe_due(A, now + timedelta(minutes=minutes, seconds=10))
    memory.note_gap(A, fruitful=True)
    assert memory.probe_due(A, now)


async def test_answer_times_are_learned_within_what_the_line_needs(database: Database) -> None:
    memory = made(database)
    assert memory.answer_timeout_s(A) == TIMEOUT_UNKNOWN_S
    memory.meet(meter(), "02001234")
    memory.note_wait(A, 0.05)
    assert memory.answer_timeout_s(A) == floor_s("2400 8E1")
    assert floor_s("1200 8E1") > 2 * floor_s("4800 8E1")
    for _ in range(50):
        memory.note_wait(A, 3.0)
    assert 3.0 < memory.answer_timeout_s(A) < 5.0
    for _ in range(50):
        memory.note_wait(A, 60.0)
    assert memory.answer_timeout_s(A) == memory_module.TIMEOUT_MAX_S
    memory.meet(meter(B), "02001234")  # Nothing is known of it, but of its bus.
    assert memory.answer_timeout_s(B) == memory_module.TIMEOUT_MAX_S
    assert memory.exchange_s(B, "02001234") == memory.exchange_s(A, "02001234")


async def test_what_is_known_outlives_a_restart_and_can_be_forgotten(database: Database) -> None:
    memory = made(database)
    await memory.start()
    memory.meet(meter(), "02001234")
    memory.note_refusal(A, "0201FF00")
    memory.note_refusal(A, "0201FF00")
    memory.note_wait(A, 0.5)
    memory.note_round(B, False, Cause.WRONG_ADDRESS)
    memory.count(A, utc_now(), 10, 9)
    await memory.write()
    memory.count(A, utc_now(), 10, 10)
    await memory.stop()

    later = made(database)
    await later.start()
    assert later.refuses(A, "0201FF00")
    assert not later.refuses(B, "0201FF00")
    assert later.health(A).waited_s == 0.5
    assert later.health(B).failures == 1
    assert later.health(B).last_cause == "wrong_address"
    later.count(A, utc_now(), 5, 0)
    today = local_day(utc_now(), ZONE)
    await later.write()
    assert await database.meter_days.counts(today) == [(A, 25, 19)]
    assert await database.meter_days.counts(today - timedelta(days=1)) == []
    failing, total = await database.meter_health.failing()
    assert ([health.meter for health in failing], total) == ([B], 1)
    later.forget(A)
    assert not later.refuses(A, "0201FF00")
    await later.stop()
    assert not (await database.meter_health.get(A)).refused


async def test_a_database_that_is_down_loses_nothing(database: Database, monkeypatch) -> None:
    memory = made(database)
    real, calls = database.meter_health.save_many, []

    async def down_once(healths) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise DatabaseDown("the database does not answer")
        await real(healths)

    monkeypatch.setattr(database.meter_health, "save_many", down_once)
    memory.note_round(A, False, Cause.NO_ANSWER)
    await memory.write()
    assert await database.meter_health.find(A) is None
    await memory.write()
    assert (await database.meter_health.get(A)).failures == 1
