"""What people do with an alarm: each act checks that it may be, and returns the alarm after it.

All raise Conflict when it is too late or too early for the act.
"""

from datetime import datetime, timedelta

from station.errors import Conflict
from station.store.objects.alarms import Act, Alarm

MUTE_MAX = timedelta(days=90)  # Whoever wants longer should change the rule, or the archive.


def acknowledged(alarm: Alarm, now: datetime, by: str, comment: str) -> Alarm:
    """Return an open alarm that somebody takes care of."""
    if alarm.state != "open":
        raise Conflict(f"alarm {alarm.id} is {alarm.state} already")
    act = Act(now, "acknowledged", by, comment)
    return alarm.acted(act, state="acknowledged", acknowledged_by=by, acknowledged_at=now)


def assigned(alarm: Alarm, now: datetime, by: str, to: str, comment: str) -> Alarm:
    """Return an alarm that a person is to see to; an empty name is nobody."""
    _must_stand(alarm)
    return alarm.acted(Act(now, "assigned", by, comment, to), assigned_to=to)


def commented(alarm: Alarm, now: datetime, by: str, comment: str) -> Alarm:
    """Return an alarm with a comment; a cleared one, too."""
    return alarm.acted(Act(now, "commented", by, comment))


def muted(alarm: Alarm, now: datetime, by: str, until: datetime | None, comment: str) -> Alarm:
    """Return an alarm of which nothing is sent until a moment; None ends that."""
    _must_stand(alarm)
    end = None if until is None else min(until, now + MUTE_MAX)
    return alarm.acted(Act(now, "muted", by, comment), muted_until=end)


def cleared(alarm: Alarm, at: datetime, by: str, comment: str) -> Alarm:
    """Return an alarm that needs nobody any more; `by` is empty for the station itself."""
    act = Act(at, "cleared", by, comment)
    return alarm.acted(act, state="cleared", cleared_by=by, cleared_at=at)


def cleared_by_hand(
    alarm: Alarm, at: datetime, by: str, comment: str, *, may_forget: bool
) -> Alarm:
    """Return an alarm that a person clears; of one that goes on the cause may be forgotten."""
    _must_stand(alarm)
    if alarm.lasts and not may_forget:
        raise Conflict(
            f"alarm {alarm.id} clears itself when its cause is gone; acknowledge it, or mute it"
        )
    return cleared(alarm, at, by, comment)


def _must_stand(alarm: Alarm) -> None:
    if not alarm.stands:
        raise Conflict(f"alarm {alarm.id} is cleared already")
