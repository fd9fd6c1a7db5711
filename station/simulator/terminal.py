"""Runs the devices of a site, each by its protocol."""

import asyncio
from collections.abc import Callable
from zoneinfo import ZoneInfo

from station import tasks
from station.simulator.dialler import Dialler
from station.simulator.modem import Modem
from station.simulator.site import Language, Site
from station.simulator.terminal698 import Terminal698
from station.simulator.terminal1376 import Terminal1376

DEVICES: dict[str, Callable[..., Dialler]] = {
    "qgdw1376": Terminal1376,
    "dlt698.45": Terminal698,
    "dtu": Modem,
}


async def run_site(
    site: Site, host: str, port: int, *, seed: int = 1, language: Language = "en"
) -> None:
    """Run all devices of a site until cancelled; then they say goodbye."""
    zone = ZoneInfo(site.zone)
    devices = [
        DEVICES[terminal.protocol](terminal, zone, host, port, seed=seed, language=language)
        for terminal in site.terminals
    ]
    running = [tasks.spawn(device.run(), name=f"device {device.name}") for device in devices]
    try:
        await asyncio.gather(*running)
    finally:
        await tasks.cancel(*running)
