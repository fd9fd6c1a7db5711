"""Parameters of devices: wanted in the archive beside held by the device, read, and compared.

What is wanted of a terminal's list of meters (F10) follows the archive by itself; everything else a
person, or a template, wants. What a device held is kept with the moment at which it said so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from station.collector.control import MeterLine
from station.collector.parameter_catalogue import (
    METER_MAIN,
    QGDW1376,
    TERMINAL_MAIN,
    meter_spec,
    terminal_code,
    terminal_spec,
)
from station.collector.parameter_lines import (
    MeterParameters,
    ParameterLine,
    TerminalParameters,
    Told,
    meter_data,
    normal_meter_values,
)
from station.collector.parameter_units import (
    archived_entry,
    complete,
    normal_values,
    query_units,
    set_units,
)
from station.errors import InvalidValue, NotFound
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.live import Feed
from station.protocols.dlt645 import Version, requests
from station.protocols.dlt645.requests import Authority
from station.protocols.qgdw1376 import requests as terminal_requests
from station.protocols.qgdw1376.frame import SET_PARAMETERS, Address
from station.protocols.secrecy import without_passwords
from station.store.database import Database
from station.store.objects.meters import Meter
from station.store.objects.parameters import DeviceKind, Parameter, Values
from station.store.objects.terminals import Terminal
from station.units import utc_now

Device = Terminal | Meter

PARAMETERS_MAX = 3000  # Of one device: a meter list of 2040 entries, and what is beside it.
ARCHIVE = "archive"  # Who wants what follows from it.


@dataclass(frozen=True, slots=True)
class PlannedFrame:
    """A frame that would be sent, and the parameters that it sets; passwords in it are hidden."""

    codes: tuple[str, ...]
    raw: bytes


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
        found = {each.code: each for each in await self._store.of(device.address)}
        kind = kind_of(device)
        entries = await self._archived(device)
        for code, wanted in entries.items():
            before = found.get(code) or Parameter(device.address, code, kind=kind)
            found[code] = replace(before, wanted=wanted, wanted_by=ARCHIVE)
        for code in (code for code in found if code.startswith("F10.")):
            if code not in entries:  # It hangs elsewhere by now; what the terminal has stays shown.
                found[code] = replace(found[code], wanted={}, wanted_by="")
        for code in TERMINAL_MAIN if kind == "terminal" else METER_MAIN:
            found.setdefault(code, Parameter(device.address, code, kind=kind))
        return sorted(found.values(), key=lambda each: _order(each.code))

    async def want(self, device: Device, code: str, texts: Values, by: str) -> Parameter:
        """Keep what the archive wants of a parameter, as the device would tell it.

        No values: nothing is wanted any more. Raises InvalidValue that names the field.
        """
        check_protocol(device)
        kind = kind_of(device)
        if kind == "terminal":
            if terminal_code(code).row.entries == "meters":
                raise InvalidValue("code", "the list of meters follows the archive by itself")
            values = normal_values(code, texts)
        else:
            values = normal_meter_values(code, texts)
        wanted = await self._store.want(kind, device.address, code, values, by, utc_now())
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
        check_codes(kind_of(device), chosen)
        line = self.line(device, priority)
        noted = []
        for together in asked_together(kind_of(device), chosen):
            noted += await self.note(device, await line.read(together))
        return noted

    async def note(self, device: Device, told: Mapping[str, Told]) -> list[Parameter]:
        """Keep what a device said."""
        kind, entries = kind_of(device), await self._archived(device)
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
        check_protocol(device)
        if isinstance(device, Terminal):
            return TerminalParameters(self._registry.terminal(device.address), priority=priority)
        return MeterParameters(MeterLine(self._registry.bus(device), device, self._zone))

    async def to_set(
        self, device: Device, codes: Sequence[str] | None, given: Mapping[str, Values]
    ) -> dict[str, Values]:
        """Return the whole values to set: of these codes, or of all that are not as wanted.

        `given` are values wanted beside those of the archive, as a template wants them. Raises
        InvalidValue where a field is neither wanted nor known.
        """
        rows = {each.code: each for each in await self.rows(device)}
        kind = kind_of(device)
        for code, texts in given.items():
            found = rows.get(code) or Parameter(device.address, code, kind=kind)
            rows[code] = replace(found, wanted={**found.wanted, **_normal(kind, code, texts)})
        chosen = codes
        if chosen is None:
            chosen = [code for code, each in rows.items() if each.wanted and each.state != "same"]
        whole: dict[str, Values] = {}
        for code in chosen:
            row = rows.get(code)
            if row is None or not row.wanted:
                raise InvalidValue("codes", f"nothing is wanted of parameter {code}")
            whole[code] = complete(code, row.wanted, row.held) if kind == "terminal" else row.wanted
        return whole

    def frames(
        self, device: Device, whole: Mapping[str, Values], authority: Authority | None = None
    ) -> list[PlannedFrame]:
        """Return the frames that set whole values, as they would be sent. Raises InvalidValue.

        The sequence number of a terminal's frame is given when it is sent; here it is 0.
        """
        if isinstance(device, Terminal):
            address = Address.from_text(device.address)
            return [
                PlannedFrame(
                    asked.codes,
                    terminal_requests.ask(
                        SET_PARAMETERS, address, [asked.unit], sequence=0, master=self._master
                    ).to_bytes(),
                )
                for asked in set_units(whole)
            ]
        who = authority or Authority()
        frames = []
        for code, texts in whole.items():
            data = meter_data(code, texts)
            request = requests.write(Version.V2007, device.address, int(code, 16), data, who)
            frames.append(PlannedFrame((code,), without_passwords(request.to_bytes())))
        return frames

    async def forget(self, device: Device, code: str) -> None:
        """Drop what is known of a parameter, with what is wanted of it."""
        await self._store.forget(device.address, code)
        self._announce(device)

    async def _archived(self, device: Device) -> dict[str, Values]:
        """Return what the archive wants in a terminal's list of meters."""
        if not isinstance(device, Terminal) or device.protocol != QGDW1376:
            return {}
        found: dict[str, Values] = {}
        for meter in await self._database.meters.on_link(device.address):
            entry = archived_entry(meter)
            if entry is not None:
                found[f"F10.{meter.point}"] = entry
        return found

    def _announce(self, device: Device) -> None:
        self._feed.announce("parameters", {"device": device.address})


