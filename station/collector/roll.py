"""The meters and terminals of the archive, read once for all who walk through them.

Ten thousand meters take a fifth of a second to read, and a page that counts them, a run that is
planned and a task that is reckoned each want them all. What this station changes is read anew at
once, what another one changes within some time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from station.kept import Kept
from station.store.objects.meters import Meter, Meters
from station.store.objects.terminals import Terminal, Terminals

METERS_READ_AT_ONCE = 200  # Some 5 ms, between which the links are heard.
AGE_MIN_S = 30.0
OLD_MAX_S = 90.0  # How late another station's change is noticed here.


@dataclass(frozen=True, slots=True)
class Devices:
    """Every meter, by address, and every terminal under its own; not to be changed."""

    meters: list[Meter]
    terminals: Mapping[str, Terminal]


class Roll:
    """Keeps what was read last."""

    def __init__(self, meters: Meters, terminals: Terminals) -> None:
        self._meters = meters
        self._terminals = terminals
        self._kept = Kept(
            self._read, name="reading the archive", age_min_s=AGE_MIN_S, old_max_s=OLD_MAX_S
        )

    def archive_changed(self) -> None:
        """Have the archive read again by the next who asks."""
        self._kept.forget()

    async def devices(self) -> Devices:
        """Return what the archive holds. Raises DatabaseDown."""
        return await self._kept.get()

    async def _read(self) -> Devices:
        terminals = {each.address: each for each in await self._terminals.many()}
        meters: list[Meter] = []
        while True:
            last = meters[-1].address if meters else ""
            some = await self._meters.after(last, METERS_READ_AT_ONCE)
            meters += some
            if len(some) < METERS_READ_AT_ONCE:
                return Devices(meters, terminals)
