"""How an alarm is made of what was told or noticed, and what becomes of it. Pure but for its id."""

from dataclasses import replace
from datetime import datetime

from station.business.alarm_kinds import UNREAD, AlarmKind, severity_of
from station.business.causes import Cause, cause_key
from station.store.objects.alarms import EVENTS_MAX, MEMBERS_MAX, Act, Alarm, Scope
from station.store.objects.base import new_id
from station.store.objects.events import Event


def key_of(kind: AlarmKind, event: Event) -> str:
    """Return the key of the cause that an event tells."""
    return cause_key(kind.key, _scope_of(event), event.meter or event.link)


def of_event(
    kind: AlarmKind,
    event: Event,
    name: str,
    place: str,
    muted_until: datetime | None,
    station: str,
) -> Alarm:
    """Return the alarm that an event raises; `name` and `place` are the device's."""
    scope, subject = _scope_of(event), event.meter or event.link
    return Alarm(
        new_id(),
        key_of(kind, event),
        kind.key,
        severity_of(kind.key, scope),
        scope,
        subject,
        event.received_at,
        event.received_at,
        station=station,
        name=name,
        link=event.link,
        meter=event.meter or "",
        place=place,
        members=(subject,),
        members_all=1,
        events=(event.id,),
        muted_until=muted_until,
        history=(Act(event.received_at, "raised"),),
    )


def of_cause(
    cause: Cause, detail: str, at: datetime, muted_until: datetime | None, station: str
) -> Alarm:
    """Return the alarm of a cause that lasts."""
    return Alarm(
        new_id(),
        cause.key,
        cause.kind,
        severity_of(cause.kind, cause.scope),
        cause.scope,
        cause.subject,
        at,
        at,
        station=station,
        meter=cause.subject if cause.scope == "meter" else "",
        lasts=True,
        detail=detail,
        members=cause.members[:MEMBERS_MAX],
        members_all=len(cause.members),
        muted_until=muted_until,
        history=(Act(at, "raised"),),
    )


def detail_of(cause: Cause) -> str:
    """Return what there is to say of a cause, as a sentence."""
    number, whole = len(cause.members), cause.all
    if cause.scope == "meter" or (cause.scope == "link" and cause.kind != UNREAD):
        return ""
    if cause.kind == UNREAD:
        return f"{number} of {whole} meters do not answer"
    away = f"{number} of {whole} links are away"
    return f"{away}; {cause.told} of them said that their power goes" if cause.told else away


def told_again(alarm: Alarm, event: Event) -> Alarm:
    """Return an alarm whose cause was told once more."""
    return replace(
        alarm,
        revision=alarm.revision + 1,
        count=alarm.count + 1,
        last_at=max(alarm.last_at, event.received_at),
        events=(*alarm.events, event.id)[-EVENTS_MAX:],
    )


def _scope_of(event: Event) -> Scope:
    return "link" if event.meter is None else "meter"
