"""What the archive takes: every value is checked, and put into its one form. Pure.

Functions return the thing as it is kept, or raise InvalidValue, whose field is the dataclass field.
"""

import re
from dataclasses import replace

from station.collector.grid import MINUTES_A_DAY, check_cron
from station.collector.items import DLT698, ITEM_BY_CODE
from station.errors import InvalidValue
from station.protocols.dlt645 import Version
from station.protocols.line import LineSettings
from station.store.objects.channels import (
    GAPS_MS,
    REOPENS_AFTER,
    RETRIES_S,
    WAITS_MS,
    Channel,
)
from station.store.objects.meters import Meter
from station.store.objects.places import KINDS, PATH_SEPARATOR, Place
from station.store.objects.stages import STAGES
from station.store.objects.tasks import Task
from station.store.objects.terminals import PROTOCOLS, Terminal

PERIODS_MIN = (1, 5, 15, 30, 60, 1440)
PROFILE_INTERVALS_MIN = (0, 1, 5, 15, 30, 60)  # 0: no load profile.
BACKFILL_DAYS_MAX = 62  # Meters keep no more daily freezes (digest dlt645.md section 10).
NAME_SIZE_MAX = 64  # A name fits a table column.
GROUPS_MAX = 20  # Of one meter or terminal; area, feeder, kind of customer are three.
PACKET_SIZE_MAX = 64  # Bytes of a registration packet; DTUs send their telephone number or so.
RATIO_MAX = 99_999  # The largest transformers: 1000 kV to 100 V is 10,000.
CHANNEL_SCHEMES = ("socket", "rfc2217", "loop", "spy", "alt", "hwgrep")  # pyserial's own.

METER_PROTOCOLS = (*(version.value for version in Version), DLT698)

_METER_ADDRESS = re.compile(r"[0-9A-F]{12}")
_TERMINAL_ADDRESS = re.compile(r"[0-9A-F]{8}")
_ADDRESS_698 = re.compile(r"(?:[0-9A-F]{2}){1,16}")
_PACKET = re.compile(rf"(?:[0-9A-F]{{2}}){{1,{PACKET_SIZE_MAX}}}")
_CHANNEL_RANGES = {
    "wait_ms": WAITS_MS,
    "gap_ms": GAPS_MS,
    "reopen_after": REOPENS_AFTER,
    "retry_max_s": RETRIES_S,
}
_CHANNEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
_PLACE_CODE = re.compile(r"[\w.-]{0,32}")


def checked_terminal(terminal: Terminal) -> Terminal:
    """Return a terminal as it is kept."""
    if terminal.protocol not in PROTOCOLS:
        raise InvalidValue("protocol", f"there is no protocol {terminal.protocol!r}")
    _stage(terminal.stage)
    return replace(
        terminal,
        address=_terminal_address(terminal),
        name=_name(terminal.name),
        registration=_packet("registration", terminal),
        heartbeat=_packet("heartbeat", terminal),
        groups=_groups(terminal.groups),
    )


def _terminal_address(terminal: Terminal) -> str:
    if terminal.protocol == "dtu":
        return _end_name("address", terminal.address)
    address = terminal.address.upper()
    if terminal.protocol == DLT698:
        return _matching("address", address, _ADDRESS_698, "2 to 32 hex digits, in pairs")
    _matching("address", address, _TERMINAL_ADDRESS, "8 hex digits")
    if address.endswith("0000"):
        raise InvalidValue("address", f"terminal address {address}: 0000 is no terminal")
    return address


def _packet(field: str, terminal: Terminal) -> str:
    """Return a DTU's packet in capitals and without spaces; other terminals have none."""
    text = "".join(getattr(terminal, field).split()).upper()
    if terminal.protocol != "dtu":
        if text:
            raise InvalidValue(field, f"only a DTU has a {field} packet")
        return ""
    if not text and field == "heartbeat":
        return ""  # Some DTUs never beat.
    return _matching(field, text, _PACKET, f"1 to {PACKET_SIZE_MAX} bytes in hex")


def _groups(groups: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for group in groups if (name := _name(group, "groups"))))
    if len(names) > GROUPS_MAX:
        raise InvalidValue("groups", f"{len(names)} groups are too many; at most {GROUPS_MAX}")
    return names


def checked_place(place: Place) -> Place:
    """Return a place as it is kept; what it may hang on is checked by `check_parent`."""
    if place.kind not in KINDS:
        raise InvalidValue("kind", f"there is no kind of place {place.kind!r}")
    name = _name(place.name)
    if not name:
        raise InvalidValue("name", "a place needs a name")
    if PATH_SEPARATOR in name:
        raise InvalidValue("name", "a slash with blanks around it stands between names of places")
    code = place.code.strip()
    _matching("code", code, _PLACE_CODE, "32 letters, digits, dots or dashes at most")
    return replace(place, name=name, code=code)


def check_parent(kind: str, parent_kind: str) -> None:
    """Check that a place of one kind may hang on another; only organisations hang on their like."""
    below = KINDS.index(kind) > KINDS.index(parent_kind)
    if not below and not kind == parent_kind == KINDS[0]:
        raise InvalidValue(
            "parent",
            "places hang in the order organisation, substation, power line, transformer area",
        )


