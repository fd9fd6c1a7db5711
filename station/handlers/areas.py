"""Who works in areas deals with their devices, and learns nothing of the rest of the site.

One table says of each address how it keeps to the areas. What is not in it is closed to people with
areas, so that a page which is forgotten here shows too little and never too much. The counter and
its money, runs and tasks are the whole site's: they are for people without areas.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import unquote

from station.errors import NotFound
from station.handlers.parts import Parts

HOME = "/tree"  # Where people with areas begin: the overview is the whole site's.


class Keeps(Enum):
    """How an address keeps to the areas of the person who asks."""

    FREE = "it tells of no device"
    ITSELF = "its handler shows only what lies in the areas"
    DEVICE = "it names a device, which has to lie there"
    ASKED = "its query names devices, which have to lie there; without one it is closed"


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
        ),
        Keeps.FREE,
    ),
    **dict.fromkeys(
        (
            "/tree", "/tree/branch", "/places", "/places/new", "/places/offered", "/places/*",
            "/places/*/edit", "/places/*/devices", "/changes", "/anomalies", "/exchanges",
            "/terminals", "/terminals/new", "/meters", "/meters/new",
            "/alarms", "/alarms/*", "/alarms/*/acknowledge", "/alarms/*/comment",
            "/alarms/*/mute", "/alarms/*/clear",
            "/imports", "/imports/*", "/imports/*/apply", "/imports/*/undo",
            "/exports/terminals", "/exports/meters",
            "/links", "/events", "/commands", "/commands/*", "/commands/*/cancel",
            "/search", "/live",
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
    **dict.fromkeys(("/readings", "/consumption", "/frames"), Keeps.ASKED),
}  # fmt: skip
DEVICE_QUERIES = ("meter", "terminal", "link")  # Names of values that name a device.


@dataclass(frozen=True)
class Sight:
    """The devices that lie in a person's areas, by their addresses."""

    terminals: frozenset[str]
    meters: frozenset[str]

    @property
    def devices(self) -> frozenset[str]:
        """Both kinds together."""
        return self.terminals | self.meters

    def heard(self, topic: str, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return what of an announcement a person with areas may hear, None for nothing.

        Of an alarm or an import only that there is one: the page that asks shows the right part.
        """
        if topic in ("alarms", "imports"):
            return {}
        meter = message.get("meter")
        if meter:
            return message if meter in self.devices else None
        for name in ("link", "address", "device"):
            if message.get(name):
                return message if message[name] in self.devices else None
        return None


async def sight_of(parts: Parts, areas: Collection[str]) -> Sight | None:
    """Return the devices in these areas; None, that is all, for no areas."""
    within = await parts.archive.places_of(areas)
    if within is None:
        return None
    return Sight(within.terminals, frozenset(await parts.database.meters.addresses(within)))


async def check_device(parts: Parts, areas: Collection[str], address: str) -> None:
    """Check that a terminal or meter lies in these areas. Raises NotFound, as if it were not."""
    within = await parts.archive.places_of(areas)
    if within is None or within.has_terminal(address):
        return
    meter = await parts.database.meters.find(address)
    if meter is None or not within.has_meter(meter.place, meter.link):
        raise NotFound(f"there is no device {address}")


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
    """Tell whether a page is open to people with areas."""
    return WAYS.get(path) in (Keeps.FREE, Keeps.ITSELF)
