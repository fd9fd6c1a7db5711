"""People with areas: nothing of another area on any list, detail, export or socket."""

import io
import re
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest
from test_live_page import frame, heard, listen
from test_routes import addresses, methods_of
from tornado.httpclient import HTTPResponse
from web_helpers import PASSWORD, Office, Visitor, text_of

from station.handlers.areas import WAYS, Keeps, shape_of, way_of
from station.handlers.routes import routes
from station.handlers.sights import Sight
from station.store.objects.accounts import Account
from station.store.objects.commands import Command, Step
from station.store.objects.customers import Customer
from station.store.objects.events import Event
from station.store.objects.frames import FrameRecord
from station.store.objects.meter_health import MeterHealth
from station.store.objects.meters import Meter
from station.store.objects.orders import Order
from station.store.objects.places import Place
from station.store.objects.receipts import Receipt
from station.store.objects.runs import Failure, Run
from station.store.objects.shifts import Shift
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.store.objects.users import User
from station.units import utc_now

OWN = {"terminal": "02001111", "meter": "000000000111", "guest": "000000000333"}
# Of these nothing may be seen: the last one hangs on an own terminal, but stands elsewhere.
FOREIGN = ("02002222", "000000000222", "000000000223", "Southern", "hall-2", "Customer south")
# What a person types comes back on the page that says there is no such thing.
TYPED = re.compile(
    r"there is no (tariff version|control order|keep-power entry|\w+) (\w|-)+|there is no such page"
)


@pytest.fixture
async def county(office: Office) -> Office:
    """An office with two areas, and something of everything in both."""
    archive, database, now = office.parts.archive, office.database, utc_now()
    await archive.add_place(Place("north", "organisation", "Northern"))
    await archive.add_place(Place("north-1", "substation", "North 1", parent="north"))
    await archive.add_place(Place("south", "organisation", "Southern"))
    await archive.add_terminal(Terminal("02001111", "", place="north-1", created_at=now))
    await archive.add_terminal(Terminal("02002222", "Southern box", place="south", created_at=now))
    # An own meter hangs on it: its address may be seen there, and nothing else of it.
    await archive.add_terminal(
        Terminal("02003333", "Southern third", place="south", created_at=now)
    )
    for address, link, place in (
        ("000000000111", "02001111", ""),
        ("000000000222", "02002222", ""),
        ("000000000223", "02001111", "south"),
        ("000000000333", "02003333", "north"),
    ):
        name = "Southern meter" if address in FOREIGN else ""
        await archive.add_meter(
            Meter(
                address,
                name,
                link=link,
                point=int(address[-1]),
                place=place,
                created_at=now - timedelta(days=2),
            )
        )
        command = Command(
            f"{address:0>24}", address, "read", address, link, {"items": ["energy_import_total"]},
            "admin", now, now + timedelta(hours=1), station="test", purpose=name,
            history=(Step(now, "queued"),),
        )  # fmt: skip
        await database.commands.add(command)
    event = Event("1", "1376 14", "", None, now, now, b"\x68", station="test", protocol="qgdw1376")
    await database.events.save_many(
        [
            replace(event, id="1", link="02001111"),
            replace(event, id="2", link="02002222"),
            replace(event, id="3", link="02001111", meter="000000000111"),
            replace(event, id="4", link="02001111", meter="000000000223"),
            replace(event, id="5", link="02003333", meter="000000000333"),
        ]
    )
    await add_collecting(office)
    await add_selling(office)
    await office.parts.registry.flush()
    return office


