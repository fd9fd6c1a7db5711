"""`station simulate`: runs a simulated site until it is told to stop."""

import argparse
import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from station import tasks
from station.errors import ConfigError
from station.simulator.demo_site import DEMO_SITE
from station.simulator.generated import METERS_MAX, TERMINALS_MAX, generate
from station.simulator.listener import serve_site
from station.simulator.site import DELAY_MAX_MS, Site, load
from station.simulator.terminal import run_site

log = logging.getLogger(__name__)

EXIT_BAD_SITE = 2
PR_SET_PDEATHSIG = 1  # prctl(2)
PORT_MAX = 65_535
LOOPBACK = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `station simulate`."""
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument(
        "--connect", type=place, metavar="HOST:PORT", help="the front-end that terminals dial"
    )
    how.add_argument(
        "--listen",
        type=listening_place,
        metavar="[HOST:]PORT",
        help="serve the meters without terminals, as a serial server does (port 0: any)",
    )
    site = parser.add_mutually_exclusive_group()
    site.add_argument(
        "--site", type=Path, metavar="FILE", help="a site in YAML; without it, the demo site"
    )
    site.add_argument(
        "--terminals",
        type=_number(TERMINALS_MAX),
        metavar="COUNT",
        help="in place of a described site: so many terminals, all alike",
    )
    made = parser.add_argument_group("with --terminals")
    made.add_argument(
        "--meters",
        type=_number(METERS_MAX),
        default=10,
        metavar="COUNT",
        help="behind each terminal (default: 10)",
    )
    made.add_argument(
        "--delay-ms",
        type=_number(DELAY_MAX_MS),
        default=50,
        metavar="MS",
        help="what an exchange with a meter takes (default: 50)",
    )
    made.add_argument(
        "--dead", type=share, default=0.0, metavar="SHARE", help="of the meters, such as 1%%"
    )
    made.add_argument(
        "--lost", type=share, default=0.0, metavar="SHARE", help="of the answers, such as 2%%"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="another seed, other loads (default: 1)"
    )
    parser.add_argument(
        "--language", choices=("en", "zh"), default="en", help="of names in the log"
    )
    parser.add_argument(
        "--with-parent",
        nargs="?",
        type=int,
        const=0,
        metavar="PID",
        help="end when the process that started this one ends; PID tells whether it still lives",
    )


def place(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT. Raises ArgumentTypeError if it is none."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return host.strip("[]"), int(port)


def listening_place(text: str) -> tuple[str, int]:
    """Return host and port of [HOST:]PORT. Raises ArgumentTypeError if it is none."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > PORT_MAX or text.startswith(":"):
        raise argparse.ArgumentTypeError(f"expected [HOST:]PORT, got {text!r}")
    return host.strip("[]") or LOOPBACK, int(port)


def share(text: str) -> float:
    """Return a share written as 2% or 0.02. Raises ArgumentTypeError if it is none."""
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a share such as 2% or 0.02, got {text!r}")
    return value


def _number(largest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not 0 < int(text) <= largest:
            raise argparse.ArgumentTypeError(f"expected 1..{largest}, got {text!r}")
        return int(text)

    return number


def main(args: argparse.Namespace) -> int:
    """Simulate until SIGTERM or SIGINT; return 0, or 2 when the site file cannot be used.

    Raises StartError when the port to listen on cannot be had.
    """
    if args.with_parent is not None and not _ends_with_parent(args.with_parent):
        return 0
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(message)s")
    try:
        site = _site(args)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BAD_SITE
    if args.listen is not None:
        asyncio.run(_until_told(serve_site(site, *args.listen, seed=args.seed)))
        return 0
    host, port = args.connect
    meters = sum(len(line.meters) for terminal in site.terminals for line in terminal.lines)
    log.info("dialling %s:%d; terminals: %d, meters: %d", host, port, len(site.terminals), meters)
    asyncio.run(_until_told(run_site(site, host, port, seed=args.seed, language=args.language)))
    return 0


def _site(args: argparse.Namespace) -> Site:
    """Return the site that is asked for. Raises ConfigError."""
    if args.terminals is not None:
        return generate(
            args.terminals,
            args.meters,
            delay_ms=args.delay_ms,
            dead=args.dead,
            lost=args.lost,
            seed=args.seed,
        )
    return DEMO_SITE if args.site is None else load(args.site)


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run until the work fails, or until SIGTERM or SIGINT ends it."""
    running = tasks.spawn(work, name="simulated site")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _ends_with_parent(parent: int) -> bool:
    """Have the kernel end this process with its parent; False if that one is gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return parent in (0, os.getppid())
