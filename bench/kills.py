"""Every kill of every sale: the station and the database are killed (-9) at each step of it.

A real pcscd with virtual readers, real mongods, stations that are processes of their own. At each
APDU and each command to the database, before and after it, the station is killed, the database, or
both, or the card is pulled; then a new station finishes: the order is written again, and in a
second trial another way is taken. The ways and the comparison are those of tests/prepaid/trials.py.
Limit: no difference between the journal, the cards and the meters.
"""

import argparse
import json
import logging
import math
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "prepaid"))

from cuts import Call
from kill_trials import Lanes, Report, kill_lanes, tally, trials_of
from killing import TOGETHER, Victim
from trials import OPERATIONS

IN_MEMORY = Path("/dev/shm")  # No time is measured here, and a disk would take most of it.
LANES = 10  # They wait most of the time; pcscd knows no more than 16 slots.
PROGRESS = 100  # Trials between two lines that tell how far it is.
WORDS = {
    Victim.STATION: "station",
    Victim.DATABASE: "mongod",
    Victim.DATABASE_AWAY: "away",
    Victim.BOTH: "both",
    Victim.CARD: "pulled",
    Victim.READERS: "pcscd",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operation", help="only this one")
    parser.add_argument("--victim", choices=[each.name for each in Victim], help="only this one")
    parser.add_argument("--share", type=float, default=1.0, help="of the trials, drawn by chance")
    parser.add_argument("--lanes", type=int, default=LANES, help="trials at the same time")
    parser.add_argument("--minutes", type=float, default=math.inf, help="then no further trials")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # Databases that are down on purpose.
    began = time.monotonic()
    folder = IN_MEMORY if IN_MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=folder) as name,
        kill_lanes(Path(name), options.lanes) as lanes,
    ):
        reports = measure(options, lanes)
    result = {"trials": len(reports), **tally(reports), "seconds": time.monotonic() - began}
    print(json.dumps({name: round(number, 1) for name, number in result.items()}))
    return int(result["differences"] > 0)


def measure(options: argparse.Namespace, lanes: Lanes) -> list[Report]:
    """Do all trials that were asked for, and print the table."""
    chosen = [each for each in OPERATIONS if options.operation in (None, each.name)]
    steps = lanes.dry_runs(chosen)
    chance = random.Random(0)
    victims = [*Victim] if options.lanes == 1 else TOGETHER
    trials = [
        trial
        for operation in chosen
        for trial in trials_of(operation, steps[operation.name], chance, victims)
        if trial.kill is not None and options.victim in (None, trial.kill.victim.name)
    ]
    chance.shuffle(trials)
    trials = trials[: round(options.share * len(trials))]
    deadline = time.monotonic() + 60 * options.minutes
    reports: list[Report] = []
    for report in lanes.run(trials):
        reports.append(report)
        if report.difference:
            print(report.difference, flush=True)
        if not len(reports) % PROGRESS:
            print(f"{len(reports)} of {len(trials)} trials", file=sys.stderr, flush=True)
        if time.monotonic() > deadline:
            break
    print(f"{'operation':<32}{'steps':>6}", *(f"{each:>7}" for each in WORDS.values()), " differ")
    for name, calls in steps.items():
        show(name, calls, [each for each in reports if each.trial.operation.name == name])
    return reports


def show(name: str, calls: Sequence[Call], reports: Sequence[Report]) -> None:
    """Print a row of the table."""
    struck = [victim for report in reports for victim in report.struck]
    differ = sum(bool(report.difference) for report in reports)
    numbers = (f"{struck.count(victim):>7}" for victim in WORDS)
    print(f"{name:<32}{len(calls):>6}", *numbers, f"{differ:>7}")


if __name__ == "__main__":
    sys.exit(main())
