"""The demonstration's counter: what it begins with, and a sale from the counter to the meter."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from web_helpers import Office, open_office

from station import demo_counter
from station.app import Station
from station.demo_bench import BenchReader
from station.prepaid.cards.security import TEST_ROOT
from station.prepaid.readers.base import FixedReaders
from station.simulator.bench import Bench
from station.simulator.demo_site import DEMO_SITE
from station.store.database import Database
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

NOW = datetime.fromisoformat("2026-01-01T12:30")
METER, CARD = "990000000106", 1


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench.json", TEST_ROOT, [*demo_counter.METERS], lambda: NOW)


@pytest.fixture
async def demo(database: Database, bench: Bench) -> AsyncIterator[Office]:
    async with open_office(database, bench=bench) as opened:
        opened.parts.workplaces.add(FixedReaders(BenchReader(bench)))
        site = DEMO_SITE.archive("en")
        for terminal in site["terminals"]:
            await opened.parts.archive.add_terminal(Terminal(**terminal))
        for meter in site["meters"]:
            if meter["address"] in demo_counter.METERS:
                await opened.parts.archive.add_meter(Meter(**meter))
        yield opened


async def fill(demo: Office, bench: Bench) -> None:
    parts = demo.parts
    station = SimpleNamespace(database=parts.database, sales=parts.sales, config=parts.config)
    await demo_counter.fill(cast(Station, station), bench)


async def test_it_begins_with_two_accounts_however_often_it_is_started(
    demo: Office, bench: Bench
) -> None:
    for _ in range(2):
        await fill(demo, bench)
        orders, total = await demo.database.orders.list()
        assert total == 2
        assert {order.state for order in orders} == {"written"}
        assert bench.meters[METER].balance_fen == 10000 - 8234
        assert bench.meters[METER].customer == demo_counter.customer_of(METER)
        assert [label.state for label in bench.labels()[:3]] == ["returned", "waiting", "blank"]


async def test_a_sale_goes_from_the_counter_to_the_meter(demo: Office, bench: Bench) -> None:
    await fill(demo, bench)
    clerk = await demo.somebody("clerk")
    bench.insert(CARD)
    account = await demo.database.accounts.of_meter(METER)
    assert account is not None
    status, order = await clerk.json(
        "POST", f"/api/accounts/{account.id}/purchases", {"request_id": "1", "amount_fen": 5000}
    )
    assert status == 201, order
    status, written = await clerk.json("POST", f"/api/orders/{order['id']}/write", {})
    assert (status, written["state"]) == (200, "written"), written
    assert bench.labels()[CARD - 1].state == "waiting"
    await clerk.json("POST", f"/api/bench/cards/{CARD}/carry", {"meter": METER})
    _, after = await clerk.json("GET", "/api/bench")
    meter = next(each for each in after["meters"] if each["meter"] == METER)
    assert (meter["credited_fen"], meter["balance_fen"]) == (5000, 10000 - 8234 + 5000)
    assert meter["count"] == 2
