"""Rules of alarms: who is told what, by e-mail or to a URL; only an administrator changes them."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field

from station.business.alarm_kinds import KIND_BY_KEY, SEVERITIES
from station.business.told import SEVERITY_NAMES
from station.business.webhook import secret_of
from station.errors import InvalidValue, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.groups import Groups
from station.handlers.base import Handler, Nothing, TableQuery
from station.handlers.contract import DEVICE, contract
from station.handlers.download import Column
from station.handlers.events.alarm_views import MESSAGE_STATES
from station.handlers.events.alarms import MINUTES_MAX, MUTE_CHOICES
from station.handlers.language import LANGUAGES
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows
from station.store.objects.alarm_rules import AlarmMessage, AlarmRule
from station.store.objects.base import new_id
from station.units import utc_now
from station.words import Text

TARGETS_MAX = 20
TARGET_SIZE_MAX = 500
RULES_MAX = 200  # Each alarm is held against all of them.
MESSAGES_SHOWN = 50
WAY_NAMES = {"email": Text("e-mail", "邮件"), "webhook": Text("webhook", "Webhook")}

_ADDRESS = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,190}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_SEPARATORS = re.compile(r"[\s,，;；]+")


def _split(value: object) -> object:
    """Return the targets of a text, which a form has one below the other."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        return value
    return [part for each in value for part in _SEPARATORS.split(each) if part]


Targets = Annotated[tuple[str, ...], BeforeValidator(_split), Field(max_length=TARGETS_MAX)]


class AlarmRuleBody(BaseModel):
    """A rule; `quiet_from` and `quiet_to` are local times such as 22:00, both or none."""

    name: str = Field(min_length=1, max_length=64)
    way: Literal["email", "webhook"] = "email"
    targets: Targets
    least: Literal["critical", "major", "minor"] = "major"
    kinds: tuple[str, ...] = Field((), max_length=100)
    areas: tuple[str, ...] = Field((), max_length=100)
    groups: Groups = ()
    person: str = Field("", max_length=32)
    quiet_from: str = Field("", max_length=5)
    quiet_to: str = Field("", max_length=5)
    critical_always: bool = True
    also_cleared: bool = True
    enabled: bool = True
    language: Literal["en", "zh"] = "en"


class MuteRuleBody(BaseModel):
    """For how long the rule sends nothing; 0 ends it."""

    minutes: int = Field(ge=0, le=MINUTES_MAX)


class AlarmRuleView(BaseModel):
    """A rule; a receiver of posts checks their signatures with `secret`."""

    id: str
    name: str
    way: str
    targets: list[str]
    least: str
    kinds: list[str]
    areas: list[str]
    groups: list[str]
    person: str
    quiet_from: str
    quiet_to: str
    critical_always: bool
    also_cleared: bool
    enabled: bool
    language: str
    muted_until: datetime | None
    created_at: datetime
    secret: str | None


class AlarmRuleList(BaseModel):
    items: list[AlarmRuleView]
    total: int


COLUMNS = (
    Column[AlarmRuleView](N_("Name"), lambda rule: rule.name, sort="name"),
    Column[AlarmRuleView](N_("By"), lambda rule: WAY_NAMES[rule.way], within="to"),
    Column[AlarmRuleView](N_("To"), lambda rule: ", ".join(rule.targets)),
    Column[AlarmRuleView](
        N_("From severity"), lambda rule: SEVERITY_NAMES[rule.least], sort="severity"
    ),
    Column[AlarmRuleView](
        N_("Which alarms"), lambda rule: " ".join(rule.kinds), look="only-wide small"
    ),
    Column[AlarmRuleView](N_("Person"), lambda rule: rule.person, within="name"),
    Column[AlarmRuleView](
        N_("Quiet from"),
        lambda rule: rule.quiet_from,
        key="quiet",
        head=N_("Quiet hours"),
        look="only-wide nowrap",
    ),
    Column[AlarmRuleView](N_("Quiet to"), lambda rule: rule.quiet_to, within="quiet"),
    Column[AlarmRuleView](
        N_("Muted until"), lambda rule: rule.muted_until, key="state", head=N_("State")
    ),
)


