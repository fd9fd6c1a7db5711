"""What the front-end keeps: states of links and the frame log."""

from dataclasses import replace
from datetime import timedelta

import pytest
from store_helpers import kill

from station.errors import DatabaseDown
from station.store.database import Database
from station.store.embedded import EmbeddedMongo
from station.store.objects import frames as frames_module
from station.store.objects.frames import FrameRecord
from station.store.objects.links import LinkCounts, LinkState
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import utc_now

NOW = utc_now()
SECOND = timedelta(seconds=1)
ONLINE = LinkState(
    "02001234",
    "station-1",
    "terminal",
    "qgdw1376",
    "online",
    NOW,
    last_seen=NOW,
    remote="10.0.0.9:40001",
    bytes_in=1000,
    bytes_out=200,
    logins=3,
    replaced=1,
)


async def test_states_are_replaced(database: Database) -> None:
    await database.links.save_many([])
    await database.links.save_many([ONLINE, replace(ONLINE, address="02000001")])
    offline = replace(ONLINE, state="offline", since=NOW + SECOND, reason="closed by the terminal")
    await database.links.save_many([offline])
    assert await database.links.find("02001234") == offline
    assert (await database.links.find("02000001")) == replace(ONLINE, address="02000001")
    assert await database.links.find("02000002") is None


async def test_nothing_is_online_at_the_start(database: Database) -> None:
    elsewhere = replace(ONLINE, address="02000002", station="station-2")
    offline = replace(ONLINE, address="02000003", state="offline", reason="silent for 30 min")
    await database.links.save_many([ONLINE, elsewhere, offline])
    later = NOW + SECOND
    assert await database.links.all_offline("station-1", "the station was restarted", later) == 1
    assert await database.links.find("02001234") == replace(
        ONLINE, state="offline", since=later, reason="the station was restarted"
    )
    assert await database.links.find("02000002") == elsewhere
    assert await database.links.find("02000003") == offline


async def test_pages_of_states(database: Database) -> None:
    unknown = replace(ONLINE, address="02000002", known=False)
    channel = replace(ONLINE, address="workshop", kind="channel", state="offline", remote="")
    await database.links.save_many([channel, unknown, ONLINE])
    assert await database.links.list() == ([unknown, ONLINE, channel], 3)
    assert await database.links.list(skip=1, limit=1) == ([ONLINE], 3)
    assert await database.links.list(state="offline") == ([channel], 1)
    assert await database.links.list(kind="terminal", known=True) == ([ONLINE], 1)
    assert await database.links.list(known=False) == ([unknown], 1)
    assert await database.links.list(text="1234") == ([ONLINE], 1)
    assert await database.links.list(text="10.0.0.9") == ([unknown, ONLINE], 2)


async def test_links_in_every_order(database: Database) -> None:
    busy = replace(ONLINE, address="02000001", name="b", bytes_in=9000, since=NOW - SECOND)
    faulty = replace(ONLINE, address="02000002", name="c", late=1, bad=3, protocol="dlt698.45")
    never = replace(
        ONLINE, address="02000003", name="a", since=None, last_seen=None, state="offline"
    )
    await database.links.save_many([never, faulty, busy])
    for sort, addresses in (
        ("address", "123"),
        ("-address", "321"),
        ("name", "312"),
        ("state", "312"),
        ("since", "312"),
        ("-last_seen", "123"),
        ("-traffic", "123"),
        ("-faults", "213"),
    ):
        found, _ = await database.links.list(sort=sort)
        assert "".join(each.address[-1] for each in found) == addresses, sort
    assert await database.links.list(sort="-faults", skip=0, limit=1) == ([faulty], 3)
    assert await database.links.list(protocol="dlt698.45") == ([faulty], 1)
    assert await database.links.list(text="B") == ([busy], 1)


async def test_links_are_counted(database: Database) -> None:
    flapping = replace(ONLINE, address="02000001", flapping=True, known=False)
    offline = replace(ONLINE, address="02000002", state="offline")
    await database.links.save_many([ONLINE, flapping, offline])
    assert await database.links.counts() == LinkCounts(all=3, online=2, unknown=1, flapping=1)
    assert await database.links.list(flapping=True) == ([flapping], 1)


async def test_what_the_archive_says_changes_nothing_else(database: Database) -> None:
    unseen = replace(ONLINE, since=None, state="offline", reason="never seen", bytes_in=0)
    await database.links.save_many([replace(ONLINE, known=False)])
    named = replace(unseen, name="North")
    other = replace(unseen, address="02000002")
    await database.links.save_known([named, other])
    await database.links.save_known([named, other])
    assert await database.links.list() == ([other, replace(ONLINE, name="North")], 2)
    await database.links.save_unknown(["02001234", "02000002"])
    assert await database.links.list() == ([replace(ONLINE, known=False)], 1)


async def test_strangers_of_long_ago_are_forgotten(database: Database) -> None:
    stranger = replace(ONLINE, state="offline", known=False)
    recent = replace(stranger, address="02000002", since=NOW + SECOND)
    known = replace(stranger, address="02000003", known=True)
    here = replace(stranger, address="02000004", state="online")
    await database.links.save_many([stranger, recent, known, here])
    assert await database.links.forget_unknown("station-1", NOW + SECOND) == 1
    assert await database.links.list() == ([recent, known, here], 3)


async def test_forgotten_link(database: Database) -> None:
    await database.links.save_many([ONLINE])
    await database.links.forget("02001234")
    await database.links.forget("02001234")
    assert await database.links.list() == ([], 0)


