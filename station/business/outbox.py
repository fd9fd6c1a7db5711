"""What is to be told to people of alarms: kept until it is sent, in the store, and bounded.

Messages of one rule that are due go out together, so that a storm of alarms is one e-mail. What
cannot be delivered is tried again with growing pauses, and given up after a day; what is over
before it could be told is not sent. A kill in the middle may send one message twice, never none.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from station import tasks
from station.business.alarm_rules import due_at, is_told
from station.business.told import TRIAL, Told
from station.errors import DatabaseDown, NotDelivered
from station.frontend.registry import Registry
from station.store.database import Database
from station.store.objects.alarm_rules import AlarmMessage, AlarmRule, MessageAct, new_message
from station.store.objects.alarms import Act, Alarm
from station.units import utc_now

log = logging.getLogger(__name__)

WAITING_MAX = 10_000  # Beyond it the oldest are dropped: nobody reads so many.
BATCH_MAX = 50  # Alarms in one e-mail or post.
GATHER = timedelta(seconds=3)  # What happens together is told together.
FIRST_PAUSE = timedelta(seconds=10)
PAUSE_MAX = timedelta(hours=1)
GIVE_UP = timedelta(hours=24)
PERIOD_S = 30.0  # How late another station's or a person's change is noticed.
SEND_TIMEOUT_S = 60.0  # For one delivery, whatever its protocol does.


class Carrier(Protocol):
    """One way out; `station.business.mail.Mail` and `station.business.webhook.Webhook` are such."""

    async def send(self, rule: AlarmRule, told: Told) -> None:
        """Deliver these to all targets of the rule. Raises NotDelivered."""
        ...


class Outbox:
    """The messages of this station."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        carriers: Mapping[str, Carrier],
        station: str,
        zone: ZoneInfo,
    ) -> None:
        """`carriers` by the way of a rule; a way without one is not delivered."""
        self._database = database
        self._messages = database.alarm_messages
        self._registry = registry
        self._carriers = carriers
        self._station = station
        self._zone = zone
        self._something = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._worker = tasks.spawn(self._work(), name="alarm messages")

    async def stop(self) -> None:
        """Send no more; what waits is sent after the next start."""
        await tasks.cancel(self._worker)

    async def put(self, alarms: Sequence[Alarm], act: MessageAct) -> None:
        """Have these told to whom the rules name; telling one again changes nothing."""
        rules = await self._database.alarm_rules.all() if alarms else []
        if not rules:
            return
        now, tree = utc_now(), await self._database.places.tree()
        areas = {user.name: user.areas for user in await self._database.users.list()}
        messages: list[AlarmMessage] = []
        for alarm in alarms:
            groups = await self._groups_of(alarm) if any(rule.groups for rule in rules) else ()
            for rule in rules:
                if rule.person and rule.person not in areas:
                    continue  # That person is not here any more.
                if is_told(
                    rule, alarm, act, now,
                    tree=tree, groups=groups, person_areas=areas.get(rule.person, ()),
                ):  # fmt: skip
                    due = due_at(rule, alarm, now + GATHER, self._zone)
                    messages.append(new_message(rule.id, alarm.id, act, now, due, self._station))
        await self._messages.put(messages)
        if messages:
            self._something.set()

    async def _groups_of(self, alarm: Alarm) -> Collection[str]:
        terminal = self._registry.terminals.get(alarm.link)
        groups = set() if terminal is None else {*terminal.groups}
        if alarm.meter:
            meter = await self._database.meters.find(alarm.meter)
            groups.update(() if meter is None else meter.groups)
        if alarm.scope in ("place", "station"):
            for member in alarm.members:
                terminal = self._registry.terminals.get(member)
                groups.update(() if terminal is None else terminal.groups)
        return groups

    # Sending.

    async def _work(self) -> None:
        while True:
            self._something.clear()
            try:
                await self.send_due()
                wait_s = await self._wait_s()
            except DatabaseDown as error:
                log.warning("alarm messages wait for the database: %s", error)
                wait_s = PERIOD_S
            except Exception:  # The border of a round.
                log.exception("alarm messages could not be sent")
                wait_s = PERIOD_S
            try:
                await asyncio.wait_for(self._something.wait(), wait_s)
            except asyncio.TimeoutError:
                continue

    async def _wait_s(self) -> float:
        next_due = await self._messages.next_due(self._station)
        if next_due is None:
            return PERIOD_S
        return min(PERIOD_S, max(0.1, (next_due - utc_now()).total_seconds()))

    async def send_due(self) -> None:
        """Send what is due, the messages of one rule together. Raises DatabaseDown."""
        now = utc_now()
        full = "too many messages waited"
        dropped = await self._messages.drop_oldest(self._station, WAITING_MAX, now, full)
        if dropped:
            log.error("%d alarm messages were dropped: too many waited", dropped)
        due = await self._messages.due(self._station, now, WAITING_MAX)
        by_rule: dict[str, list[AlarmMessage]] = {}
        for message in due:
            by_rule.setdefault(message.rule, []).append(message)
        await asyncio.gather(
            *(self._send_all(rule, messages) for rule, messages in by_rule.items())
        )

    async def try_out(self, rule: AlarmRule) -> None:
        """Send a trial alarm by a rule, at once and once. Raises NotDelivered."""
        now = utc_now()
        act = Act(now, "raised")
        alarm = Alarm(
            TRIAL, TRIAL, "silent", "minor", "station", "", now, now,
            station=self._station, name="", history=(act,),
        )  # fmt: skip
        message = new_message(rule.id, alarm.id, "raised", now, now, self._station)
        await self._carry(rule, [(message, alarm)])

    async def _carry(self, rule: AlarmRule, told: Told) -> None:
        carrier = self._carriers.get(rule.way)
        if carrier is None:
            raise NotDelivered(f"{rule.way} is not set up on this station")
        try:
            await asyncio.wait_for(carrier.send(rule, told), SEND_TIMEOUT_S)
        except asyncio.TimeoutError:
            raise NotDelivered("no answer in time") from None

    async def _send_all(self, rule_id: str, messages: Sequence[AlarmMessage]) -> None:
        rule = await self._database.alarm_rules.find(rule_id)
        if rule is None or not rule.enabled:
            why = "the rule is gone, or switched off"
            await self._messages.end([each.id for each in messages], "dropped", utc_now(), why)
            return
        for start in range(0, len(messages), BATCH_MAX):
            if not await self._send(rule, messages[start : start + BATCH_MAX]):
                return  # The rest would fail as well, and is due still.

    async def _send(self, rule: AlarmRule, messages: Sequence[AlarmMessage]) -> bool:
        """Send some messages; tell whether the other side took them."""
        told, needless = await self._still_needed(messages)
        if needless:
            await self._messages.end(needless, "dropped", utc_now(), "it was over before")
        if not told:
            return True
        ids = [message.id for message, _ in told]
        try:
            await self._carry(rule, told)
        except NotDelivered as error:
            await self._put_off(told, str(error))
            return False
        await self._messages.end(ids, "sent", utc_now())
        return True

    async def _still_needed(
        self, messages: Sequence[AlarmMessage]
    ) -> tuple[list[tuple[AlarmMessage, Alarm]], list[str]]:
        """Return what is to be told, and the ids of what was over before it could be.

        An alarm that is cleared is told only if its raising was.
        """
        alarms = await self._database.alarms.many([message.alarm for message in messages])
        untold = await self._messages.untold_raises(messages)
        told, needless = [], []
        for message in messages:
            alarm = alarms.get(message.alarm)
            is_over = alarm is not None and message.act == "raised" and not alarm.stands
            never_told = message.act == "cleared" and (message.rule, message.alarm) in untold
            if alarm is None or is_over or never_told:
                needless.append(message.id)
            else:
                told.append((message, alarm))
        return told, needless

    async def _put_off(self, told: Told, reason: str) -> None:
        now = utc_now()
        log.warning("alarm messages of rule %s: %s", told[0][0].rule, reason)
        old = [each.id for each, _ in told if now - each.created_at >= GIVE_UP]
        if old:
            await self._messages.end(old, "given_up", now, reason)
        young = [each for each, _ in told if each.id not in old]
        if young:
            pause = pause_after(max(each.attempts for each in young))
            await self._messages.put_off([each.id for each in young], now + pause, reason)


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many earlier attempts and one more."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts, 10)
    return min(doubled, PAUSE_MAX)