def kind_of(device: Device) -> DeviceKind:
    """Return which kind a device is of."""
    return "terminal" if isinstance(device, Terminal) else "meter"


def check_protocol(device: Device) -> None:
    """Refuse a device whose parameters are not set from here. Raises InvalidValue."""
    known = QGDW1376 if isinstance(device, Terminal) else Version.V2007.value
    if device.protocol != known:
        word = "terminals" if isinstance(device, Terminal) else "meters"
        raise InvalidValue(
            "protocol", f"parameters of {word} of {device.protocol} are not set from here"
        )


def asked_together(kind: DeviceKind, codes: Sequence[str]) -> list[Sequence[str]]:
    """Return the codes in the parts that one question asks for."""
    if kind == "terminal":
        return [asked.codes for asked in query_units(codes)]
    return [[code] for code in codes]


def check_codes(kind: DeviceKind, codes: Iterable[str]) -> None:
    """Check that these are parameters. Raises InvalidValue."""
    chosen = [*codes]
    if not 1 <= len(chosen) <= PARAMETERS_MAX:
        raise InvalidValue("codes", f"choose 1 to {PARAMETERS_MAX} parameters")
    for code in chosen:
        if kind == "terminal":
            terminal_spec(code)
        else:
            meter_spec(code)


def _normal(kind: DeviceKind, code: str, texts: Values) -> dict[str, str]:
    return normal_values(code, texts) if kind == "terminal" else normal_meter_values(code, texts)


def _order(code: str) -> tuple[int, ...]:
    """Return the place of a parameter: by Fn and number, meters' by their identifier."""
    if not code.startswith("F"):
        return (int(code, 16),)
    head, _, tail = code[1:].partition(".")
    return (int(head), int(tail or 0))