class AlarmRulesBase(Handler):
    """What the handlers of rules share."""

    async def view_of(self, rule: AlarmRule) -> AlarmRuleView:
        """Return a rule as it is shown."""
        secret = None
        if rule.way == "webhook":
            settings = self.parts.database.settings
            key = await settings.claim("webhook_key", secrets.token_hex(32))
            secret = secret_of(key, rule.id)
        first, end = ("", "") if rule.quiet is None else map(_clock, rule.quiet)
        own = {
            name: list(value) if isinstance(value := getattr(rule, name), tuple) else value
            for name in AlarmRuleView.model_fields
            if hasattr(rule, name)
        }
        return AlarmRuleView(**own, quiet_from=first, quiet_to=end, secret=secret)

    async def rule_of(self, body: AlarmRuleBody, before: AlarmRule | None) -> AlarmRule:
        """Return the rule that a body describes. Raises InvalidValue."""
        for target in body.targets:
            _check_target(body.way, target)
        if not body.targets:
            raise InvalidValue("targets", "name at least one e-mail address or URL")
        unknown = [kind for kind in body.kinds if kind not in KIND_BY_KEY]
        if unknown:
            raise InvalidValue("kinds", f"there is no kind of alarm {unknown[0]}")
        tree = await self.parts.archive.places()
        for area in body.areas:
            if area not in tree.by_id:
                raise InvalidValue("areas", f"there is no place {area}")
        if body.person and await self.parts.database.users.find(body.person) is None:
            raise InvalidValue("person", f"there is no user {body.person}")
        made = AlarmRule(
            new_id() if before is None else before.id,
            " ".join(body.name.split()),
            body.way,
            tuple(dict.fromkeys(body.targets)),
            least=body.least,
            kinds=body.kinds,
            areas=body.areas,
            groups=body.groups,
            person=body.person,
            quiet=_quiet(body.quiet_from, body.quiet_to),
            critical_always=body.critical_always,
            also_cleared=body.also_cleared,
            enabled=body.enabled,
            language=body.language,
        )
        if before is None:
            return made
        return replace(made, created_at=before.created_at, muted_until=before.muted_until)

    async def form_words(self) -> dict[str, Any]:
        """Return what the form chooses from."""
        tree = await self.parts.archive.places()
        return {
            "kinds": KIND_BY_KEY,
            "severities": SEVERITIES,
            "severity_names": SEVERITY_NAMES,
            "way_names": WAY_NAMES,
            "message_states": MESSAGE_STATES,
            "mutes": MUTE_CHOICES,
            "languages": LANGUAGES,
            "places": [(place.id, tree.path_text(place.id)) for _, place in tree.walk()],
            "people": [user.name for user in await self.parts.database.users.list()],
            "has_mail": self.parts.config.mail.host is not None,
        }

    async def refuse(self, error: StationError, rule: AlarmRule | None) -> None:
        """Show the form again with what was wrong."""
        words = await self.form_words()
        view = None if rule is None else await self.view_of(rule)
        shown = {**words, "typed": self.typed_lists(), "rule": view, "messages": []}
        self.refuse_form("alarm_rule.html", error, **shown)

    def typed_lists(self) -> dict[str, Any]:
        """Return what was typed, with the choices of many as lists."""
        typed = self.typed()
        typed.update({name: self.get_body_arguments(name) for name in ("kinds", "areas")})
        return typed