async def add_collecting(office: Office) -> None:
    """Add tasks, runs, failures and frames of both areas; ids are those of their meters."""
    database, now = office.database, utc_now()
    kinds: tuple[tuple[str, str, tuple[str, ...]], ...] = (
        ("000000000111", "All", ()),
        ("000000000333", "Both", ("000000000111", "000000000222")),
        ("000000000222", "Southern task", ("000000000222",)),
        ("000000000223", "Southern other task", ("000000000223",)),
    )
    for task_id, name, targets in kinds:
        kind = "meters" if targets else "all"
        task = Task(task_id, name, ("energy_import_total",), 15, target_kind=kind, targets=targets)
        await office.parts.archive.add_task(replace(task, enabled=False))
        failed = targets or ("000000000111", "000000000222")
        failures = tuple(Failure(each, "energy_import_total", "no_answer", "") for each in failed)
        run = Run(task_id, task_id, name, now, now, station="test", kind="manual", ended_at=now)
        await database.runs.enter(
            replace(run, state="finished", due=9, done=9, success=7, failures=failures)
        )
    for address in ("000000000111", "000000000222", "000000000223", "000000000333"):
        health = MeterHealth(address, failures=9, failing_since=now)
        await database.meter_health.save_many([health])
    await database.frames.save_many(
        [
            FrameRecord(now, "02001111", "in", b"\x11", note="noise 1"),
            FrameRecord(now, "02001111", "in", b"\x12", meter="000000000111"),
            FrameRecord(now, "02003333", "in", b"\x13", meter="000000000333"),
            FrameRecord(now, "02001111", "in", b"\x22", meter="000000000223"),
            FrameRecord(now, "02002222", "in", b"\x23", meter="000000000222"),
            FrameRecord(now, "02002222", "in", b"\x24"),
        ]
    )


async def add_selling(office: Office) -> None:
    """Add customers, accounts, orders and receipts of both areas; ids are those of the meters.

    One customer has accounts in both. One customer in the south has none.
    """
    database, now = office.database, utc_now()
    for number, name in (
        ("000000000111", "Customer north"),
        ("000000000222", "Customer south"),
        ("000000000444", "Customer south without account"),
    ):
        await database.customers.add(Customer(number, name))
    for place, (meter, customer) in enumerate(
        (
            ("000000000111", "000000000111"),
            ("000000000222", "000000000222"),
            ("000000000223", "000000000111"),
        ),
        1,
    ):
        account = Account(meter, meter, customer, owner=customer, tariff="HOME", state="open")
        await database.accounts.add(account)
        order = Order(
            meter, meter, "", meter, "purchase", 100, "clerk", now, meter=meter,
            customer=customer, state="reserved", shift=meter,
        )  # fmt: skip
        await database.orders.add(order)
        await database.receipts.issue(
            Receipt(meter, 0, "purchase", 100, now, now, "clerk", meter=meter, customer=customer)
        )
        clerk = f"{'southern' if place > 1 else 'northern'}-clerk{place}"
        await database.shifts.add(Shift(meter, clerk, 5_000, now))


async def northerner(county: Office, role: str = "administrator") -> Visitor:
    """Return somebody who works in the north."""
    known = {user.name for user in await county.database.users.list()}
    visitor = await county.somebody(role)
    (name,) = {user.name for user in await county.database.users.list()} - known
    await county.database.users.set_duty(name, role=role, areas=("north",), full_name="")
    return visitor


def leaks(response: HTTPResponse, asked: str) -> list[str]:
    """Return what of another area an answer tells; a refusal may repeat what was asked for."""
    if response.body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(response.body)) as book:
            text = " ".join(book.read(name).decode() for name in book.namelist())
    else:
        text = text_of(response)
    if response.code != 200:
        text = TYPED.sub("", text.replace(asked, ""))
    return [word for word in FOREIGN if word in text]


def test_the_table_knows_addresses_that_there_are() -> None:
    shapes = {
        shape_of(re.sub(r"\(\[\^/\]\+\)", "*", pattern).replace("(?:/api)?", ""), ())
        for pattern, _ in routes()
    }
    # Of `/exports/*`, where customers are closed; and what is left of `/api` alone is nothing.
    literal = {"/exports/terminals", "/exports/meters", "/api"}
    assert set(WAYS) - shapes == literal
    assert way_of("/api/meters/000000000111/edit", ["000000000111"]) is Keeps.DEVICE
    assert way_of("/meters/edit/edit", ["edit"]) is None  # In doubt it is closed.
    assert way_of("/exports/customers", ["customers"]) is None
    assert way_of("/runs/1/cancel", ["1"]) is None


