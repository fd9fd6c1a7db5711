"""Which cards an account gets, and what cards without a place for a ladder keep out."""

from datetime import date
from decimal import Decimal

import pytest
from counter_site import OTHER_METER, TARIFF, CounterSite, open_counter, opening
from web_helpers import CONFIG, text_of, words_of

from station.config import PrepaidConfig
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import utc_now

FLAT = PriceSet((Decimal("0.5"),))
LADDER = PriceSet(FLAT.rates, (Decimal(100),), (Decimal(0), Decimal("0.1")))


async def entered(
    database: Database, tariff: str, main: PriceSet, backup: PriceSet | None = None
) -> str:
    """Enter a draft of a tariff; return its id."""
    version = TariffVersion(
        new_id(), tariff, "Homes", main, date(2099, 1, 1), "author", utc_now(), backup=backup
    )
    await database.tariffs.add_version(version)
    return version.id


async def approved(database: Database, tariff: str, main: PriceSet) -> None:
    version = TariffVersion(new_id(), tariff, "Homes", main, date(2020, 1, 2), "author", utc_now())
    await database.tariffs.add_version(version)
    await database.tariffs.submit(version.id, "author", utc_now())
    await database.tariffs.approve(version.id, "second person", utc_now())


async def test_a_ladder_is_refused_before_an_account_gets_cards_without_one(
    counter: CounterSite,
) -> None:
    ann, database = await counter.office.somebody("clerk"), counter.office.database
    await approved(database, "STEPS", LADDER)
    status, refused = await ann.json(
        "POST", "/api/accounts", opening(tariff="STEPS", profile="GW09")
    )
    assert (status, refused["error"]["field"]) == (400, "tariff")
    assert "cards of GW09 carry no ladder" in refused["error"]["message"]
    assert (await database.accounts.list())[1] == 0
    assert (await database.orders.list())[1] == 0
    form = await ann.post("/accounts", **opening(tariff="STEPS", profile="GW09", amount="1"))
    assert form.code == 400
    assert "choose a tariff without one, or other cards" in words_of(form)
    assert '<option value="GW09" selected>' in text_of(form)
    for number, (tariff, profile) in enumerate((("STEPS", "GW13"), (TARIFF, "GW09"))):
        meter = {} if number == 0 else {"meter": OTHER_METER}
        body = opening(tariff=tariff, profile=profile, **meter)
        status, order = await ann.json("POST", "/api/accounts", body)
        assert status == 201, order
        assert (await database.accounts.get(order["account"])).profile == profile


@pytest.mark.parametrize("in_backup", [False, True])
async def test_a_tariff_of_such_accounts_gets_no_ladder(
    counter: CounterSite, in_backup: bool
) -> None:
    database = counter.office.database
    ann, author, second = [
        await counter.office.somebody(role) for role in ("clerk", "technician", "supervisor")
    ]
    draft = await entered(
        database, TARIFF, FLAT if in_backup else LADDER, LADDER if in_backup else None
    )
    status, _ = await author.json("POST", f"/api/tariffs/{draft}/submit", {})
    assert status == 200  # Nobody has such cards yet.
    assert (await ann.json("POST", "/api/accounts", opening(profile="GW09")))[0] == 201
    status, refused = await second.json("POST", f"/api/tariffs/{draft}/approve", {})
    assert status == 409
    assert (
        "GW09 cards carry no ladder, and this tariff is on such cards (accounts: 1)"
        in refused["error"]["message"]
    )
    assert (await database.tariffs.get(draft)).state == "submitted"
    another = await entered(database, TARIFF, LADDER)
    page = await author.post(f"/tariffs/{another}/submit")
    assert page.code == 409
    assert "enter it as a tariff of its own" in words_of(page)
    plain = await entered(database, TARIFF, FLAT)
    assert (await author.json("POST", f"/api/tariffs/{plain}/submit", {}))[0] == 200


@pytest.mark.parametrize("profile", ["GW13", "GW09"])
async def test_the_site_s_cards_are_offered_first(database: Database, profile: str) -> None:
    config = CONFIG.model_copy(update={"prepaid": PrepaidConfig(profile=profile)})
    async with open_counter(database, config) as counter:
        ann = await counter.office.somebody("clerk")
        form = text_of(await ann.get("/accounts/new"))
        assert f'<option value="{profile}" selected>' in form
        assert form.count("selected>GW") == 1
