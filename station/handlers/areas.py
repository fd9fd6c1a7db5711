"""Who works in areas deals with their devices, and learns nothing of the rest of the site.

One table says of each address how it keeps to the areas. What is not in it is closed to people with
areas, so that a page which is forgotten here shows too little and never too much. An account, its
orders and its receipts lie where its meter lies; a customer lies wherever an account is theirs.
"""

from collections.abc import Collection, Sequence
from enum import Enum
from urllib.parse import unquote

from station.errors import NotFound
from station.handlers.parts import Parts
from station.handlers.sights import Sight


class Keeps(Enum):
    """How an address keeps to the areas of the person who asks."""

    FREE = "it tells of no device"
    ITSELF = "its handler shows only what lies in the areas"
    DEVICE = "it names a device, which has to lie there"
    ASKED = "its query names devices, which have to lie there; without one it is closed"
    ACCOUNT = "it names an account, whose meter has to lie there"
    ORDER = "it names an order, whose meter has to lie there"
    CUSTOMER = "it names a customer, who has to have an account there"
    LOOK = "it is the whole site's: they look at what concerns them, and change nothing"


WAYS: dict[str, Keeps] = {
    **dict.fromkeys(
        (
            "/healthz", "/login", "/login/code", "/logout", "/language", "/theme", "/columns",
            "/password",
            "/sessions", "/sessions/end", "/sessions/*", "/tokens",
            "/totp", "/totp/confirm", "/totp/off", "/frames/decode",
            "/users", "/users/new", "/users/*", "/users/*/disable", "/users/*/enable",
            "/users/*/reset", "/users/*/totp", "/users/*/sessions",
            "/roles", "/roles/new", "/roles/*",
            "/api", "", "/openapi.json",  # The middle one is what is left of the first.
            "/readers", "/counter/desk",
        ),
        Keeps.FREE,
    ),
    **dict.fromkeys(
        (
            "/tariffs", "/tariffs/*", "/tariffs/*/preview",
            "/tasks", "/tasks/*", "/tasks/*/plan", "/tasks/templates",
        ),
        Keeps.LOOK,
    ),
    **dict.fromkeys(
        (
            "/tree", "/tree/branch", "/places", "/places/new", "/places/offered", "/places/*",
            "/places/*/edit", "/places/*/topology",
            "/places/*/devices", "/changes", "/anomalies", "/exchanges",
            "/terminals", "/terminals/new", "/meters", "/meters/new",
            "/alarms", "/alarms/*", "/alarms/*/acknowledge",
            "/alarms/*/assign", "/alarms/*/comment",
            "/alarms/*/mute", "/alarms/*/clear",
            "/imports", "/imports/*", "/imports/*/apply", "/imports/*/undo",
            "/exports/terminals", "/exports/meters",
            "/links", "/events", "/commands", "/commands/*", "/commands/*/cancel",
            "/controls", "/controls/new", "/controls/dry_run", "/controls/look", "/controls/*",
            "/controls/*/approve", "/controls/*/refuse", "/controls/*/cancel",
            "/protected", "/protected/*/lift",
            "/search", "/live",
            "/", "/overview", "/frames",
            "/buses", "/buses/*", "/runs", "/runs/*", "/runs/*/refill", "/failures", "/success",
            "/completeness", "/completeness/fill", "/completeness/fills",
            "/counter", "/cards/read", "/customers", "/customers/new", "/accounts", "/accounts/new",
            "/orders", "/receipts", "/shifts", "/shifts/*", "/shifts/*/close", "/shifts/*/report",
            "/day_end", "/approvals", "/approvals/new", "/limits", "/limits/*",
        ),
        Keeps.ITSELF,
    ),
    **dict.fromkeys(
        (
            "/terminals/*", "/terminals/*/edit", "/terminals/*/stage",
            "/terminals/*/parameters", "/terminals/*/parameters/*",
            "/meters/*", "/meters/*/edit", "/meters/*/stage", "/meters/*/exchange",
            "/meters/*/ratio", "/meters/*/frames", "/meters/*/read", "/meters/*/refill",
            "/meters/*/forget", "/meters/*/parameters", "/meters/*/parameters/*",
            "/meters/*/commands/new", "/meters/*/commands/confirm",
            "/links/*", "/links/*/history",
        ),
        Keeps.DEVICE,
    ),
    **dict.fromkeys(("/readings", "/consumption"), Keeps.ASKED),
    **dict.fromkeys(
        (
            "/accounts/*", "/accounts/*/preview", "/accounts/*/purchases",
            "/accounts/*/replacements", "/accounts/*/meter_change", "/accounts/*/closing",
            "/accounts/*/transfer", "/accounts/*/correction",
        ),
        Keeps.ACCOUNT,
    ),
    **dict.fromkeys(
        (
            "/orders/*", "/orders/*/write", "/orders/*/abandon", "/orders/*/reversal",
            "/orders/*/receipt",
        ),
        Keeps.ORDER,
    ),
    **dict.fromkeys(("/customers/*", "/customers/*/edit"), Keeps.CUSTOMER),
}  # fmt: skip
DEVICE_QUERIES = ("meter", "terminal", "link")  # Names of values that name a device.


