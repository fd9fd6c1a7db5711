"""Alarms as pages and JSON show them, and the words around them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from station.business.alarm_kinds import KIND_BY_KEY, SEVERITIES
from station.business.alarm_rules import concerns, in_sight
from station.business.told import SCOPE_NAMES, SEVERITY_NAMES
from station.errors import NotFound
from station.handlers.access.people import Permission, permissions_of
from station.handlers.base import Handler
from station.handlers.download import Column
from station.handlers.marking import N_
from station.store.objects.alarms import STATION, Alarm
from station.words import Text

STATE_NAMES = {
    "open": Text("open", "未处理"),
    "acknowledged": Text("acknowledged", "已确认"),
    "cleared": Text("cleared", "已消除"),
}
ACT_NAMES = {
    "raised": Text("Raised", "产生"),
    "acknowledged": Text("Acknowledged", "确认"),
    "assigned": Text("Assigned", "指派"),
    "commented": Text("Commented", "备注"),
    "muted": Text("Muted", "静默"),
    "cleared": Text("Cleared", "消除"),
}
MESSAGE_STATES = {
    "waiting": Text("waiting", "待发送"),
    "sent": Text("sent", "已发送"),
    "given_up": Text("given up", "已放弃"),
    "dropped": Text("not needed any more", "无需发送"),
}


class ActView(BaseModel):
    """What somebody did about an alarm; `by` is empty for the station itself.

    `to` is whom it was assigned to, empty for nobody.
    """

    at: datetime
    name: str
    by: str
    comment: str
    to: str


class AlarmView(BaseModel):
    """An alarm: `subject` is the address of a meter or link, or the id of a place.

    `clears_itself`: the station sees when it is over. `members` are the devices it covers, at most
    200 of `members_all`; `events` the newest events that told it.
    """

    id: str
    kind: str
    title: str
    advice: str
    severity: str
    state: str
    scope: str
    subject: str
    name: str
    place: str
    place_path: str
    link: str
    meter: str
    raised_at: datetime
    last_at: datetime
    count: int
    detail: str
    clears_itself: bool
    members: list[str]
    members_all: int
    events: list[str]
    muted_until: datetime | None
    acknowledged_by: str
    acknowledged_at: datetime | None
    assigned_to: str
    cleared_by: str
    cleared_at: datetime | None
    history: list[ActView]


class SeverityCounts(BaseModel):
    """How many alarms stand, by severity; of all of them so many are open."""

    critical: int
    major: int
    minor: int
    open: int


class AlarmList(BaseModel):
    """A page of alarms; `standing` counts all that stand."""

    items: list[AlarmView]
    total: int
    standing: SeverityCounts


COLUMNS = (
    Column[AlarmView](
        N_("Raised"), lambda alarm: alarm.raised_at, sort="-raised", look="nowrap only-wide"
    ),
    Column[AlarmView](N_("Severity"), lambda alarm: SEVERITY_NAMES[alarm.severity], within="alarm"),
    Column[AlarmView](N_("Alarm"), lambda alarm: alarm.title, sort="-severity"),
    Column[AlarmView](N_("Of"), lambda alarm: SCOPE_NAMES[alarm.scope], within="where"),
    Column[AlarmView](
        N_("Address"), lambda alarm: alarm.subject if not _is_wide(alarm) else "", within="where"
    ),
    Column[AlarmView](
        N_("Name"), lambda alarm: alarm.name, key="where", head=N_("Where"), look="alarm-where"
    ),
    Column[AlarmView](N_("Link"), lambda alarm: alarm.link, within="where"),
    Column[AlarmView](N_("Place"), lambda alarm: alarm.place_path, within="where"),
    Column[AlarmView](N_("State"), lambda alarm: STATE_NAMES[alarm.state], look="alarm-state"),
    Column[AlarmView](N_("Told"), lambda alarm: alarm.count, within="alarm"),
    Column[AlarmView](N_("Devices"), lambda alarm: alarm.members_all, more=True, look="number"),
    Column[AlarmView](N_("Assigned to"), lambda alarm: alarm.assigned_to, within="state"),
    Column[AlarmView](N_("Acknowledged by"), lambda alarm: alarm.acknowledged_by, within="state"),
    Column[AlarmView](N_("Acknowledged"), lambda alarm: alarm.acknowledged_at, more=True),
    Column[AlarmView](N_("Cleared by"), lambda alarm: alarm.cleared_by, within="state"),
    Column[AlarmView](N_("Cleared"), lambda alarm: alarm.cleared_at, more=True),
)


class AlarmHandler(Handler):
    """What the handlers of alarms share: nobody sees the alarms of other areas."""

    async def places_in_sight(self) -> frozenset[str] | None:
        """Return the places whose alarms concern the person; None for all."""
        if not self.areas:
            return None
        return in_sight(self.areas, await self.parts.archive.places())

    async def alarm_in_sight(self, alarm_id: str) -> Alarm:
        """Return an alarm. Raises NotFound, also for one that is not the person's to see."""
        alarm = await self.parts.database.alarms.get(alarm_id)
        places = await self.places_in_sight()
        if places is not None and alarm.scope != STATION and alarm.place not in places:
            raise NotFound(f"there is no alarm {alarm_id}")
        return alarm

    async def people_for(self, alarm: Alarm) -> list[str]:
        """Return who may see to an alarm: whom it concerns, and who may act on alarms."""
        roles = {role.name: role for role in await self.parts.database.roles.list()}
        tree = await self.parts.archive.places()
        return [
            user.name
            for user in await self.parts.database.users.list()
            if not user.is_disabled
            and Permission.COLLECT in permissions_of(user.role, roles.get(user.role))
            and concerns(alarm, user.areas, tree)
        ]

    async def view_of(self, alarm: Alarm) -> AlarmView:
        """Return an alarm as it is shown."""
        tree = await self.parts.archive.places()
        kind, say = KIND_BY_KEY[alarm.kind], self.language
        fields = {
            name: getattr(alarm, name) for name in AlarmView.model_fields if hasattr(alarm, name)
        }
        return AlarmView(
            **{
                **fields,
                "title": say.name(kind.name),
                "advice": say.name(kind.advice),
                "place_path": tree.path_text(alarm.place),
                "clears_itself": alarm.lasts,
                "members": [*alarm.members],
                "events": [*alarm.events],
                "history": [
                    ActView(at=act.at, name=act.name, by=act.by, comment=act.comment, to=act.to)
                    for act in alarm.history
                ],
            }
        )

    @property
    def words(self) -> dict[str, Any]:
        """What the templates of alarms name things by."""
        return {
            "severity_names": SEVERITY_NAMES,
            "severities": SEVERITIES,
            "scope_names": SCOPE_NAMES,
            "state_names": STATE_NAMES,
            "act_names": ACT_NAMES,
            "message_states": MESSAGE_STATES,
            "kinds": KIND_BY_KEY,
        }


def _is_wide(alarm: AlarmView) -> bool:
    return alarm.scope in ("place", STATION)
