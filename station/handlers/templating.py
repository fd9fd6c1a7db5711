"""Jinja2 for the pages: one environment per language, with the filters that all pages share."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from station.handlers.language import Language
from station.handlers.selling.money import yuan, yuan_typed
from station.units import UTC
from station.words import Text

HERE = Path(__file__).parent
ICONS = HERE / "static" / "vendor" / "icons"

PROTOCOL_NAMES = {
    "qgdw1376": "Q/GDW 1376.1",
    "qgdw1376.1": "Q/GDW 1376.1",
    "qgdw130-2005": "Q/GDW 130-2005",
    "dlt698.45": "DL/T 698.45",
    "dlt645": "DL/T 645",
    "dlt645-2007": "DL/T 645-2007",
    "dlt645-1997": "DL/T 645-1997",
    "dtu": "DTU",
}

_KILO = 1000
SECONDS_WHOLE = 10  # From here on nobody asks for tenths.


def make_environment(language: Language, zone: ZoneInfo) -> Environment:
    """Return the environment whose templates speak one language and show one zone's times."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        _=lambda message, **values: _say(language.catalogue.gettext(message), values),
        ngettext=lambda one, many, number, **values: _say(
            language.catalogue.ngettext(one, many, number), {"num": number, **values}
        ),
        icon=icon,
    )
    environment.filters.update(
        moment=lambda value, **parts: moment(value, zone, **parts),
        lasting=lambda value: lasting(value, language),
        cell=lambda value: cell(value, language, zone),
        count=lambda value: format_decimal(value, locale=language.locale),
        size=size,
        yuan=yuan,
        yuan_typed=yuan_typed,
        seconds=lambda value: seconds(value, language),
        name=language.name,
        said=lambda names: [(key, language.say(words)) for key, words in names.items()],
        sentence=language.sentence,
        spaced_hex=spaced_hex,
        protocol=lambda value: PROTOCOL_NAMES.get(value, value),
        urlpath=quote,
    )
    return environment


def _say(message: str, values: Mapping[str, object]) -> Markup:
    """Return a message of ours, which may hold markup, with other people's values escaped."""
    return Markup(message) % values if values else Markup(message)  # noqa: S704  Our own texts.


@lru_cache(maxsize=256)
def icon(name: str) -> Markup:
    """Return an icon as SVG, in the colour of the text; screen readers pass over it."""
    source = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    body = re.sub(r"<svg[^>]*>", "", source, count=1)
    opening = (
        '<svg xmlns="http://www.w3.org/2000/svg" class="icon" width="24" height="24" '
        'viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">'
    )
    return Markup(opening + " ".join(body.split()))  # noqa: S704  A file of ours, not a person's text.


def moment(
    value: datetime | None, zone: ZoneInfo, *, seconds: bool = True, milliseconds: bool = False
) -> Markup:
    """Return a moment in the site's zone, ISO and 24-hour; a dash when there is none."""
    if value is None:
        return Markup("–")
    local = value.astimezone(zone)
    time = local.strftime("%H:%M:%S" if seconds else "%H:%M")
    if milliseconds:
        time += f".{local.microsecond // 1000:03}"
    return Markup('<time datetime="{}"><span>{}</span> {}</time>').format(
        value.astimezone(UTC).isoformat().replace("+00:00", "Z"), local.date().isoformat(), time
    )


def cell(value: object, language: Language, zone: ZoneInfo) -> str:
    """Return the value of a column as a page writes it; a dash when there is none."""
    if isinstance(value, Text):
        return language.name(value)
    if isinstance(value, bool):
        return language.say("yes") if value else language.say("no")
    if isinstance(value, datetime):
        return moment(value, zone)
    return "–" if value is None or value == "" else str(value)


def lasting(value: timedelta, language: Language) -> str:
    """Return a length of time in its two largest units: `2 h 13 min`."""
    seconds = max(0, int(value.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return language.say("%(days)s d %(hours)s h", days=days, hours=hours)
    if hours:
        return language.say("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
    if minutes:
        return language.say("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=seconds % 60)
    return language.say("%(seconds)s s", seconds=seconds)


def size(value: int) -> str:
    """Return a number of bytes as people write it: `12.3 kB`."""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < _KILO:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _KILO
    return f"{amount:.1f} TB"


def seconds(value: float, language: Language) -> str:
    """Return a number of seconds, with a decimal while it is small."""
    form = "#,##0" if value >= SECONDS_WHOLE else "0.0"
    return str(format_decimal(value, format=form, locale=language.locale))


def spaced_hex(value: bytes | str) -> str:
    """Return bytes as upper-case hex pairs: `68 32 00`."""
    return (value if isinstance(value, bytes) else bytes.fromhex(value)).hex(" ").upper()


def render(environment: Environment, template: str, context: Mapping[str, Any]) -> str:
    """Return a page."""
    return environment.get_template(template).render(context)
