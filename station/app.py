"""Builds the parts in order and stops them in reverse: the list to read first."""

import asyncio
import contextlib
import gc
import logging
import secrets
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tornado.netutil import bind_sockets

from station import tasks
from station.business.alarms import Alarms
from station.business.mail import Mail
from station.business.outbox import Carrier, Outbox
from station.business.watch import Watch
from station.business.webhook import Webhook
from station.collector.archive import Archive
from station.collector.archive_import import ArchiveImports
from station.collector.budget import Budget
from station.collector.clock_events import ClockEvents
from station.collector.clock_rounds import ClockRounds
from station.collector.clocks import Clocks
from station.collector.commands import Commands
from station.collector.completeness import Completeness
from station.collector.control_errands import Controls
from station.collector.control_orders import ControlOrders
from station.collector.errands import Tools
from station.collector.execution import Execution
from station.collector.keep_power import KeepPower
from station.collector.keeper import Keeper
from station.collector.memory import DEAD_AFTER, Memory
from station.collector.parameters import Parameters
from station.collector.planner import Planner
from station.collector.reader import Reader
from station.collector.reports import Reports
from station.collector.run import Runner
from station.collector.scheduler import Scheduler
from station.collector.successes import Successes
from station.config import Config
from station.errors import Conflict, StartError
from station.frontend.blocking import Blocking
from station.frontend.channels import Channels
from station.frontend.guard import Guard
from station.frontend.history import History
from station.frontend.registry import Registry
from station.frontend.server import FrontServer
from station.frontend.trace import Trace
from station.frontend.traffic import TrafficLog
from station.handlers.access import people
from station.handlers.access.audit_writer import AuditWriter
from station.handlers.parts import Parts
from station.handlers.redirect import make_redirect
from station.handlers.routes import make_application
from station.handlers.server import WebServer, make_server
from station.handlers.tls import server_context
from station.live import Feed
from station.prepaid.cards import keys
from station.prepaid.cards.security import CardSecurity
from station.prepaid.limits import AMOUNT_MAX_FEN, Allowed, Limits
from station.prepaid.readers.agent import Agents
from station.prepaid.readers.attached import attached_readers
from station.prepaid.readers.base import ReaderSource
from station.prepaid.readers.remembered import Remembered
from station.prepaid.readers.workplace import Workplaces
from station.prepaid.sales import Sales
from station.prepaid.shifts import Drawer, Shifts
from station.prepaid.terms import SaleTerms
from station.simulator.bench import Bench
from station.store.database import Database
from station.store.embedded import EmbeddedMongo
from station.store.objects.users import User

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 30.0  # For one part, mongod being the slowest; then the stop goes on without it.
PASSWORD_SIZE = 12  # Bytes of randomness in a password that Station makes.
YOUNG_OBJECTS = 10_000  # Between two collections: a block of readings is a thousand at once.


@dataclass(frozen=True)
class Administrator:
    """The user that the first start makes; the password is shown once and not kept."""

    name: str
    password: str


