"""`station reader-agent`: lend the card readers of this computer to a station.

What only the running agent needs is imported when it runs, so that other commands start at once.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
from pathlib import Path

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--station", required=True, metavar="URL",
                        help="address of its pages, such as http://192.168.1.10:8080")  # fmt: skip
    parser.add_argument("--code", help="from the page Reader agents; only the first time")
    parser.add_argument("--config", type=Path, metavar="FILE",
                        help="a configuration whose prepaid.readers are lent too")  # fmt: skip
    parser.add_argument("--state", type=Path, metavar="FILE",
                        help="where the token is kept (default: in ~/.config/station)")  # fmt: skip


def main(options: argparse.Namespace) -> int:
    """Run until the program is stopped, and return its exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(options))
    return 0


async def _run(options: argparse.Namespace) -> None:
    from station import config, tasks
    from station.prepaid.readers import agent_client
    from station.prepaid.readers.attached import attached_readers

    station = agent_client.station_address(options.station)
    state = options.state or agent_client.STATE_FILE
    if options.code:
        agent_client.remember(state, station, await agent_client.pair(station, options.code))
    paired = agent_client.recall(state, station)
    configured = config.load(options.config).prepaid.readers if options.config else []
    agent = agent_client.ReaderAgent(station, paired.token, attached_readers(configured))
    log.info("lending the readers of %s to %s", paired.workplace, station)
    running = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers.
            loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        return
    finally:
        await tasks.cancel(running)
