"""The database: its client, schema version and migrations, the stores.

Any MongoDB that gives transactions will do: a replica set (of one, too) or a sharded cluster.
Every write is acknowledged by the majority and journalled; every call ends within the timeout.
"""

import logging
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pymongo
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import IndexModel
from pymongo.errors import OperationFailure, PyMongoError, ServerSelectionTimeoutError

from station.errors import DatabaseDown, StartError
from station.store.abandoned import end_abandoned
from station.store.driver import (
    AUTHENTICATION_FAILED,
    UNAUTHORIZED,
    Collection,
    Document,
    our_errors,
)
from station.store.indexes import DAY_S, INDEXES, Index
from station.store.objects.accounts import Accounts
from station.store.objects.alarm_rules import AlarmMessages, AlarmRules
from station.store.objects.alarms import Alarms
from station.store.objects.attempts import Attempts
from station.store.objects.audit import AuditLog
from station.store.objects.blocks import Blocks
from station.store.objects.changes import Changes
from station.store.objects.channels import Channels
from station.store.objects.clocks import Clocks
from station.store.objects.commands import Commands
from station.store.objects.control_looks import ControlLooks
from station.store.objects.control_orders import ControlOrders
from station.store.objects.coverage import Coverage
from station.store.objects.customers import Customers
from station.store.objects.events import Events
from station.store.objects.exchanges import MeterExchanges, RatioChanges
from station.store.objects.frames import Frames
from station.store.objects.imports import Imports, Ties
from station.store.objects.limits import Approvals, Limits
from station.store.objects.link_events import LinkEvents
from station.store.objects.links import Links
from station.store.objects.meter_days import MeterDays
from station.store.objects.meter_health import MeterHealths
from station.store.objects.meters import Meters
from station.store.objects.orders import Orders
from station.store.objects.parameter_templates import ParameterTemplates
from station.store.objects.parameters import Parameters
from station.store.objects.places import Places
from station.store.objects.protections import Protections
from station.store.objects.reader_agents import ReaderAgents
from station.store.objects.readings import Readings
from station.store.objects.receipts import Prints, Receipts
from station.store.objects.roles import Roles
from station.store.objects.runs import Runs
from station.store.objects.sessions import Sessions
from station.store.objects.settings import Settings
from station.store.objects.shifts import Shifts
from station.store.objects.table_choices import TableChoices
from station.store.objects.tariffs import Tariffs
from station.store.objects.tasks import Tasks
from station.store.objects.terminals import Terminals
from station.store.objects.traffic import Traffics
from station.store.objects.users import Users
from station.store.objects.workplaces import ReaderUses
from station.store.rebuild import make_compressed, make_coverage
from station.units import UTC

log = logging.getLogger(__name__)

COMMAND_TIMEOUT_S = 5.0  # Longer than any call here takes on a sound box; then it is down.
PREPARE_TIMEOUT_S = 600.0  # Building an index over years of data takes minutes.
FRAME_DAYS = 30  # Long enough to look into a complaint, short enough for a small disk.
INDEX_OPTIONS_CONFLICT = 85  # A code of the server.
POOL_MAX = 20  # Connections; more would only queue inside the database on a small box.


