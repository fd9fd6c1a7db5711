"""A site to try and to test against: terminals, the lines behind them, the meters on the lines.

`load` reads one from a YAML file:

    zone: Asia/Shanghai           # of all clocks; this is the default
    terminals:
      - address: 99000001         # 8 hexadecimal digits; 698.45: 2 to 32; a DTU: a name
        protocol: qgdw1376        # or dlt698.45, or dtu: its only line is the connection itself
        name: Riverside area 1    # or {en: Riverside area 1, zh: 河畔台区1}
        heartbeat_s: 15           # between heartbeats
        delay_ms: [60, 120]       # an exchange takes between these two
        silence: deny             # what it says of a silent meter: deny, empty or nothing
        silence_ms: 300           # after so long without an answer
        redial_s: 3               # between a lost connection and the next try
        drop_after_s: 120         # leave without a word after so long; never if absent
        drop_for_s: 20            # and come back after so long
        parallel_ports: false     # takes one request for each port at the same time
        collects: false           # answers from what it collected itself, too (1376.1)
        clock_offset_s: 0         # how much its clock is fast (1376.1)
        event_every_s: 600        # reports an event now and then; never if absent
        registration: 303132      # of a DTU: what it says first, in hexadecimal digits,
        heartbeat: FE             # and every heartbeat_s; nothing if absent
        echo: false               # of a DTU: the station sends both back
        faults: {late: 0.1}       # shares of its answers; see `faults.Faults`
        lines:
          - port: 2
            settings: 2400 8E1
            noise: 0.1            # share of the answers that arrive with a wrong byte
            meters:
              - address: 990000000101
                name: Riverside 1
                protocol: dlt645-2007      # or dlt645-1997 or dlt698.45
                shape: home                # home, shop, workshop or pump
                phases: 1                  # or 3
                tariffs: 4                 # 1..4
                photovoltaic: false        # delivers at noon
                prepaid: false             # has a remaining amount
                profile_interval_min: 15   # 0 for a meter without load profile, as all of 1997
                clock_offset_s: 0          # how much its clock is fast
                dead: false                # never answers
                lost: 0                    # share of its answers that do not arrive,
                corrupt: 0                 # that have a wrong bit,
                wrong_meter: 0             # that bear another meter's address (645)
                password: 000000           # asked for by writes and by the relay (645 of 2007)
                load_of: 990000000001      # measures what this meter would; absent: its own
                tcp: host:port             # a real meter line to ask in place of a simulated one

Only addresses, `terminals`, `lines` and `meters` must be there; keys not listed are errors.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from station.errors import ConfigError
from station.protocols.dlt645.frame import Version
from station.protocols.dlt698.frame import ServerAddress
from station.protocols.line import LineSettings
from station.protocols.qgdw1376.frame import Address
from station.simulator.faults import Faults, Share
from station.simulator.shapes import SHAPES
from station.words import Text

Language = Literal["en", "zh"]
DLT698 = "dlt698.45"
FACTORY_PASSWORD = "0" * 6

MINUTES_A_DAY = 1440
DELAY_MAX_MS = 60_000  # Longer than any station waits.
FILE_SIZE_MAX = 1_000_000  # Thousands of meters; a larger file is not a site.


def _text(value: object) -> object:
    """Take one name for both languages."""
    if isinstance(value, str):
        return Text(value, value)
    if isinstance(value, dict) and set(value) == {"en", "zh"}:
        return Text(value["en"], value["zh"])
    if isinstance(value, Text):
        return value
    raise ValueError("a name is a text, or one in each of en and zh")


def _packet(value: str) -> str:
    return bytes.fromhex(value).hex().upper()


def _line_settings(value: str) -> str:
    settings = LineSettings.parse(value)
    settings.control_byte()
    return settings.text


def _shape(value: str) -> str:
    if value not in SHAPES:
        raise ValueError(f"a shape is one of {', '.join(SHAPES)}")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {value!r}") from None
    return value


def _interval(value: int) -> int:
    if value and MINUTES_A_DAY % value:
        raise ValueError("an interval of the load profile divides a day, or is 0")
    return value


def _phases(value: int) -> int:
    if value not in (1, 3):
        raise ValueError("a meter has 1 or 3 phases")
    return value


def _delay(value: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= value[0] <= value[1] <= DELAY_MAX_MS:
        raise ValueError(f"the shorter delay first, both within 0..{DELAY_MAX_MS}")
    return value


Packet = Annotated[str, Field(max_length=512), AfterValidator(_packet)]
Name = Annotated[Text, BeforeValidator(_text)]


class Part(BaseModel):
    """What every part of a site has in common: it never changes, and knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class MeterSite(Part):
    """One meter; the keys are explained at the head of this module."""

    address: Annotated[str, Field(pattern=r"^[0-9]{12}$")]
    name: Name = Text("", "")
    protocol: Version | Literal["dlt698.45"] = Version.V2007
    shape: Annotated[str, AfterValidator(_shape)] = "home"
    phases: Annotated[int, AfterValidator(_phases)] = 1
    tariffs: Annotated[int, Field(ge=1, le=4)] = 4
    photovoltaic: bool = False
    prepaid: bool = False
    profile_interval_min: Annotated[int, Field(ge=0), AfterValidator(_interval)] = 15
    clock_offset_s: Annotated[int, Field(ge=-86_400, le=86_400)] = 0
    dead: bool = False
    lost: Share = 0.0
    corrupt: Share = 0.0
    wrong_meter: Share = 0.0
    password: Annotated[str, Field(pattern=r"^[0-9]{6}$")] = FACTORY_PASSWORD
    load_of: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = None
    tcp: Annotated[str, Field(pattern=r"^[^:]+:[0-9]{1,5}$")] | None = None


