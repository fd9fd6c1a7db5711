"""Parameters of devices: wanted in the archive beside held by the device, read, and compared.

What is wanted of a terminal's list of meters (F10) follows the archive by itself; everything else a
person, or a template, wants. What a device held is kept with the moment at which it said so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from station.collector.parameter_dialects import (
    Device,
    Dialect,
    PlannedFrame,
    Sending,
    dialect_of,
    dialect_with,
    kind_of,
    order_of,
)
from station.collector.parameter_lines import ParameterLine, Told
from station.errors import InvalidValue, NotFound
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.live import Feed
from station.protocols.dlt645.requests import Authority
from station.store.database import Database
from station.store.objects.parameters import DeviceKind, Parameter, Values
from station.units import utc_now

PARAMETERS_MAX = 3000  # Of one device: a meter list of 2040 entries, and what is beside it.
ARCHIVE = "archive"  # Who wants what follows from it.


class Parameters:
    """Wants, reads and compares the parameters of all devices."""

    def __init__(
        self, database: Database, registry: Registry, feed: Feed, zone: ZoneInfo, *, master: int = 1
    ) -> None:
        """`master` is the station's address in the frames that are shown before they are sent."""
        self._database = database
        self._store = database.parameters
        self._registry = registry
        self._feed = feed
        self._zone = zone
        self._master = master

    async def device(self, kind: DeviceKind, address: str) -> Device:
        """Return a device. Raises NotFound."""
        if kind == "terminal":
            return await self._database.terminals.get(address)
        return await self._database.meters.get(address)

    async def find(self, kind: DeviceKind, address: str) -> Device | None:
        """Return a device, or None."""
        try:
            return await self.device(kind, address)
        except NotFound:
            return None

    async def rows(self, device: Device) -> list[Parameter]:
        """Return the parameters of a device in their order: the usual, and those that are known."""
        dialect = dialect_of(device)
        found = {each.code: each for each in await self._store.of(device.address)}
        found = {code: each for code, each in found.items() if dialect.has(code)}
        kind = dialect.kind
        entries = await self._archived(device, dialect)
        for code, wanted in entries.items():
            before = found.get(code) or Parameter(device.address, code, kind=kind)
            found[code] = replace(before, wanted=wanted, wanted_by=ARCHIVE)
        for code in filter(dialect.follows_archive, [*found]):
            if code not in entries:  # It hangs elsewhere by now; what the terminal has stays shown.
                found[code] = replace(found[code], wanted={}, wanted_by="")
        for code in dialect.main:
            found.setdefault(code, Parameter(device.address, code, kind=kind))
        return sorted(found.values(), key=lambda each: order_of(each.code))

    async def want(self, device: Device, code: str, texts: Values, by: str) -> Parameter:
        """Keep what the archive wants of a parameter, as the device would tell it.

        No values: nothing is wanted any more. Raises InvalidValue that names the field.
        """
        dialect = dialect_of(device)
        check_codes(device, [code])
        if dialect.follows_archive(code):
            raise InvalidValue("code", "the list of meters follows the archive by itself")
        values = dialect.normal(code, texts)
        wanted = await self._store.want(dialect.kind, device.address, code, values, by, utc_now())
        self._announce(device)
        return wanted

    async def read(
        self,
        device: Device,
        codes: Sequence[str] | None = None,
        *,
        priority: Priority = Priority.RECALL,
    ) -> list[Parameter]:
        """Ask a device for parameters, or for all its rows, and return them as they are now.

        Each answer is kept as it comes. Raises InvalidValue, LinkDown and what an exchange raises.
        """
        chosen = [each.code for each in await self.rows(device)] if codes is None else [*codes]
        check_codes(device, chosen)
        line = self.line(device, priority)
        noted = []
        for together in dialect_of(device).together(chosen):
            noted += await self.note(device, await line.read(together))
        return noted

    async def note(self, device: Device, told: Mapping[str, Told]) -> list[Parameter]:
        """Keep what a device said."""
        kind, entries = kind_of(device), await self._archived(device, dialect_of(device))
        noted = []
        for code, each in told.items():
            if code in entries:
                await self._store.want(
                    kind, device.address, code, entries[code], ARCHIVE, utc_now()
                )
            noted.append(
                await self._store.hold(
                    kind, device.address, code, each.values, each.at, each.problem
                )
            )
        self._announce(device)
        return noted

    def line(self, device: Device, priority: Priority = Priority.CONTROL) -> ParameterLine:
        """Return a device to read and to set. Raises LinkDown, and InvalidValue (protocol)."""
        return dialect_of(device).line(self._registry, device, self._zone, priority)

    async def to_set(
        self, device: Device, codes: Sequence[str] | None, given: Mapping[str, Values]
    ) -> dict[str, Values]:
        """Return the whole values to set: of these codes, or of all that are not as wanted.

        `given` are values wanted beside those of the archive, as a template wants them; codes of
        other protocols are passed over. Raises InvalidValue where a field is neither wanted nor
        known, and where no code is one of this device's.
        """
        dialect = dialect_of(device)
        rows = {each.code: each for each in await self.rows(device)}
        for code, texts in given.items():
            if dialect.has(code):
                found = rows.get(code) or Parameter(device.address, code, kind=dialect.kind)
                rows[code] = replace(found, wanted={**found.wanted, **dialect.normal(code, texts)})
        if codes is None:
            chosen = [code for code, each in rows.items() if each.wanted and each.state != "same"]
        else:
            chosen = [code for code in codes if dialect.has(code)]
            if not chosen:
                raise InvalidValue("codes", f"none of them is a parameter of {dialect.protocol}")
        whole: dict[str, Values] = {}
        for code in chosen:
            row = rows.get(code)
            if row is None or not row.wanted:
                raise InvalidValue("codes", f"nothing is wanted of parameter {code}")
            whole[code] = dialect.complete(code, row.wanted, row.held)
        return whole

    def frames(
        self, device: Device, whole: Mapping[str, Values], authority: Authority | None = None
    ) -> list[PlannedFrame]:
        """Return the frames that set whole values, as they would be sent. Raises InvalidValue.

        The number of a terminal's frame is given when it is sent; here it is 0. What stays as the
        device has it, as a password, is empty here.
        """
        sending = Sending(self._master, authority)
        return dialect_of(device).frames(device.address, whole, sending)

    async def forget(self, device: Device, code: str) -> None:
        """Drop what is known of a parameter, with what is wanted of it."""
        await self._store.forget(device.address, code)
        self._announce(device)

    async def _archived(self, device: Device, dialect: Dialect) -> dict[str, Values]:
        """Return what the archive wants in a terminal's list of meters."""
        if not dialect.archived_head:
            return {}
        meters = await self._database.meters.on_link(device.address)
        return dict(entry for entry in map(dialect.archived, meters) if entry is not None)

    def _announce(self, device: Device) -> None:
        self._feed.announce("parameters", {"device": device.address})


def check_codes(device: Device, codes: Iterable[str]) -> None:
    """Check that these are parameters of a device. Raises InvalidValue."""
    dialect = dialect_of(device)
    chosen = [*codes]
    _check_count(chosen)
    for code in chosen:
        if not dialect.has(code):
            raise InvalidValue("code", f"there is no parameter {code!r}")
        dialect.spec(code)


def check_known(kind: DeviceKind, codes: Iterable[str]) -> None:
    """Check that these are parameters of devices of a kind. Raises InvalidValue."""
    chosen = [*codes]
    _check_count(chosen)
    for code in chosen:
        dialect_with(kind, code).spec(code)


def _check_count(chosen: Sequence[str]) -> None:
    if not 1 <= len(chosen) <= PARAMETERS_MAX:
        raise InvalidValue("codes", f"choose 1 to {PARAMETERS_MAX} parameters")