async def test_no_page_and_no_export_tells_of_another_area(county: Office) -> None:
    ann = await northerner(county)
    pages = 0
    for path, handler in addresses():
        if "GET" not in methods_of(handler) or path in ("/live", "/agents/link"):
            continue
        for address in ("02002222", "000000000222", "000000000223"):
            asked = re.sub(r"(?<=/)(000000000161|02001234|hall-2|0{24})(?=/|$)", address, path)
            for query in ("", "?format=csv", "?format=xlsx") if asked == path else ("",):
                answer = await ann.get(asked + query)
                pages += 1
                assert answer.code in (200, 303, 400, 403, 404, 405), asked
                assert not leaks(answer, asked), asked + query
            if asked == path:
                break
    assert pages > 200


async def test_lists_show_all_of_the_own_area(county: Office) -> None:
    ann = await northerner(county)
    boss = await county.somebody()
    for path, key, own, everything in (
        ("/api/terminals", "address", {"02001111"}, 3),
        ("/api/meters", "address", {"000000000111", "000000000333"}, 4),
        ("/api/links", "address", {"02001111"}, 3),
        ("/api/events", "id", {"1", "3", "5"}, 5),
        ("/api/commands", "meter", {"000000000111", "000000000333"}, 4),
        ("/api/tasks", "id", {"000000000111", "000000000333"}, 4),
        ("/api/runs", "id", {"000000000111", "000000000333"}, 4),
        ("/api/failures", "meter", {"000000000111", "000000000333"}, 4),
        ("/api/completeness?task=000000000111", "meter", {"000000000111", "000000000333"}, 4),
        ("/api/frames", "hex", {"11", "12", "13"}, 6),
        ("/api/frames?terminal=02001111", "hex", {"11", "12"}, 3),
        ("/api/accounts", "meter", {"000000000111"}, 3),
        ("/api/accounts?text=Customer", "meter", {"000000000111"}, 3),
        ("/api/customers", "number", {"000000000111"}, 3),
        ("/api/orders", "meter", {"000000000111"}, 3),
        ("/api/receipts", "meter", {"000000000111"}, 3),
    ):
        _, seen = await ann.json("GET", path)
        assert ({each[key] for each in seen["items"]}, seen["total"]) == (own, len(own)), path
        assert (await boss.json("GET", path))[1]["total"] == everything, path
    for visitor, found in ((ann, 3), (boss, 7)):  # Meters and customers.
        assert (await visitor.json("GET", "/api/search?text=0000"))[1]["total"] == found
    _, links = await ann.json("GET", "/api/links")
    assert links["counts"]["all"] == 1
    csv = text_of(await ann.get("/meters?format=csv"))
    assert "000000000333" in csv
    page = text_of(await ann.get("/tree"))
    for href, is_there in (("/meters", True), ("/orders", True), ("/blocks", False)):
        assert (f'class="nav-link" href="{href}"' in page) is is_there  # No way in vain.


async def test_devices_of_another_area_are_as_if_they_were_not(county: Office) -> None:
    ann = await northerner(county)
    for meter, found in (("000000000111", 200), ("000000000333", 200), ("000000000222", 404),
                         ("000000000223", 404), ("000000000999", 404)):  # fmt: skip
        for path in (
            f"/meters/{meter}", f"/api/meters/{meter}", f"/meters/{meter}/edit",
            f"/meters/{meter}/commands/new", f"/frames?meter={meter}",
            f"/api/readings?meter={meter}&item=energy_import_total&from=2026-01-01&to=2026-01-02",
            f"/api/commands/{meter:0>24}",
        ):  # fmt: skip
            assert (await ann.get(path)).code == found, path
    for terminal, found in (("02001111", 200), ("02002222", 404)):
        for path in (f"/terminals/{terminal}", f"/links/{terminal}/history",
                     f"/frames?terminal={terminal}", f"/meters?link={terminal}"):  # fmt: skip
            assert (await ann.get(path)).code == found, path
    for thing, found in (("000000000111", 200), ("000000000222", 404), ("000000000223", 404)):
        for path in (f"/accounts/{thing}", f"/api/orders/{thing}", f"/runs/{thing}",
                     f"/tasks/{thing}", f"/api/tasks/{thing}/plan", f"/runs?task={thing}",
                     f"/completeness?task={thing}"):  # fmt: skip
            assert (await ann.get(path)).code == found, path
    assert (await ann.get("/customers/000000000111")).code == 200
    assert (await ann.get("/customers/000000000222")).code == 404
    for path in ("/blocks", "/channels", "/agents", "/readings", "/tasks/000000000111/edit"):
        assert (await ann.get(path)).code == 403, path
    both = "/frames?meter=000000000111&meter=000000000222"
    assert (await ann.get(both)).code == 404


