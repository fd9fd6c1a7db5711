"""Commands as pages and JSON show them: in words, and each step with its frames."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from station.collector import errands
from station.collector.clock import CLOCK_WORD
from station.collector.control import RELAY_ORDERS, parameter_name
from station.collector.control_errands import CONTROL_STATE
from station.collector.items import ITEM_BY_CODE
from station.collector.parameter_dialects import spec_of
from station.errors import InvalidValue
from station.handlers.communication.frames import FrameView, frame_view
from station.handlers.download import Column
from station.handlers.language import Language
from station.handlers.marking import N_
from station.handlers.parts import Parts
from station.protocols.dlt645 import Version
from station.protocols.dlt645.parameters import PARAMETERS
from station.store.objects.commands import (
    Command,
    CommandKind,
    CommandState,
    DeviceKind,
    Step,
    StepName,
)
from station.words import Text

STEPS_WITH_FRAMES_MAX = 20  # The last ones; each is a query.
FRAMES_PER_STEP_MAX = 60  # A read of every item of a meter.
MARGIN = timedelta(milliseconds=50)  # Frames of a step bear moments of their own.

STATE_NAMES = {
    "queued": Text("queued", "等待"),
    "sent": Text("sent", "已下发"),
    "confirmed": Text("confirmed", "已确认"),
    "failed": Text("failed", "失败"),
    "expired": Text("expired", "过期"),
}
COMMAND_KIND_NAMES = {
    "read": Text("read", "召测"),
    "set": Text("set", "设置"),
    "control": Text("control", "控制"),
}
STEP_NAMES: dict[StepName, Text] = {
    "queued": Text("ordered", "下令"),
    "sent": Text("sent to the meter", "下发"),
    "accepted": Text("accepted by the meter", "电能表接受"),
    "unanswered": Text("no answer", "无应答"),
    "asked": Text("outcome asked", "查询结果"),
    "restarted": Text("station restarted", "主站重启"),
    "confirmed": STATE_NAMES["confirmed"],
    "failed": STATE_NAMES["failed"],
    "expired": STATE_NAMES["expired"],
}
RESULT_NAMES = {
    "relay": Text("Relay", "继电器"),
    "ordered": Text("Relay as ordered", "继电器命令状态"),
    "keep_power": Text("Keep power", "保电"),
    "rounds_open": Text("Rounds open (0: none)", "跳闸轮次（0：无）"),
    "status_word_3": Text("Status word 3", "运行状态字3"),
    "value": Text("Value held", "现值"),
    "held": Text("Bytes held", "现值字节"),
    "clock": Text("Clock", "时钟"),
    "deviation_s": Text("Deviation in s", "偏差（秒）"),
    "uncertainty_s": Text("Known to, in s", "测量误差（秒）"),
    "verified": Text("Verified", "已核实"),
    "read": Text("Parameters read", "已读参数"),
    "refused": Text("Parameters without a value", "无值参数"),
    "set": Text("Parameters held as wanted", "与期望一致的参数"),
    "address": Text("Address", "通信地址"),
}
_RESULT_WORDS = {"open": Text("open", "断开"), "closed": Text("closed", "闭合")}
_YES, _NO = Text("yes", "是"), Text("no", "否")


class StepView(BaseModel):
    """One step: `exchange` is its number in the frame log, `began_at` when that exchange began."""

    at: datetime
    name: StepName
    reason: str
    exchange: int | None
    began_at: datetime | None
    frames: list[FrameView] = []


class CommandView(BaseModel):
    """A command; `title` is what was ordered in words, `result` what the meter said in the end."""

    id: str
    request_id: str
    kind: CommandKind
    device: DeviceKind
    meter: str
    link: str
    batch: str
    what: dict[str, Any]
    title: str
    purpose: str
    by: str
    created_at: datetime
    expires_at: datetime
    state: CommandState
    approved_by: str
    attempts: int
    sent_at: datetime | None
    ended_at: datetime | None
    result: dict[str, Any]
    reason: str
    steps: list[StepView] = []


class CommandList(BaseModel):
    items: list[CommandView]
    total: int


class ResultRow(BaseModel):
    """One line of what the meter said in the end."""

    name: str
    value: str


COLUMNS = (
    Column[CommandView](
        N_("Ordered"), lambda command: command.created_at, sort="-ordered", look="nowrap"
    ),
    Column[CommandView](
        N_("Meter"), lambda command: command.meter, head=N_("Device"), sort="meter"
    ),
    Column[CommandView](N_("Link"), lambda command: command.link, more=True),
    Column[CommandView](
        N_("Kind"), lambda command: COMMAND_KIND_NAMES[command.kind], within="command"
    ),
    Column[CommandView](N_("Command"), lambda command: command.title),
    Column[CommandView](N_("State"), lambda command: STATE_NAMES[command.state], look="nowrap"),
    Column[CommandView](N_("Reason"), lambda command: command.reason, look="small soft"),
    Column[CommandView](N_("Purpose"), lambda command: command.purpose, more=True),
    Column[CommandView](N_("By"), lambda command: command.by, look="small only-wide"),
    Column[CommandView](N_("Attempts"), lambda command: command.attempts, more=True, look="number"),
    Column[CommandView](N_("Ended"), lambda command: command.ended_at, more=True),
)


def command_view(command: Command, protocol: str, language: Language) -> CommandView:
    """Return a command as lists show it, without its steps."""
    return CommandView(
        id=command.id,
        request_id=command.request_id,
        kind=command.kind,
        device=command.device,
        meter=command.meter,
        link=command.link,
        batch=command.batch,
        what=dict(command.what),
        title=title_of(command.kind, command.what, protocol, language),
        purpose=command.purpose,
        by=command.by,
        created_at=command.created_at,
        expires_at=command.expires_at,
        state=command.state,
        approved_by=command.approved_by,
        attempts=command.attempts,
        sent_at=command.sent_at,
        ended_at=command.ended_at,
        result=dict(command.result),
        reason=command.reason,
    )


def title_of(kind: str, what: Mapping[str, Any], protocol: str, language: Language) -> str:
    """Return in words what is ordered."""
    if errands.PARAMETERS in what:
        return _parameters_title(kind, what[errands.PARAMETERS], language)
    if kind == "read" and CONTROL_STATE in what:
        return language.say("Look at the relays")
    if kind == "read" and what.get("parameter") == CLOCK_WORD:
        return language.say("Look at the clock")
    if kind == "read":
        codes = what.get("items", ())
        names = [language.name(ITEM_BY_CODE[code].name) for code in codes if code in ITEM_BY_CODE]
        more = len(names) - 1
        if more > 0:
            return language.say("Read %(item)s and %(number)s more", item=names[0], number=more)
        return language.say("Read %(item)s", item=names[0] if names else "")
    if kind == "control":
        return _control_title(what, language)
    parameter = str(what.get("parameter", ""))
    name = language.name(parameter_name(protocol, parameter))
    if parameter == "clock":
        return language.say("Set the clock")
    if parameter == errands.PASSWORD:
        return language.say("Change the password of level %(level)s", level=what.get("level"))
    if parameter == errands.ADDRESS:
        return language.say("Change the address to %(address)s", address=what.get("value"))
    return language.say("Set %(parameter)s to %(value)s", parameter=name, value=what.get("value"))


def _control_title(what: Mapping[str, Any], language: Language) -> str:
    """Return "Trip round 2 for 30 min after 5 min", or the like."""
    order = RELAY_ORDERS.get(str(what.get("order")))
    if order is None:
        return str(what.get("order"))
    title = language.name(_capital(order.name))
    if what.get("round"):
        title = language.say("%(act)s, round %(round)s", act=title, round=what["round"])
    minutes = what.get("limit_min") or what.get("keep_min")
    if minutes:
        title = language.say("%(act)s, for %(minutes)s min", act=title, minutes=minutes)
    if what.get("delay_min"):
        title = language.say("%(act)s, in %(minutes)s min", act=title, minutes=what["delay_min"])
    return title


def _parameters_title(kind: str, ordered: Sequence[Any], language: Language) -> str:
    """Return "Set Station address and 2 more", or the like for a read."""
    codes = [each if isinstance(each, str) else str(each["code"]) for each in ordered]
    name, more = codes[0], len(codes) - 1
    device = "terminal" if name.startswith("F") else "meter"
    with suppress(InvalidValue):  # The catalogue may have been another one.
        name = language.name(spec_of(device, name).name)
    if kind == "read":
        if more:
            return language.say("Read %(item)s and %(number)s more", item=name, number=more)
        return language.say("Read %(item)s", item=name)
    if more:
        return language.say("Set %(item)s and %(number)s more", item=name, number=more)
    return language.say("Set %(item)s", item=name)


def result_rows(command: Command, parts: Parts, language: Language) -> list[ResultRow]:
    """Return what the meter said in the end, line by line."""
    if command.kind == "read" and "items" in command.what:
        return _read_rows(command, parts, language)
    return result_rows_of(command.result, language)


def result_rows_of(result: Mapping[str, Any], language: Language) -> list[ResultRow]:
    """Return what a device showed, line by line."""
    return [
        ResultRow(
            name=language.name(RESULT_NAMES[key]),
            value=_result_text(value, language),
        )
        for key, value in result.items()
        if key in RESULT_NAMES and value != ""
    ]


async def steps_of(command: Command, parts: Parts, language: Language) -> list[StepView]:
    """Return the steps of a command, the last ones with their frames."""
    first = len(command.history) - STEPS_WITH_FRAMES_MAX
    return [
        StepView(
            at=step.at,
            name=step.name,
            reason=step.reason,
            exchange=step.exchange,
            began_at=step.began_at,
            frames=await _frames_of(command, step, parts, language) if place >= first else [],
        )
        for place, step in enumerate(command.history)
    ]


def settable(protocol: str) -> list[tuple[str, Text]]:
    """Return the parameters that a form offers by name; others are told by their identifier."""
    if protocol != Version.V2007.value:
        return []
    return [
        (row.pattern, Text(row.en, row.zh))
        for row in PARAMETERS
        if row.pattern == row.pattern.upper() and row.pattern.startswith(_OFFERED)
    ]


# Demand, screens, ratios, recording, settlement days, limits: what is one number and harmless.
_OFFERED = ("04000103", "04000104", "040003", "040009", "04000A", "04000B", "04000E", "04000F")


def _capital(name: Text) -> Text:
    return Text(name.en[0].upper() + name.en[1:], name.zh)


def _result_text(value: object, language: Language) -> str:
    if isinstance(value, bool):
        return language.name(_YES if value else _NO)
    text = str(value)
    return language.name(_RESULT_WORDS[text]) if text in _RESULT_WORDS else text


def _read_rows(command: Command, parts: Parts, language: Language) -> list[ResultRow]:
    zone = parts.config.site.zone_info
    rows = []
    for each in command.result.get("values", ()):
        item = ITEM_BY_CODE.get(each["item"])
        if item is None:
            continue
        value = item.to_text(each["value"], zone)
        text = "–" if value is None else f"{value} {item.unit}".rstrip()
        rows.append(ResultRow(name=language.name(item.name), value=text))
    for each in command.result.get("missed", ()):
        item = ITEM_BY_CODE.get(each["item"])
        name = language.name(item.name) if item else each["item"]
        rows.append(ResultRow(name=name, value=language.sentence(each["text"] or "")))
    return rows


async def _frames_of(
    command: Command, step: Step, parts: Parts, language: Language
) -> list[FrameView]:
    """Return the frames of a step's exchange, oldest first.

    An exchange that gave no answer is known by its time alone; then they are the frames to and from
    the meter that belong to no other step. Answers of a terminal name no meter, but the exchange.
    """
    if step.began_at is None:
        return []
    since, until = step.began_at - MARGIN, step.at + MARGIN
    stored = await parts.database.frames.newest(
        link=command.link, since=since, until=until, limit=FRAMES_PER_STEP_MAX
    )
    recent = parts.trace.recent(command.link, FRAMES_PER_STEP_MAX)
    records = {each.id: each for each in (*recent, *stored) if since <= each.at < until}
    exchanges = {step.exchange}
    if step.exchange is None or errands.PARAMETERS in command.what:  # Each unit is an exchange.
        others = {other.exchange for other in command.history} - {step.exchange}
        meter = command.meter if command.device == "meter" else None
        mine = {each.exchange for each in records.values() if each.meter == meter}
        exchanges = mine - others
    return [
        frame_view(each, language, decoded=False)
        for each in sorted(records.values(), key=lambda each: each.at)
        if each.exchange is not None and each.exchange in exchanges
    ]
