"""Where on the ladder a customer stands: what the meter has used since the ladder's period began.

It is told from the station's own readings: the first of the period and the latest, times CT and PT,
since thresholds are those of the customer and registers those of the meter. Where they do not tell,
a purchase is shown as if nothing was used yet, and the page says so.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from station.collector.items import ITEM_BY_CODE
from station.handlers.selling.tariff_views import PreviewView
from station.prepaid.tariffs import ladder_began
from station.store.objects.accounts import Account
from station.store.objects.readings import Reading, Readings
from station.store.objects.tariffs import PriceSet
from station.units import from_local, unscaled

ENERGY = ITEM_BY_CODE["energy_import_total"]

Unknown = Literal["", "never_anew", "no_readings", "went_back"]


class LadderView(BaseModel):
    """Where a purchase begins on the ladder: `used` kWh of the period that began at `began`.

    They were used from `first_at` to `last_at`. `unknown` says why it begins at 0 instead: the
    ladder never begins anew, there are no readings of the period, or the register went back.
    """

    used: Decimal
    began: datetime | None
    first_at: datetime | None
    last_at: datetime | None
    unknown: Unknown


class PurchasePreview(PreviewView):
    """What an amount buys for an account; `ladder` is None for prices without one."""

    ladder: LadderView | None


async def ladder_of(
    readings: Readings, account: Account, prices: PriceSet, now: datetime, zone: ZoneInfo
) -> LadderView | None:
    """Return where an account stands on the ladder of its prices; `now` is the site's local time.

    None for prices without a ladder.
    """
    if not prices.thresholds:
        return None
    local = ladder_began(prices, now)
    if local is None:
        return _unknown("never_anew", None)
    began = from_local(local, zone)
    last = await _latest(readings, account.meter)
    if last is None or last.moment < began:
        return _unknown("no_readings", began)
    first = await readings.first(account.meter, ENERGY.code, began, last.moment)
    first = first or last
    assert first.value is not None, "only readings with a value are taken"
    assert last.value is not None, "only readings with a value are taken"
    grown = last.value - first.value
    if grown < 0:
        return _unknown("went_back", began)
    return LadderView(
        used=unscaled(grown, ENERGY.decimals) * account.ct * account.pt,
        began=began,
        first_at=first.moment,
        last_at=last.moment,
        unknown="",
    )


async def _latest(readings: Readings, meter: str) -> Reading | None:
    """Return the latest reading of a meter's energy, if it is one to reckon with."""
    found = (await readings.latest([meter])).get(meter, ())
    for reading in found:
        if reading.item == ENERGY.code:
            is_good = reading.value is not None and reading.quality != "doubtful"
            return reading if is_good else None
    return None


def _unknown(why: Unknown, began: datetime | None) -> LadderView:
    return LadderView(used=Decimal(0), began=began, first_at=None, last_at=None, unknown=why)