async def test_nothing_of_another_area_is_changed(county: Office) -> None:
    ann = await northerner(county)
    tried = 0
    for path, handler in addresses():
        for address in ("02002222", "000000000222", "000000000223"):
            asked = re.sub(r"(?<=/)(000000000161|02001234)(?=/|$)", address, path)
            for method in methods_of(handler):
                if method == "GET" or asked == path or way_of(path, []) is Keeps.FREE:
                    continue
                headers = {"X-Xsrftoken": ann.cookies["_xsrf"]}
                answer = await ann.send(method, asked, None if method == "DELETE" else "", headers)
                tried += 1
                assert answer.code in (400, 401, 403, 404, 405), f"{method} {asked}"
                assert not leaks(answer, asked), asked
    assert tried > 100
    order = {"request_id": "1" * 32, "kind": "read", "meter": "000000000222",
             "items": ["energy_import_total"], "purpose": "x"}  # fmt: skip
    assert (await ann.json("POST", "/api/commands", order))[0] == 404
    moved = {"name": "", "link": "02002222"}
    assert (await ann.json("PUT", "/api/meters/000000000222", moved))[0] == 404
    assert {meter.address for meter in await county.database.meters.many(None)} == {
        "000000000111", "000000000222", "000000000223", "000000000333"
    }  # fmt: skip


async def test_the_socket_tells_of_the_own_area_only(county: Office) -> None:
    topics = "links,frames,runs,readings,commands,events,orders,alarms"
    socket = await listen(await northerner(county), f"topics={topics}")
    announce = county.parts.feed.announce
    for topic, message in (
        ("links", {"address": "02002222", "state": "online"}),
        ("frames", frame(link="02002222", meter="000000000222")),
        ("frames", frame(link="02001111", meter="000000000223")),
        ("frames", frame(link="02002222", meter="")),
        ("readings", {"meter": "000000000222", "count": 1}),
        ("commands", {"id": "1", "meter": "000000000223", "state": "sent"}),
        ("events", {"id": "2", "link": "02002222", "meter": None, "code": "x"}),
        ("runs", {"id": "1", "task": "000000000222", "state": "running", "due": 9}),
        ("orders", {"id": "000000000222", "request": "x", "state": "reserved", "step": ""}),
        ("alarms", {"id": "1", "place": "south"}),
        ("links", {"address": "02001111", "state": "online"}),
        ("frames", frame(link="02001111", meter="")),
        ("readings", {"meter": "000000000333", "count": 2}),
        ("runs", {"id": "2", "task": "000000000111", "state": "running", "due": 9}),
        ("orders", {"id": "000000000111", "request": "y", "state": "reserved", "step": ""}),
        ("orders", {"id": "unknown", "request": "z", "state": "reserved", "step": "select"}),
    ):
        announce(topic, message)
    told = [await heard(socket) for _ in range(7)]
    assert told[0] == {"topic": "alarms"}  # That there is one; the page asks for what it may see.
    assert told[1]["address"] == "02001111"
    assert told[2]["link"] == "02001111"
    assert told[3] == {"topic": "readings", "meter": "000000000333", "count": 2}
    assert told[4] == {"topic": "runs", "id": "2", "task": "000000000111", "state": "running"}
    assert told[5]["id"] == "000000000111"
    assert told[6] == {
        "topic": "orders", "id": "", "request": "z", "state": "reserved", "step": "select"
    }  # fmt: skip
    socket.close()


