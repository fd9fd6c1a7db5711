"""The overview for those who sell: what is unfinished, and what was sold today."""

from datetime import timedelta

from counter_site import METER, CounterSite, purchase
from motor.motor_asyncio import AsyncIOMotorClient
from web_helpers import CONFIG, Visitor, open_office, text_of, words_of

from station.store.database import Database
from station.store.objects.orders import Order
from station.units import day_start, local_day, utc_now

ZONE = CONFIG.site.zone_info


def order(number: int, **more: object) -> Order:
    """Return an unfinished purchase of an account of its own."""
    given = {"meter": METER, "customer": "000000700001", **more}
    at = given.pop("at", utc_now())
    by = str(given.pop("by", "clerk1"))
    return Order(
        f"order{number}", f"request{number}", "", f"account{number}", "purchase", 100 * number,
        by, at, **given,
    )  # fmt: skip


async def selling(visitor: Visitor) -> dict:
    status, view = await visitor.json("GET", "/api/overview")
    assert status == 200
    return view["selling"]


async def test_unfinished_orders_come_first_and_today_s_sales_are_told(
    counter: CounterSite,
) -> None:
    ann = await counter.office.somebody("clerk")
    bob = await counter.office.somebody("clerk")
    empty = {"orders": 0, "amount_fen": 0, "unfinished_all": 0, "unfinished": []}
    assert await selling(ann) == empty
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    given_up = await sold(ann, account, 300)
    await ann.json("POST", f"/api/orders/{given_up}/abandon", {"reason": "left"})
    unfinished = await sold(ann, account, 700)
    await counter.office.database.orders.enter(order(1), ())
    own, others = await selling(ann), await selling(bob)
    assert (own["orders"], own["amount_fen"], own["unfinished_all"]) == (3, 10_800, 2)
    assert [each["id"] for each in own["unfinished"]] == [unfinished, "order1"]
    assert [each["id"] for each in others["unfinished"]] == ["order1", unfinished]
    assert own["unfinished"][0]["name"] == "Test <customer>"
    page = await ann.get("/")
    for wanted in (
        f'href="/orders/{unfinished}" id="unfinished-{unfinished}"',
        f'href="/orders?first={local_day(utc_now(), ZONE)}&amp;last={local_day(utc_now(), ZONE)}"',
        'href="/orders?state=reserved"',
    ):
        assert wanted in text_of(page), wanted
    words = words_of(page)
    assert "108.00 yuan 3 orders" in words
    assert "Unfinished: purchase of 7.00 yuan" in words
    assert "2 orders are unfinished" in words
    assert words.index("Unfinished: purchase of 7.00") < words.index("Unfinished: purchase of 1.00")


async def sold(clerk: Visitor, account: str, amount_fen: int) -> str:
    """Reserve a purchase and return its id."""
    _, made = await clerk.json("POST", f"/api/accounts/{account}/purchases", purchase(amount_fen))
    return str(made["id"])


async def test_a_day_is_the_site_s_and_only_a_few_are_named(
    counter: CounterSite, mongo_uri: str
) -> None:
    ann = await counter.office.somebody("clerk")
    midnight = day_start(local_day(utc_now(), ZONE), ZONE)
    orders = counter.office.database.orders
    await orders.enter(order(1, at=midnight - timedelta(milliseconds=1)), ())
    for number in range(2, 6):
        await orders.enter(order(number, at=midnight), ())
    view = await selling(ann)
    assert (view["orders"], view["amount_fen"]) == (4, 1400)
    assert (view["unfinished_all"], len(view["unfinished"])) == (5, 3)

    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    span = {"$gte": midnight, "$lt": midnight + timedelta(days=1)}
    for query, index in (({"at": span}, "at_1"), ({"state": "reserved"}, "state_1__id_1")):
        plan = await client[orders_of(counter)]["orders"].find(query).explain()
        assert index in str(plan["queryPlanner"]["winningPlan"]), plan
    client.close()


def orders_of(counter: CounterSite) -> str:
    return counter.office.database.name


async def test_who_does_not_sell_sees_none_of_it(counter: CounterSite, database: Database) -> None:
    await counter.office.database.orders.enter(order(1), ())
    for role in ("reader", "technician"):
        visitor = await counter.office.somebody(role)
        assert await selling(visitor) is None
        page = await visitor.get("/")
        assert "unfinished" not in text_of(page)
        assert "Sales today" not in words_of(page)
    real = CONFIG.model_copy(update={"site": CONFIG.site.model_copy(update={"simulation": False})})
    async with open_office(database, real) as office:  # It has no keys for cards.
        assert await selling(await office.somebody("clerk")) is None
