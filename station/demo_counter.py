"""What the demonstration's counter begins with: two tariffs, customers, and two opened accounts.

Everything goes the way of a clerk, through selling and the card reader of the bench. Doing it again
changes nothing, so a start that was cut off is made good by the next one.
"""

import contextlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from station.app import Station
from station.errors import Conflict, StationError
from station.prepaid.readers.workplace import BOX
from station.prepaid.shifts import Shifts
from station.prepaid.terms import OpeningRequest
from station.simulator.bench import Bench
from station.store.objects.customers import Customer
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import local_day, utc_now
from station.words import Text

log = logging.getLogger(__name__)

CLERK = "admin"  # The only person of a new demonstration.
AUTHOR, SECOND_PERSON = "demo", "demo-2"  # Nobody approves prices of his own.
FLOAT_FEN = 500_00
CUSTOMER_PREFIX = "100"  # And the last nine digits of the meter.

HOME, SHOP = "HOME", "SHOP"
METERS = {
    "990000000106": HOME,
    "990000000101": HOME,
    "990000000102": HOME,
    "990000000205": SHOP,
    "990000000201": SHOP,
    "990000000501": HOME,
}

SWITCH_IN_DAYS = 40  # Until the backup set takes over; a purchase carries it to the meter.
TARIFFS = {
    HOME: (
        Text("Homes", "居民生活"),
        PriceSet(
            (Decimal("0.5283"),),
            (Decimal(230), Decimal(400)),
            (Decimal(0), Decimal("0.05"), Decimal("0.3")),
            "year",
            ((1, 1, 0),),
        ),
    ),
    SHOP: (
        Text("Shops and workshops", "一般工商业"),
        PriceSet((Decimal("1.2862"), Decimal("1.0718"), Decimal("0.6431"), Decimal("0.3216"))),
    ),
}
RISE = Decimal("0.0100")  # Yuan per kWh, in the backup set.


@dataclass(frozen=True)
class Opened:
    """An account that is there from the start; `used_fen` is what its meter has used since."""

    meter: str
    card: int
    amount_fen: int
    used_fen: int | None  # None: the card was not carried to the meter yet.


OPENED = (Opened("990000000106", 1, 100_00, 82_34), Opened("990000000205", 2, 500_00, None))


async def fill(station: Station, bench: Bench) -> None:
    """Enter what is not there yet; what fails is logged, and the demonstration goes on."""
    try:
        await _tariffs(station)
        await _customers(station)
        with contextlib.suppress(Conflict):  # The clerk's shift is open already.
            await Shifts(station.database.shifts).open(CLERK, FLOAT_FEN)
        for opened in OPENED:
            await _open(station, bench, opened)
    except StationError as error:
        log.warning("the counter of the demonstration is not complete: %s", error)


async def _tariffs(station: Station) -> None:
    zone, language = station.config.site.zone_info, station.config.site.language
    tariffs = station.database.tariffs
    for code, (name, prices) in TARIFFS.items():
        if await tariffs.versions(code):
            continue
        version = _version(code, name.zh if language == "zh" else name.en, prices, zone)
        version = await tariffs.add_version(version)
        await tariffs.submit(version.id, AUTHOR, utc_now())
        await tariffs.approve(version.id, SECOND_PERSON, utc_now())


def _version(code: str, name: str, prices: PriceSet, zone: ZoneInfo) -> TariffVersion:
    today = local_day(utc_now(), zone)
    return TariffVersion(
        id=f"demo-{code.lower()}",
        tariff=code,
        name=name,
        main=prices,
        backup=replace(prices, rates=tuple(rate + RISE for rate in prices.rates)),
        switch_at=datetime.combine(today + timedelta(days=SWITCH_IN_DAYS), time()),
        effective_on=today,
        created_by=AUTHOR,
        created_at=utc_now(),
        alarm1_fen=50_00,
        alarm2_fen=20_00,
        hoarding_fen=5_000_00,
    )


async def _customers(station: Station) -> None:
    """Enter a customer for every meter of the bench, named as the meter is."""
    for meter in await station.database.meters.many([*METERS]):
        customer = Customer(customer_of(meter.address), meter.name, created_by=CLERK)
        with contextlib.suppress(Conflict):
            await station.database.customers.add(customer)


async def _open(station: Station, bench: Bench, opened: Opened) -> None:
    """Open an account as a clerk does: order, card, meter."""
    request = OpeningRequest(
        opened.meter, customer_of(opened.meter), METERS[opened.meter], opened.amount_fen
    )
    order = await station.sales.open_account(request, request_id=f"demo-{opened.meter}", by=CLERK)
    if order.state != "reserved":
        return
    bench.insert(opened.card)
    await station.sales.write(order.id, BOX, by=CLERK)
    bench.pull()
    if opened.used_fen is not None:
        bench.carry(opened.card, opened.meter)
        bench.use(opened.meter, opened.used_fen)
        bench.carry(opened.card, opened.meter)  # The card takes home what is left.


def customer_of(meter: str) -> str:
    """Return the number of the customer at a meter of the bench."""
    return CUSTOMER_PREFIX + meter[-9:]
