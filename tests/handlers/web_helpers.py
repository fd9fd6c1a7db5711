"""The whole web room over HTTP, on real parts; and people who visit it with a browser's manners."""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from compiled_once import CHEAP_HASHER, spare
from promises import check_promise
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.testing import bind_unused_port

from station.business.alarms import Alarms
from station.business.outbox import Outbox
from station.business.watch import Watch
from station.collector.archive import Archive
from station.collector.archive_import import ArchiveImports
from station.collector.budget import Budget
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
from station.collector.run import Runner
from station.collector.scheduler import Scheduler
from station.collector.successes import Successes
from station.config import Config, FrontendConfig, SiteConfig
from station.frontend.blocking import Blocking
from station.frontend.channels import Channels
from station.frontend.guard import Guard
from station.frontend.history import History
from station.frontend.registry import Registry
from station.frontend.server import FrontServer
from station.frontend.trace import Trace
from station.frontend.traffic import TrafficLog
from station.handlers.access.audit_writer import AuditWriter
from station.handlers.parts import Parts
from station.handlers.routes import make_application
from station.handlers.server import make_server
from station.handlers.tls import OWN_FILE, server_context
from station.live import Feed
from station.prepaid.cards.keys import simulated
from station.prepaid.readers.agent import Agents
from station.prepaid.readers.remembered import Remembered
from station.prepaid.readers.workplace import Workplaces
from station.prepaid.sales import Sales
from station.store.database import Database
from station.store.objects.users import User

PASSWORD = "correct horse battery"
PASSWORD_HASH = CHEAP_HASHER.hash(PASSWORD)
spare()

CONFIG = Config(
    station="test",
    site=SiteConfig(name="Test <site>", simulation=True),
    frontend=FrontendConfig().model_copy(update={"host": "127.0.0.1", "port": 0}),
)


class Office:
    """A station's pages, with everything behind them but the command line."""

    def __init__(self, parts: Parts, front: FrontServer, url: str) -> None:
        self.parts = parts
        self.front = front
        self.url = url

    @property
    def database(self) -> Database:
        return self.parts.database

    def visitor(self, **headers: str) -> "Visitor":
        """Return somebody who has not logged in."""
        return Visitor(self, headers)

    async def somebody(self, role: str = "administrator", language: str = "") -> "Visitor":
        """Return a new person of a role who has logged in through the page."""
        name = f"{role}{await self.database.users.count()}"
        await self.database.users.add(User(name, PASSWORD_HASH, role=role, language=language))
        visitor = self.visitor()
        response = await visitor.log_in(name)
        assert response.code == 303, response.body
        return visitor


