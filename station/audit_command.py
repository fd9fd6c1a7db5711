"""`station audit verify`: proves that nothing in the audit log was changed, taken out or put in."""

import argparse
import asyncio
import re
import sys
from pathlib import Path

from station import config
from station.errors import InvalidValue

NOTED = re.compile(r"([1-9][0-9]{0,14}):([0-9a-f]{64})")

BROKEN = 2  # The exit status when the log does not hold; 1 says that it could not be read.


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command line takes."""
    actions = command.add_subparsers(metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="prove the log, or name the first broken entry")
    verify.add_argument("--noted", action="append", default=[], metavar="NUMBER:HASH",
                        help="a hash that was written down, as this command prints it")  # fmt: skip
    verify.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE")
    verify.set_defaults(run=main)


def main(options: argparse.Namespace) -> int:
    """Go through the whole log and say what it shows.

    Raises InvalidValue, ConfigError, StartError, DatabaseDown.
    """
    return asyncio.run(_verify(config.load(options.config), _noted(options.noted)))


async def _verify(settings: config.Config, noted: dict[int, str]) -> int:
    # The pages' parts are not needed by the other commands.
    from station.administration import opened_database

    async with opened_database(settings) as database:
        verdict = await database.audit.verify(noted)
    if verdict.waiting:
        print(f"acts under way or cut off, without an entry yet: {verdict.waiting}")
    if verdict.broken is not None:
        if verdict.head is not None:
            print(f"entries 1 to {verdict.count} hold; {verdict.count}:{verdict.head.hash}")
        place = f"entry {verdict.broken.sequence}" if verdict.broken.sequence else "the log"
        print(f"BROKEN: {place}: {verdict.broken.reason}", file=sys.stderr)
        return BROKEN
    if verdict.head is None:
        print("the log is empty")
    else:
        print(f"all {verdict.count} entries hold")
        print(f"note it down: {verdict.count}:{verdict.head.hash}")
    return 0


def _noted(texts: list[str]) -> dict[int, str]:
    noted = {}
    for text in texts:
        found = NOTED.fullmatch(text.strip().lower())
        if found is None:
            raise InvalidValue("noted", f"expected NUMBER:HASH with 64 hex digits, got {text!r}")
        noted[int(found[1])] = found[2]
    return noted
