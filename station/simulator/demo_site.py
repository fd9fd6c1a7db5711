"""The site of `station demo`: every protocol, and most of what goes wrong on a real site."""

from typing import Any

from station.protocols.dlt645.frame import Version
from station.simulator.site import DLT698, LineSite, MeterSite, Site, TerminalSite
from station.words import Text


def _meters(
    first: int, count: int, en: str, zh: str, exceptions: dict[int, dict[str, Any]], **usual: Any
) -> tuple[MeterSite, ...]:
    """Return meters 9900_0000_0ttn in a row; `exceptions` are by the last two digits."""
    return tuple(
        MeterSite(
            address=f"990000000{number:03d}",
            name=Text(f"{en} {number % 100}", f"{zh}{number % 100}"),
            **{**usual, **exceptions.get(number, {})},
        )
        for number in range(first, first + count)
    )


_OLD: dict[str, Any] = {"protocol": Version.V1997, "profile_interval_min": 0}
_THREE: dict[str, Any] = {"phases": 3}
_QUICK = (20, 40)  # A day and more of 32 meters is there within a minute.

DEMO_SITE = Site(
    terminals=(
        TerminalSite(
            address="99000001",
            delay_ms=_QUICK,
            name=Text("Riverside area 1", "河畔台区1"),
            lines=(
                LineSite(
                    meters=_meters(
                        101,
                        8,
                        "Riverside home",
                        "河畔住户",
                        {103: {"photovoltaic": True}, 106: {"prepaid": True}},
                    ),
                ),
            ),
        ),
        TerminalSite(
            address="99000002",
            delay_ms=_QUICK,
            name=Text("Market street", "集市街台区"),
            silence="empty",
            lines=(
                LineSite(
                    meters=_meters(
                        201,
                        5,
                        "Market shop",
                        "集市商铺",
                        {202: _THREE, 204: {"dead": True}, 205: {"prepaid": True}},
                        shape="shop",
                    ),
                ),
                LineSite(
                    port=3,
                    settings="1200 8E1",
                    meters=_meters(
                        206, 3, "Market shop", "集市商铺", {207: _THREE}, shape="shop", **_OLD
                    ),
                ),
            ),
        ),
        TerminalSite(
            address="99000003",
            delay_ms=_QUICK,
            name=Text("Workshop park", "工坊园区"),
            lines=(
                LineSite(
                    meters=_meters(
                        301,
                        5,
                        "Workshop",
                        "工坊",
                        {304: {"photovoltaic": True}},
                        shape="workshop",
                        phases=3,
                    ),
                ),
                LineSite(
                    port=3,
                    noise=0.15,
                    meters=_meters(306, 3, "Workshop", "工坊", {}, shape="workshop", phases=3),
                ),
            ),
        ),
        TerminalSite(
            address="99000004",
            delay_ms=_QUICK,
            name=Text("Pumping stations", "灌溉泵站"),
            silence="nothing",
            drop_after_s=120,
            lines=(
                LineSite(
                    meters=_meters(
                        401,
                        4,
                        "Pump",
                        "水泵",
                        {402: {"clock_offset_s": 130}},
                        shape="pump",
                        phases=3,
                    ),
                ),
                LineSite(
                    port=3,
                    settings="1200 8E1",
                    meters=_meters(405, 4, "Pump house", "泵房", {408: _THREE}, tariffs=1, **_OLD),
                ),
            ),
        ),
        TerminalSite(
            address="99000005",
            delay_ms=_QUICK,
            name=Text("Station road", "车站路台区"),
            collects=True,
            event_every_s=600,
            lines=(LineSite(meters=_meters(501, 4, "Road home", "车站路住户", {})),),
        ),
        TerminalSite(
            protocol=DLT698,
            address="990000000006",
            delay_ms=_QUICK,
            name=Text("New town", "新城台区"),
            event_every_s=900,
            lines=(
                LineSite(
                    settings="9600 8E1",
                    meters=_meters(601, 4, "Town home", "新城住户", {604: _THREE}, protocol=DLT698),
                ),
            ),
        ),
        TerminalSite(
            protocol="dtu",
            address="waterworks",
            registration=b"DTU-WATERWORKS".hex(),
            heartbeat="FE",
            delay_ms=_QUICK,
            name=Text("Waterworks", "自来水厂"),
            lines=(
                LineSite(
                    settings="9600 8E1",
                    meters=_meters(701, 2, "Water pump", "水厂水泵", {}, shape="pump", phases=3),
                ),
            ),
        ),
    )
)
