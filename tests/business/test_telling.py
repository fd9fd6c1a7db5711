"""Telling people: which rule tells what and when, a real mail server, a real receiver of posts."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from alarm_yard import STATION, Yard, event
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from station.business import outbox as outbox_module
from station.business.alarm_rules import due_at, is_told
from station.business.alarms import Alarms
from station.business.mail import Mail
from station.business.outbox import Outbox, pause_after
from station.business.webhook import Webhook, secret_of, signature
from station.config import MailConfig
from station.errors import NotDelivered
from station.store.objects.alarm_rules import AlarmRule
from station.store.objects.alarms import Alarm
from station.store.objects.places import Place, PlaceTree
from station.store.objects.users import User
from station.units import UTC, utc_now

ZONE = ZoneInfo("Asia/Shanghai")
TREE = PlaceTree((Place("sub", "substation", "North"), Place("mill", "area", "Mill", parent="sub")))
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # 12:00 at the site.
METER = Yard.meters[0]


def alarm(**changes: Any) -> Alarm:
    fields: dict[str, Any] = {"severity": "major", "place": "mill", **changes}
    severity = fields.pop("severity")
    return Alarm("1", "c", "cover", severity, "meter", METER, NOON, NOON, station=STATION, **fields)


def rule(**changes: Any) -> AlarmRule:
    fields: dict[str, Any] = {"way": "email", "targets": ("crew@example.org",), **changes}
    return AlarmRule("r", "Crew", created_at=NOON - timedelta(days=1), **fields)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"least": "critical"}, False),
        ({"kinds": ("cover",)}, True),
        ({"kinds": ("silent",)}, False),
        ({"areas": ("sub",)}, True),
        ({"areas": ("elsewhere",)}, False),
        ({"groups": ("shops", "mills")}, True),
        ({"groups": ("mills",)}, False),
        ({"enabled": False}, False),
        ({"muted_until": NOON + timedelta(hours=1)}, False),
        ({"muted_until": NOON - timedelta(hours=1)}, True),
    ],
)
def test_which_rule_tells(changes: dict[str, Any], told: bool) -> None:
    made = is_told(
        rule(**changes), alarm(), "raised", NOON, tree=TREE, groups=("shops",), person_areas=()
    )
    assert made is told


def test_a_rule_tells_no_more_than_its_person_may_see() -> None:
    def told(areas: tuple[str, ...], **changes: Any) -> bool:
        return is_told(
            rule(), alarm(**changes), "raised", NOON, tree=TREE, groups=(), person_areas=areas
        )

    assert told(("mill",))
    assert not told(("elsewhere",))
    assert told(("mill",), place="sub")  # A wider trouble is that of its parts, too.
    assert not told((), muted_until=NOON + timedelta(hours=1))


def test_what_is_cleared_and_what_was_before_the_rule() -> None:
    given: dict[str, Any] = {"tree": TREE, "groups": (), "person_areas": ()}
    assert is_told(rule(), alarm(), "cleared", NOON, **given)
    assert not is_told(rule(also_cleared=False), alarm(), "cleared", NOON, **given)
    old = Alarm("1", "c", "cover", "major", "meter", METER, NOON - timedelta(days=2), NOON,
                station=STATION)  # fmt: skip
    assert not is_told(rule(), old, "raised", NOON, **given)


@pytest.mark.parametrize(
    ("quiet", "severity", "wait_h"),
    [
        (None, "major", 0),
        ((11 * 60, 13 * 60), "major", 1),
        ((11 * 60, 13 * 60), "critical", 0),
        ((13 * 60, 14 * 60), "major", 0),
        ((22 * 60, 13 * 60), "major", 1),  # Past midnight.
        ((22 * 60, 6 * 60), "major", 0),
        ((0, 12 * 60), "major", 0),
    ],
)
def test_quiet_hours(quiet: tuple[int, int] | None, severity: str, wait_h: int) -> None:
    made = due_at(rule(quiet=quiet), alarm(severity=severity), NOON, ZONE)
    assert made == NOON + timedelta(hours=wait_h)
    if severity == "critical" and quiet:
        later = due_at(
            rule(quiet=quiet, critical_always=False), alarm(severity=severity), NOON, ZONE
        )
        assert later == NOON + timedelta(hours=1)


def test_pauses_grow_to_an_hour() -> None:
    assert [pause_after(attempts).seconds for attempts in (0, 1, 2, 9, 1000)] == [
        10, 20, 40, 3600, 3600
    ]  # fmt: skip


class Inbox:
    """What a mail server was given; addresses at refused.example it does not take."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], Any]] = []

    async def handle_RCPT(  # noqa: N802  The server's own name.
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address.endswith("@refused.example"):
            return "550 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  As above.
        letter = message_from_bytes(envelope.content, policy=policy.default)
        self.letters.append((envelope.rcpt_tos, letter))
        return "250 OK"


@pytest.fixture
async def post_office() -> AsyncIterator[tuple[Inbox, Mail]]:
    """A mail server, and the station's way to it."""
    inbox = Inbox()
    server = Controller(inbox, hostname="127.0.0.1", port=0)
    socket, port = bind_unused_port()
    socket.close()
    server.port = port
    server.start()
    settings = MailConfig(
        host="127.0.0.1", port=port, security="none", sender="station@example.org"
    )
    yield inbox, Mail(settings, site="Site", url="https://station.example", zone=ZONE)
    server.stop()


class Receiver:
    """A receiver of posts that answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.posts: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Post(RequestHandler):
            def post(self) -> None:
                receiver.posts.append((dict(self.request.headers), self.request.body))
                self.set_status(receiver.status)
                if receiver.status == 302:
                    self.set_header("Location", "/elsewhere")

        self._server = HTTPServer(Application([("/hook", Post)]))
        socket, port = bind_unused_port()
        self._server.add_socket(socket)
        self.url = f"http://127.0.0.1:{port}/hook"

    async def close(self) -> None:
        self._server.stop()
        await self._server.close_all_connections()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    yield made
    await made.close()


def telling(yard: Yard, **carriers: Any) -> Outbox:
    """Have the yard's alarms told by these carriers."""
    made = Outbox(yard.database, yard.registry, carriers, STATION, ZONE)
    yard.alarms = Alarms(yard.database, yard.watch, yard.registry, yard.feed, made, STATION)
    return made


async def send_now(yard: Yard, outbox: Outbox) -> list[tuple[str, str]]:
    """Send what waits as if it were due, and return act and state of each message."""
    collection = yard.database.alarm_messages._collection
    await collection.update_all({"state": "waiting"}, {"$set": {"due_at": utc_now()}})
    await outbox.send_due()
    messages, _ = await yard.database.alarm_messages.list()
    return sorted((each.act, each.state) for each in messages)


@pytest.fixture(autouse=True)
def gathered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "GATHER", timedelta(0))


