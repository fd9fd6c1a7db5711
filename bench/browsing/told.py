"""The past of people and devices: events, alarms, commands, parameters, clocks, changes, audit."""

from collections.abc import Iterator
from datetime import timedelta

from browsing.past import PEOPLE, STATION, Past
from station.business.alarm_kinds import KINDS
from station.store.objects.alarms import Act, Alarm
from station.store.objects.audit import NAMES, Entry, values_text
from station.store.objects.base import new_id
from station.store.objects.changes import Change
from station.store.objects.clocks import ClockLook, ClockState
from station.store.objects.commands import Command, Step
from station.store.objects.control_orders import ControlOrder, Target
from station.store.objects.events import Event, event_id
from station.store.objects.exchanges import MeterExchange, RatioChange
from station.store.objects.parameters import Parameter
from station.store.objects.protections import Protection

EVENTS = 100_000
EVENT_CODES = ("1376.ERC14", "1376.ERC20", "1376.ERC21", "645.0300", "645.0301", "645.0330")
ALARMS_STANDING, ALARMS_CLEARED = 80, 5_000
COMMANDS = 20_000
BATCH_SIZE = 1_000  # Commands of the batch that is looked at.
BATCH_ID = "bench-batch"
CONTROL_ORDERS, CONTROL_TARGETS = 300, 20
PROTECTED = 100
CHANGES = 30_000
EXCHANGES, RATIOS = 300, 200
AUDITED = 20_000
EVENT_FRAME = bytes.fromhex("6861010000000068910833333433593333338A16")


async def fill(past: Past) -> None:
    """Enter what was told, ordered and changed."""
    database = past.database
    await past.put("events", map(database.events.document_of, _events(past)))
    await past.put("alarms", map(database.alarms.document_of, _alarms(past)))
    await past.put("commands", map(database.commands.document_of, _commands(past)))
    await past.put("control_orders", map(database.control_orders.document_of, _controls(past)))
    await past.put("protections", map(database.protections.document_of, _protected(past)))
    await past.put("parameters", map(database.parameters.document_of, _parameters(past)))
    await past.put("clocks", map(database.clocks.document_of, _clocks(past)))
    await past.put("changes", map(database.changes.document_of, _changes(past)))
    await past.put("meter_exchanges", map(database.meter_exchanges.document_of, _exchanged(past)))
    await past.put("ratio_changes", map(database.ratio_changes.document_of, _ratios(past)))
    await past.put("audit", _audited(past))


def _events(past: Past) -> Iterator[Event]:
    value = {"name": "Phase", "name_zh": "相别", "value": "A", "unit": ""}
    for number in range(EVENTS):
        meter, at = past.meter(), past.moment()
        yield Event(
            event_id("bench", str(number)),
            past.one(EVENT_CODES),
            meter.link,
            meter.address,
            at - timedelta(minutes=1),
            at,
            EVENT_FRAME,
            station=STATION,
            protocol="qgdw1376",
            values=(value,),
        )


def _alarms(past: Past) -> Iterator[Alarm]:
    """Yield alarms: each stands for another meter, or is over."""
    for number in range(ALARMS_STANDING + ALARMS_CLEARED):
        meter, at = past.meters[number % len(past.meters)], past.moment()
        kind, over = past.one(KINDS), number >= ALARMS_STANDING
        yield Alarm(
            new_id(),
            f"{kind.key} {meter.address} {number}",
            kind.key,
            kind.severity,
            "meter",
            meter.address,
            at,
            at,
            station=STATION,
            name=meter.name,
            link=meter.link,
            meter=meter.address,
            state="cleared" if over else "open",
            members=(meter.address,),
            members_all=1,
            cleared_by="technician" if over else "",
            cleared_at=at + timedelta(hours=1) if over else None,
            history=(Act(at, "raised"),),
        )


def _commands(past: Past) -> Iterator[Command]:
    for number in range(COMMANDS):
        meter, at = past.meter(), past.moment()
        yield Command(
            new_id(),
            f"bench-{number}",
            "read",
            meter.address,
            meter.link,
            {"items": ["energy_import_total"]},
            past.one(PEOPLE),
            at,
            at + timedelta(hours=1),
            station=STATION,
            batch=BATCH_ID if number < BATCH_SIZE else "",
            state=past.one(("confirmed", "failed", "expired")),
            attempts=1,
            sent_at=at,
            ended_at=at + timedelta(seconds=3),
            history=(Step(at, "queued"), Step(at, "sent"), Step(at, "confirmed")),
        )


