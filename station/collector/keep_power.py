"""The keep-power list: who is never cut off from here, and the check that keeps to it.

An entry for a meter protects that meter; one for a terminal protects it and every meter behind it.
A terminal that is ordered to trip cuts off what hangs behind it, so that it is refused for a
protected meter there, too. Closing, permitting to close and keeping power harm nobody.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from station.errors import InvalidValue
from station.live import Feed
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.commands import DeviceKind
from station.store.objects.meters import Meter
from station.store.objects.protections import Protection
from station.store.objects.terminals import Terminal
from station.units import utc_now

Device = Terminal | Meter

CUTTING = frozenset(("trip", "end_keep_power"))  # Orders that cut off, or let it happen.
REASON_SIZE_MAX = 200  # Characters; a sentence.


class KeepPower:
    """Keeps the list, and tells what speaks against an order."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._database = database
        self._feed = feed

    async def protect(
        self, kind: DeviceKind, address: str, reason: str, until: datetime | None, by: str
    ) -> Protection:
        """Enter a device. Raises InvalidValue, NotFound and Conflict."""
        now = utc_now()
        device = await self.device(kind, address)
        if until is not None and until <= now:
            raise InvalidValue("until", "it lies in the past")
        entry = Protection(new_id(), device.address, kind, checked_reason(reason), by, now, until)
        await self._database.protections.protect(entry)
        self._feed.announce("protections", {"device": device.address})
        return entry

    async def lift(self, entry_id: str, reason: str, by: str) -> Protection:
        """Lift an entry. Raises InvalidValue, NotFound and Conflict."""
        store = self._database.protections
        entry = await store.lift(entry_id, by, checked_reason(reason), utc_now())
        self._feed.announce("protections", {"device": entry.address})
        return entry

    async def device(self, kind: DeviceKind, address: str) -> Device:
        """Return a device of the archive. Raises NotFound."""
        if kind == "terminal":
            return await self._database.terminals.get(address)
        return await self._database.meters.get(address)

    async def refusals(self, order: str, devices: Sequence[Device]) -> Mapping[str, str]:
        """Return why an order is refused of some of these devices, by address."""
        if order not in CUTTING:
            return {}
        behind = {
            device.address: [
                meter.address for meter in await self._database.meters.on_link(device.address)
            ]
            for device in devices
            if isinstance(device, Terminal)
        }
        named = [*(each for device in devices for each in _own(device))]
        found = await self._standing([*named, *(each for more in behind.values() for each in more)])
        refused = {}
        for device in devices:
            for address in (*_own(device), *behind.get(device.address, ())):
                if address in found:
                    refused[device.address] = _words(device, found[address])
                    break
        return refused

    async def _standing(self, addresses: Sequence[str]) -> dict[str, Protection]:
        entries = await self._database.protections.standing(addresses, utc_now())
        return {entry.address: entry for entry in entries}


def checked_reason(reason: str) -> str:
    """Return a reason with single spaces. Raises InvalidValue."""
    text = " ".join(reason.split())
    if not 0 < len(text) <= REASON_SIZE_MAX:
        raise InvalidValue("reason", f"say why, in 1 to {REASON_SIZE_MAX} characters")
    return text


def _own(device: Device) -> tuple[str, ...]:
    """Return the addresses whose entries protect a device: its own and its terminal's."""
    return (device.address, device.link) if isinstance(device, Meter) else (device.address,)


def _words(device: Device, entry: Protection) -> str:
    if entry.address == device.address:
        return f"it stands on the keep-power list: {entry.reason}"
    if entry.device == "terminal":
        return f"its terminal {entry.address} stands on the keep-power list: {entry.reason}"
    return f"meter {entry.address} behind it stands on the keep-power list: {entry.reason}"
