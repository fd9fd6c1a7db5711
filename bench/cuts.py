"""Every cut of every sale: each fault at each call, before and after it, with each way to go on.

A real mongod, virtual cards and meters in memory; the trials are those of tests/prepaid/trials.py.
Limit: no difference between the journal, the cards and the meters.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from station.store.database import Database
from station.store.embedded import EmbeddedMongo

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "prepaid"))

from cuts import cuts_of
from sale_site import ZONE, Town
from trials import OPERATIONS, Ending, Operation, Trial, failures_of

IN_MEMORY = Path("/dev/shm")  # No time is measured here, and a disk would take most of it.
SHOWN_MAX = 5  # Differences of one operation.


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operation", help="only this one")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # What breaks here is broken on purpose.
    chosen = [each for each in OPERATIONS if options.operation in (None, each.name)]
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        result = asyncio.run(measure(Path(folder), chosen))
    print(json.dumps(result))
    return int(result["differences"] > 0)


async def measure(folder: Path, operations: list[Operation]) -> dict[str, float]:
    began = time.monotonic()
    mongo = EmbeddedMongo(folder / "data")
    uri = await mongo.start()
    cuts = trials = differences = 0
    print(f"{'operation':<24}{'calls':>7}{'cuts':>7}{'trials':>8}{'differ':>8}")
    try:
        for number, operation in enumerate(operations):
            database = await Database.connect(uri, f"cuts{number}", zone=ZONE)
            town = Town(database)
            await town.settle()
            calls = (await Trial(town, operation, Ending.AGAIN, None).run()).process.calls
            found = [*cuts_of(calls)]
            tried = [*product(found, Ending, [None])]
            failures = await failures_of(town, operation, tried)
            await database.close()
            cuts, trials = cuts + len(found), trials + len(tried)
            differences += len(failures)
            numbers = f"{len(calls):>7}{len(found):>7}{len(tried):>8}{len(failures):>8}"
            print(f"{operation.name:<24}{numbers}")
            for failure in failures[:SHOWN_MAX]:
                print(f"  {failure}")
    finally:
        await mongo.stop()
    return {
        "cuts": cuts,
        "trials": trials,
        "differences": differences,
        "seconds": round(time.monotonic() - began, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
