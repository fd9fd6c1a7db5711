"""The one table of indexes: how pages find things fast, and what cannot be there twice."""

from dataclasses import dataclass
from typing import Any

from station.store.driver import Order
from station.store.objects.alarm_rules import MESSAGE_DAYS
from station.store.objects.alarms import KEPT_DAYS as ALARM_DAYS
from station.store.objects.attempts import KEPT_S as ATTEMPTS_S
from station.store.objects.events import KEPT_DAYS as EVENT_DAYS
from station.store.objects.limits import APPROVAL_IDS
from station.store.objects.link_events import KEPT_DAYS as LINK_EVENT_DAYS
from station.store.objects.traffic import KEPT_DAYS as TRAFFIC_DAYS

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Index:
    """One index of one collection; `options` are the server's own words."""

    collection: str
    keys: Order
    options: dict[str, Any]


INDEXES = (
    Index("meters", [("link", 1), ("_id", 1)], {}),
    Index("meters", [("name", 1), ("_id", 1)], {}),
    Index("meters", [("stage", 1), ("_id", 1)], {}),
    Index("meters", [("groups", 1)], {}),
    Index("meters", [("place", 1)], {}),
    Index("ends", [("place", 1)], {}),
    Index("places", [("parent", 1), ("name", 1)], {"unique": True}),
    Index(
        "places",
        [("code", 1)],
        {"unique": True, "partialFilterExpression": {"code": {"$gt": ""}}},
    ),
    Index("meter_exchanges", [("old", 1), ("at", 1)], {}),
    Index("meter_exchanges", [("new", 1), ("at", 1)], {}),
    Index("meter_exchanges", [("at", -1), ("_id", -1)], {}),
    Index("ratio_changes", [("meter", 1), ("at", 1)], {}),
    Index("ratio_changes", [("at", -1), ("_id", -1)], {}),
    Index("changes", [("object", 1), ("key", 1), ("at", -1), ("_id", -1)], {}),
    Index("changes", [("at", -1), ("_id", -1)], {}),
    Index("meter_health", [("failures", -1), ("_id", 1)], {}),
    # Four years of success rates: one year beside the others.
    Index("meter_days", [("at", 1), ("meter", 1)], {}),
    Index("meter_days", [("at", 1)], {"expireAfterSeconds": 4 * 366 * DAY_S}),
    Index("links", [("station", 1), ("state", 1)], {}),
    Index("link_events", [("address", 1), ("at", -1), ("_id", -1)], {}),
    Index("link_events", [("at", 1)], {"expireAfterSeconds": LINK_EVENT_DAYS * DAY_S}),
    Index("traffic", [("address", 1), ("day", 1)], {}),
    Index("traffic", [("day", 1)], {"expireAfterSeconds": TRAFFIC_DAYS * DAY_S}),
    Index("runs", [("started_at", -1), ("_id", -1)], {}),
    Index("runs", [("task_id", 1), ("started_at", -1), ("_id", -1)], {}),
    Index("runs", [("station", 1), ("state", 1)], {}),
    Index("frames", [("link", 1), ("at", -1)], {}),
    Index("frames", [("meter", 1), ("at", -1)], {}),
    Index("frames", [("functions", 1), ("at", -1)], {}),
    Index("commands", [("request_id", 1)], {"unique": True}),
    Index("commands", [("station", 1), ("state", 1)], {}),
    Index("commands", [("state", 1), ("_id", -1)], {}),
    Index("commands", [("meter", 1), ("_id", -1)], {}),
    Index("commands", [("batch", 1), ("_id", -1)], {}),
    Index("control_orders", [("request_id", 1)], {"unique": True}),
    Index("control_orders", [("station", 1), ("state", 1), ("issued", 1)], {}),
    Index("control_orders", [("state", 1), ("_id", -1)], {}),
    # One standing entry of the keep-power list for each device.
    Index(
        "protections",
        [("address", 1)],
        {"unique": True, "partialFilterExpression": {"is_open": True}},
    ),
    Index("parameters", [("device", 1)], {}),
    Index("clocks", [("off_ms", -1), ("_id", 1)], {}),
    Index("clocks", [("drift_off_ms", -1), ("_id", 1)], {}),
    Index("parameter_templates", [("name", 1)], {"unique": True}),
    Index("parameters", [("state", 1), ("_id", 1)], {}),
    Index("events", [("received_at", -1), ("_id", -1)], {}),
    Index("events", [("received_at", 1)], {"expireAfterSeconds": EVENT_DAYS * DAY_S}),
    Index("events", [("link", 1), ("received_at", -1)], {}),
    Index("events", [("meter", 1), ("received_at", -1)], {}),
    # One alarm that stands for each cause.
    Index(
        "alarms",
        [("station", 1), ("cause", 1)],
        {"unique": True, "partialFilterExpression": {"stands": True}},
    ),
    Index("alarms", [("station", 1), ("cause", 1), ("_id", -1)], {}),
    Index("alarms", [("stands", 1), ("rank", 1), ("raised_at", -1), ("_id", -1)], {}),
    Index("alarms", [("cleared_at", 1)], {"expireAfterSeconds": ALARM_DAYS * DAY_S}),
    Index("alarm_messages", [("rule", 1), ("alarm", 1), ("act", 1)], {"unique": True}),
    Index("alarm_messages", [("station", 1), ("state", 1), ("due_at", 1)], {}),
    Index("alarm_messages", [("created_at", -1), ("_id", -1)], {}),
    Index("alarm_messages", [("ended_at", 1)], {"expireAfterSeconds": MESSAGE_DAYS * DAY_S}),
    Index(
        "shifts",
        [("clerk", 1)],
        {"unique": True, "partialFilterExpression": {"state": "open"}, "name": "one_open"},
    ),
    Index(
        "shifts",
        [("number", 1)],
        {"unique": True, "partialFilterExpression": {"number": {"$type": "number"}}},
    ),
    Index("shifts", [("clerk", 1), ("_id", -1)], {}),
    Index("shifts", [("opened_at", 1)], {}),
    # The rules of selling: one living account for each meter; one order for each request; one
    # unfinished order, and one standing order for each purchase count, of an account.
    Index(
        "accounts",
        [("meter", 1)],
        {"unique": True, "partialFilterExpression": {"living": True}},
    ),
    Index("accounts", [("meter", 1), ("_id", -1)], {}),
    Index("accounts", [("customer", 1), ("_id", 1)], {}),
    Index("customers", [("name", 1), ("_id", 1)], {}),
    Index("accounts", [("owner", 1)], {}),
    Index("accounts", [("card_serial", 1)], {}),
    Index("accounts", [("tariff", 1), ("state", 1)], {}),
    Index("orders", [("request_id", 1)], {"unique": True}),
    Index(
        "orders",
        [("account", 1)],
        {"unique": True, "partialFilterExpression": {"state": "reserved"}},
    ),
    Index(
        "orders",
        [("account", 1), ("count", 1)],
        {"unique": True, "partialFilterExpression": {"holds_count": True}},
    ),
    Index("orders", [("account", 1), ("_id", -1)], {}),
    Index("orders", [("state", 1), ("_id", 1)], {}),
    Index("orders", [("by", 1), ("_id", -1)], {}),
    Index("orders", [("at", 1)], {}),
    Index("orders", [("meter", 1), ("_id", -1)], {}),
    Index("orders", [("shift", 1), ("_id", 1)], {}),
    Index("orders", [("ended_shift", 1), ("_id", 1)], {}),
    # An approval is spent by the one order that bears it.
    Index(
        "orders",
        [("approved_by", 1)],
        {"unique": True, "partialFilterExpression": {"approved_by": APPROVAL_IDS}},
    ),
    Index("receipts", [("number", 1)], {"unique": True}),
    Index("receipts", [("meter", 1), ("number", -1)], {}),
    Index("customers", [("created_by", 1)], {}),
    Index("prints", [("receipt", 1), ("ordinal", 1)], {}),
    Index("tariffs", [("tariff", 1), ("number", -1)], {"unique": True}),
    Index("tariffs", [("tariff", 1), ("state", 1), ("effective_on", -1), ("number", -1)], {}),
    Index("reader_uses", [("station", 1), ("workplace", 1), ("used_at", -1)], {}),
    Index("reader_agents", [("token_hash", 1)], {"unique": True}),
    # An act has one entry, however often it is written.
    Index("audit", [("id", 1)], {"unique": True}),
    Index("audit", [("who", 1), ("_id", -1)], {}),
    Index("audit", [("act", 1), ("_id", -1)], {}),
    Index("audit", [("at", 1)], {}),
    Index("audit_begun", [("station", 1), ("_id", 1)], {}),
    Index("imports", [("by", 1), ("_id", -1)], {}),
    Index("imports", [("expires_at", 1)], {"expireAfterSeconds": 0}),
    Index("import_rows", [("import", 1), ("number", 1)], {}),
    Index("import_rows", [("import", 1), ("outcome", 1), ("number", 1)], {}),
    Index("import_rows", [("import", 1), ("order", 1)], {}),
    Index("imports", [("station", 1), ("heading", 1)], {}),
    Index("import_rows", [("expires_at", 1)], {"expireAfterSeconds": 0}),
    Index("attempts", [("last_at", 1)], {"expireAfterSeconds": ATTEMPTS_S}),
    Index("sessions", [("user", 1)], {}),
    Index("table_choices", [("user", 1)], {}),
    Index("sessions", [("expires_at", 1)], {"expireAfterSeconds": 0}),
)