@contextlib.asynccontextmanager
async def open_office(
    real: Database,
    config: Config = CONFIG,
    limits: Mapping[str, float] | None = None,
    **replaced: Any,
) -> AsyncIterator[Office]:
    """Open the pages on a free port; `replaced` parts stand in for the real ones.

    `limits` are those of the server, where they are not to be the usual ones.
    """
    zone = config.site.zone_info
    async with contextlib.AsyncExitStack() as stops:
        feed = Feed()
        registry = Registry(feed, real.links, config.station)
        registry.start()
        outbox = Outbox(real, registry, {}, config.station, zone)
        watch = Watch(real, registry, dead_after=DEAD_AFTER, silent_after=timedelta(0))
        stops.push_async_callback(registry.stop)
        history = History(registry, real.link_events)
        history.start()
        stops.push_async_callback(history.stop)
        traffic = TrafficLog(registry, real.traffic, zone)
        traffic.start()
        stops.push_async_callback(traffic.stop)
        guard = Guard()
        trace = Trace(feed, real.frames)
        trace.start()
        stops.push_async_callback(trace.stop)
        front = FrontServer(config.frontend, registry, trace, guard=guard)
        await front.start()
        stops.push_async_callback(front.stop)
        channels = Channels(registry, trace)
        stops.push_async_callback(channels.stop)
        memory = Memory(real.meter_health, real.meter_days, zone)
        await memory.start()
        stops.push_async_callback(memory.stop)
        keeper = Keeper(real.readings, real.coverage, real.runs, feed)
        stops.push_async_callback(keeper.stop)
        runner = Runner(registry, keeper, memory, feed, zone)
        planner = Planner(real.meters, real.terminals, real.readings, memory, zone)
        scheduler = Scheduler(
            registry=registry,
            runner=runner,
            planner=planner,
            memory=memory,
            tasks=real.tasks,
            runs=real.runs,
            station=config.station,
            zone=zone,
        )
        stops.push_async_callback(scheduler.stop)
        reader = Reader(registry, real.meters, real.readings, feed, zone)
        parameters = Parameters(real, registry, feed, zone)
        clocks = Clocks(real.clocks, registry, feed, zone)
        keep_power = KeepPower(real, feed)
        controls = Controls(real.control_looks, keep_power, registry, zone)
        execution = Execution(
            registry=registry,
            meters=real.meters,
            commands=real.commands,
            reader=reader,
            feed=feed,
            zone=zone,
            terminals=real.terminals,
            tools=Tools(parameters, clocks, registry, zone),
            controls=controls,
        )
        commands = Commands(
            registry=registry,
            meters=real.meters,
            commands=real.commands,
            execution=execution,
            station=config.station,
            terminals=real.terminals,
        )
        await commands.start()
        stops.push_async_callback(commands.stop)
        control_orders = ControlOrders(
            real, commands, keep_power, feed, config.control, station=config.station
        )
        await control_orders.start()
        stops.push_async_callback(control_orders.stop)
        readers_used = Remembered(real.reader_uses, config.station)
        workplaces = Workplaces(simulated(), readers_used)
        stops.push_async_callback(workplaces.stop)
        agents = Agents(real.reader_agents, workplaces)
        stops.push_async_callback(agents.stop)
        audit = AuditWriter(real.audit, config.station)
        await audit.start()
        stops.push_async_callback(audit.stop)
        archive = Archive(real, registry, channels, scheduler, memory)
        imports = ArchiveImports(real, archive, feed, config.station)
        stops.push_async_callback(imports.stop)
        given: dict[str, Any] = {
            "config": config,
            "database": real,
            "feed": feed,
            "registry": registry,
            "alarms": Alarms(real, watch, registry, feed, outbox, config.station),
            "outbox": outbox,
            "trace": trace,
            "history": history,
            "traffic": traffic,
            "blocking": Blocking(real.blocks, guard, registry),
            "archive": archive,
            "imports": imports,
            "reader": reader,
            "commands": commands,
            "controls": controls,
            "control_orders": control_orders,
            "keep_power": keep_power,
            "parameters": parameters,
            "clock_rounds": ClockRounds(real, registry, clocks, zone, None),
            "scheduler": scheduler,
            "memory": memory,
            "roll": planner.roll,
            "budget": Budget(real.tasks, planner, runner, memory, zone),
            "completeness": Completeness(real, zone, planner.roll),
            "successes": Successes(real.meter_days, zone),
            "workplaces": workplaces,
            "readers_used": readers_used,
            "agents": agents,
            "sales": Sales(real, workplaces, feed, zone),
            "audit": audit,
        }
        parts = Parts(**{**given, **replaced})
        tls = server_context(config)
        server = make_server(make_application(parts, cookie_secret="secret"), tls, **limits or {})
        socket, port = bind_unused_port()
        server.add_socket(socket)
        stops.push_async_callback(server.close_all_connections)
        stops.callback(server.stop)
        yield Office(parts, front, f"http{'s' if tls else ''}://127.0.0.1:{port}")


@dataclass
class Visitor:
    """Somebody with a browser: keeps cookies, and sends the XSRF token of the forms."""

    office: Office
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cookies: dict[str, str] = {}
        self._client = AsyncHTTPClient(force_instance=True)

    async def log_in(self, name: str, password: str = PASSWORD, **more: str) -> HTTPResponse:
        """Fill in the page of the login and send it."""
        page = await self.get("/login")
        assert page.code == 200
        return await self.post("/login", username=name, password=password, **more)

    async def get(self, path: str, **headers: str) -> HTTPResponse:
        return await self.send("GET", path, headers=headers)

    async def post(self, path: str, **fields: Any) -> HTTPResponse:
        """Send a form, as a browser does; a field that is a list is sent several times."""
        body = urlencode({"_xsrf": self.cookies.get("_xsrf", ""), **fields}, doseq=True)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.send("POST", path, body, kind)

    async def json(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send JSON with the XSRF token in its header, and return the status and the JSON."""
        headers = {"X-Xsrftoken": self.cookies.get("_xsrf", "")}
        text = None
        if body is not None:
            text, headers["Content-Type"] = json.dumps(body), "application/json"
        response = await self.send(method, path, text, headers)
        answer = json.loads(response.body) if response.body else None
        check_promise(method, path, response.code, answer)
        return response.code, answer

    async def send(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        """Send a request as it is; follow no redirect."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = await self._client.fetch(
            self.office.url + path,
            method=method,
            body=body,
            headers={"Cookie": cookies, **self.headers, **(headers or {})},
            follow_redirects=False,
            raise_error=False,
            allow_nonstandard_methods=True,
            request_timeout=30,
            ca_certs=str(self.office.parts.config.database.data / OWN_FILE),
        )
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
        return response


def text_of(response: HTTPResponse) -> str:
    return response.body.decode()


def words_of(response: HTTPResponse) -> str:
    """Return what a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]*>", " ", text_of(response)).split())
