"""The small sites of these tests."""

from station.protocols.dlt645 import Version
from station.simulator.site import LineSite, MeterSite, Site, TerminalSite

TERMINAL, METER, OLD, DEAD = "99000001", "990000000101", "990000000102", "990000000103"
SITE = Site(
    terminals=(
        TerminalSite(
            address=TERMINAL,
            delay_ms=(1, 3),
            redial_s=0.1,
            lines=(
                LineSite(
                    meters=(
                        MeterSite(address=METER),
                        MeterSite(address=OLD, protocol=Version.V1997, profile_interval_min=0),
                        MeterSite(address=DEAD, dead=True),
                    )
                ),
            ),
        ),
    )
)
