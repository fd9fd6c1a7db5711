"""Commands go forward only; events fold their duplicates."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from station.errors import Conflict
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.commands import STEPS_MAX, Command, Step
from station.store.objects.events import Event, event_id
from station.units import utc_now


def a_command(request_id: str = "r1", **changes: object) -> Command:
    now = utc_now()
    command = Command(
        new_id(),
        request_id,
        "control",
        "000000000161",
        "line",
        {"order": "trip"},
        "admin",
        now,
        now + timedelta(hours=1),
        station="test",
        purpose="unpaid",
        history=(Step(now, "queued"),),
    )
    return replace(command, **changes)


def gone_on(command: Command, state: str, **changes: object) -> Command:
    return command.stepped(Step(utc_now(), state), state=state, **changes)


async def test_same_request_is_one_command(database: Database) -> None:
    first = await database.commands.order(a_command())
    assert await database.commands.order(a_command()) == first
    assert await database.commands.find(first.id) == first
    with pytest.raises(Conflict, match="another order"):
        await database.commands.order(a_command(what={"order": "close"}))
    _, total = await database.commands.list()
    assert total == 1


async def test_same_request_at_the_same_moment_is_one_command(database: Database) -> None:
    ordered = await asyncio.gather(*(database.commands.order(a_command()) for _ in range(8)))
    assert len({command.id for command in ordered}) == 1


async def test_a_change_is_written_once_however_often_it_is_tried(database: Database) -> None:
    queued = await database.commands.order(a_command())
    sent = gone_on(queued, "sent", attempts=1)
    for _ in range(3):
        assert await database.commands.advance(queued, sent) == sent
    assert await database.commands.get(queued.id) == sent


async def test_of_two_changes_at_once_one_is_refused(database: Database) -> None:
    queued = await database.commands.order(a_command())
    sent, cancelled = gone_on(queued, "sent", attempts=1), gone_on(queued, "failed")
    outcomes = await asyncio.gather(
        database.commands.advance(queued, sent),
        database.commands.advance(queued, cancelled),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1
    standing = await database.commands.get(queued.id)
    assert standing in (sent, cancelled)


async def test_an_ended_command_stays_as_it_ended(database: Database) -> None:
    queued = await database.commands.order(a_command())
    sent = await database.commands.advance(queued, gone_on(queued, "sent", attempts=1))
    confirmed = await database.commands.advance(sent, gone_on(sent, "confirmed"))
    with pytest.raises(Conflict, match="confirmed already"):
        await database.commands.advance(sent, gone_on(sent, "failed"))
    with pytest.raises(AssertionError, match="does not become"):
        await database.commands.advance(confirmed, gone_on(confirmed, "failed"))
    assert await database.commands.open("test") == []


async def test_list_by_state_meter_and_text(database: Database) -> None:
    trip = await database.commands.order(a_command("r1"))
    await database.commands.order(a_command("r2", meter="000000000162", kind="read"))
    assert (await database.commands.list(meter="000000000161"))[0] == [trip]
    assert (await database.commands.list(kind="control", state="queued"))[0] == [trip]
    assert (await database.commands.list(text="UNPAID"))[1] == 2
    assert (await database.commands.list(state="sent")) == ([], 0)


def test_history_is_bounded_and_keeps_its_beginning() -> None:
    command = a_command()
    for number in range(3 * STEPS_MAX):
        command = command.stepped(Step(utc_now(), "asked", str(number)))
    assert len(command.history) == STEPS_MAX
    assert command.history[0].name == "queued"
    assert command.history[-1].reason == str(3 * STEPS_MAX - 1)
    assert command.revision == 3 * STEPS_MAX


def an_event(record: bytes, **changes: object) -> Event:
    now = utc_now()
    event = Event(
        event_id("02001234", record),
        "1376 14",
        "02001234",
        None,
        now,
        now,
        b"\x68",
        station="test",
        protocol="qgdw1376",
        values=({"name": "off", "name_zh": "停电时间", "value": "2026-01-01 10:00", "unit": ""},),
    )
    return replace(event, **changes)


async def test_an_event_that_comes_again_is_one_event(database: Database) -> None:
    first = an_event(b"one")
    await database.events.save_many([first, an_event(b"two")])
    later = an_event(b"one", received_at=utc_now() + timedelta(minutes=5))
    await database.events.save_many([later, an_event(b"three")])
    events, total = await database.events.list()
    assert total == 3
    assert await database.events.get(first.id) == first
    assert [event.received_at for event in events] == sorted(
        (event.received_at for event in events), reverse=True
    )


async def test_events_by_link_meter_name_and_time(database: Database) -> None:
    now = utc_now()
    old = an_event(b"1", received_at=now - timedelta(days=2), meter="000000000161")
    other = an_event(b"2", code="1376 31", link="02005678", received_at=now)
    await database.events.save_many([old, other])
    assert (await database.events.list(link="02005678"))[0] == [other]
    assert (await database.events.list(meter="000000000161"))[0] == [old]
    assert (await database.events.list(codes=["1376 31", "1376 32"]))[0] == [other]
    assert (await database.events.list(since=now - timedelta(days=1)))[0] == [other]
    assert (await database.events.list(until=now - timedelta(days=1)))[0] == [old]
