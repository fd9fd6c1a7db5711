"""Which rule tells which alarm and when: by severity, place, group, person, quiet hours. Pure."""

from collections.abc import Collection
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from station.business.alarm_kinds import at_least
from station.store.objects.alarm_rules import AlarmRule, MessageAct
from station.store.objects.alarms import STATION, Alarm
from station.store.objects.places import PlaceTree
from station.units import day_start, local_day

MINUTES_A_DAY = 1440


def is_told(
    rule: AlarmRule,
    alarm: Alarm,
    act: MessageAct,
    now: datetime,
    *,
    tree: PlaceTree,
    groups: Collection[str],
    person_areas: Collection[str],
) -> bool:
    """Tell whether a rule tells an alarm.

    `groups` are those of the alarm's devices; `person_areas` those of the rule's person, none for
    everywhere. What was raised before the rule was made is not told by it.
    """
    if not rule.enabled or rule.created_at > alarm.raised_at:
        return False
    if is_muted(rule.muted_until, now) or is_muted(alarm.muted_until, now):
        return False
    if act == "cleared" and not rule.also_cleared:
        return False
    if not at_least(alarm.severity, rule.least) or (rule.kinds and alarm.kind not in rule.kinds):
        return False
    if rule.groups and not set(rule.groups).intersection(groups):
        return False
    return concerns(alarm, rule.areas, tree) and concerns(alarm, person_areas, tree)


def concerns(alarm: Alarm, areas: Collection[str], tree: PlaceTree) -> bool:
    """Tell whether an alarm lies in these places, or reaches into them; none stands for all."""
    return not areas or alarm.scope == STATION or alarm.place in in_sight(areas, tree)


def in_sight(areas: Collection[str], tree: PlaceTree) -> frozenset[str]:
    """Return the places whose alarms concern these areas: within them, and above them."""
    above = {place.id for area in areas for place in tree.path(area)}
    return tree.under(areas) | above


def is_muted(until: datetime | None, now: datetime) -> bool:
    """Tell whether something is muted."""
    return until is not None and now < until


def due_at(rule: AlarmRule, alarm: Alarm, now: datetime, zone: ZoneInfo) -> datetime:
    """Return when an alarm may be told: now, or at the end of the quiet hours."""
    if rule.quiet is None or (rule.critical_always and alarm.severity == "critical"):
        return now
    first, end = rule.quiet
    today = local_day(now, zone)
    for day in (today - timedelta(days=1), today):
        begins = _at(day_start(day, zone), first)
        ends = _at(day_start(day, zone), end if end > first else end + MINUTES_A_DAY)
        if begins <= now < ends:
            return ends
    return now


def _at(start: datetime, minutes: int) -> datetime:
    return start + timedelta(minutes=minutes)