class Database:
    """An open database and its stores."""

    def __init__(
        self, client: "AsyncIOMotorClient[Document]", name: str, zone: ZoneInfo, timeout_s: float
    ) -> None:
        def collection(collection_name: str) -> Collection:
            return Collection(client, name, collection_name, timeout_s)

        self._client = client
        self.name = name
        ends, meters = collection("ends"), collection("meters")
        places, self.changes = collection("places"), Changes(collection("changes"))
        self.places = Places(places, ends, meters, self.changes)
        self.terminals = Terminals(ends, meters, places, self.changes)
        self.channels = Channels(ends, meters, places, self.changes)
        self.meters = Meters(meters, ends, places, self.changes)
        self.meter_exchanges = MeterExchanges(collection("meter_exchanges"), self.meters)
        self.ratio_changes = RatioChanges(collection("ratio_changes"), self.meters)
        self.meter_health = MeterHealths(collection("meter_health"))
        self.meter_days = MeterDays(collection("meter_days"))
        self.links = Links(collection("links"))
        self.link_events = LinkEvents(collection("link_events"))
        self.traffic = Traffics(collection("traffic"))
        self.blocks = Blocks(collection("blocks"))
        self.tasks = Tasks(collection("tasks"), collection("progress"))
        self.runs = Runs(collection("runs"))
        self.coverage = Coverage(collection("holes"))
        self.readings = Readings(
            collection("sheets"), collection("latest"), collection("coverage"), zone
        )
        self.frames = Frames(collection("frames"), meters)
        self.commands = Commands(collection("commands"))
        self.control_orders = ControlOrders(collection("control_orders"))
        self.control_looks = ControlLooks(collection("control_looks"))
        self.protections = Protections(collection("protections"))
        self.events = Events(collection("events"))
        self.alarms = Alarms(collection("alarms"))
        self.alarm_rules = AlarmRules(collection("alarm_rules"))
        self.alarm_messages = AlarmMessages(collection("alarm_messages"))
        self.parameters = Parameters(collection("parameters"))
        self.clocks = Clocks(collection("clocks"))
        self.parameter_templates = ParameterTemplates(collection("parameter_templates"))
        orders = collection("orders")
        self.customers = Customers(collection("customers"))
        self.accounts = Accounts(collection("accounts"))
        self.orders = Orders(orders, self.accounts, collection("shifts"))
        self.shifts = Shifts(collection("shifts"), orders)
        self.limits = Limits(collection("limits"))
        self.approvals = Approvals(collection("approvals"), orders)
        self.receipts = Receipts(collection("receipts"), orders)
        self.prints = Prints(collection("prints"))
        self.tariffs = Tariffs(collection("tariffs"))
        self.reader_uses = ReaderUses(collection("reader_uses"))
        self.reader_agents = ReaderAgents(collection("reader_agents"))
        self.imports = Imports(
            collection("imports"),
            collection("import_rows"),
            {
                "places": self.places,
                "terminals": self.terminals,
                "meters": self.meters,
                "customers": self.customers,
            },
            Ties(places=places, ends=ends, meters=meters, accounts=collection("accounts")),
            self.changes,
        )
        self.users = Users(collection("users"))
        self.roles = Roles(collection("roles"))
        self.attempts = Attempts(collection("attempts"))
        self.sessions = Sessions(collection("sessions"))
        self.settings = Settings(collection("settings"))
        self.table_choices = TableChoices(collection("table_choices"))
        self.audit = AuditLog(collection("audit"), collection("audit_begun"))

    @staticmethod
    async def connect(
        uri: str,
        name: str,
        *,
        zone: ZoneInfo,
        timeout_s: float = COMMAND_TIMEOUT_S,
        frame_days: int = FRAME_DAYS,
    ) -> "Database":
        """Return the database, ready to use; its days are those of the zone.

        Every call ends within about the timeout; frames are kept for so many days. Raises
        StartError, which names hosts but no credentials, also when readings lie in another zone.
        """
        hosts = _hosts(uri)
        client = _client(uri, timeout_s)
        database = Database(client, name, zone, timeout_s)
        try:
            await _prepare(client, database, zone, frame_days)
        except BaseException as error:
            client.close()
            if isinstance(error, (PyMongoError, DatabaseDown)):
                raise StartError(f"database at {hosts}: {_reason(error)}") from error
            raise
        return database

    async def close(self) -> None:
        """Close every connection."""
        self._client.close()

    async def ping(self) -> None:
        """Return when the database answers. Raises DatabaseDown."""
        with our_errors():
            await self._client.admin.command("ping")


def _hosts(uri: str) -> str:
    """Return what of the uri may be shown, and refuse one that is not a uri."""
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise StartError("database.uri: expected mongodb://HOST:PORT or mongodb+srv://HOST")
    return uri.split("://", 1)[1].split("/", 1)[0].rsplit("@", 1)[-1]


