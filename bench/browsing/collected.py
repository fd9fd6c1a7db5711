"""The past of collection: archive, readings, how links and meters behaved, runs and frames.

Of readings there are the midnight registers of all meters over the past days, the curve of power
of yesterday and today, and every curve of a few meters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from datetime import date, datetime, time, timedelta
from typing import Any

from browsing.past import BATCH, STATION, Past
from station.collector.items import ITEMS
from station.store.objects import months
from station.store.objects.base import new_id
from station.store.objects.coverage import HoleCause
from station.store.objects.frames import FrameRecord
from station.store.objects.link_events import LinkEvent
from station.store.objects.meter_health import MeterHealth
from station.store.objects.meters import Meter
from station.store.objects.readings import Reading
from station.store.objects.runs import Failure, Run
from station.store.objects.sheets import group, sheet_id, write_of
from station.store.objects.tasks import Progress, Task
from station.store.objects.traffic import Counts
from station.units import MINUTE, UTC, day_start

CURVE, REGISTER = "power_total", "energy_import_total"
CURVES_KEPT = ("power_total", "voltage_a", "current_a", "energy_import_total")
LATEST_KEPT = tuple(item.code for item in ITEMS[:10])
CLOSELY = 20  # Meters of which every curve of the past days is there.
QUARTERS, MIDNIGHT = range(0, 1440, 15), (0,)
CURVE_DAYS = 2  # Of all meters.
FAILING_EVERY = 100  # Meters; one of so many has not answered lately.
RUNS_A_DAY = 100
FAILURES_EACH = 60  # Named in the ledger of a run.
FRAMES = 300_000
LINK_EVENTS = 50_000
FRAME = bytes.fromhex("6861010000000068910833333433593333338A16")  # 0.26 kWh.
START = "bench"  # What counts by the start of a station are kept under.


async def fill(past: Past, tasks: Sequence[Task]) -> None:
    """Enter the archive and what collection has left behind."""
    database = past.database
    await past.put("places", map(database.places.document_of, past.places))
    await past.put("ends", map(database.terminals.document_of, past.terminals))
    await past.put("meters", map(database.meters.document_of, past.meters))
    for task in tasks:
        await database.tasks.add(task)
        await database.tasks.keep_progress(task.id, Progress(past.now))
    await _readings(past)
    await _behaviour(past)
    await _links(past)
    await past.put("runs", map(database.runs.document_of, _runs(past, tasks)))
    await past.put("frames", map(database.frames.document_of, _frames(past)))


async def _readings(past: Past) -> None:
    closely, others = past.meters[:CLOSELY], past.meters[CLOSELY:]
    for item in CURVES_KEPT:
        await _sheets(past, closely, item, past.days, QUARTERS)
    await _sheets(past, others, REGISTER, past.days, MIDNIGHT)
    await _sheets(past, others, CURVE, past.days[-CURVE_DAYS:], QUARTERS)
    entry = {
        "moment": past.now.replace(minute=0, second=0, microsecond=0),
        "value": 123_456,
        "read_at": past.now,
        "source": "task",
        "quality": "recorded",
    }
    items = dict.fromkeys(LATEST_KEPT, entry)
    await past.put("latest", ({"_id": meter.address, "items": items} for meter in past.meters))


async def _sheets(
    past: Past, meters: Sequence[Meter], item: str, days: Sequence[date], slots: Sequence[int]
) -> None:
    """Write day sheets of an item, and their coverage, as the store does; values are all alike."""
    kinds = [_block(past, item, day, slots) for day in days]
    writes: list[Any] = []
    covered: list[Any] = []
    for meter in meters:
        filled = []
        for day, block in zip(days, kinds, strict=True):
            if not block.readings or past.number(FAILING_EVERY) == 0:
                continue
            key = (meter.address, item, day)
            writes.append(write_of(sheet_id(key), None, block))
            filled.append((key, block, {}))
        covered += months.writes(filled)
        if len(writes) >= BATCH:
            await past.store.sheets.bulk_write(writes, ordered=False)
            await past.store.coverage.bulk_write(covered, ordered=False)
            writes, covered = [], []
    if writes:
        await past.store.sheets.bulk_write(writes, ordered=False)
        await past.store.coverage.bulk_write(covered, ordered=False)


def _block(past: Past, item: str, day: date, slots: Sequence[int]) -> Any:
    """Return what a day's sheet takes, up to now."""
    start = day_start(day, past.zone)
    readings = [
        Reading("000000000000", item, start + slot * MINUTE, 1000 + slot, past.now, "task")
        for slot in slots
        if start + slot * MINUTE < past.now
    ]
    blocks, _ = group(readings, past.zone)
    return next(iter(blocks.values()))


