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
from web_helpers import Office, Visitor, text_of

from station.handlers.areas import WAYS, Keeps, Sight, shape_of, way_of
from station.handlers.routes import routes
from station.store.objects.commands import Command, Step
from station.store.objects.events import Event
from station.store.objects.meters import Meter
from station.store.objects.places import Place
from station.store.objects.terminals import Terminal
from station.units import utc_now

OWN = {"terminal": "02001111", "meter": "000000000111", "guest": "000000000333"}
# Of these nothing may be seen: the last one hangs on an own terminal, but stands elsewhere.
FOREIGN = ("02002222", "000000000222", "000000000223", "Southern", "hall-2", "Customer south")
# What a person types comes back on the page that says there is no such thing.
TYPED = re.compile(r"there is no \w+ (\w|-)+|there is no such page")


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
            Meter(address, name, link=link, point=int(address[-1]), place=place, created_at=now)
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
    await office.parts.registry.flush()
    return office


async def northerner(county: Office, role: str = "administrator") -> Visitor:
    """Return somebody who works in the north."""
    visitor = await county.somebody(role)
    (name,) = [user.name for user in await county.database.users.list()][-1:]
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
    literal = {"/exports/terminals", "/exports/meters"}  # Of `/exports/*`; customers are closed.
    assert set(WAYS) - shapes == literal
    assert way_of("/api/meters/000000000111/edit", ["000000000111"]) is Keeps.DEVICE
    assert way_of("/meters/edit/edit", ["edit"]) is None  # In doubt it is closed.
    assert way_of("/exports/customers", ["customers"]) is None
    assert way_of("/runs", []) is None


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
                assert answer.code in (200, 303, 400, 403, 404), asked
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
        ("/api/search?text=0000", "key", {"000000000111", "000000000333"}, 4),
    ):
        _, seen = await ann.json("GET", path)
        assert ({each[key] for each in seen["items"]}, seen["total"]) == (own, len(own)), path
        assert (await boss.json("GET", path))[1]["total"] == everything, path
    _, links = await ann.json("GET", "/api/links")
    assert links["counts"]["all"] == 1
    csv = text_of(await ann.get("/meters?format=csv"))
    assert "000000000333" in csv
    home = await ann.get("/")
    assert (home.code, home.headers["Location"]) == (303, "/tree")
    page = text_of(await ann.get("/tree"))
    for href, is_there in (("/meters", True), ("/orders", False), ("/runs", False)):
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
    for path in ("/frames", "/frames?text=68", "/api/overview", "/runs", "/orders", "/buses"):
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
        ("runs", {"id": "1", "state": "running"}),
        ("orders", {"id": "1"}),
        ("alarms", {"id": "1", "place": "south"}),
        ("links", {"address": "02001111", "state": "online"}),
        ("frames", frame(link="02001111", meter="")),
        ("readings", {"meter": "000000000333", "count": 2}),
    ):
        announce(topic, message)
    told = [await heard(socket) for _ in range(4)]
    assert told[0] == {"topic": "alarms"}  # That there is one; the page asks for what it may see.
    assert told[1]["address"] == "02001111"
    assert told[2]["link"] == "02001111"
    assert told[3] == {"topic": "readings", "meter": "000000000333", "count": 2}
    socket.close()


def test_what_names_no_device_is_not_heard() -> None:
    sight = Sight(frozenset({"02001111"}), frozenset({"000000000111"}))
    assert sight.heard("events", {"id": "1", "code": "x"}) is None
    assert sight.heard("something new", {"text": "x"}) is None
    assert sight.heard("events", {"link": "02001111", "meter": "000000000999"}) is None
