"""The bench of the demonstration: cards are moved by clicking, and nowhere else does it exist."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from web_helpers import Office, Visitor, open_office, text_of

from station.demo_bench import BenchReader
from station.errors import CardFailed, NoCard, NoReader
from station.prepaid.cards.layout import Parameters, Wallet
from station.prepaid.cards.security import TEST_ROOT
from station.simulator.bench import Bench
from station.simulator.card import PARAMETERS, WALLET
from station.store.database import Database

METER, CUSTOMER = "000000123456", "000000654321"
NOW = datetime.fromisoformat("2026-01-01T12:30")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench.json", TEST_ROOT, [METER], lambda: NOW)


@pytest.fixture
async def demo(database: Database, bench: Bench) -> AsyncIterator[Office]:
    async with open_office(database, bench=bench) as opened:
        yield opened


async def state(visitor: Visitor) -> dict[str, Any]:
    status, body = await visitor.json("GET", "/api/bench")
    assert status == 200
    return body


async def page(visitor: Visitor, path: str = "/bench") -> str:
    response = await visitor.get(path)
    assert response.code == 200
    return text_of(response)


async def test_a_card_goes_into_the_reader_to_the_meter_and_back(
    demo: Office, bench: Bench
) -> None:
    clerk = await demo.somebody("clerk")
    bench.cards[3].files[PARAMETERS] = Parameters(METER, CUSTOMER, 1, 1, 0).to_bytes()
    bench.cards[3].files[WALLET] = Wallet(10000, 1).to_bytes()
    assert (await clerk.post("/bench/reader/card", card=3)).code == 303
    assert (await state(clerk))["inserted"] == 3
    response = await clerk.post("/bench/cards/3/carry", meter=METER)
    assert response.code == 303
    after = await state(clerk)
    assert after["inserted"] is None
    assert after["cards"][2]["state"] == "returned"
    [meter] = after["meters"]
    assert (meter["code"], meter["credited_fen"], meter["display"]) == (0, 10000, "100.00")
    assert "100.00 yuan credited" in await page(clerk)


async def test_energy_is_used_until_the_meter_warns(demo: Office, bench: Bench) -> None:
    clerk = await demo.somebody("clerk")
    meter = bench.meters[METER]
    meter.customer, meter.balance_fen, meter.alarm1_fen = CUSTOMER, 6000, 5500
    for expected in ("alarm 1", "overdrawn"):
        assert (await clerk.post(f"/bench/meters/{METER}/use", amount_fen=5000)).code == 303
        assert (await state(clerk))["meters"][0]["alarm"] == expected


async def test_what_a_meter_refuses_is_said_in_the_reader_s_language(demo: Office) -> None:
    clerk = await demo.somebody("clerk", language="zh")
    await clerk.post("/bench/cards/1/carry", meter=METER)
    shown = await page(clerk)
    assert "Err-33" in shown
    assert "表号不符" in shown


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/bench/reader/card", {"card": 99}, 404),
        ("/bench/reader/card", {"card": "x"}, 400),
        ("/bench/cards/99/carry", {"meter": METER}, 404),
        ("/bench/cards/x/carry", {"meter": METER}, 404),
        ("/bench/cards/1/carry", {"meter": "000000000001"}, 404),
        ("/bench/meters/000000000001/use", {"amount_fen": 1}, 404),
        (f"/bench/meters/{METER}/use", {"amount_fen": -1}, 400),
    ],
)
async def test_what_is_not_there_is_refused(
    demo: Office, path: str, fields: dict[str, Any], status: int
) -> None:
    clerk = await demo.somebody("clerk")
    assert (await clerk.post(path, **fields)).code == status


async def test_who_may_only_look_moves_nothing(demo: Office) -> None:
    reader = await demo.somebody("reader")
    assert (await state(reader))["inserted"] is None
    assert (await reader.post("/bench/reader/card", card=1)).code == 403


async def test_a_real_station_has_no_bench(office: Office) -> None:
    clerk = await office.somebody("clerk")
    assert (await clerk.get("/bench")).code == 404
    assert 'href="/bench"' not in await page(clerk, "/")


async def test_the_station_sees_the_bench_through_its_reader(demo: Office, bench: Bench) -> None:
    clerk = await demo.somebody("clerk")
    reader = BenchReader(bench)
    with pytest.raises(NoCard):
        reader.connect()
    await clerk.post("/bench/reader/card", card=1)
    assert reader.sense() == "card"
    channel = reader.connect()
    assert channel.transmit(bytes.fromhex("00A40000023F00")).sw == 0x9000
    assert channel.transmit(bytes.fromhex("00B0990108")).data == bench.cards[1].serial
    assert (await clerk.json("DELETE", "/api/bench/reader/card"))[0] == 200
    with pytest.raises(CardFailed):
        channel.transmit(bytes.fromhex("00B0990108"))
    assert (await clerk.json("DELETE", "/api/bench/reader"))[0] == 200
    with pytest.raises(NoReader):
        reader.connect()
    assert (await clerk.post("/bench/reader")).code == 303
    assert reader.sense() == "no_card"