def test_what_names_no_device_is_not_heard() -> None:
    sight = Sight(frozenset({"02001111"}), frozenset({"000000000111"}))
    assert sight.heard("events", {"id": "1", "code": "x"}) is None
    assert sight.heard("something new", {"text": "x"}) is None
    assert sight.heard("events", {"link": "02001111", "meter": "000000000999"}) is None


async def test_runs_tasks_and_buses_tell_of_the_own_meters_only(county: Office) -> None:
    ann, boss = await northerner(county), await county.somebody()
    _, run = await ann.json("GET", "/api/runs/000000000111")
    assert [each["meter"] for each in run["failures"]] == ["000000000111"]
    assert (run["due"], run["success"], run["causes"]) == (None, None, {"no_answer": 1})
    assert (await boss.json("GET", "/api/runs/000000000111"))[1]["due"] == 9
    assert (await ann.json("GET", "/api/tasks/000000000333"))[1]["targets"] == ["000000000111"]
    assert (await ann.get("/runs/000000000333")).code == 200  # The page does without the counts.
    filled = await ann.json("POST", "/api/runs/000000000111/refill", {})
    assert filled[0] == 201
    for fill in county.parts.scheduler.active_runs():
        assert "000000000222" not in str(fill)
    foreign = {"task": "000000000111", "meter": "000000000222", "month": "2026-01"}
    assert (await ann.json("POST", "/api/completeness/fill", foreign))[0] == 404
    assert (await ann.json("POST", "/api/tasks/000000000111/run", {}))[0] == 403
    assert (await ann.json("POST", "/api/tariffs", {}))[0] == 403  # They are the whole site's.
    assert (await ann.get("/tariffs")).code == 200


async def test_the_overview_is_of_the_own_area(county: Office) -> None:
    ann, boss = await northerner(county), await county.somebody()
    for task_id in ("000000000111", "000000000222"):
        task = await county.database.tasks.get(task_id)
        await county.parts.archive.save_task(replace(task, enabled=True))
    _, own = await ann.json("GET", "/api/overview")
    _, everything = await boss.json("GET", "/api/overview")
    for of, links, meters, tasks, failing, unfinished, sold in (
        (own, 1, 2, ["All"], ["000000000111", "000000000333"], 1, 100),
        (everything, 3, 4, ["All", "Southern task"], None, 3, 300),
    ):
        assert (of["links_all"], of["meters"]) == (links, meters)
        assert sorted(each["name"] for each in of["tasks"]) == tasks
        assert failing is None or of["failing"] == {"total": 2, "items": failing}
        selling = of["selling"]
        assert (selling["unfinished_all"], selling["amount_fen"]) == (unfinished, sold)
    assert own["expected"] < everything["expected"]
    assert set(own["silent"]) | set(own["waiting"]) <= {"000000000111", "000000000333"}
    page = await ann.get("/")
    assert page.code == 200
    assert "000000000111" in text_of(page)
    assert not leaks(page, "/")


