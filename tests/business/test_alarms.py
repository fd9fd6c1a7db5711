"""Alarms in a real store: raised, merged, cleared, acted upon, taken up after a restart."""

import asyncio
from datetime import timedelta

import pytest
from alarm_yard import Yard, event

from station.errors import Conflict, NotFound
from station.units import utc_now

ONE, TWO, THREE = Yard.terminals
METER, OTHER, THIRD = Yard.meters


async def test_a_silent_terminal_is_an_alarm_until_it_is_back(yard: Yard) -> None:
    assert await yard.standing() == []
    yard.down(ONE)
    alarm = await yard.only()
    assert (alarm.kind, alarm.severity, alarm.subject, alarm.place) == (
        "silent", "major", ONE, "area"
    )  # fmt: skip
    assert (alarm.name, alarm.detail) == (f"At {ONE}", "closed by the terminal")
    yard.up(ONE)
    assert await yard.standing() == []
    cleared, _ = await yard.database.alarms.list(state="cleared")
    assert [(each.cleared_by, each.history[-1].comment) for each in cleared] == [("", "it is over")]
    assert yard.told.acts == [("raised", "silent", ONE), ("cleared", "silent", ONE)]


async def test_a_silent_area_takes_its_terminals_up(yard: Yard) -> None:
    yard.down(ONE)
    assert await yard.standing() == [("silent", "link", ONE)]
    yard.down(TWO, THREE)
    alarm = await yard.only()
    assert (alarm.scope, alarm.subject, alarm.severity) == ("place", "area", "critical")
    assert (alarm.members, alarm.members_all) == (Yard.terminals, 3)
    assert alarm.detail == "3 of 3 links are away"
    yard.up(ONE)
    alarm = await yard.only()
    assert (alarm.scope, alarm.members_all, alarm.detail) == ("place", 2, "2 of 3 links are away")
    yard.up(TWO)
    assert await yard.standing() == [("silent", "link", THREE)]
    # Nobody is told that the first one was cleared: its trouble went on.
    assert ("cleared", "silent", ONE) not in yard.told.acts


async def test_power_off_is_told_from_link_loss(yard: Yard) -> None:
    await yard.tell(event("1376-14", ONE))
    alarm = await yard.only()
    assert (alarm.kind, alarm.scope, alarm.severity) == ("power_off", "link", "critical")
    yard.down(*Yard.terminals)
    alarm = await yard.only()
    assert (alarm.kind, alarm.scope, alarm.subject) == ("power_off", "place", "area")
    assert alarm.detail == "3 of 3 links are away; 1 of them said that their power goes"
    yard.up(*Yard.terminals)
    await yard.tell(event("1376-14", ONE, over=True))
    assert await yard.standing() == []


async def test_all_meters_of_a_terminal_without_power_are_one_alarm(yard: Yard) -> None:
    await yard.tell(event("645-report-69", ONE, METER))
    assert await yard.standing() == [("power_off", "meter", METER)]
    await yard.tell(event("645-031100", ONE, OTHER), event("698-3011", ONE, THIRD))
    assert await yard.standing() == [("power_off", "link", ONE)]
    alarm = await yard.alarms.clear((await yard.only()).id, "ann", "planned work")
    assert alarm.cleared_by == "ann"
    assert await yard.standing() == []


async def test_unread_meters(yard: Yard) -> None:
    await yard.unread(METER)
    alarm = await yard.only()
    assert (alarm.kind, alarm.subject, alarm.link, alarm.name, alarm.severity) == (
        "unread", METER, ONE, "Meter 1", "minor"
    )  # fmt: skip
    await yard.unread(*Yard.meters)
    alarm = await yard.only()
    assert (alarm.scope, alarm.subject, alarm.severity) == ("link", ONE, "major")
    yard.down(ONE)
    assert await yard.standing() == [("silent", "link", ONE)]


