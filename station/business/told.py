"""What people outside are told of alarms: as the text of an e-mail, and as JSON. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from station.business.alarm_kinds import KIND_BY_KEY, SEVERITIES
from station.store.objects.alarm_rules import AlarmMessage
from station.store.objects.alarms import Alarm
from station.units import UTC
from station.words import Text

Told = Sequence[tuple[AlarmMessage, Alarm]]

TRIAL = "trial"  # The id of an alarm that is none.

SEVERITY_NAMES = {
    "critical": Text("critical", "紧急"),
    "major": Text("major", "重要"),
    "minor": Text("minor", "一般"),
}
SCOPE_NAMES = {
    "meter": Text("meter", "电能表"),
    "link": Text("link", "链路"),
    "place": Text("place", "位置"),
    "station": Text("the whole site", "全站"),
}
_CLEARED = Text("cleared", "已消除")
_SINCE = Text("since", "始于")
_DEVICES = Text("devices", "台设备")
_TO_DO = Text("What to do", "处理建议")
_ALARMS = Text("alarms", "条告警")
_TRIAL = Text("trial: alarms of this rule arrive here", "试发：此规则的告警将发到这里")


def subject_of(told: Told, site: str, language: str) -> str:
    """Return the subject of an e-mail, in one line."""
    if len(told) == 1:
        message, alarm = told[0]
        head = f"{_headline(message, alarm, language)}"
    else:
        worst = min((alarm.severity for _, alarm in told), key=SEVERITIES.index)
        head = f"{len(told)} {_in(_ALARMS, language)}, {_in(SEVERITY_NAMES[worst], language)}"
    return " ".join(f"[{site}] {head}".split())


def text_of(told: Told, zone: ZoneInfo, url: str, language: str) -> str:
    """Return the text of an e-mail; `url` is where the pages are, or empty."""
    return "\n\n".join(
        "\n".join(_lines(message, alarm, zone, url, language)) for message, alarm in told
    )


def json_of(told: Told, site: str, station: str, url: str) -> dict[str, Any]:
    """Return what a webhook posts; a receiver tells messages that come again by their `id`."""
    return {
        "site": site,
        "station": station,
        "messages": [
            {
                "id": message.id,
                "act": message.act,
                "created_at": _iso(message.created_at),
                "alarm": {
                    "id": alarm.id,
                    "kind": alarm.kind,
                    "name": KIND_BY_KEY[alarm.kind].name.en,
                    "severity": alarm.severity,
                    "state": alarm.state,
                    "scope": alarm.scope,
                    "subject": alarm.subject,
                    "subject_name": alarm.name,
                    "link": alarm.link,
                    "meter": alarm.meter,
                    "place": alarm.place,
                    "raised_at": _iso(alarm.raised_at),
                    "cleared_at": None if alarm.cleared_at is None else _iso(alarm.cleared_at),
                    "count": alarm.count,
                    "members": [*alarm.members],
                    "members_all": alarm.members_all,
                    "detail": alarm.detail,
                    "url": f"{url}/alarms/{alarm.id}" if url else None,
                },
            }
            for message, alarm in told
        ],
    }


def _lines(
    message: AlarmMessage, alarm: Alarm, zone: ZoneInfo, url: str, language: str
) -> list[str]:
    lines = [
        _headline(message, alarm, language),
        f"{_in(_SINCE, language)} {alarm.raised_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
    ]
    if alarm.members_all > 1:
        lines.append(f"{alarm.members_all} {_in(_DEVICES, language)}: {', '.join(alarm.members)}")
    if message.act == "raised" and alarm.id != TRIAL:
        lines.append(f"{_in(_TO_DO, language)}: {_in(KIND_BY_KEY[alarm.kind].advice, language)}")
    if url and alarm.id != TRIAL:
        lines.append(f"{url}/alarms/{alarm.id}")
    return lines


def _headline(message: AlarmMessage, alarm: Alarm, language: str) -> str:
    if alarm.id == TRIAL:
        return _in(_TRIAL, language)
    word = _CLEARED if message.act == "cleared" else SEVERITY_NAMES[alarm.severity]
    scope = _in(SCOPE_NAMES[alarm.scope], language)
    where = " ".join(
        part for part in (alarm.subject if alarm.scope != "place" else "", alarm.name) if part
    )
    name = _in(KIND_BY_KEY[alarm.kind].name, language)
    return f"{_in(word, language)}: {name}, {scope} {where}".rstrip()


def _in(text: Text, language: str) -> str:
    return text.zh if language == "zh" else text.en


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