def record(second: float, link: str = "02001234", **changed: object) -> FrameRecord:
    values = {"direction": "in", "raw": bytes([0x68, 0, 0xFF, 0x16]), **changed}
    return FrameRecord(at=NOW + second * SECOND, link=link, **values)


async def test_records_come_back_newest_first(database: Database) -> None:
    records = [
        record(0, note="late"),
        record(1, direction="out", meter="000000000161", exchange=7),
        record(2, meter="000000000161", exchange=7, raw=b""),
        record(3, link="workshop", meter="000000000162"),
    ]
    await database.frames.save_many([])
    await database.frames.save_many(records)
    newest = records[::-1]
    frames = database.frames
    assert await frames.list() == (newest, 4)
    assert await frames.list(skip=1, limit=2) == (newest[1:3], 4)
    assert await frames.list(link="workshop") == (newest[:1], 1)
    assert await frames.list(meter="000000000161") == (newest[1:3], 2)
    assert await frames.list(direction="out") == ([records[1]], 1)
    assert await frames.list(link="02001234", direction="in") == ([records[2], records[0]], 2)
    assert await frames.list(since=NOW + SECOND) == (newest[:3], 3)
    assert await frames.list(until=NOW + SECOND) == (newest[3:], 1)
    assert await frames.list(since=NOW + SECOND, until=NOW + 2 * SECOND) == ([records[1]], 1)


async def test_records_of_one_moment_keep_their_order(database: Database) -> None:
    records = [record(0, raw=bytes([n])) for n in range(5)]
    await database.frames.save_many(records)
    assert (await database.frames.list())[0] == records[::-1]


async def test_saved_again_nothing_is_there_twice(database: Database) -> None:
    records = [record(0), record(0), record(1)]
    await database.frames.save_many(records[:2])
    await database.frames.save_many(records)
    assert await database.frames.list() == ([records[2], records[1], records[0]], 3)


async def test_total_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "TOTAL_MAX", 3)
    await database.frames.save_many([record(n) for n in range(5)])
    found, total = await database.frames.list()
    assert (len(found), total) == (5, 3)


async def test_exchange_of_a_reading(database: Database) -> None:
    meter = "000000000161"
    exchange = [
        record(0, direction="out", meter=meter, exchange=7),
        record(1, exchange=7, note="noise"),
        record(2, meter=meter, exchange=7),
    ]
    others = [
        record(-86_400, meter=meter, exchange=7),  # The number of an earlier start of the station.
        record(2, link="workshop", meter="000000000162", exchange=7),
        record(2, meter=meter, direction="out"),
        record(3, meter=meter, exchange=8),
        record(4, meter=meter),
    ]
    await database.frames.save_many(exchange + others)
    frames = database.frames
    assert await frames.exchange_of(meter, NOW + 2 * SECOND) == exchange
    assert await frames.exchange_of(meter, NOW + 3 * SECOND) == [others[3]]
    assert await frames.exchange_of(meter, NOW + 4 * SECOND) == [], "it has no exchange"
    assert await frames.exchange_of(meter, NOW) == [], "that one went out"
    assert await frames.exchange_of("000000000999", NOW) == []


async def test_exchange_of_a_terminals_own_data(database: Database) -> None:
    """An answer about several meters has no meter: the link of the one asked for leads to it."""
    meter = "000000000161"
    await database.terminals.add(Terminal("02001234", ""))
    await database.meters.add(Meter(meter, name="", link="02001234"))
    exchange = [record(0, direction="out", exchange=7), record(1, exchange=7)]
    elsewhere = [record(1, link="02005678", exchange=8), record(1, meter="000000000162")]
    await database.frames.save_many(exchange + elsewhere)
    assert await database.frames.exchange_of(meter, NOW + SECOND) == exchange
    assert await database.frames.exchange_of("000000000999", NOW + SECOND) == []


async def test_records_are_found_by_function(database: Database) -> None:
    forwarded = record(0, protocol="qgdw1376", functions=("qgdw1376 10", "dlt645 91"))
    alone = record(1, protocol="dlt645", functions=("dlt645 91",))
    login = record(2, protocol="qgdw1376", functions=("qgdw1376 02",))
    frames = database.frames
    await frames.save_many([forwarded, alone, login])
    assert await frames.list(functions=("dlt645 91",)) == ([alone, forwarded], 2)
    assert await frames.list(functions=("dlt645 91", "qgdw1376 10")) == ([alone, forwarded], 2)
    assert await frames.list("workshop", functions=("dlt645 91",)) == ([], 0)
    assert await frames.newest(functions=("qgdw1376 02", "dlt645 91"), limit=1) == [login]
    assert await frames.newest(until=NOW + SECOND) == [forwarded]


async def test_only_so_many_records_are_kept(database: Database) -> None:
    records = [record(n) for n in range(10)]
    await database.frames.save_many(records)
    assert await database.frames.drop_oldest(10) == 0
    assert await database.frames.drop_oldest(4) == 6
    assert await database.frames.drop_oldest(4) == 0
    assert await database.frames.list() == (records[:5:-1], 4)


async def test_records_wait_for_the_database(mongo: EmbeddedMongo, zone) -> None:
    database = await Database.connect(await mongo.start(), "test", zone=zone, timeout_s=1.5)
    records = [record(n) for n in range(100)]
    assert mongo.pid is not None
    kill(mongo.pid)
    with pytest.raises(DatabaseDown):
        await database.frames.save_many(records)
    await mongo.stop()
    await mongo.start()
    await database.frames.save_many(records)
    assert await database.frames.list(limit=200) == (records[::-1], 100)
    await database.close()