async def test_an_alarm_arrives_as_an_e_mail(yard: Yard, post_office: tuple[Inbox, Mail]) -> None:
    inbox, mail = post_office
    outbox = telling(yard, email=mail)
    await yard.database.alarm_rules.add(rule(targets=("a@example.org", "b@example.org")))
    await yard.database.alarm_rules.add(
        AlarmRule("zh", "值班", "email", ("c@example.org",), language="zh", kinds=("magnet",))
    )
    await yard.tell(event("645-report-10", Yard.terminals[0], METER))
    await yard.tell(event("645-report-12", Yard.terminals[0], METER))
    assert await yard.standing() != []
    await outbox.send_due()
    assert sorted(to for to, _ in inbox.letters) == [
        ["a@example.org", "b@example.org"], ["c@example.org"]
    ]  # fmt: skip
    english, chinese = (letter for _, letter in sorted(inbox.letters, key=lambda each: each[0]))
    assert english["Subject"] == "[Site] 2 alarms, major"
    assert english["From"] == "station@example.org"
    assert "major: Cover opened, meter 000000000001 Meter 1" in english.get_content()
    assert "https://station.example/alarms/" in english.get_content()
    assert chinese["Subject"] == "[Site] 重要: 恒定磁场干扰, 电能表 000000000001 Meter 1"
    assert await send_now(yard, outbox) == [("raised", "sent")] * 3
    assert len(inbox.letters) == 2  # Nothing is sent twice.


async def test_what_is_over_before_it_could_be_told_is_not_sent(
    yard: Yard, post_office: tuple[Inbox, Mail]
) -> None:
    inbox, mail = post_office
    outbox = telling(yard, email=mail)
    await yard.database.alarm_rules.add(rule())
    yard.down(Yard.terminals[0])
    await yard.standing()
    yard.up(Yard.terminals[0])
    await yard.standing()
    assert await send_now(yard, outbox) == [("cleared", "dropped"), ("raised", "dropped")]
    assert inbox.letters == []