class Station:
    """The whole master station in one process."""

    def __init__(
        self,
        config: Config,
        *,
        readers: Sequence[ReaderSource] = (),
        bench: Bench | None = None,
    ) -> None:
        """`readers` are there beside those that the box has; `bench` is the demonstration's."""
        self.config = config
        self._readers = readers
        self._bench = bench
        self._stops = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Start every part, most general first.

        Raises StartError or ConfigError; what had started by then is stopped.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop in reverse; a part that fails to stop does not keep the others."""
        await self._stops.aclose()

    async def _start(self) -> None:
        config = self.config
        self.database = await self._open_database()
        self.feed = Feed()

        self.registry = Registry(self.feed, self.database.links, config.station)
        self.registry.start()
        self._on_stop("registry", self.registry.stop)
        history = History(self.registry, self.database.link_events)
        history.start()
        self._on_stop("history", history.stop)
        traffic = TrafficLog(self.registry, self.database.traffic, config.site.zone_info)
        traffic.start()
        self._on_stop("traffic", traffic.stop)
        guard = Guard()
        blocking = Blocking(self.database.blocks, guard, self.registry)
        await blocking.load()
        self.trace = Trace(
            self.feed,
            self.database.frames,
            per_link=config.frontend.trace_per_link,
            frames_max=config.frontend.frames_max,
            log_heartbeats=config.frontend.log_heartbeats,
        )
        self.trace.start()
        self._on_stop("trace", self.trace.stop)
        zone, database = config.site.zone_info, self.database
        outbox, self.alarms = await self._make_alarms()
        reports = Reports(
            meters=database.meters,
            events=database.events,
            readings=database.readings,
            feed=self.feed,
            station=config.station,
            zone=zone,
            on_events=self.alarms.take,
        )
        reports.start()
        self._on_stop("reports", reports.stop)
        self.front = FrontServer(
            config.frontend,
            self.registry,
            self.trace,
            guard=guard,
            zone=zone,
            on_report=reports.take,
        )
        await self.front.start()
        self._on_stop("front-end", self.front.stop)
        channels = Channels(self.registry, self.trace, on_report=reports.take)
        self._on_stop("channels", channels.stop)

        memory = Memory(database.meter_health, database.meter_days, zone)
        await memory.start()
        self._on_stop("memory", memory.stop)
        keeper = Keeper(database.readings, database.coverage, database.runs, self.feed)
        self._on_stop("keeper", keeper.stop)
        runner = Runner(self.registry, keeper, memory, self.feed, zone)
        planner = Planner(database.meters, database.terminals, database.readings, memory, zone)
        scheduler = Scheduler(
            registry=self.registry,
            runner=runner,
            planner=planner,
            memory=memory,
            tasks=database.tasks,
            runs=database.runs,
            station=config.station,
            zone=zone,
        )
        self.archive = Archive(database, self.registry, channels, scheduler, memory)
        await self.archive.publish()
        outbox.start()
        self._on_stop("alarm messages", outbox.stop)
        self.alarms.start()
        self._on_stop("alarms", self.alarms.stop)
        imports = ArchiveImports(database, self.archive, self.feed, config.station)
        await imports.start()
        self._on_stop("imports", imports.stop)
        await scheduler.start()
        self._on_stop("scheduler", scheduler.stop)
        reader = Reader(
            self.registry, database.meters, database.readings, self.feed, zone,
            database.terminals, memory,
        )  # fmt: skip
        parameters = Parameters(
            database, self.registry, self.feed, zone, master=config.frontend.master
        )
        clocks = Clocks(
            database.clocks,
            self.registry,
            self.feed,
            zone,
            ClockEvents(
                database.events,
                self.feed,
                self.alarms.take,
                station=config.station,
                wrong_over_s=config.clocks.wrong_over_s,
            ),
        )
        clock_rounds = ClockRounds(database, self.registry, clocks, zone, config.clocks.check_time)
        clock_rounds.start()
        self._on_stop("clocks", clock_rounds.stop)
        keep_power = KeepPower(database, self.feed)
        controls = Controls(
            database.control_looks, keep_power, self.registry, zone, master=config.frontend.master
        )
        execution = Execution(
            registry=self.registry,
            meters=database.meters,
            commands=database.commands,
            reader=reader,
            feed=self.feed,
            zone=zone,
            terminals=database.terminals,
            tools=Tools(parameters, clocks, self.registry, zone),
            controls=controls,
        )
        commands = Commands(
            registry=self.registry,
            meters=database.meters,
            commands=database.commands,
            execution=execution,
            station=config.station,
            terminals=database.terminals,
        )
        await commands.start()
        self._on_stop("commands", commands.stop)
        control_orders = ControlOrders(
            database, commands, keep_power, self.feed, config.control, station=config.station
        )
        await control_orders.start()
        self._on_stop("control orders", control_orders.stop)

        readers_used = Remembered(database.reader_uses, config.station)
        workplaces = Workplaces(card_security(config), readers_used)
        for source in [*self._readers, *attached_readers(config.prepaid.readers)]:
            workplaces.add(source)
        self._on_stop("card readers", workplaces.stop)
        agents = Agents(database.reader_agents, workplaces)
        await agents.start()
        self._on_stop("reader agents", agents.stop)

        allowed = Allowed(
            config.prepaid.sale_max_fen,
            config.prepaid.shift_max_fen,
            config.prepaid.approval_above_fen,
        )
        limits = Limits(database.limits, database.approvals, allowed)
        self.sales = Sales(
            database, workplaces, self.feed, zone,
            terms=SaleTerms(
                sale_max_fen=AMOUNT_MAX_FEN,  # Each clerk's limit is the drawer's.
                profile=config.prepaid.profile,
            ),
            drawer=Drawer(Shifts(database.shifts), limits),
        )  # fmt: skip
        audit = AuditWriter(database.audit, config.station)
        await audit.start()
        self._on_stop("audit log", audit.stop)
        parts = Parts(
            config=config,
            database=database,
            feed=self.feed,
            registry=self.registry,
            trace=self.trace,
            history=history,
            traffic=traffic,
            blocking=blocking,
            archive=self.archive,
            alarms=self.alarms,
            outbox=outbox,
            imports=imports,
            reader=reader,
            commands=commands,
            controls=controls,
            control_orders=control_orders,
            keep_power=keep_power,
            parameters=parameters,
            clock_rounds=clock_rounds,
            scheduler=scheduler,
            memory=memory,
            roll=planner.roll,
            budget=Budget(database.tasks, planner, runner, memory, zone),
            completeness=Completeness(database, zone, planner.roll),
            successes=Successes(database.meter_days, zone),
            workplaces=workplaces,
            readers_used=readers_used,
            agents=agents,
            sales=self.sales,
            audit=audit,
            bench=self._bench,
        )
        await self._start_web(parts)

    async def _open_database(self) -> Database:
        config = self.config
        uri = config.database.address()
        if uri is None:
            embedded = EmbeddedMongo(config.database.data, config.database.cache_mb)
            uri = await embedded.start()
            self._on_stop("mongod", embedded.stop)
            watch = tasks.spawn(embedded.watch(), name="mongod watch")
            self._on_stop("mongod watch", lambda: tasks.cancel(watch))
        database = await Database.connect(
            uri,
            config.database.name,
            zone=config.site.zone_info,
            frame_days=config.frontend.frame_days,
        )
        self._on_stop("database", database.close)
        return database

    async def _make_alarms(self) -> tuple[Outbox, Alarms]:
        """Return the alarms, and what tells people of them; neither is at work yet."""
        config, database, zone = self.config, self.database, self.config.site.zone_info
        url = (config.alarms.url or "").rstrip("/")
        key = await database.settings.claim("webhook_key", secrets.token_hex(32))
        webhook = Webhook(key, site=config.site.name, station=config.station, url=url)
        carriers: dict[str, Carrier] = {"webhook": webhook}
        if config.mail.host is not None:
            carriers["email"] = Mail(config.mail, site=config.site.name, url=url, zone=zone)
        outbox = Outbox(database, self.registry, carriers, config.station, zone)
        watch = Watch(
            database,
            self.registry,
            dead_after=DEAD_AFTER,
            silent_after=timedelta(seconds=config.alarms.silent_after_s),
        )
        return outbox, Alarms(database, watch, self.registry, self.feed, outbox, config.station)

    async def _start_web(self, parts: Parts) -> None:
        web = self.config.web
        secret = await parts.database.settings.claim("cookie_secret", secrets.token_hex(32))
        pages = make_application(parts, cookie_secret=secret)
        tls = server_context(self.config)
        self.web_port: int = self._listen(web.port, make_server(pages, tls, networks=web.proxies))
        if web.redirect_port is not None:
            self._listen(web.redirect_port, make_server(make_redirect(web.port)))

    def _listen(self, port: int, server: WebServer) -> int:
        """Have a server listen until the station stops; return its port. Raises StartError."""
        host = self.config.web.host
        try:
            sockets = bind_sockets(port, host)
        except OSError as error:
            raise StartError(f"web: port {port} on {host}: {error.strerror}") from None
        server.add_sockets(sockets)

        async def stop() -> None:
            server.stop()
            await server.close_all_connections()

        self._on_stop("web", stop)
        return int(sockets[0].getsockname()[1])

    async def first_administrator(self) -> Administrator | None:
        """Make the administrator of a station without users; None if it has some."""
        return None if await self.database.users.count() else await self.give_password("admin")

    async def give_password(self, name: str) -> Administrator:
        """Give an administrator, who is made if need be, a new random password."""
        password = secrets.token_urlsafe(PASSWORD_SIZE)
        user = User(name, people.hash_password(password), role="administrator")
        try:
            await self.database.users.add(user)
        except Conflict:
            await self.database.users.set_password(name, user.password_hash)
        return Administrator(name, password)

    def _on_stop(self, part: str, stop: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            try:
                await asyncio.wait_for(stop(), STOP_TIMEOUT_S)
            except Exception:  # The others have to be stopped too.
                log.exception("%s did not stop as it should", part)

        self._stops.push_async_callback(bounded)


def card_security(config: Config) -> CardSecurity | None:
    """Return what the configured card keys make; a simulated site has the well-known test keys.

    Without keys there is none, and no card is read or written. Raises StartError.
    """
    if config.prepaid.keys is not None:
        return keys.load(config.prepaid.keys)
    return keys.simulated() if config.site.simulation else None


def settle_memory() -> None:
    """Leave what the start made out of garbage collection, and look at what is young less often.

    A full collection of all modules would hold up the links for 40 ms.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


async def run_until_stopped(station: Station, ready: Callable[[], Awaitable[None]]) -> None:
    """Start, call `ready`, wait for SIGTERM or SIGINT, and stop."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await station.start()
    settle_memory()
    try:
        await ready()
        tasks.notify_service_manager("READY=1")
        await stopped.wait()
        tasks.notify_service_manager("STOPPING=1")
    finally:
        await station.stop()
