"""Random days at the counter: sales, lost cards, meter changes, cuts, two clerks at once.

After every act the journal must be what was taken, and what was used, what the meters hold and what
the cards will bring; the days are those of tests/prepaid/test_counter_days.py. Limit: none differs.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from station.store.embedded import EmbeddedMongo

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "prepaid"))

from test_counter_days import run_days

AT_ONCE = 100  # Days in one database: every look at the books goes through all its orders.
IN_MEMORY = Path("/dev/shm")  # No time is measured here, and a disk would take most of it.


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=2000)
    parser.add_argument("--acts", type=int, default=15, help="of one day, at most")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # What breaks here is broken on purpose.
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        mongo = EmbeddedMongo(Path(folder) / "data")
        uri = loop.run_until_complete(mongo.start())
        began = time.monotonic()
        days, made = 0, Counter[str]()
        try:
            while days < options.days:
                lived, orders = run_days(loop, uri, min(AT_ONCE, options.days - days), options.acts)
                days, made = days + lived, made + orders
                print(f"{days} days", file=sys.stderr, flush=True)
        finally:
            loop.run_until_complete(mongo.stop())
    seconds = time.monotonic() - began
    for what, count in sorted(made.items()):
        print(f"{what:<28}{count:>8}")
    print(f"{'days':>8}{'seconds':>10}{'ms a day':>10}")
    print(f"{days:>8}{seconds:>10.0f}{1000 * seconds / days:>10.0f}")
    print(
        json.dumps(
            {
                "days": days,
                "orders": sum(made.values()),
                "differences": 0,
                "seconds": round(seconds, 1),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
