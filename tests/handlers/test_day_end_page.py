"""The count by notes and coins, the report on paper and the day end over HTTP."""

import io
from datetime import timedelta

from counter_site import CounterSite
from pypdf import PdfReader
from web_helpers import CONFIG, Visitor, text_of, words_of

from station.store.objects.base import new_id
from station.store.objects.orders import Order
from station.store.objects.shifts import Shift
from station.units import local_day, utc_now

TODAY = local_day(utc_now(), CONFIG.site.zone_info)


async def opened(clerk: Visitor, float_fen: int = 0) -> str:
    status, shift = await clerk.json("POST", "/api/shifts", {"float_fen": float_fen})
    assert status == 201
    return str(shift["id"])


def paper(pdf: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


async def test_a_drawer_is_counted_by_notes_and_coins(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    shift = await opened(ann, 12_030)
    page = text_of(await ann.get(f"/shifts/{shift}"))
    assert 'name="pieces_10000"' in page
    assert 'name="pieces_1"' in page
    path = f"/shifts/{shift}/close"
    wrong = await ann.post(path, counted="120.00", pieces_10000="1", pieces_1000="2", pieces_10="3")
    assert wrong.code == 400
    assert "notes and coins come to 120.30, and 120.00 was entered" in words_of(wrong)
    assert 'name="pieces_1000" value="2"' in text_of(wrong)
    assert (await ann.post(path, counted="", pieces_10000="some")).code == 400
    assert (await ann.json("POST", f"/api{path}", {"pieces": {"30": 1}}))[0] == 400
    done = await ann.post(path, counted="", pieces_10000="1", pieces_1000="2", pieces_10="3")
    assert done.code == 303
    _, view = await ann.json("GET", f"/api/shifts/{shift}")
    assert (view["counted_fen"], view["difference_fen"]) == (12_030, 0)
    assert view["pieces"][1] == {"face_fen": 1_000, "pieces": 2}
    assert "10.00 × 2" in words_of(await ann.get(f"/shifts/{shift}"))
    again = {"counted_fen": 12_030, "pieces": {"10000": 1, "1000": 2, "10": 3}}
    assert (await ann.json("POST", f"/api{path}", again))[0] == 200


async def test_the_report_is_printed_by_its_clerk_once_it_is_there(counter: CounterSite) -> None:
    ann, bob = [await counter.office.somebody("clerk") for _ in range(2)]
    shift = await opened(ann)
    status, refused = await ann.json("GET", f"/api/shifts/{shift}/report")
    assert (status, "still open" in refused["error"]["message"]) == (409, True)
    await ann.json("POST", f"/api/shifts/{shift}/close", {"counted_fen": 0})
    printed = await ann.get(f"/shifts/{shift}/report?language=zh")
    assert printed.headers["Content-Type"] == "application/pdf"
    assert "shift-000001.pdf" in printed.headers["Content-Disposition"]
    assert "结班报表" in paper(printed.body)
    assert "Shift close report" in paper((await ann.get(f"/api/shifts/{shift}/report")).body)
    assert (await bob.get(f"/shifts/{shift}/report")).code == 403
    supervisor = await counter.office.somebody("supervisor")
    assert (await supervisor.get(f"/shifts/{shift}/report")).code == 200


async def test_a_day_over_all_clerks(counter: CounterSite) -> None:
    database = counter.office.database
    ann, bob = [await counter.office.somebody("clerk") for _ in range(2)]
    supervisor = await counter.office.somebody("supervisor", language="zh")
    assert "当日无人开班" in words_of(await supervisor.get("/day_end"))
    first, second = await opened(ann, 10_000), await opened(bob, 5_000)
    unfinished = await entered(counter, first, 7_000)
    await entered(counter, second, 3_000)
    await ann.json("POST", f"/api/shifts/{first}/close", {"counted_fen": 16_950})
    status, view = await supervisor.json("GET", "/api/day_end")
    assert (status, view["day"], view["closed"], view["open"]) == (200, str(TODAY), 1, 1)
    assert (view["expected_fen"], view["counted_fen"], view["difference_fen"]) == (
        17_000, 16_950, -50,
    )  # fmt: skip
    assert (view["float_fen"], view["taken_fen"], view["given_fen"]) == (10_000, 7_000, 0)
    assert [line["taken_fen"] for line in view["lines"]] == [7_000]  # The open one stays blind.
    assert [shift["expected_fen"] for shift in view["shifts"]] == [17_000, None]
    assert {order["amount_fen"] for order in view["unfinished"]} == {7_000, 3_000}
    page = await supervisor.get(f"/day_end?day={TODAY}")
    for wanted in ("日结", "1 个班次尚未结班", "170.00", "−0.50"):
        assert wanted in words_of(page), wanted
    assert f'href="/orders/{unfinished}"' in text_of(page)
    table = text_of(await supervisor.get("/day_end?format=csv"))
    assert "170.00,169.50,-0.50" in table
    assert table.count("\n") == 3
    old = Shift("old", "clerk9", 0, utc_now() - timedelta(days=1))
    await database.shifts.open(old)
    _, before = await supervisor.json("GET", f"/api/day_end?day={TODAY - timedelta(days=1)}")
    assert [shift["id"] for shift in before["shifts"]] == ["old"]
    assert (await ann.get("/day_end")).code == 403
    assert (await supervisor.get("/day_end?day=soon")).code == 400


async def entered(counter: CounterSite, shift: str, amount_fen: int) -> str:
    """Enter an unfinished purchase into a shift; return its id."""
    number = new_id()
    order = Order(
        number, number, "", number, "purchase", amount_fen, "clerk", utc_now(),
        meter="000000000161", customer="000000700001", shift=shift,
    )  # fmt: skip
    await counter.office.database.orders.enter(order, ())
    return number
