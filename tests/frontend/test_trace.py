"""The last frames in memory, and the way to the frame log."""

from datetime import timedelta
from typing import Any

import pytest
from frontend_peers import METER, NOW, REPLY, REQUEST, TERMINAL, AbsentStore, Ear, soon

from station.errors import DatabaseDown
from station.frontend import trace as frontend_trace
from station.frontend.trace import NOISE_SHOWN_MAX, Trace
from station.live import Feed
from station.protocols.dlt645.requests import Authority, change_password
from station.protocols.line import LineSettings
from station.protocols.noise import Noise
from station.protocols.qgdw1376.forward import forward_answer, forward_request
from station.protocols.qgdw1376.frame import Address, Frame
from station.protocols.qgdw1376.link import confirm, heartbeat, login
from station.protocols.secrecy import without_passwords
from station.store.database import Database
from station.units import utc_now

LOGIN = login(Address.from_text(TERMINAL), 1).to_bytes()
FORWARDED = forward_request(
    Address.from_text(TERMINAL),
    2,
    LineSettings.parse("2400 8E1"),
    REQUEST.to_bytes(),
    frame_timeout_s=5,
    byte_timeout_ms=100,
    sequence=1,
    master=1,
)


CLASS_2 = Frame(0x88, Address.from_text(TERMINAL), 0x0D, 0x60, bytes(8)).to_bytes()


def trace_of(frames: Any = None, per_link: int = 200) -> Trace:
    return Trace(Feed(), frames or AbsentStore(), per_link)


def record(trace: Trace, number: int, link: str = TERMINAL) -> None:
    at = utc_now() + timedelta(seconds=number)  # The database drops what is old.
    trace.record(link, "in", bytes((number,)), at)


async def test_the_last_frames_of_each_link_are_kept() -> None:
    trace = trace_of(per_link=3)
    for number in range(5):
        record(trace, number)
    record(trace, 9, "02005678")
    assert [each.raw[0] for each in trace.recent(TERMINAL)] == [4, 3, 2]
    assert [each.raw[0] for each in trace.recent(limit=3)] == [9, 4, 3]
    assert trace.recent("02009999") == []


async def test_the_quietest_link_loses_its_frames_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend_trace, "RECENT_MAX", 4)
    trace = trace_of()
    for number, link in enumerate(("a", "a", "b", "a", "c", "c", "c")):
        record(trace, number, link)
    kept = {link: [each.raw[0] for each in trace.recent(link)] for link in "abc"}
    assert kept == {"a": [3], "b": [], "c": [6, 5, 4]}


async def test_links_that_knock_only_once_hold_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frontend_trace, "RECENT_LINKS_MAX", 3)
    monkeypatch.setattr(frontend_trace, "RECENT_MAX", 4)
    trace = trace_of()
    for number in range(50):
        record(trace, number, f"192.0.2.1:{number}")
    record(trace, 50, "192.0.2.1:49")
    kept = [len(trace.recent(f"192.0.2.1:{number}")) for number in range(46, 50)]
    assert kept == [0, 1, 1, 2]


async def test_the_meter_of_a_forwarded_frame_is_found() -> None:
    trace = trace_of()
    answer = forward_answer(FORWARDED, REPLY.to_bytes())
    for raw in (FORWARDED.to_bytes(), answer.to_bytes(), REPLY.to_bytes(), LOGIN):
        trace.record(TERMINAL, "in", raw, NOW)
    assert [each.meter for each in trace.recent()] == [None, METER, METER, METER]


async def test_the_answer_has_the_meter_that_was_asked() -> None:
    """A terminal's own data names no meter; what was asked is remembered with the exchange."""
    trace = trace_of()
    first, second = trace.new_exchange(), trace.new_exchange()
    trace.record(TERMINAL, "out", CLASS_2, NOW, METER, first)
    trace.record(TERMINAL, "out", CLASS_2, NOW, None, second)
    for exchange in (second, first, None):
        trace.record(TERMINAL, "in", CLASS_2, NOW, None, exchange)
    assert [each.meter for each in trace.recent(limit=3)] == [None, METER, None]