async def test_the_counter_serves_the_own_area(county: Office) -> None:
    ann, boss = await northerner(county), await county.somebody()
    _, found = await ann.json("GET", "/api/counter?text=0000")
    assert [each["meter"] for each in found["accounts"]] == ["000000000111"]
    assert [each["key"] for each in found["others"]] == ["000000000333"]
    assert [each["meter"] for each in found["unfinished"]] == ["000000000111"]
    _, customer = await ann.json("GET", "/api/customers/000000000111")
    assert [each["meter"] for each in customer["accounts"]] == ["000000000111"]
    assert len((await boss.json("GET", "/api/customers/000000000111"))[1]["accounts"]) == 2
    opening = {"request_id": "1", "customer": "000000000555", "name": "New", "tariff": "HOME"}
    for body, field in (
        ({"meter": "000000000222"}, "meter"),
        ({"meter": "000000000333", "customer": "000000000222", "name": "x"}, "customer"),
    ):
        status, refused = await ann.json("POST", "/api/accounts", {**opening, **body})
        assert (status, refused["error"]["field"]) == (400, field)
        assert "Customer south" not in str(refused)
    transfer = {"request_id": "2", "reason": "sold", "customer": "000000000222"}
    status, refused = await ann.json("POST", "/api/accounts/000000000111/transfer", transfer)
    assert (status, refused["error"]["field"]) == (400, "customer")
    # Whom one has entered one sees, until somebody elsewhere opens an account.
    new = {"number": "000000000666", "name": "Just entered"}
    assert (await ann.json("POST", "/api/customers", new))[0] == 201
    assert (await ann.get("/customers/000000000666")).code == 200
    account = Account("6", "000000000229", "000000000666", tariff="HOME", state="open")
    await county.database.accounts.add(account)
    assert (await ann.get("/customers/000000000666")).code == 404


async def test_drawers_are_those_of_people_in_the_own_area(county: Office) -> None:
    users = county.database.users
    for name, areas in (("northern-clerk1", ("north-1",)), ("southern-clerk2", ("south",))):
        await users.add(User(name, "", role="clerk", areas=areas))
    ann, boss = await northerner(county), await county.somebody()
    for path, own, everything in (
        ("/api/shifts", ["northern-clerk1"], 3),
        ("/api/day_end", ["northern-clerk1"], 3),
        ("/api/limits", None, 4),
    ):
        _, seen = await ann.json("GET", path)
        rows = seen.get("items", seen.get("shifts"))
        assert own is None or [each["clerk"] for each in rows] == own, path
        assert not any("southern" in each["clerk"] for each in rows), path
        _, seen = await boss.json("GET", path)
        assert len(seen.get("items", seen.get("shifts"))) == everything, path
    for name, found in (("000000000111", 200), ("000000000222", 404)):
        assert (await ann.get(f"/shifts/{name}")).code == found
    for name, found in (("northern-clerk1", 200), ("southern-clerk2", 404)):
        assert (await ann.get(f"/limits/{name}")).code == found


async def test_nobody_approves_what_lies_elsewhere(county: Office) -> None:
    await northerner(county, "supervisor")
    (northern,) = [user.name for user in await county.database.users.list() if user.areas]
    boss = await county.somebody()
    for subject, status in (("000000000111", 201), ("000000000222", 400), ("unknown", 400)):
        body = {"kind": "reversal", "amount_fen": 100, "subject": subject, "reason": "wrong",
                "approver": northern, "password": PASSWORD}  # fmt: skip
        assert (await boss.json("POST", "/api/approvals", body))[0] == status, subject


async def test_customers_hang_on_their_meters_in_the_tree(county: Office) -> None:
    ann, boss = await northerner(county), await county.somebody()
    _, meters = await boss.json("GET", "/api/tree/branch?link=02001111")
    assert {each["id"]: each["opens"] for each in meters["items"]} == {
        "000000000111": True, "000000000223": True
    }  # fmt: skip
    _, branch = await ann.json("GET", "/api/tree/branch?meter=000000000111")
    [node] = branch["items"]
    assert (node["type"], node["name"], node["page"]) == (
        "customer", "Customer north", "/customers/000000000111"
    )  # fmt: skip
    assert "Customer north" in text_of(await ann.get("/tree/branch?meter=000000000111"))
    for meter in ("000000000222", "000000000223", "000000000999"):
        assert (await ann.get(f"/tree/branch?meter={meter}")).code == 404
    for visitor, found in ((ann, ["000000000111"]), (boss, [f"000000000{n}" for n in (111, 223)])):
        _, hits = await visitor.json("GET", "/api/tree?text=Customer%20north")
        assert [each["path"] for each in hits["items"]] == found
    account = await county.database.accounts.get("000000000111")
    await county.database.accounts.change(account, replace(account, state="closed", revision=1))
    assert (await ann.json("GET", "/api/tree/branch?meter=000000000111"))[1]["items"] == []
