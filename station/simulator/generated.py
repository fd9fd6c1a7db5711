"""Sites of any size, made from a few numbers: the same ones from the same numbers. Pure.

Meters share some loads, because a load of its own costs each meter milliseconds and memory.
Terminals are 98000001, 98000002, ..; the meters of terminal 7 are 980007000001, 980007000002, ..
"""

from random import Random

from station.simulator.site import LineSite, MeterSite, Site, TerminalSite
from station.words import Text

TERMINALS_MAX = 9_999  # As many as the addresses have digits for.
METERS_MAX = 2_000  # Behind one terminal; 1376.1 numbers 2,040 points.
LOADS = 40  # Different loads, given to the meters in turn.
HEARTBEAT_S = 60.0
REDIAL_S = 1.0


def generate(
    terminals: int,
    meters: int,
    *,
    delay_ms: int = 50,
    dead: float = 0.0,
    lost: float = 0.0,
    seed: int = 1,
) -> Site:
    """Return a site of so many terminals with so many meters each, all on one line of a terminal.

    An exchange takes `delay_ms`; the share `dead` of the meters never answers, and of the answers
    of the others the share `lost` does not arrive. A terminal tells so, as usual, at once after
    the time that it waits (`silence_ms` of the site).
    """
    count = terminals * meters
    silent = frozenset(Random(f"{seed}/dead").sample(range(count), round(dead * count)))
    return Site(
        terminals=tuple(
            TerminalSite(
                address=f"9800{number + 1:04d}",
                name=Text(f"Area {number + 1}", f"台区{number + 1}"),
                heartbeat_s=HEARTBEAT_S,
                redial_s=REDIAL_S,
                delay_ms=(delay_ms, delay_ms),
                lines=(
                    LineSite(
                        meters=tuple(
                            _meter(number, place, number * meters + place in silent, lost)
                            for place in range(meters)
                        )
                    ),
                ),
            )
            for number in range(terminals)
        )
    )


def _meter(terminal: int, place: int, dead: bool, lost: float) -> MeterSite:
    load = (terminal + place) % LOADS
    return MeterSite(
        address=f"98{terminal + 1:04d}{place + 1:06d}",
        name=Text(f"Home {terminal + 1}-{place + 1}", f"住户{terminal + 1}-{place + 1}"),
        load_of=f"980000{load:06d}",
        dead=dead,
        lost=lost,
    )