async def _behaviour(past: Past) -> None:
    """Enter what is known of the meters: a hundredth has failed for some days."""
    failing = past.meters[::FAILING_EVERY]
    bad = {meter.address for meter in failing}
    healths = (
        MeterHealth(
            meter.address,
            failures=12 if meter.address in bad else 0,
            failing_since=past.now - timedelta(days=3) if meter.address in bad else None,
            last_try=past.now,
            last_success=past.now - timedelta(days=3 if meter.address in bad else 0),
            last_cause="no_answer" if meter.address in bad else "",
            waited_s=2.0,
            spread_s=0.1,
        )
        for meter in past.meters
    )
    await past.put("meter_health", map(past.database.meter_health.document_of, healths))
    await past.put("meter_days", _meter_days(past))
    await past.database.coverage.note_causes(
        HoleCause(meter.address, item, day, "no_answer", past.now)
        for meter in failing
        for item in (CURVE, REGISTER)
        for day in past.days
    )


def _meter_days(past: Past) -> Iterator[dict[str, Any]]:
    for day in past.days:
        at = datetime.combine(day, time(), UTC)
        for meter in past.meters:
            asked = {"asked": 200, "answered": 198 - past.number(3)}
            yield {
                "_id": f"{meter.address}/{day}",
                "meter": meter.address,
                "at": at,
                "counts": {START: asked},
            }


async def _links(past: Past) -> None:
    counts = list(astuple(Counts(900_000, 700_000, 9_000, 9_000, 2, 10, 1, 20, 1, 0)))
    traffic = (
        {
            "_id": f"{terminal.address}|{day.isoformat()}",
            "address": terminal.address,
            "day": datetime.combine(day, time(), UTC),
            "starts": {START: counts},
        }
        for day in past.days
        for terminal in past.terminals
    )
    await past.put("traffic", traffic)
    events = (
        LinkEvent(
            past.one(past.terminals).address,
            past.moment(),
            past.one(("online", "offline")),
            past.one(("logged in", "no heartbeat", "the terminal closed the connection")),
            "10.0.0.1:4000",
            STATION,
        )
        for _ in range(LINK_EVENTS)
    )
    await past.put("link_events", map(past.database.link_events.document_of, events))


def _runs(past: Past, tasks: Sequence[Task]) -> Iterator[Run]:
    """Yield runs of the past, each with the failures that its ledger names."""
    for number in range(RUNS_A_DAY * len(past.days)):
        task = tasks[number % len(tasks)]
        began = past.moment(len(past.days))
        failures = tuple(
            Failure(past.meter().address, REGISTER, "no_answer", "no answer in 5.0 s (3 attempts)")
            for _ in range(FAILURES_EACH)
        )
        yield Run(
            new_id(),
            task.id,
            task.name,
            began.replace(second=0, microsecond=0),
            began,
            station=STATION,
            ended_at=began + timedelta(minutes=2),
            state="finished",
            due=10_000,
            done=10_000,
            success=10_000 - FAILURES_EACH,
            first_round=9_800,
            rounds=3,
            causes={"no_answer": FAILURES_EACH},
            failures=failures,
        )


def _frames(past: Past) -> Iterator[FrameRecord]:
    """Yield questions and answers of the past days."""
    for number in range(FRAMES // 2):
        meter, at = past.meter(), past.moment()
        shared = {"meter": meter.address, "exchange": number, "protocol": "qgdw1376"}
        keys = ("qgdw1376 10 F1", "dlt645 91")
        yield FrameRecord(at, meter.link, "out", FRAME, functions=keys, **shared)
        at += timedelta(seconds=2)
        yield FrameRecord(at, meter.link, "in", FRAME, functions=keys, **shared)
