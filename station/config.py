"""The configuration: YAML to frozen, validated settings.

Every error names the file, the line, the key and the value; all of them are told at once. Unknown
keys are errors, with the nearest known one offered. Secrets are never in the file itself: it names
the files that hold them.
"""

import difflib
import os
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import annotated_types
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from station.errors import ConfigError

Port = Annotated[int, Field(ge=1, le=65535)]
MINUTES_A_DAY = 1440
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Section(BaseModel):
    """One block of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteConfig(Section):
    name: str = "Station"
    zone: str = "Asia/Shanghai"
    language: Literal["en", "zh"] = "en"
    simulation: bool = False

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("a time zone such as Asia/Shanghai") from None
        return zone

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class WebConfig(Section):
    host: str = "0.0.0.0"  # noqa: S104  The pages are for every browser on the LAN.
    port: Port = 8080
    tls: Literal["none", "own", "given"] = "none"
    certificate: Path | None = None
    key: Path | None = None
    hsts_days: Annotated[int, Field(ge=0, le=3650)] = 0
    redirect_port: Port | None = None
    proxies: list[IPvAnyNetwork] = []

    @model_validator(mode="after")
    def _certificate_with_key(self) -> "WebConfig":
        both = self.certificate is not None and self.key is not None
        neither = self.certificate is None and self.key is None
        if self.tls == "given" and not both:
            raise ValueError("web.certificate and web.key, because web.tls is given")
        if self.tls != "given" and not neither:
            raise ValueError("web.tls: given, because there is web.certificate or web.key")
        if self.tls == "none" and self.hsts_days:
            raise ValueError("web.tls: own or given, because there is web.hsts_days")
        if self.redirect_port is not None and self.tls == "none":
            raise ValueError("web.tls: own or given, because there is web.redirect_port")
        if self.redirect_port == self.port:
            raise ValueError("web.redirect_port: another port than web.port")
        return self


class FrontendConfig(Section):
    host: str = "0.0.0.0"  # noqa: S104  Terminals dial in from other networks.
    port: Port = 7001
    more_ports: list[Port] = []
    connections_max: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    login_timeout_s: Seconds = 300
    idle_timeout_s: Seconds = 1800
    confirmation: Literal["F1", "F3"] = "F3"
    master: Annotated[int, Field(ge=1, le=127)] = 1
    trace_per_link: Annotated[int, Field(ge=1, le=10_000)] = 200
    frame_days: Annotated[int, Field(ge=1, le=3650)] = 30
    frames_max: Annotated[int, Field(ge=1000, le=1_000_000_000)] = 10_000_000
    log_heartbeats: bool = False


class DatabaseConfig(Section):
    uri: str | None = None
    uri_file: Path | None = None
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,48}$")] = "station"
    data: Path = Path("data")
    cache_mb: Annotated[int, Field(ge=256, le=65_536)] = 256

    @field_validator("uri")
    @classmethod
    def _mongodb_uri(cls, uri: str | None) -> str | None:
        if uri is not None and not uri.startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("an address that begins with mongodb:// or mongodb+srv://")
        return uri

    @field_validator("uri_file")
    @classmethod
    def _one_address(cls, uri_file: Path | None, info: ValidationInfo) -> Path | None:
        if uri_file is not None and info.data.get("uri") is not None:
            raise ValueError("either database.uri or database.uri_file, not both")
        return uri_file

    def address(self) -> str | None:
        """Return the outside database's address, or None for the private one.

        Raises ConfigError when the file that holds it cannot be read.
        """
        if self.uri_file is None:
            return self.uri
        try:
            return self.uri_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(
                f"database.uri_file: cannot read {self.uri_file}: {error.strerror}"
            ) from None


# Models whose readers hang on a serial port; the others come with their vendor's library.
SERIAL_READERS = ("acr1281s", "acr30s", "gempc-twin")


class ReaderConfig(Section):
    """A card reader that PC/SC does not know."""

    model: Literal["acr1281s", "acr30s", "gempc-twin", "huada-hd100", "decard-ic", "decard-rf"]
    port: Annotated[str, Field(min_length=1)]
    baud: Annotated[int, Field(ge=1200, le=921_600)] | None = None
    library: Path | None = None

    @model_validator(mode="after")
    def _library_of_the_vendor(self) -> "ReaderConfig":
        is_serial = self.model in SERIAL_READERS
        if is_serial and self.library is not None:
            raise ValueError(f"a reader of model {self.model} without a library")
        if not is_serial and self.library is None:
            raise ValueError(f"a reader of model {self.model} with its vendor's library")
        return self


class PrepaidConfig(Section):
    keys: Path | None = None
    profile: Literal["GW13", "GW09"] = "GW13"
    readers: Annotated[list[ReaderConfig], Field(max_length=16)] = []
    sale_max_fen: Annotated[int, Field(ge=1, le=99_999_999)] = 10_000_00
    shift_max_fen: Annotated[int, Field(ge=1, le=50_000_000)] = 200_000_00
    approval_above_fen: Annotated[int, Field(ge=0, le=99_999_999)] = 100_00


class ControlConfig(Section):
    approval: Literal["always", "important"] = "important"
    important_above_ratio: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    important_groups: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=50)] = [
        "important"
    ]


class ClocksConfig(Section):
    check_at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = "03:20"
    wrong_over_s: Annotated[int, Field(ge=1, le=86_400)] = 60

    @field_validator("check_at", mode="before")
    @classmethod
    def _as_written(cls, value: object) -> object:
        """Take 13:20 as it stands in the file: YAML reads it as a number to the base of 60."""
        if isinstance(value, int) and 0 <= value < MINUTES_A_DAY:
            return f"{value // 60:02}:{value % 60:02}"
        return value

    @property
    def check_time(self) -> time | None:
        return None if self.check_at is None else time.fromisoformat(self.check_at)


class AlarmsConfig(Section):
    silent_after_s: Seconds = 300
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/[^\s]*)?$")] | None = None


class MailConfig(Section):
    host: str | None = None
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_file: Path | None = None
    sender: Annotated[str, Field(pattern=r"^[^\s@<>]+@[^\s@<>]+$")] = "station@localhost"

    def password(self) -> str:
        """Return the password for the mail server. Raises ConfigError when it cannot be read."""
        if self.password_file is None:
            return ""
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(
                f"mail.password_file: cannot read {self.password_file}: {error.strerror}"
            ) from None


class LogConfig(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Config(Section):
    """Everything that is decided before the station starts."""

    station: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,48}$")] = "station-1"
    site: SiteConfig = SiteConfig()
    web: WebConfig = WebConfig()
    frontend: FrontendConfig = FrontendConfig()
    database: DatabaseConfig = DatabaseConfig()
    prepaid: PrepaidConfig = PrepaidConfig()
    control: ControlConfig = ControlConfig()
    clocks: ClocksConfig = ClocksConfig()
    alarms: AlarmsConfig = AlarmsConfig()
    mail: MailConfig = MailConfig()
    log: LogConfig = LogConfig()


def load(path: Path) -> Config:
    """Read and check a configuration file. Raises ConfigError with one line per error."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(data, dict | None):
        raise ConfigError(f"{path}:1: expected keys and values, got {data!r}")
    lines = dict(_lines(node, ()))
    errors = [(line, f"key {key!r} stands twice") for key, line in _repeated(node)]
    try:
        config = Config.model_validate(data or {})
    except ValidationError as error:
        for detail in error.errors():
            location = tuple(str(part) for part in detail["loc"])
            errors.append((_line_of(lines, location), _problem(location, detail)))
    if errors:
        raise ConfigError("\n".join(f"{path}:{line}: {text}" for line, text in sorted(errors)))
    return _rooted(config, path)


