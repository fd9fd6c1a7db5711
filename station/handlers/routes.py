"""Every address of the station's pages and of its JSON, and the application that serves them."""

import logging
from functools import cache
from pathlib import Path
from typing import Any

from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from station.collector.items import ITEM_BY_CODE
from station.handlers import (
    health,
    live,
    overview,
    preferences,
    search,
    static,
)
from station.handlers.access import (
    audit,
    login,
    password,
    roles,
    sessions,
    tokens,
    totp,
    users,
)
from station.handlers.access.gate import PasswordGate
from station.handlers.access.identity import Tools
from station.handlers.access.staff import Staff
from station.handlers.archive import (
    anomalies,
    changes,
    channels,
    imports,
    meter_exchange,
    meters,
    places,
    stages,
    terminals,
    topology,
    tree,
)
from station.handlers.archive.archive_sentences import PLACE_KINDS, STAGE_HELP, STAGE_NAMES
from station.handlers.base import Handler, UnknownPage
from station.handlers.collection import (
    buses,
    completeness,
    failures,
    read_now,
    readings,
    runs,
    success,
    task_views,
    tasks,
)
from station.handlers.collection.bus_views import Buses
from station.handlers.collection.runs import KIND_NAMES, cause_name, item_name
from station.handlers.communication import (
    blocks,
    frames,
    links,
)
from station.handlers.control import (
    clock,
    commands,
    control_orders,
    parameter_orders,
    parameter_templates,
    parameters,
    protections,
)
from station.handlers.endings import Endings
from station.handlers.events import (
    alarm_rules,
    alarms,
    events,
)
from station.handlers.interface import explorer
from station.handlers.interface.document import Interface
from station.handlers.language import load_languages
from station.handlers.parts import Parts
from station.handlers.selling import (
    account_changes,
    accounts,
    agents,
    approvals,
    bench,
    cards,
    counter,
    customers,
    day_end,
    limits,
    order_views,
    orders,
    readers,
    receipts,
    shifts,
    tariffs,
)
from station.handlers.sentences import ROLE_NAMES
from station.handlers.sights import Sights
from station.handlers.tables import usual_table
from station.handlers.templating import make_environment
from station.handlers.today import Today
from station.prepaid.readers.agent_wire import LINK_PATH

STATIC = Path(__file__).parent / "static"
PING_INTERVAL_S = 30.0  # Keeps proxies from closing a quiet live page, and finds dead ones.

access_log = logging.getLogger("station.access")

