"""Alarms: what needs a person now? Acknowledge, comment, mute, clear."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field

from station.errors import InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.place_views import person_of
from station.handlers.base import ListQuery
from station.handlers.contract import contract
from station.handlers.events.alarm_views import (
    COLUMNS,
    AlarmHandler,
    AlarmList,
    AlarmView,
    SeverityCounts,
)
from station.handlers.marking import N_
from station.store.objects.alarms import Alarm
from station.units import utc_now

COMMENT_SIZE_MAX = 500
NAME_SIZE_MAX = 64  # Characters of a person's name.
ME, NOBODY = "me", "nobody"  # As people in the filter of the list.
MINUTES_MAX = 90 * 24 * 60  # As long as a cause can be muted.
# How long somebody may want to hear nothing of a cause, in minutes.
MUTE_CHOICES = {
    60: N_("for an hour"),
    480: N_("for 8 hours"),
    1440: N_("for a day"),
    10080: N_("for a week"),
    0: N_("no more"),
}


class AlarmsQuery(ListQuery):
    """Which alarms to show; without a state all that stand, the most urgent first."""

    state: Literal["open", "acknowledged", "cleared"] | None = None
    severity: Literal["critical", "major", "minor"] | None = None
    kind: str | None = Field(None, max_length=40)
    link: str | None = Field(None, max_length=64)
    meter: str | None = Field(None, max_length=32)
    assigned: str | None = Field(
        None,
        max_length=NAME_SIZE_MAX,
        description="a person's name; `me` for the own ones, `nobody` for those without a person",
    )


class ActBody(BaseModel):
    """Why, or what is done about it."""

    comment: str = Field("", max_length=COMMENT_SIZE_MAX)


class CommentBody(BaseModel):
    """What there is to know about it."""

    comment: str = Field(min_length=1, max_length=COMMENT_SIZE_MAX)


class AssignBody(ActBody):
    """Who is to see to it, by the name at the login; nobody when it is left out."""

    person: str = Field("", max_length=NAME_SIZE_MAX)


class MuteBody(ActBody):
    """For how long nothing is sent of this cause; 0 ends it."""

    minutes: int = Field(ge=0, le=MINUTES_MAX)


class AlarmsHandler(AlarmHandler):
    """/alarms, /api/alarms"""

    @requires(Permission.VIEW)
    @contract(AlarmList, query=AlarmsQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(AlarmsQuery)
        skip, limit = self.span(query)
        places = await self.places_in_sight()
        store = self.parts.database.alarms
        alarms, total = await store.list(
            query.text,
            state=query.state,
            severity=query.severity,
            kind=query.kind,
            link=query.link,
            meter=query.meter,
            assigned_to=self._assigned(query.assigned),
            places=places,
            skip=skip,
            limit=limit,
            sort=query.sort,
        )
        counts = await store.counts(places)
        items = [await self.view_of(alarm) for alarm in alarms]
        standing = SeverityCounts(
            critical=counts.critical, major=counts.major, minor=counts.minor, open=counts.open
        )
        view = AlarmList(items=items, total=total, standing=standing)
        await self.show_list("alarms.html", view, items, COLUMNS, filter=query, **self.words)

    def _assigned(self, wanted: str | None) -> str | None:
        if wanted == ME:
            return person_of(self)
        return "" if wanted == NOBODY else wanted


class OneAlarmHandler(AlarmHandler):
    """/alarms/ID, /api/alarms/ID"""

    @requires(Permission.VIEW)
    @contract(AlarmView)
    async def get(self, alarm_id: str) -> None:
        alarm = await self.alarm_in_sight(alarm_id)
        messages, _ = await self.parts.database.alarm_messages.list(alarm=alarm.id, limit=20)
        rules = {rule.id: rule.name for rule in await self.parts.database.alarm_rules.all()}
        self.show(
            "alarm.html",
            await self.view_of(alarm),
            messages=messages,
            rule_of=rules,
            mutes=MUTE_CHOICES,
            people=await self.people_for(alarm),
            **self.words,
        )


class ActHandler(AlarmHandler):
    """What the acts on an alarm share."""

    async def answer(self, alarm: Alarm, notice: str) -> None:
        """Answer a change of an alarm."""
        self.done(await self.view_of(alarm), f"/alarms/{alarm.id}", notice)


class AcknowledgeAlarmHandler(ActHandler):
    """/alarms/ID/acknowledge: somebody takes care of it"""

    @requires(Permission.COLLECT)
    @contract(AlarmView, body=ActBody)
    async def post(self, alarm_id: str) -> None:
        body = self.parse_body(ActBody)
        await self.alarm_in_sight(alarm_id)
        alarm = await self.parts.alarms.acknowledge(alarm_id, person_of(self), body.comment.strip())
        await self.answer(alarm, self.language.say("The alarm is acknowledged."))


class AssignAlarmHandler(ActHandler):
    """/alarms/ID/assign: who is to see to it"""

    @requires(Permission.COLLECT)
    @contract(AlarmView, body=AssignBody)
    async def post(self, alarm_id: str) -> None:
        body = self.parse_body(AssignBody)
        before = await self.alarm_in_sight(alarm_id)
        if body.person and body.person not in await self.people_for(before):
            raise InvalidValue("person", f"{body.person} cannot see to this alarm")
        alarm = await self.parts.alarms.assign(
            alarm_id, person_of(self), body.person, body.comment.strip()
        )
        self.record(
            before={"assigned_to": before.assigned_to},
            after={"assigned_to": alarm.assigned_to, "comment": body.comment.strip()},
        )
        say = self.language.say
        if body.person:
            await self.answer(alarm, say("The alarm is given to %(name)s.", name=body.person))
        else:
            await self.answer(alarm, say("The alarm is given to nobody."))


class CommentAlarmHandler(ActHandler):
    """/alarms/ID/comment"""

    @requires(Permission.COLLECT)
    @contract(AlarmView, body=CommentBody)
    async def post(self, alarm_id: str) -> None:
        body = self.parse_body(CommentBody)
        await self.alarm_in_sight(alarm_id)
        alarm = await self.parts.alarms.comment(alarm_id, person_of(self), body.comment.strip())
        await self.answer(alarm, self.language.say("The comment is kept."))


class MuteAlarmHandler(ActHandler):
    """/alarms/ID/mute: nothing is sent of this cause for a while"""

    @requires(Permission.COLLECT)
    @contract(AlarmView, body=MuteBody)
    async def post(self, alarm_id: str) -> None:
        body = self.parse_body(MuteBody)
        await self.alarm_in_sight(alarm_id)
        until = utc_now() + timedelta(minutes=body.minutes) if body.minutes else None
        comment = body.comment.strip()
        alarm = await self.parts.alarms.mute(alarm_id, person_of(self), until, comment)
        say = self.language.say
        await self.answer(
            alarm, say("Nothing is sent of it.") if until else say("It is sent again.")
        )


class ClearAlarmHandler(ActHandler):
    """/alarms/ID/clear: nobody has to care any more"""

    @requires(Permission.COLLECT)
    @contract(AlarmView, body=ActBody)
    async def post(self, alarm_id: str) -> None:
        body = self.parse_body(ActBody)
        await self.alarm_in_sight(alarm_id)
        alarm = await self.parts.alarms.clear(alarm_id, person_of(self), body.comment.strip())
        await self.answer(alarm, self.language.say("The alarm is cleared."))
