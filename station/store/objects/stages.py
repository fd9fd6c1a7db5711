"""The stages in the life of a terminal or meter, and what collection does in each. Pure.

planned: it will be there; installed: it is there, and is being tried; active: it is read;
suspended: it is there, but is not read for a while; removed: it is gone, and its readings stay.
Tasks read what is active, over an active end; a person may ask all but what is removed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from station.errors import Conflict

if TYPE_CHECKING:
    from station.store.objects.meters import Meter
    from station.store.objects.terminals import Terminal

ACTIVE, REMOVED = "active", "removed"
STAGES = ("planned", "installed", ACTIVE, "suspended", REMOVED)


def check_there(thing: "Meter | Terminal") -> None:
    """Check that a meter or terminal has not been removed. Raises Conflict."""
    if thing.stage == REMOVED:
        raise Conflict(f"{thing.address} is removed: nothing is sent to it")


def is_read(meter: "Meter", terminals: "Mapping[str, Terminal]") -> bool:
    """Tell whether tasks read a meter; channels have no stages."""
    end = terminals.get(meter.link)
    return meter.stage == ACTIVE and (end is None or end.stage == ACTIVE)