def checked_channel(channel: Channel) -> Channel:
    """Return a channel as it is kept."""
    name = _end_name("name", channel.name)
    url = channel.url.strip()
    scheme, colon, _ = url.partition("://")
    if (colon and scheme not in CHANNEL_SCHEMES) or not (colon or url.startswith("/dev/")):
        raise InvalidValue(
            "url",
            f"{url!r} is neither a device such as /dev/ttyUSB0 nor socket://HOST:PORT"
            " nor rfc2217://HOST:PORT",
        )
    for field, (least, most) in _CHANNEL_RANGES.items():
        number = getattr(channel, field)
        if not least <= number <= most:
            raise InvalidValue(field, f"{number} is not in {least}..{most}")
    return replace(channel, name=name, url=url, line=_line(channel.line))


def _end_name(field: str, text: str) -> str:
    """Return the name of a link end that is not an address, and could not be one."""
    shape = "a letter, then letters, digits, dots or dashes, 32 at most"
    name = _matching(field, text, _CHANNEL_NAME, shape)
    if _TERMINAL_ADDRESS.fullmatch(name.upper()):
        raise InvalidValue(field, f"{name!r} could be a terminal's address; choose another name")
    return name


def checked_meter(meter: Meter) -> Meter:
    """Return a meter as it is kept."""
    if meter.protocol not in METER_PROTOCOLS:
        raise InvalidValue("protocol", f"there is no protocol {meter.protocol!r}")
    address = meter.address.upper()
    if meter.protocol == DLT698:
        _matching("address", address, _ADDRESS_698, "2 to 32 hex digits, in pairs")
    else:
        _matching("address", address, _METER_ADDRESS, "12 digits")
    _one_of("profile_interval_min", meter.profile_interval_min, PROFILE_INTERVALS_MIN)
    own_link = meter.protocol == DLT698  # Point 0: it dials in by itself.
    _within("point", meter.point, 0 if own_link else 1, 2040)  # pn, digest qgdw1376_1.md section 5.
    _within("port", meter.port, 1, 31)  # Digest qgdw1376_1.md section 9, F10.
    _within("tariffs", meter.tariffs, 1, 63)  # Digest dlt645.md section 8.1, 04000204.
    _within("ct", meter.ct, 1, RATIO_MAX)
    _within("pt", meter.pt, 1, RATIO_MAX)
    _stage(meter.stage)
    line = _line(meter.line)
    if _TERMINAL_ADDRESS.fullmatch(meter.link):
        _forwardable("line", line)
    return replace(
        meter, address=address, name=_name(meter.name), line=line, groups=_groups(meter.groups)
    )


def checked_task(task: Task) -> Task:
    """Return a task as it is kept."""
    name = _name(task.name)
    if not name:
        raise InvalidValue("name", "a task needs a name")
    if not task.items:
        raise InvalidValue("items", "choose at least one item to read")
    for code in task.items:
        if code not in ITEM_BY_CODE:
            raise InvalidValue("items", f"there is no item {code!r}")
    _one_of("period_min", task.period_min, PERIODS_MIN)
    _within("backfill_days", task.backfill_days, 0, BACKFILL_DAYS_MAX)
    if task.target_kind != "all" and not task.targets:
        raise InvalidValue("targets", f"choose at least one of the {task.target_kind}")
    cron = " ".join(task.cron.split())
    if cron:
        _cron(cron, task)
    return replace(
        task, name=name, items=tuple(dict.fromkeys(task.items)), cron=cron, window=_window(task)
    )


def _cron(expression: str, task: Task) -> None:
    if task.once_at is not None:
        raise InvalidValue("cron", "a task that runs once has no cron expression")
    try:
        check_cron(expression)
    except ValueError as error:
        raise InvalidValue("cron", str(error)) from None


def _window(task: Task) -> tuple[int, int] | None:
    """Return the window, or None if it is the whole day."""
    if task.window is None:
        return None
    first, end = task.window
    if not (0 <= first < MINUTES_A_DAY and 0 <= end <= MINUTES_A_DAY) or first == end:
        raise InvalidValue("window", "a window begins and ends at two different times of the day")
    return None if (first, end) == (0, MINUTES_A_DAY) else (first, end)


def _stage(stage: str) -> None:
    if stage not in STAGES:
        raise InvalidValue("stage", f"there is no stage {stage!r}")


def _name(text: str, field: str = "name") -> str:
    name = " ".join(text.split())
    if len(name) > NAME_SIZE_MAX:
        raise InvalidValue(field, f"a name has at most {NAME_SIZE_MAX} characters, not {len(name)}")
    return name


def _line(text: str) -> str:
    try:
        return LineSettings.parse(text).text
    except ValueError as error:
        raise InvalidValue("line", str(error)) from None


def _forwardable(field: str, line: str) -> None:
    """Check that a terminal can be told these settings of the line behind it."""
    try:
        LineSettings.parse(line).control_byte()
    except ValueError as error:
        raise InvalidValue(field, str(error)) from None


def _matching(field: str, text: str, pattern: re.Pattern[str], shape: str) -> str:
    if not pattern.fullmatch(text):
        raise InvalidValue(field, f"{text!r} is not {shape}")
    return text


def _one_of(field: str, value: int, allowed: tuple[int, ...]) -> None:
    if value not in allowed:
        raise InvalidValue(field, f"{value} is none of {', '.join(map(str, allowed))}")


def _within(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidValue(field, f"{value} is not in {low}..{high}")
