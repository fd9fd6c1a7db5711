"""Where on the ladder a purchase begins: by the station's readings, or at 0, which is then said."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from counter_site import METER, TARIFF, CounterSite, opening
from web_helpers import CONFIG, Visitor, words_of

from bench import new_card
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.readings import Quality, Reading
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import UTC, day_start, local_day, utc_now

ZONE = CONFIG.site.zone_info
PRICES = PriceSet(
    (Decimal("0.5"),), (Decimal(100), Decimal(200)), (Decimal(0), Decimal("0.5"), Decimal(1))
)
BEGAN = day_start(local_day(utc_now(), ZONE).replace(day=1), ZONE)
LATER = BEGAN + timedelta(minutes=45)


def energy(moment: datetime, value: int | None, quality: Quality = "live") -> Reading:
    return Reading(METER, "energy_import_total", moment, value, moment, quality=quality)


async def account_on(counter: CounterSite, clerk: Visitor, prices: PriceSet, ct: int = 1) -> str:
    """Open an account whose tariff has these prices; return its id."""
    tariffs, now = counter.office.database.tariffs, utc_now()
    version = TariffVersion(new_id(), TARIFF, "Homes", prices, date(2020, 1, 2), "author", now)
    await tariffs.add_version(version)
    await tariffs.submit(version.id, "author", now)
    await tariffs.approve(version.id, "second person", now)
    counter.reader.insert(new_card())
    _, order = await clerk.json("POST", "/api/accounts", opening(ct=ct))
    _, order = await clerk.json("POST", f"/api/orders/{order['id']}/write", {})
    assert order["state"] == "written"
    return str(order["account"])


async def shown(clerk: Visitor, account: str, what: str = "amount=100") -> tuple[Any, str]:
    """Return a preview as JSON and in words."""
    status, view = await clerk.json("GET", f"/api/accounts/{account}/preview?{what}")
    assert status == 200, view
    return view, words_of(await clerk.get(f"/accounts/{account}/preview?{what}"))


async def test_a_purchase_begins_where_the_customer_stands(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account = await account_on(counter, ann, PRICES)
    view, words = await shown(ann, account)
    assert (view["energy"], view["ladder"]["unknown"]) == ("150.00", "no_readings")
    assert "The ladder is shown from 0 kWh: the station has no reading of this meter" in words
    await counter.office.database.readings.save(
        [
            energy(BEGAN - timedelta(minutes=15), 1_000),
            energy(BEGAN, None),
            energy(BEGAN + timedelta(minutes=5), 900, "doubtful"),
            energy(BEGAN + timedelta(minutes=15), 5_000),
            energy(LATER, 20_000),
        ]
    )
    view, words = await shown(ann, account)
    assert view["ladder"] == {
        "used": "150.00",
        "began": iso(BEGAN),
        "first_at": iso(BEGAN + timedelta(minutes=15)),
        "last_at": iso(LATER),
        "unknown": "",
    }
    # 50 kWh are left of step 2 at 1.0 yuan, and step 3 costs 1.5.
    assert view["energy"] == "83.33"
    assert [(line["step"], line["amount_fen"]) for line in view["steps"]] == [
        (2, 5_000),
        (3, 5_000),
    ]
    local = LATER.astimezone(ZONE)
    assert "The ladder begins at 150.00 kWh" in words
    assert f"to {local:%Y-%m-%d %H:%M} , by the station" in words
    by_energy, _ = await shown(ann, account, "energy=60")
    assert by_energy["amount_fen"] == 6_500
    body = {"request_id": new_id(), "energy": "60"}
    _, order = await ann.json("POST", f"/api/accounts/{account}/purchases", body)
    assert order["amount_fen"] == 6_500


async def test_a_ratio_and_a_register_that_went_back(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account = await account_on(counter, ann, PRICES, ct=10)
    readings = counter.office.database.readings
    await readings.save([energy(BEGAN, 1_000), energy(LATER, 2_000)])
    assert (await shown(ann, account))[0]["ladder"]["used"] == "100.00"
    await readings.save([energy(LATER + timedelta(minutes=15), 999)])
    view, words = await shown(ann, account)
    assert (view["ladder"]["unknown"], view["ladder"]["used"]) == ("went_back", "0")
    assert "the register of the meter went back" in words


async def test_a_ladder_that_never_begins_anew_and_none_at_all(
    counter: CounterSite, database: Database
) -> None:
    ann = await counter.office.somebody("clerk")
    account = await account_on(counter, ann, replace(PRICES, period="year"))
    await database.readings.save([energy(BEGAN, 0), energy(LATER, 20_000)])
    view, words = await shown(ann, account)
    assert (view["ladder"]["unknown"], view["ladder"]["began"]) == ("never_anew", None)
    assert "by this tariff it never begins anew" in words


async def test_prices_without_a_ladder_say_nothing_of_one(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, _ = await counter.opened(ann)
    view, words = await shown(ann, account)
    assert view["ladder"] is None
    assert "ladder" not in words


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