class LineSite(Part):
    """One line of a terminal and the meters on it."""

    port: Annotated[int, Field(ge=1, le=31)] = 2
    settings: Annotated[str, AfterValidator(_line_settings)] = "2400 8E1"
    noise: Share = 0.0
    meters: tuple[MeterSite, ...]


class TerminalSite(Part):
    """One terminal and its lines."""

    protocol: Literal["qgdw1376", "dlt698.45", "dtu"] = "qgdw1376"
    address: str
    name: Name = Text("", "")
    heartbeat_s: Annotated[float, Field(gt=0)] = 15.0
    delay_ms: Annotated[tuple[int, int], AfterValidator(_delay)] = (60, 120)
    silence: Literal["deny", "empty", "nothing"] = "deny"
    silence_ms: Annotated[int, Field(ge=0, le=DELAY_MAX_MS)] = 300  # Real ones wait seconds.
    redial_s: Annotated[float, Field(ge=0)] = 3.0
    drop_after_s: Annotated[float, Field(gt=0)] | None = None
    drop_for_s: Annotated[float, Field(ge=0)] = 20.0
    parallel_ports: bool = False
    collects: bool = False
    clock_offset_s: Annotated[int, Field(ge=-86_400, le=86_400)] = 0
    event_every_s: Annotated[float, Field(gt=0)] | None = None
    registration: Packet = ""
    heartbeat: Packet = ""
    echo: bool = False
    faults: Faults | None = None
    lines: tuple[LineSite, ...]

    @field_validator("address")
    @classmethod
    def _sound_address(cls, address: str, info: ValidationInfo) -> str:
        protocol = info.data.get("protocol")
        if protocol == "qgdw1376":
            return Address.from_text(address).text
        return ServerAddress.from_text(address).text if protocol == DLT698 else address

    @model_validator(mode="after")
    def _one_line_and_a_name(self) -> "TerminalSite":
        if self.protocol == "dtu" and (not self.registration or len(self.lines) != 1):
            raise ValueError("a DTU has a registration packet and one line")
        return self


class Site(Part):
    """Everything that is simulated."""

    zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    terminals: tuple[TerminalSite, ...]

    @model_validator(mode="after")
    def _one_of_each(self) -> "Site":
        addresses = [terminal.address for terminal in self.terminals]
        addresses += [
            meter.address
            for terminal, _, meter in self._meters()
            if meter.address != terminal.address  # A meter that dials in by itself.
        ]
        twice = [address for address, times in Counter(addresses).items() if times > 1]
        if twice:
            raise ValueError(f"these addresses are there twice: {', '.join(twice)}")
        return self

    def archive(self, language: Language = "en") -> dict[str, list[dict[str, Any]]]:
        """Return what a station has to know to read this site, as plain data.

        `terminals` and `meters` have fields of the archive. Points are 1, 2, .. in their
        terminal, and 0 for a meter that is the terminal itself.
        """
        terminals = [_archived(terminal, language) for terminal in self.terminals]
        points: Counter[str] = Counter()
        meters = []
        for terminal, line, meter in self._meters():
            itself = meter.address == terminal.address
            points[terminal.address] += not itself
            meters.append(
                {
                    "address": meter.address,
                    "name": getattr(meter.name, language),
                    "protocol": meter.protocol.value
                    if isinstance(meter.protocol, Version)
                    else meter.protocol,
                    "link": terminal.address,
                    "point": 0 if itself else points[terminal.address],
                    "port": line.port,
                    "line": line.settings,
                    "profile_interval_min": _interval_of(meter),
                    "tariffs": meter.tariffs,
                }
            )
        return {"terminals": terminals, "meters": meters}

    def _meters(self) -> Iterator[tuple[TerminalSite, LineSite, MeterSite]]:
        for terminal in self.terminals:
            for line in terminal.lines:
                for meter in line.meters:
                    yield terminal, line, meter


def _archived(terminal: TerminalSite, language: Language) -> dict[str, Any]:
    """Return a terminal's fields in the archive, the usual ones left out."""
    names = ("protocol", "registration", "heartbeat", "echo", "parallel_ports", "collects")
    usual = TerminalSite.model_fields
    fields = {name: getattr(terminal, name) for name in names}
    return {
        "address": terminal.address,
        "name": getattr(terminal.name, language),
        **{name: value for name, value in fields.items() if value != usual[name].default},
    }


def _interval_of(meter: MeterSite) -> int:
    return 0 if meter.protocol is Version.V1997 else meter.profile_interval_min


def load(path: Path) -> Site:
    """Return the site of a YAML file. Raises ConfigError: one line per error, with its line."""
    try:
        with path.open("rb") as file:
            text = file.read(FILE_SIZE_MAX + 1)
        if len(text) > FILE_SIZE_MAX:
            raise ConfigError(f"{path}: larger than {FILE_SIZE_MAX} bytes")
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}:1: a site is keys and values")
    try:
        return Site.model_validate(_plain(root))
    except ValidationError as error:
        lines = [
            f"{path}:{_line_of(root, problem['loc'])}: "
            f"{'.'.join(map(str, problem['loc'])) or 'site'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from None


def _plain(node: yaml.Node) -> Any:
    """Return a node's data with every scalar as text: an address of digits is no number."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value) for value in node.value]
    return node.value


def _line_of(node: yaml.Node, path: tuple[int | str, ...]) -> int:
    """Return the line of the deepest part of a path that is written in the file."""
    line: int = node.start_mark.line + 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == step]
            if not found:
                break
            line = found[0][0].start_mark.line + 1
            node = found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line
