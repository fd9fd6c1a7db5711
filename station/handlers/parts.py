"""The parts of the station that the pages stand on; `app` builds them and hands them in."""

from dataclasses import dataclass

from station.business.alarms import Alarms
from station.business.outbox import Outbox
from station.collector.archive import Archive
from station.collector.archive_import import ArchiveImports
from station.collector.budget import Budget
from station.collector.clock_rounds import ClockRounds
from station.collector.commands import Commands
from station.collector.completeness import Completeness
from station.collector.control_errands import Controls
from station.collector.control_orders import ControlOrders
from station.collector.keep_power import KeepPower
from station.collector.memory import Memory
from station.collector.parameters import Parameters
from station.collector.reader import Reader
from station.collector.roll import Roll
from station.collector.scheduler import Scheduler
from station.collector.successes import Successes
from station.config import Config
from station.frontend.blocking import Blocking
from station.frontend.history import History
from station.frontend.registry import Registry
from station.frontend.trace import Trace
from station.frontend.traffic import TrafficLog
from station.handlers.access.audit_writer import AuditWriter
from station.live import Feed
from station.prepaid.readers.agent import Agents
from station.prepaid.readers.remembered import Remembered
from station.prepaid.readers.workplace import Workplaces
from station.prepaid.sales import Sales
from station.simulator.bench import Bench
from station.store.database import Database


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a handler may call. It changes things through `archive`, never through the stores."""

    config: Config
    database: Database
    feed: Feed
    registry: Registry
    trace: Trace
    history: History
    traffic: TrafficLog
    blocking: Blocking
    archive: Archive
    alarms: Alarms
    outbox: Outbox
    imports: ArchiveImports
    reader: Reader
    commands: Commands
    controls: Controls
    control_orders: ControlOrders
    keep_power: KeepPower
    parameters: Parameters
    clock_rounds: ClockRounds
    scheduler: Scheduler
    memory: Memory
    roll: Roll
    budget: Budget
    completeness: Completeness
    successes: Successes
    workplaces: Workplaces
    readers_used: Remembered
    agents: Agents
    sales: Sales
    audit: AuditWriter
    bench: Bench | None = None  # Of the demonstration only.