# Address, handler. Each has a twin under /api that answers in JSON, but for the last ones.
PAGES: tuple[tuple[str, type[Handler]], ...] = (
    ("/login", login.LoginHandler),
    ("/logout", login.LogoutHandler),
    ("/language", preferences.LanguageHandler),
    ("/theme", preferences.ThemeHandler),
    ("/columns", preferences.ColumnsHandler),
    ("/password", password.PasswordHandler),
    ("/search", search.SearchHandler),
    ("/links", links.LinksHandler),
    ("/links/([^/]+)", links.LinkHandler),
    ("/links/([^/]+)/adopt", links.AdoptHandler),
    ("/links/([^/]+)/history", links.LinkHistoryHandler),
    ("/blocks", blocks.BlocksHandler),
    ("/blocks/([^/]+)", blocks.OneBlockHandler),
    ("/channels", channels.ChannelsHandler),
    ("/channels/([^/]+)", channels.OneChannelHandler),
    ("/tree", tree.TreeHandler),
    ("/tree/branch", tree.BranchHandler),
    ("/places", places.PlacesHandler),
    ("/places/([^/]+)", places.OnePlaceHandler),
    ("/places/([^/]+)/devices", places.TakeHandler),
    ("/places/([^/]+)/topology", topology.TopologyHandler),
    ("/changes", changes.ChangesHandler),
    ("/anomalies", anomalies.AnomaliesHandler),
    ("/terminals", terminals.TerminalsHandler),
    ("/terminals/([^/]+)", terminals.OneTerminalHandler),
    ("/terminals/([^/]+)/stage", stages.TerminalStageHandler),
    ("/meters", meters.MetersHandler),
    ("/meters/([^/]+)", meters.OneMeterHandler),
    ("/meters/([^/]+)/stage", stages.MeterStageHandler),
    ("/meters/([^/]+)/exchange", meter_exchange.ExchangeHandler),
    ("/meters/([^/]+)/ratio", meter_exchange.RatioHandler),
    ("/exchanges", meter_exchange.ExchangesHandler),
    ("/meters/([^/]+)/frames", read_now.EvidenceHandler),
    ("/meters/([^/]+)/read", read_now.ReadNowHandler),
    ("/imports", imports.ImportsHandler),
    ("/imports/([^/]+)", imports.OneImportHandler),
    ("/imports/([^/]+)/apply", imports.ApplyImportHandler),
    ("/imports/([^/]+)/undo", imports.UndoImportHandler),
    ("/exports/([^/]+)", imports.ExportHandler),
    ("/readings", readings.ReadingsHandler),
    ("/consumption", readings.ConsumptionHandler),
    ("/buses", buses.BusesHandler),
    ("/buses/([^/]+)", buses.OneBusHandler),
    ("/tasks", tasks.TasksHandler),
    ("/tasks/templates", tasks.TemplatesHandler),
    ("/tasks/preview", tasks.PreviewHandler),
    ("/tasks/([^/]+)", tasks.OneTaskHandler),
    ("/tasks/([^/]+)/run", tasks.RunTaskHandler),
    ("/tasks/([^/]+)/pause", tasks.PauseTaskHandler),
    ("/tasks/([^/]+)/plan", tasks.TaskPlanHandler),
    ("/runs", runs.RunsHandler),
    ("/runs/([^/]+)", runs.OneRunHandler),
    ("/runs/([^/]+)/cancel", runs.CancelRunHandler),
    ("/runs/([^/]+)/refill", runs.RefillRunHandler),
    ("/failures", failures.FailuresHandler),
    ("/success", success.SuccessHandler),
    ("/completeness", completeness.CompletenessHandler),
    ("/completeness/fill", completeness.FillHandler),
    ("/completeness/fills", completeness.FillsHandler),
    ("/meters/([^/]+)/refill", failures.RefillHandler),
    ("/meters/([^/]+)/forget", failures.ForgetHandler),
    ("/commands", commands.CommandsHandler),
    ("/commands/([^/]+)", commands.OneCommandHandler),
    ("/commands/([^/]+)/cancel", commands.CancelCommandHandler),
    ("/controls", control_orders.ControlOrdersHandler),
    ("/controls/dry_run", control_orders.DryRunControlHandler),
    ("/controls/look", control_orders.LookControlHandler),
    ("/controls/([^/]+)", control_orders.OneControlOrderHandler),
    ("/controls/([^/]+)/approve", control_orders.ApproveControlHandler),
    ("/controls/([^/]+)/refuse", control_orders.RefuseControlHandler),
    ("/controls/([^/]+)/cancel", control_orders.CancelControlHandler),
    ("/protected", protections.ProtectionsHandler),
    ("/protected/([^/]+)/lift", protections.LiftProtectionHandler),
    ("/clock", clock.ClocksHandler),
    ("/clock/check", clock.CheckClocksHandler),
    ("/clock/round", clock.ClockRoundHandler),
    ("/clock/synchronise", clock.SynchroniseHandler),
    ("/parameters", parameters.ParametersHandler),
    ("/parameters/read", parameter_orders.ReadParametersHandler),
    ("/parameters/dry_run", parameter_orders.DryRunHandler),
    ("/parameters/set", parameter_orders.SetParametersHandler),
    ("/parameters/batches/([^/]+)", parameter_orders.BatchHandler),
    ("/parameters/templates", parameter_templates.ParameterTemplatesHandler),
    ("/parameters/templates/([^/]+)", parameter_templates.OneParameterTemplateHandler),
    ("/terminals/([^/]+)/parameters", parameters.TerminalParametersHandler),
    ("/terminals/([^/]+)/parameters/([^/]+)", parameters.OneTerminalParameterHandler),
    ("/meters/([^/]+)/parameters", parameters.MeterParametersHandler),
    ("/meters/([^/]+)/parameters/([^/]+)", parameters.OneMeterParameterHandler),
    ("/events", events.EventsHandler),
    ("/alarms", alarms.AlarmsHandler),
    ("/alarms/rules", alarm_rules.AlarmRulesHandler),
    ("/alarms/rules/([^/]+)", alarm_rules.OneAlarmRuleHandler),
    ("/alarms/rules/([^/]+)/test", alarm_rules.TryAlarmRuleHandler),
    ("/alarms/rules/([^/]+)/mute", alarm_rules.MuteAlarmRuleHandler),
    ("/alarms/([^/]+)", alarms.OneAlarmHandler),
    ("/alarms/([^/]+)/acknowledge", alarms.AcknowledgeAlarmHandler),
    ("/alarms/([^/]+)/assign", alarms.AssignAlarmHandler),
    ("/alarms/([^/]+)/comment", alarms.CommentAlarmHandler),
    ("/alarms/([^/]+)/mute", alarms.MuteAlarmHandler),
    ("/alarms/([^/]+)/clear", alarms.ClearAlarmHandler),
    ("/counter", counter.CounterHandler),
    ("/counter/desk", counter.DeskChoiceHandler),
    ("/cards/read", cards.ReadCardHandler),
    ("/customers", customers.CustomersHandler),
    ("/customers/([^/]+)", customers.OneCustomerHandler),
    ("/accounts", accounts.AccountsHandler),
    ("/accounts/([^/]+)", accounts.OneAccountHandler),
    ("/accounts/([^/]+)/preview", accounts.PreviewHandler),
    ("/accounts/([^/]+)/purchases", accounts.PurchasesHandler),
    ("/accounts/([^/]+)/replacements", accounts.ReplacementsHandler),
    ("/accounts/([^/]+)/meter_change", account_changes.MeterChangeHandler),
    ("/accounts/([^/]+)/closing", account_changes.ClosingHandler),
    ("/accounts/([^/]+)/transfer", account_changes.TransferHandler),
    ("/accounts/([^/]+)/correction", account_changes.CorrectionHandler),
    ("/orders", orders.OrdersHandler),
    ("/orders/([^/]+)", orders.OneOrderHandler),
    ("/orders/([^/]+)/write", orders.WriteOrderHandler),
    ("/orders/([^/]+)/abandon", orders.AbandonOrderHandler),
    ("/orders/([^/]+)/reversal", orders.ReversalHandler),
    ("/orders/([^/]+)/receipt", receipts.OneReceiptHandler),
    ("/receipts", receipts.ReceiptsHandler),
    ("/shifts", shifts.ShiftsHandler),
    ("/shifts/([^/]+)", shifts.OneShiftHandler),
    ("/shifts/([^/]+)/close", shifts.CloseShiftHandler),
    ("/shifts/([^/]+)/report", shifts.ShiftReportHandler),
    ("/day_end", day_end.DayEndHandler),
    ("/limits", limits.LimitsHandler),
    ("/limits/([^/]+)", limits.OneLimitsHandler),
    ("/approvals", approvals.ApprovalsHandler),
    ("/audit", audit.AuditHandler),
    ("/audit/verify", audit.VerifyHandler),
    ("/audit/([^/]+)", audit.OneEntryHandler),
    ("/bench", bench.BenchHandler),
    ("/bench/reader", bench.PlugHandler),
    ("/bench/reader/card", bench.InsertHandler),
    ("/bench/cards/([^/]+)/carry", bench.CarryHandler),
    ("/bench/meters/([^/]+)/use", bench.UseHandler),
    ("/users", users.UsersHandler),
    ("/users/([^/]+)", users.OneUserHandler),
    ("/users/([^/]+)/disable", users.DisableUserHandler),
    ("/users/([^/]+)/enable", users.EnableUserHandler),
    ("/users/([^/]+)/reset", users.ResetPasswordHandler),
    ("/users/([^/]+)/totp", users.UserTotpHandler),
    ("/users/([^/]+)/sessions", sessions.UserSessionsHandler),
    ("/sessions", sessions.SessionsHandler),
    ("/sessions/end", sessions.EndSessionsHandler),
    ("/sessions/([^/]+)", sessions.OneSessionHandler),
    ("/tokens", tokens.TokensHandler),
    ("/totp", totp.TotpHandler),
    ("/totp/confirm", totp.ConfirmTotpHandler),
    ("/totp/off", totp.StopTotpHandler),
    ("/roles", roles.RolesHandler),
    ("/roles/([^/]+)", roles.OneRoleHandler),
    ("/agents", agents.AgentsHandler),
    ("/agents/pair", agents.PairAgentHandler),
    ("/agents/([^/]+)", agents.OneAgentHandler),
    ("/readers", readers.ReadersHandler),
    ("/frames", frames.FramesHandler),
    ("/frames/decode", frames.DecodeHandler),
    ("/tariffs", tariffs.TariffsHandler),
    ("/tariffs/preview", tariffs.DraftHandler),
    ("/tariffs/([^/]+)", tariffs.OneTariffHandler),
    ("/tariffs/([^/]+)/preview", tariffs.TariffPreviewHandler),
    ("/tariffs/([^/]+)/submit", tariffs.SubmitTariffHandler),
    ("/tariffs/([^/]+)/approve", tariffs.ApproveTariffHandler),
    ("/tariffs/([^/]+)/withdraw", tariffs.WithdrawTariffHandler),
)
FORMS: tuple[tuple[str, type[Handler]], ...] = (
    ("/alarms/rules/new", alarm_rules.NewAlarmRuleHandler),
    ("/approvals/new", approvals.NewApprovalHandler),
    ("/channels/new", channels.NewChannelHandler),
    ("/channels/([^/]+)/edit", channels.EditChannelHandler),
    ("/places/new", places.NewPlaceHandler),
    ("/places/offered", places.OfferedHandler),
    ("/places/([^/]+)/edit", places.EditPlaceHandler),
    ("/terminals/new", terminals.NewTerminalHandler),
    ("/terminals/([^/]+)/edit", terminals.EditTerminalHandler),
    ("/meters/new", meters.NewMeterHandler),
    ("/meters/([^/]+)/edit", meters.EditMeterHandler),
    ("/controls/new", control_orders.NewControlHandler),
    ("/meters/([^/]+)/commands/new", commands.NewCommandHandler),
    ("/meters/([^/]+)/commands/confirm", commands.ConfirmCommandHandler),
    ("/login/code", login.LoginCodeHandler),
    ("/users/new", users.NewUserHandler),
    ("/roles/new", roles.NewRoleHandler),
    ("/tariffs/new", tariffs.NewTariffHandler),
    ("/customers/new", customers.NewCustomerHandler),
    ("/customers/([^/]+)/edit", customers.EditCustomerHandler),
    ("/accounts/new", accounts.NewAccountHandler),
    ("/parameters/choose", parameters.ChooseParameterHandler),
    ("/tasks/new", tasks.NewTaskHandler),
    ("/tasks/([^/]+)/edit", tasks.EditTaskHandler),
)