async def test_a_refused_address_and_a_dead_server_are_told(
    yard: Yard, post_office: tuple[Inbox, Mail]
) -> None:
    _, mail = post_office
    outbox = telling(yard, email=mail)
    with pytest.raises(NotDelivered, match="does not take mail for x@refused"):
        await outbox.try_out(rule(targets=("x@refused.example",)))
    await outbox.try_out(rule())
    settings = MailConfig(host="127.0.0.1", port=1, security="none")
    dead = telling(yard, email=Mail(settings, site="Site", url="", zone=ZONE))
    with pytest.raises(NotDelivered, match=r"mail server 127\.0\.0\.1:1"):
        await dead.try_out(rule())
    with pytest.raises(NotDelivered, match="email is not set up"):
        await telling(yard).try_out(rule())


async def test_a_webhook_is_signed_and_tried_again(yard: Yard, receiver: Receiver) -> None:
    webhook = Webhook("key", site="Site", station=STATION, url="")
    outbox = telling(yard, webhook=webhook)
    await yard.database.alarm_rules.add(rule(way="webhook", targets=(receiver.url,)))
    yard.down(Yard.terminals[0])
    raised = await yard.only()
    receiver.status = 500
    assert await send_now(yard, outbox) == [("raised", "waiting")]
    (waiting,), _ = await yard.database.alarm_messages.list()
    assert (waiting.attempts, waiting.reason) == (1, "127.0.0.1: answered 500")
    assert waiting.due_at > utc_now() + timedelta(seconds=5)
    receiver.status = 302  # A redirect is not followed.
    assert await send_now(yard, outbox) == [("raised", "waiting")]
    receiver.status = 204
    # Another process takes up what this one left.
    again = Outbox(yard.database, yard.registry, {"webhook": webhook}, STATION, ZONE)
    assert await send_now(yard, again) == [("raised", "sent")]
    yard.up(Yard.terminals[0])
    await yard.standing()
    assert await send_now(yard, again) == [("cleared", "sent"), ("raised", "sent")]

    assert len(receiver.posts) == 4
    headers, body = receiver.posts[2]
    wanted = signature(secret_of("key", "r"), headers["X-Station-Timestamp"], body)
    assert headers["X-Station-Signature"] == wanted
    assert signature(secret_of("key", "other"), headers["X-Station-Timestamp"], body) != wanted
    (message,) = json.loads(body)["messages"]
    assert (message["act"], message["alarm"]["id"], message["alarm"]["severity"]) == (
        "raised", raised.id, "major"
    )  # fmt: skip
    assert json.loads(receiver.posts[0][1])["messages"][0]["id"] == message["id"]


async def test_the_queue_is_bounded_and_old_messages_are_given_up(
    yard: Yard, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = telling(yard, webhook=Webhook("key", site="Site", station=STATION, url=""))
    await yard.database.alarm_rules.add(rule(way="webhook", targets=(receiver.url,)))
    receiver.status = 503
    monkeypatch.setattr(outbox_module, "WAITING_MAX", 2)
    for meter in Yard.meters:
        await yard.tell(event("645-report-10", Yard.terminals[0], meter))
    await yard.standing()
    assert await send_now(yard, outbox) == [
        ("raised", "dropped"), ("raised", "waiting"), ("raised", "waiting")
    ]  # fmt: skip
    monkeypatch.setattr(outbox_module, "GIVE_UP", timedelta(0))
    assert [state for _, state in await send_now(yard, outbox)] == [
        "dropped",
        "given_up",
        "given_up",
    ]


async def test_a_person_who_is_gone_is_told_nothing(yard: Yard, receiver: Receiver) -> None:
    outbox = telling(yard, webhook=Webhook("key", site="Site", station=STATION, url=""))
    for name, person in (("one", "ann"), ("two", "gone"), ("three", "bob")):
        await yard.database.alarm_rules.add(
            AlarmRule(name, name, "webhook", (receiver.url,), person=person)
        )
    await yard.database.users.add(User("ann", "", role="technician", areas=("area",)))
    await yard.database.places.add(Place("far", "area", "Far away"))
    await yard.database.users.add(User("bob", "", role="technician", areas=("far",)))
    await yard.tell(event("645-report-10", Yard.terminals[0], METER))
    await yard.standing()
    messages, _ = await yard.database.alarm_messages.list()
    assert [each.rule for each in messages] == ["one"]
    outbox.start()
    for _ in range(200):
        if receiver.posts:
            break
        await asyncio.sleep(0.02)
    await outbox.stop()
    assert len(receiver.posts) == 1