async def test_heartbeats_stay_in_memory(database: Database) -> None:
    beat = heartbeat(Address.from_text(TERMINAL), 2, None)
    answer = confirm(beat, True).to_bytes()
    for log_heartbeats, logged in ((False, ["in", "out"]), (True, ["in", "out", "in", "out"])):
        trace = Trace(Feed(), database.frames, log_heartbeats=log_heartbeats)
        link = f"{TERMINAL}{log_heartbeats}"
        at = utc_now()
        trace.record(link, "in", beat.to_bytes(), at)
        trace.record(link, "out", answer, at)
        trace.record(link, "in", LOGIN, at + timedelta(seconds=1))
        trace.record(link, "out", answer, at + timedelta(seconds=1))
        assert len(trace.recent(link)) == 4
        unlogged = [each.direction for each in trace.unlogged(link)]
        assert unlogged == ([] if log_heartbeats else ["out", "in"])
        await trace.stop()
        found, _ = await database.frames.list(link=link)
        assert [each.direction for each in reversed(found)] == logged
        assert found[-1].functions == (
            "qgdw1376 02",
            "qgdw1376 02 F3" if log_heartbeats else "qgdw1376 02 F1",
        )


async def test_a_heartbeat_packet_is_told_by_its_note() -> None:
    trace = trace_of()
    trace.record("modem-1", "in", b"HB", NOW, note="heartbeat")
    trace.record("modem-1", "out", b"HB", NOW)
    trace.record("modem-1", "out", REQUEST.to_bytes(), NOW, METER, trace.new_exchange())
    assert len(trace.unlogged("modem-1")) == 2


async def test_the_log_is_kept_within_its_bound(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(frontend_trace, "CLEAN_PERIOD_S", 0.01)
    trace = Trace(Feed(), database.frames, frames_max=5)
    for number in range(12):
        record(trace, number)
    trace.start()
    await trace.flush()

    async def cut() -> list[int]:
        while True:
            frames, _ = await database.frames.list()
            if len(frames) <= 5:
                return [frame.raw[0] for frame in frames]

    assert await soon(cut()) == [11, 10, 9, 8, 7]
    await trace.stop()


async def test_noise_is_cut_and_counted() -> None:
    trace = trace_of()
    trace.record_noise(TERMINAL, Noise(bytes(5000), "no start of a frame"), NOW)
    (kept,) = trace.recent(TERMINAL)
    assert len(kept.raw) == NOISE_SHOWN_MAX
    assert kept.note == "noise, 5000 bytes: no start of a frame"


async def test_frames_are_announced() -> None:
    feed, ear = Feed(), Ear()
    trace = Trace(feed, AbsentStore())
    with feed.listening(ear.listen):
        trace.record(TERMINAL, "out", LOGIN, NOW, note="late")
    assert ear.messages == [
        (
            "frames",
            {
                "at": "2026-03-01T00:00:00+00:00",
                "link": TERMINAL,
                "direction": "out",
                "hex": LOGIN.hex().upper(),
                "meter": None,
                "note": "late",
            },
        )
    ]


async def test_exchanges_have_numbers_of_their_own() -> None:
    numbers = [trace_of().new_exchange()]
    trace = trace_of()
    numbers += [trace.new_exchange() for _ in range(3)]
    assert len(set(numbers)) == 4
    assert max(numbers) < 2**53, "JSON numbers of a browser are exact up to here"


async def test_frames_wait_for_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(frontend_trace, "WRITE_PERIOD_S", 0.01)
    monkeypatch.setattr(frontend_trace, "UNSAVED_MAX", 5)
    refused: list[int] = []

    class Away:
        is_there = False

        async def save_many(self, records: Any) -> None:
            if not self.is_there:
                refused.append(len(records))
                raise DatabaseDown("the database does not answer")
            await database.frames.save_many(records)

    away = Away()
    trace = trace_of(away)
    trace.start()
    for number in range(8):
        record(trace, number)
    assert trace.dropped_total == 3

    async def written() -> list[int]:
        while True:
            away.is_there = bool(refused)
            frames, _ = await database.frames.list()
            if len(frames) == 5:
                return [frame.raw[0] for frame in frames]

    assert await soon(written()) == [7, 6, 5, 4, 3]
    assert refused
    await trace.stop()


async def test_passwords_are_not_kept() -> None:
    trace = trace_of()
    old, new = Authority(password="123456"), Authority(password="654321")
    raw = change_password(METER, 0x04000C02, old, new).to_bytes()
    trace.record(TERMINAL, "out", raw, NOW, METER, trace.new_exchange())
    trace.record_noise(TERMINAL, Noise(raw, "it came back"), NOW)
    kept = {each.raw for each in trace.recent(TERMINAL)}
    assert kept == {without_passwords(raw)} != {raw}