def _client(uri: str, timeout_s: float) -> "AsyncIOMotorClient[Document]":
    milliseconds = round(timeout_s * 1000)
    try:
        return AsyncIOMotorClient(
            uri,
            tz_aware=True,
            tzinfo=UTC,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            timeoutMS=milliseconds,
            maxPoolSize=POOL_MAX,
            w="majority",
            journal=True,
        )
    except PyMongoError as error:
        raise StartError(f"database.uri at {_hosts(uri)}: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    """Return what went wrong in few words; the driver's own may go on for a page."""
    error = error.__cause__ or error
    if isinstance(error, OperationFailure) and error.code == AUTHENTICATION_FAILED:
        return "user or password is not right"
    if isinstance(error, OperationFailure) and error.code == UNAUTHORIZED:
        return "the user may not do what is needed: give it the roles readWrite and dbAdmin"
    if isinstance(error, ServerSelectionTimeoutError):
        return f"no answer ({str(error).split(' (configured', 1)[0]})"
    return f"{type(error).__name__}: {error}"


async def _prepare(
    client: "AsyncIOMotorClient[Document]", database: Database, zone: ZoneInfo, frame_days: int
) -> None:
    """Check that the database is one we can use, and bring it to our shape."""
    hello = await client.admin.command("hello")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StartError("the database gives no transactions: make it a replica set (of one)")
    await end_abandoned(client)
    version = await database.settings.get("schema") or 0
    if version > SCHEMA_VERSION:
        raise StartError(
            f"database {database.name} has schema {version}, written by a newer Station; "
            f"this one knows {SCHEMA_VERSION}"
        )
    with pymongo.timeout(PREPARE_TIMEOUT_S):
        for number, migrate in enumerate(MIGRATIONS[version:], start=version + 1):
            log.info("database %s: schema %d", database.name, number)
            await migrate(client[database.name])
            await database.settings.set("schema", number)
        kept = Index("frames", [("at", 1)], {"expireAfterSeconds": frame_days * DAY_S})
        of_collection: dict[str, list[Index]] = {}
        for index in (*INDEXES, kept):
            of_collection.setdefault(index.collection, []).append(index)
        for name, indexes in of_collection.items():
            await _make_indexes(client[database.name][name], indexes)
    await _claim_zone(client[database.name], database, zone)


async def _claim_zone(
    store: "AsyncIOMotorDatabase[Document]", database: Database, zone: ZoneInfo
) -> None:
    """Hold on to the zone whose days the sheets are; without sheets it may still change."""
    standing = await database.settings.claim("zone", zone.key)
    if standing == zone.key:
        return
    if await store.sheets.find_one({}, {"_id": 1}) is not None:
        raise StartError(
            f"database {database.name} holds readings by days of {standing}; "
            f"site.zone cannot become {zone.key}"
        )
    await database.settings.set("zone", zone.key)


async def _make_indexes(
    collection: "AsyncIOMotorCollection[Document]", indexes: Sequence[Index]
) -> None:
    """Make the indexes of a collection, or change after how long what is in it expires."""
    models = [IndexModel(index.keys, **index.options) for index in indexes]
    try:
        await collection.create_indexes(models)  # All in one go, or none.
    except OperationFailure as error:
        if error.code != INDEX_OPTIONS_CONFLICT:
            raise
        for index in indexes:
            await _change_index(collection, index)


async def _change_index(collection: "AsyncIOMotorCollection[Document]", index: Index) -> None:
    try:
        await collection.create_index(index.keys, **index.options)
    except OperationFailure as error:
        if error.code != INDEX_OPTIONS_CONFLICT:
            raise
        change = {"keyPattern": dict(index.keys), **index.options}
        await collection.database.command({"collMod": collection.name, "index": change})


async def _make_collections(database: "AsyncIOMotorDatabase[Document]") -> None:
    """Schema 1: make the large collections, compressed well."""
    for name in ("sheets", "frames"):
        await make_compressed(database, name)


# Number n brings schema n-1 to n. Each may be cut off and run again.
MIGRATIONS = (_make_collections, make_coverage)
SCHEMA_VERSION = len(MIGRATIONS)