def routes() -> list[tuple[str, type[RequestHandler]]]:
    """Return every address, as a pattern, with its handler; forms stand before what they match."""
    return [
        ("/", overview.OverviewHandler),
        ("/api/overview", overview.OverviewHandler),
        ("/healthz", health.HealthHandler),
        ("/api", explorer.ExplorerHandler),
        ("/api/openapi.json", explorer.DocumentHandler),
        ("/live", live.LiveHandler),
        (LINK_PATH, agents.AgentLinkHandler),
        *FORMS,
        *((f"(?:/api)?{pattern}", handler) for pattern, handler in PAGES),
    ]


@cache
def interface() -> Interface:
    """Return what programs can ask for."""
    return Interface(routes())


def make_application(parts: Parts, *, cookie_secret: str) -> Application:
    """Return the application of all pages."""
    languages = load_languages()
    zone = parts.config.site.zone_info
    environments = {code: make_environment(each, zone) for code, each in languages.items()}
    for environment in environments.values():
        environment.globals.update(
            items=ITEM_BY_CODE,
            item_name=item_name,
            cause_name=cause_name,
            kind_names=KIND_NAMES,
            source_names=readings.SOURCE_NAMES,
            quality_names=readings.QUALITY_NAMES,
            decoded_names=frames.DECODED_NAMES,
            role_names=ROLE_NAMES,
            place_kinds=PLACE_KINDS,
            stages=STAGE_NAMES,
            stage_help=STAGE_HELP,
            has_bench=parts.bench is not None,
            periods=task_views.PERIOD_NAMES,
            cron_names=task_views.CRON_NAMES,
            usual={
                "runs": usual_table(runs.COLUMNS),
                "orders": usual_table(order_views.COLUMNS),
                "account_orders": usual_table(order_views.OWN_COLUMNS),
            },
        )
    given: dict[str, Any] = {
        "parts": parts,
        "tools": Tools(
            languages,
            environments,
            PasswordGate(parts.database.attempts),
            Staff(parts.database),
            Today(parts),
            Buses(parts.budget),
            Sights(parts),
            Endings(parts.feed, parts.database.orders),
        ),
    }
    return Application(
        [URLSpec(pattern + "$", handler, given) for pattern, handler in routes()],
        cookie_secret=cookie_secret,
        xsrf_cookie_version=2,
        xsrf_cookie_kwargs={"httponly": True, "samesite": "Lax"},
        hsts_days=parts.config.web.hsts_days,
        interface=interface(),
        compress_response=True,
        static_path=str(STATIC),
        static_handler_class=static.StaticHandler,
        default_handler_class=UnknownPage,
        default_handler_args=given,
        log_function=_log_request,
        websocket_ping_interval=PING_INTERVAL_S,
        websocket_max_message_size=1024,
    )


def _log_request(handler: RequestHandler) -> None:
    status = handler.get_status()
    level = logging.WARNING if status >= 500 else logging.DEBUG
    access_log.log(
        level,
        "%d %s %s %.1f ms",
        status,
        handler.request.method,
        handler.request.path,
        1000 * handler.request.request_time(),
    )