class AlarmRulesHandler(AlarmRulesBase):
    """/alarms/rules, /api/alarms/rules"""

    @requires(Permission.ADMINISTER)
    @contract(AlarmRuleList, query=TableQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(TableQuery)
        rules = await self.parts.database.alarm_rules.all()
        views = [await self.view_of(rule) for rule in rules]
        items = [*sorted_rows(views, COLUMNS, query.sort, self.language)]
        view = AlarmRuleList(items=items, total=len(items))
        words = await self.form_words()
        await self.show_list("alarm_rules.html", view, items, COLUMNS, filter=query, **words)

    @requires(Permission.ADMINISTER)
    @contract(AlarmRuleView, body=AlarmRuleBody, status=201)
    async def post(self) -> None:
        rules = self.parts.database.alarm_rules
        try:
            rule = await self.rule_of(self.parse_body(AlarmRuleBody), None)
            if len(await rules.all()) >= RULES_MAX:
                raise InvalidValue("name", f"{RULES_MAX} rules are enough; remove some first")
            await rules.add(rule)
        except StationError as error:
            await self.refuse(error, None)
            return
        notice = self.language.say("The rule is made. Try it out.")
        self.done(await self.view_of(rule), f"/alarms/rules/{rule.id}", notice, status=201)


class NewAlarmRuleHandler(AlarmRulesBase):
    """/alarms/rules/new"""

    @requires(Permission.ADMINISTER)
    @contract(None)
    async def get(self) -> None:
        typed = AlarmRuleBody(name=" ", targets=(), language=self._own_language()).model_dump()
        typed["name"] = ""
        words = await self.form_words()
        self.finish_page("alarm_rule.html", typed=_typed(typed), rule=None, messages=[], **words)

    def _own_language(self) -> Literal["en", "zh"]:
        return "zh" if self.language.code == "zh" else "en"


class OneAlarmRuleHandler(AlarmRulesBase):
    """/alarms/rules/ID, /api/alarms/rules/ID"""

    @requires(Permission.ADMINISTER)
    @contract(AlarmRuleView)
    async def get(self, rule_id: str) -> None:
        rule = await self.parts.database.alarm_rules.get(rule_id)
        view = await self.view_of(rule)
        store = self.parts.database.alarm_messages
        messages, _ = await store.list(rule=rule_id, limit=MESSAGES_SHOWN)
        if self.wants_json:
            self.write_json(view)
            return
        words, shown = await self.form_words(), await self._shown(messages)
        typed = _typed(view.model_dump())
        self.finish_page("alarm_rule.html", typed=typed, rule=view, messages=shown, **words)

    @requires(Permission.ADMINISTER)
    @contract(AlarmRuleView, body=AlarmRuleBody)
    async def post(self, rule_id: str) -> None:
        rules = self.parts.database.alarm_rules
        before = await rules.get(rule_id)
        try:
            rule = await self.rule_of(self.parse_body(AlarmRuleBody), before)
            await rules.save(rule)
        except StationError as error:
            await self.refuse(error, before)
            return
        self.record(before=before, after=rule)
        notice = self.language.say("The rule is changed.")
        self.done(await self.view_of(rule), f"/alarms/rules/{rule.id}", notice)

    @requires(Permission.ADMINISTER)
    @contract(Nothing)
    async def delete(self, rule_id: str) -> None:
        before = await self.parts.database.alarm_rules.get(rule_id)
        await self.parts.database.alarm_rules.remove(rule_id)
        self.record(before=before)
        self.done(Nothing(), "/alarms/rules", self.language.say("The rule is removed."))

    async def _shown(self, messages: Sequence[AlarmMessage]) -> list[Mapping[str, Any]]:
        alarms = await self.parts.database.alarms.many([each.alarm for each in messages])
        return [
            {
                "message": each,
                "title": self.language.name(KIND_BY_KEY[alarm.kind].name) if alarm else "–",
                "where": (alarm.name or alarm.subject) if alarm else "",
            }
            for each in messages
            for alarm in [alarms.get(each.alarm)]
        ]


class TryAlarmRuleHandler(AlarmRulesBase):
    """/alarms/rules/ID/test: send a trial alarm now"""

    @requires(Permission.ADMINISTER)
    @contract(AlarmRuleView, fails=DEVICE)
    async def post(self, rule_id: str) -> None:
        rule = await self.parts.database.alarm_rules.get(rule_id)
        await self.parts.outbox.try_out(rule)
        notice = self.language.say("A trial was sent and taken.")
        self.done(await self.view_of(rule), f"/alarms/rules/{rule.id}", notice)


class MuteAlarmRuleHandler(AlarmRulesBase):
    """/alarms/rules/ID/mute: the rule sends nothing for a while"""

    @requires(Permission.ADMINISTER)
    @contract(AlarmRuleView, body=MuteRuleBody)
    async def post(self, rule_id: str) -> None:
        body = self.parse_body(MuteRuleBody)
        rules = self.parts.database.alarm_rules
        before = await rules.get(rule_id)
        until = utc_now() + timedelta(minutes=body.minutes) if body.minutes else None
        rule = replace(before, muted_until=until)
        await rules.save(rule)
        self.record(before=before, after=rule)
        say = self.language.say
        notice = say("The rule sends nothing for now.") if until else say("The rule sends again.")
        self.done(await self.view_of(rule), f"/alarms/rules/{rule.id}", notice)


def _check_target(way: str, target: str) -> None:
    if len(target) > TARGET_SIZE_MAX:
        raise InvalidValue("targets", f"{target[:60]} is too long")
    if way == "email":
        if not _ADDRESS.fullmatch(target):
            raise InvalidValue("targets", f"{target} is not an e-mail address")
        return
    try:
        parts = urlsplit(target)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise InvalidValue("targets", f"{target} is not a URL such as https://example.org/alarms")


def _quiet(first: str, end: str) -> tuple[int, int] | None:
    if not first and not end:
        return None
    span = _minutes("quiet_from", first), _minutes("quiet_to", end)
    if span[0] == span[1]:
        raise InvalidValue("quiet_to", "quiet hours begin and end at two different times")
    return span


def _minutes(field: str, text: str) -> int:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise InvalidValue(field, f"{text or '-'} is not a time such as 22:00")
    return int(found[1]) * 60 + int(found[2])


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a rule as a form shows them."""
    texts = {"targets": "\n".join(values["targets"]), "groups": ", ".join(values["groups"])}
    return {**values, **texts}