async def check_device(parts: Parts, areas: Collection[str], address: str) -> None:
    """Check that a terminal or meter lies in these areas. Raises NotFound, as if it were not."""
    within = await parts.archive.places_of(areas)
    if within is None or within.has_terminal(address):
        return
    meter = await parts.database.meters.find(address)
    if meter is None or not within.has_meter(meter.place, meter.link):
        raise NotFound(f"there is no device {address}")


async def check_account(parts: Parts, areas: Collection[str], account_id: str) -> None:
    """Check that an account's meter lies in these areas. Raises NotFound, as if it were not."""
    account = await parts.database.accounts.find(account_id)
    if account is not None and await _lies_in(parts, areas, account.meter):
        return
    raise NotFound(f"there is no account {account_id}")


async def check_order(parts: Parts, areas: Collection[str], order_id: str) -> None:
    """Check that an order's meter lies in these areas. Raises NotFound, as if it were not."""
    order = await parts.database.orders.find(order_id)
    if order is not None and await _lies_in(parts, areas, order.meter):
        return
    raise NotFound(f"there is no order {order_id}")


async def customers_in(parts: Parts, sight: Sight, person: str) -> set[str]:
    """Return the customers with an account in sight, and those without any whom one has entered."""
    database = parts.database
    entered = await database.customers.entered_by(person)
    accounts = await database.accounts.of_customers([*entered])
    elsewhere = {number for each in accounts for number in (each.customer, each.owner)}
    return await database.accounts.owners_at(sight.meters) | (entered - elsewhere)


async def _lies_in(parts: Parts, areas: Collection[str], meter: str) -> bool:
    try:
        await check_device(parts, areas, meter)
    except NotFound:
        return False
    return True


def shape_of(path: str, varying: Sequence[str]) -> str:
    """Return an address with a star for each part that varies: `/terminals/*/edit`."""
    left = list(varying)
    words = []
    for word in reversed(path.removeprefix("/api").split("/")):
        if left and left[-1] is not None and unquote(word) == left[-1]:
            left.pop()
            words.append("*")
        else:
            words.append(word)
    return "/".join(reversed(words))


def way_of(path: str, varying: Sequence[str]) -> Keeps | None:
    """Return how an address keeps to the areas; None when it is closed to people with areas."""
    return WAYS.get(path.removeprefix("/api")) or WAYS.get(shape_of(path, varying))


def is_open(path: str) -> bool:
    """Tell whether an address, with a star for what varies, is open to people with areas."""
    return WAYS.get(path) not in (None, Keeps.ASKED)