def _controls(past: Past) -> Iterator[ControlOrder]:
    for number in range(CONTROL_ORDERS):
        addresses = tuple(past.meter().address for _ in range(CONTROL_TARGETS))
        at = past.moment()
        yield ControlOrder(
            new_id(), f"bench-{number}", "meter", {"order": "trip"},
            tuple(Target(address) for address in addresses), "a test of the line",
            "supervisor", at, at + timedelta(minutes=30), station=STATION, group="Street 1",
            state=past.one(("approved", "refused", "withdrawn", "expired")), decided_at=at,
            decided_by="administrator", issued=True, addresses=addresses,
        )  # fmt: skip


def _protected(past: Past) -> Iterator[Protection]:
    for meter in past.meters[:PROTECTED]:
        yield Protection(new_id(), meter.address, "meter", "a pump of the waterworks",
                         "supervisor", past.moment())  # fmt: skip


def _parameters(past: Past) -> Iterator[Parameter]:
    """Yield four parameters of each terminal and two of each meter; a tenth is not as wanted."""
    for terminal in past.terminals:
        for code, field in (("F1", "rts_10ms"), ("F8", "mode"), ("F9", "flags"), ("F36", "limit")):
            held = "2" if past.number(10) == 0 else "1"
            yield Parameter(
                terminal.address, code, kind="terminal", wanted={field: "1"},
                wanted_by="technician", wanted_at=past.now, held={field: held}, held_at=past.now,
            )  # fmt: skip
    for meter in past.meters:
        for code in ("04000201", "04000204"):
            held = "4" if past.number(10) else "2"
            yield Parameter(
                meter.address, code, kind="meter", wanted={"value": "4"}, wanted_by="technician",
                wanted_at=past.now, held={"value": held}, held_at=past.now,
            )  # fmt: skip


def _clocks(past: Past) -> Iterator[ClockState]:
    for number, device in enumerate([*past.terminals, *past.meters]):
        is_terminal = number < len(past.terminals)
        off_ms = past.number(60_000) - 30_000
        looks = tuple(
            ClockLook(past.now - timedelta(days=day), off_ms + 100 * day, 500) for day in range(30)
        )
        yield ClockState(
            device.address,
            "terminal" if is_terminal else "meter",
            device.address if is_terminal else past.meters[number - len(past.terminals)].link,
            looked_at=past.now,
            deviation_ms=off_ms,
            uncertainty_ms=500,
            history=looks,
        )


def _changes(past: Past) -> Iterator[Change]:
    for _ in range(CHANGES):
        yield Change(
            new_id(), "meter", past.meter().address, at=past.moment(90), by=past.one(PEOPLE),
            act="changed", before={"name": "Home"}, after={"name": "House"}, reason="renamed",
        )  # fmt: skip


def _exchanged(past: Past) -> Iterator[MeterExchange]:
    for number in range(EXCHANGES):
        yield MeterExchange(
            new_id(), f"97{number:010d}", past.meters[number].address, at=past.moment(300),
            old_registers={}, new_registers={}, reason="worn out", by="technician",
        )  # fmt: skip


def _ratios(past: Past) -> Iterator[RatioChange]:
    for _ in range(RATIOS):
        yield RatioChange(
            new_id(), past.meter().address, at=past.moment(300), registers={}, ct=1, pt=1,
            new_ct=50, new_pt=1, reason="larger transformers", by="technician",
        )  # fmt: skip


def _audited(past: Past) -> Iterator[dict[str, object]]:
    """Yield entries of the audit log, each with the hash of the one before."""
    last: Entry | None = None
    for _ in range(AUDITED):
        meter = past.meter()
        entry = Entry(
            past.one(("meters.change", "terminals.change", "login")),
            f"/meters/{meter.address}",
            past.one(PEOPLE),
            station=STATION,
            at=past.moment().replace(microsecond=0),
            address="10.0.0.9",
            outcome="done",
            before=values_text({"name": "Home"}),
            after=values_text({"name": "House"}),
        )
        last = entry.chained(last)
        yield {"_id" if name == "sequence" else name: getattr(last, name) for name in NAMES}
