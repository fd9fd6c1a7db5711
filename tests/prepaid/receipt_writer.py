"""A process that issues receipts until it is killed: receipt_writer.py URI DATABASE ORDER..."""

import asyncio
import sys

from test_receipts import ZONE, office

from station.store.database import Database


async def main(uri: str, name: str, orders: list[str]) -> None:
    """Issue the receipts, say each number, and wait."""
    receipts = office(await Database.connect(uri, name, zone=ZONE))
    for order in orders:
        number = (await receipts.issue(order)).number
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
