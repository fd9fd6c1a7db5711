"""What the audit log costs: proving a long one, and each change that is noted in it.

A log of a million entries, chained as the station chains them, is laid down in bulk and proved as
`station audit verify` proves it; then one entry in its middle is changed, which has to be found.
A change is a customer's, sent to the pages over HTTP: with the log, and with one that keeps
nothing. What lies between them is what a person waits for the log.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

from station.handlers.access.audit_writer import AuditWriter
from station.store.database import Database
from station.store.embedded import EmbeddedMongo
from station.store.objects.audit import NAMES, AuditLog, Entry

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "prepaid"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "handlers"))

from web_helpers import CONFIG, Visitor, open_office

BATCH = 5_000  # Entries in one write: some 4 MB.
CUSTOMER = {"name": "Test customer", "phone": "555-0101", "address": "1 Test Street"}


class Silent(AuditWriter):
    """A log that keeps nothing, for comparison."""

    async def begin(self, entry: Entry) -> None:
        """Note nothing."""

    async def settle(self, entry: Entry) -> None:
        """Write nothing."""

    def drop(self, entry: Entry) -> None:
        """Drop nothing."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(options.entries, options.changes, Path(folder)))
    print(json.dumps(result))
    return int(not result["spoilt_found"])


async def measure(entries: int, changes: int, folder: Path) -> dict[str, Any]:
    """Start a database, prove a log in it, and change customers."""
    mongod = EmbeddedMongo(folder / "data", 256)
    try:
        uri = await mongod.start()
        database = await Database.connect(uri, "bench", zone=CONFIG.site.zone_info)
        client: Any = AsyncIOMotorClient(uri)
        try:
            changed = await both_ways(database, changes)
            return {**changed, **await proved(database.audit, client["bench"]["audit"], entries)}
        finally:
            client.close()
            await database.close()
    finally:
        await mongod.stop()


async def proved(audit: AuditLog, collection: Any, entries: int) -> dict[str, Any]:
    """Lay down a log, prove it, spoil an entry, and prove it again."""
    head = await audit.head()
    began = time.monotonic()
    batch: list[dict[str, Any]] = []
    for entry in chain(head, entries):
        batch.append({"_id" if n == "sequence" else n: getattr(entry, n) for n in NAMES})
        if len(batch) == BATCH:
            await collection.insert_many(batch)
            batch = []
    if batch:
        await collection.insert_many(batch)
    print(f"{entries:,} entries laid down in {time.monotonic() - began:.1f} s")
    began, began_cpu = time.monotonic(), time.process_time()
    verdict = await audit.verify()
    verify_s, cpu_s = time.monotonic() - began, time.process_time() - began_cpu
    assert verdict.broken is None, verdict.broken
    print(f"{verdict.count:,} entries proved in {verify_s:.1f} s ({cpu_s:.1f} s of a core)")
    middle = verdict.count // 2
    await collection.update_one({"_id": middle}, {"$set": {"who": "somebody else"}})
    broken = (await audit.verify()).broken
    found = broken is not None and broken.sequence == middle
    print(f"entry {middle:,} was changed: {'found' if found else 'NOT FOUND'}")
    return {
        "entries": verdict.count, "verify_s": round(verify_s, 2),
        "entries_a_second": round(verdict.count / verify_s), "spoilt_found": found,
    }  # fmt: skip


def chain(head: Entry | None, entries: int) -> Iterator[Entry]:
    """Yield entries as a year of work makes them, each behind the one before."""
    last = head
    for number in range(entries):
        after = json.dumps({"comment": "", "name": f"Meter {number}", "point": number % 99})
        entry = Entry(
            "meters.change", f"/meters/{number % 20_000:012}", f"clerk{number % 7}",
            station="bench", address="192.0.2.1", outcome="done", after=after, before=after,
        )  # fmt: skip
        last = entry.chained(last)
        yield last


async def both_ways(database: Database, changes: int) -> dict[str, Any]:
    """Change customers with the log and without it, in turns; return the milliseconds."""
    times: dict[str, list[float]] = {"with": [], "without": []}
    for turn in range(4):
        name = ("with", "without")[turn % 2]
        writer = (AuditWriter, Silent)[turn % 2](database.audit, "bench")
        await writer.start()
        async with open_office(database, audit=writer) as office:
            person = await office.somebody("clerk")
            number = f"{turn + 1:012}"
            status, _ = await person.json("POST", "/api/customers", {**CUSTOMER, "number": number})
            assert status == 201
            times[name] += await changed(person, number, changes // 2)
        await writer.stop()
    medians = {name: statistics.median(found) for name, found in times.items()}
    tails = {name: statistics.quantiles(found, n=20)[-1] for name, found in times.items()}
    for name in times:
        print(f"a change {name} the log: median {medians[name]:.2f} ms, p95 {tails[name]:.2f} ms")
    return {
        "change_ms": round(medians["with"], 2), "change_p95_ms": round(tails["with"], 2),
        "log_ms": round(medians["with"] - medians["without"], 2),
        "log_p95_ms": round(tails["with"] - tails["without"], 2),
    }  # fmt: skip


async def changed(person: Visitor, number: str, changes: int) -> list[float]:
    """Change a customer again and again; return how long each took, in milliseconds."""
    took = []
    for turn in range(changes):
        body = {**CUSTOMER, "note": f"turn {turn}"}
        began = time.monotonic()
        status, _ = await person.json("PUT", f"/api/customers/{number}", body)
        took.append(1000 * (time.monotonic() - began))
        assert status == 200
    return took


if __name__ == "__main__":
    sys.exit(main())