def _rooted(config: Config, path: Path) -> Config:
    """Take relative paths from systemd's state directory, or else from the file's own folder."""
    root = Path(os.environ.get("STATE_DIRECTORY") or path.resolve().parent)
    database = config.database.model_copy(update={"data": root / config.database.data})
    keys = config.prepaid.keys
    prepaid = config.prepaid.model_copy(update={"keys": keys and root / keys})
    certificate, key = config.web.certificate, config.web.key
    web = config.web.model_copy(
        update={"certificate": certificate and root / certificate, "key": key and root / key}
    )
    password = config.mail.password_file
    mail = config.mail.model_copy(update={"password_file": password and root / password})
    return config.model_copy(
        update={"database": database, "prepaid": prepaid, "web": web, "mail": mail}
    )


def _lines(node: yaml.Node | None, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, str(key.value)), key.start_mark.line + 1
            yield from _lines(value, (*path, str(key.value)))
    if isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*path, str(number)), value.start_mark.line + 1
            yield from _lines(value, (*path, str(number)))


def _line_of(lines: dict[tuple[str, ...], int], location: tuple[str, ...]) -> int:
    while location and location not in lines:
        location = location[:-1]
    return lines.get(location, 1)


def _repeated(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from _repeated(value)
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated(value)


def _problem(location: tuple[str, ...], detail: ErrorDetails) -> str:
    name = ".".join(location)
    if detail["type"] == "extra_forbidden":
        known = _model_at(location[:-1]).model_fields
        near = difflib.get_close_matches(location[-1], known, n=1)
        return f"unknown key '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")
    secret = name == "database.uri"  # It may hold a password.
    got = "" if secret else f", got {detail['input']!r}"
    expected = _range_of(location) or detail["msg"]
    if detail["type"] == "model_type":
        expected = "a block of keys"
    for opening in ("Value error, ", "Input should be "):
        expected = expected.removeprefix(opening)
    return f"{name}: expected {expected}{got}"


def _model_at(location: tuple[str, ...]) -> type[BaseModel]:
    model: type[BaseModel] = Config
    for part in location:
        if part.isdecimal():
            continue  # A place in a list, whose model is that of its elements.
        inner: Any = model.model_fields[part].annotation
        if get_origin(inner) is list:
            inner = get_args(inner)[0]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return model


def _range_of(location: tuple[str, ...]) -> str | None:
    """Return a field's limits as text: `1..65535`."""
    field: FieldInfo | None = _model_at(location[:-1]).model_fields.get(location[-1])
    if field is None:
        return None
    low: Any = None
    high: Any = None
    for limit in field.metadata:
        if isinstance(limit, annotated_types.Ge):
            low = limit.ge
        elif isinstance(limit, annotated_types.Gt):
            low = f"more than {limit.gt}"
        elif isinstance(limit, annotated_types.Le):
            high = limit.le
    return None if low is None or high is None else f"{low}..{high}"