async def test_what_devices_tell_is_one_alarm_until_somebody_clears_it(yard: Yard) -> None:
    first = event("645-report-10", ONE, METER)
    await yard.tell(first, event("645-03300D", ONE, METER), event("645-033004", ONE, METER))
    alarm = await yard.only()
    assert (alarm.kind, alarm.count, alarm.name, alarm.place) == ("cover", 2, "Meter 1", "area")
    yard.alarms.take([first])  # The same event once more is no further one.
    assert (await yard.only()).count == 2
    cleared = await yard.alarms.clear(alarm.id, "ann", "seal replaced")
    assert [act.name for act in cleared.history] == ["raised", "cleared"]
    yard.alarms.take([first])
    assert await yard.standing() == []
    await yard.tell(event("645-report-10", ONE, METER))
    assert await yard.standing() == [("cover", "meter", METER)]
    assert [act for act, *_ in yard.told.acts] == ["raised", "cleared", "raised"]


async def test_what_passes_by_itself_is_cleared_by_its_end(yard: Yard) -> None:
    await yard.tell(event("1376-24", ONE, METER, over=True))
    assert await yard.standing() == []
    await yard.tell(event("1376-24", ONE, METER))
    assert await yard.standing() == [("over_voltage", "meter", METER)]
    await yard.tell(event("1376-24", ONE, METER, over=True, values=({"name": "end"},)))
    assert await yard.standing() == []


async def test_people_acknowledge_comment_mute_and_clear(yard: Yard) -> None:
    await yard.tell(event("645-report-12", ONE, METER))
    alarm = await yard.only()
    heard: list[str] = []
    with yard.feed.listening(lambda _, message: heard.append(message["state"]), ["alarms"]):
        await yard.alarms.acknowledge(alarm.id, "ann", "I go there")
        await yard.alarms.comment(alarm.id, "bob", "key at the office")
    assert heard == ["acknowledged", "acknowledged"]
    with pytest.raises(Conflict, match="is acknowledged already"):
        await yard.alarms.acknowledge(alarm.id, "bob")
    until = utc_now() + timedelta(hours=2)
    await yard.alarms.mute(alarm.id, "ann", until)
    await yard.alarms.clear(alarm.id, "ann")
    with pytest.raises(Conflict, match="is cleared already"):
        await yard.alarms.clear(alarm.id, "bob")
    with pytest.raises(NotFound):
        await yard.alarms.comment("nothing", "bob", "?")
    kept = await yard.database.alarms.get(alarm.id)
    assert [(act.name, act.by, act.comment) for act in kept.history] == [
        ("raised", "", ""),
        ("acknowledged", "ann", "I go there"),
        ("commented", "bob", "key at the office"),
        ("muted", "ann", ""),
        ("cleared", "ann", ""),
    ]
    await yard.tell(event("645-report-12", ONE, METER))
    assert (await yard.only()).muted_until == until  # The cause is still muted.


async def test_what_goes_on_cannot_be_cleared(yard: Yard) -> None:
    yard.down(ONE)
    alarm = await yard.only()
    with pytest.raises(Conflict, match="clears itself"):
        await yard.alarms.clear(alarm.id, "ann")
    counts = await yard.database.alarms.counts()
    assert (counts.major, counts.all, counts.open) == (1, 1, 1)
    assert (await yard.database.alarms.counts(places=["area"])).all == 1
    assert (await yard.database.alarms.counts(places=["elsewhere"])).all == 0


async def test_a_restart_takes_up_what_was_missed(yard: Yard) -> None:
    yard.alarms.start()
    for _ in range(200):
        if await yard.database.settings.get("alarms_looked_at test") is not None:
            break
        await asyncio.sleep(0.02)
    await yard.alarms.stop()
    await yard.database.events.save_many(
        [event("645-report-10", ONE, METER), event("1376-14", TWO)]
    )
    yard.down(TWO)
    await yard.registry.flush()
    yard.start()
    yard.alarms.start()
    for _ in range(200):
        alarms, _ = await yard.database.alarms.list()
        if len(alarms) == 2:
            break
        await asyncio.sleep(0.02)
    assert sorted(alarm.kind for alarm in alarms) == ["cover", "power_off"]
