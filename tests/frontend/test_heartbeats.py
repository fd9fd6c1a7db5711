"""The short way of heartbeats says and keeps what the long way does."""

from datetime import datetime

import pytest
from frontend_peers import TERMINAL, running_front

from station.frontend.heartbeats import HeartbeatAnswers, own_part
from station.protocols.checksum import byte_sum
from station.protocols.qgdw1376.frame import Address, Frame
from station.protocols.qgdw1376.link import confirm, heartbeat, login, logout
from station.store.objects.frames import FrameRecord

ADDRESS = Address.from_text(TERMINAL, master=3)
CLOCK = datetime.fromisoformat("2026-03-01T08:30:00")
BEAT = heartbeat(ADDRESS, 5).to_bytes()


@pytest.mark.parametrize("item_by_item", [True, False])
@pytest.mark.parametrize("clock", [None, CLOCK])
def test_the_answer_is_that_of_the_long_way(item_by_item: bool, clock: datetime | None) -> None:
    answers = HeartbeatAnswers(item_by_item)
    own = own_part(login(ADDRESS, 1))
    for sequence in range(16):
        frame = heartbeat(ADDRESS, sequence, clock)
        expected = confirm(frame, item_by_item).to_bytes()
        assert answers.answer(frame.to_bytes(), own) == expected


def sealed(raw: bytes) -> bytes:
    """The same bytes with the right checksum."""
    return raw[:-2] + bytes((byte_sum(raw[6:-2]), 0x16))


def test_every_other_frame_takes_the_long_way() -> None:
    answers, own = HeartbeatAnswers(True), own_part(login(ADDRESS, 1))
    others = [
        login(ADDRESS, 5).to_bytes(),
        logout(ADDRESS, 5).to_bytes(),
        heartbeat(Address.from_text(TERMINAL), 5).to_bytes(),
        heartbeat(Address.from_text("02005678", 3), 5).to_bytes(),
        Frame(0xC9, ADDRESS, 0x02, 0x65, BEAT[14:18]).to_bytes(),
        Frame(0xE9, ADDRESS, 0x02, 0x75, BEAT[14:18], events=(1, 2)).to_bytes(),
        BEAT + BEAT,
        BEAT[:-1],
        b"",
    ]
    assert [answers.answer(raw, own) for raw in others] == [None] * len(others)
    for place in range(len(BEAT)):
        for bit in range(8):
            changed = bytearray(BEAT)
            changed[place] ^= 1 << bit
            assert answers.answer(bytes(changed), own) is None
            if place not in {13, 18, 19}:
                assert answers.answer(sealed(bytes(changed)), own) is None


async def test_both_ways_keep_the_same() -> None:
    async with running_front() as front:
        terminal = await front.online()
        kept = []
        for pieces in ([BEAT_OF_TERMINAL], [BEAT_OF_TERMINAL[:7], BEAT_OF_TERMINAL[7:]]):
            before = front.registry.state(TERMINAL)
            for piece in pieces:
                await terminal.send(piece)
            reply = await terminal.receive()
            after = front.registry.state(TERMINAL)
            assert before is not None
            assert after is not None
            assert after.last_seen is not None
            assert after.last_seen == in_and_out(front)[0].at
            counted = (after.bytes_in - before.bytes_in, after.bytes_out - before.bytes_out)
            kept.append((reply, counted, [told(each) for each in in_and_out(front)]))
        assert kept[0] == kept[1]


BEAT_OF_TERMINAL = heartbeat(Address.from_text(TERMINAL), 7).to_bytes()


def in_and_out(front) -> list[FrameRecord]:
    return front.trace.recent(TERMINAL, limit=2)[::-1]


def told(record: FrameRecord) -> tuple:
    return record.direction, record.raw, record.meter, record.exchange, record.note
