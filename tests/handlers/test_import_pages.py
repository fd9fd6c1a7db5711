"""Imports over HTTP: a table is sent in, looked at, applied as a whole, and undone."""

import csv
import io
import json
from typing import Any

import pytest
from import_helpers import act, cells_of, ended, preview, send, workbook
from web_helpers import Office, text_of

from station.store.objects.customers import Customer
from station.store.objects.meters import Meter
from station.store.objects.places import Place
from station.store.objects.terminals import Terminal

TERMINAL = "02001234"


@pytest.fixture
async def archive(office: Office) -> Office:
    """An archive with a terminal and two meters."""
    await office.parts.archive.add_terminal(Terminal(TERMINAL, "North"))
    for address in ("000000000161", "000000000162"):
        await office.parts.archive.add_meter(Meter(address, f"Meter {address}", link=TERMINAL))
    return office


PLACES = (
    Place("town", "organisation", "Town"),
    Place("hill", "substation", "Hill", "town", "S-1"),
    Place("area", "area", "Area 12, north", "hill"),
)


async def test_preview_shows_every_change_and_touches_nothing(archive: Office) -> None:
    ann = await archive.somebody("technician")
    place, view = await preview(
        ann,
        "meters",
        [
            ["Address", "Name", "Terminal or channel", "Note"],
            ["000000000161", "Shop", TERMINAL, "?"],
            ["000000000162", "Meter 000000000162", TERMINAL],
            [163, "Mill", TERMINAL],  # A spreadsheet took the zeros off.
        ],
    )
    assert (view["state"], view["new"], view["changed"], view["unchanged"], view["errors"]) == (
        "preview", 1, 1, 1, 0,
    )  # fmt: skip
    assert view["unread"] == ["Note"]
    changed, unchanged, new = view["items"]
    assert changed["fields"] == [
        {"field": "name", "name": "Name", "before": "Meter 000000000161", "after": "Shop"}
    ]
    assert unchanged["fields"] == []
    assert (new["key"], new["number"]) == ("000000000163", 4)
    assert await archive.database.meters.find("000000000163") is None
    page = text_of(await ann.get(place))
    assert "<del" in page
    assert "Apply 2 rows" in page
    assert "Columns that are not read: Note" in page
    only = await ann.json("GET", f"/api{place}?outcome=new")
    assert [row["key"] for row in only[1]["items"]] == ["000000000163"]
    rows = csv.reader(io.StringIO(text_of(await ann.get(f"{place}?format=csv"))))
    assert [row[2] for row in rows] == ["What", "changed", "unchanged", "new"]


async def test_import_is_applied_and_undone_as_a_whole(archive: Office) -> None:
    ann = await archive.somebody("technician")
    heard: list[dict[str, Any]] = []
    before = await archive.database.meters.get("000000000161")
    place, _ = await preview(
        ann,
        "meters",
        [
            ["address", "name", "link", "groups"],
            ["000000000161", "Shop", TERMINAL, "a, b"],
            ["000000000163", "Mill", TERMINAL, ""],
        ],
    )
    with archive.parts.feed.listening(lambda _, message: heard.append(message), ["imports"]):
        view = await act(ann, place, "apply")
    assert (view["state"], view["applied_by"]) == ("applied", "technician0")
    assert heard[-1]["over"]
    shop = await archive.database.meters.get("000000000161")
    assert (shop.name, shop.groups, shop.created_at) == ("Shop", ("a", "b"), before.created_at)
    assert (await archive.database.meters.get("000000000163")).name == "Mill"
    changes, _ = await archive.database.changes.list(of="meter", key="000000000161")
    assert (changes[0].by, changes[0].reason) == ("technician0", "import of table.xlsx")
    assert changes[0].after == {"name": "Shop", "groups": ["a", "b"]}
    assert (await ann.post(f"{place}/apply")).code == 409

    view = await act(ann, place, "undo")
    assert view["state"] == "undone"
    assert await archive.database.meters.get("000000000161") == before
    assert await archive.database.meters.find("000000000163") is None
    assert (await ann.post(f"{place}/undo")).code == 409


async def test_undo_is_refused_once_a_row_was_changed(archive: Office) -> None:
    ann = await archive.somebody("technician")
    rows = [["address", "name", "link"]] + [[f"{n:012}", "New", TERMINAL] for n in range(200, 204)]
    place, _ = await preview(ann, "meters", rows)
    await act(ann, place, "apply")
    await ann.json("PUT", "/api/meters/000000000202", {"name": "Other", "link": TERMINAL})
    view = await act(ann, place, "undo")
    assert (view["state"], view["keys"]) == ("applied", ["000000000202"])
    assert "changed by others" in view["error"]
    assert "000000000202" in text_of(await ann.get(place))
    assert (await archive.database.meters.list(text="00000000020"))[1] == 4


async def test_preview_that_is_overtaken_is_not_applied(archive: Office) -> None:
    ann = await archive.somebody("technician")
    rows = [["address", "name", "link"], ["000000000161", "Shop", TERMINAL],
            ["000000000170", "New", TERMINAL]]  # fmt: skip
    place, _ = await preview(ann, "meters", rows)
    await archive.parts.archive.add_meter(Meter("000000000170", "Faster", link=TERMINAL))
    view = await act(ann, place, "apply")
    assert (view["state"], view["keys"]) == ("preview", ["000000000170"])
    assert (await archive.database.meters.get("000000000161")).name == "Meter 000000000161"


async def test_terminals_are_known_at_once_and_forgotten_with_the_undo(archive: Office) -> None:
    ann = await archive.somebody("technician")
    rows = [["address", "name", "protocol"], ["02009999", "East", "qgdw1376"],
            ["dtu-1", "Mill", "dtu"]]  # fmt: skip
    place, view = await preview(ann, "terminals", rows)
    assert view["items"][1]["problems"][0]["message"].endswith("bytes in hex")
    assert (await ann.post(f"{place}/apply")).code == 409
    place, _ = await preview(ann, "terminals", rows[:2])
    await act(ann, place, "apply")
    assert archive.parts.registry.terminals["02009999"].name == "East"
    meters, _ = await preview(
        ann, "meters", [["address", "name", "link"], ["000000000300", "", "02009999"]]
    )
    await act(ann, meters, "apply")
    view = await act(ann, place, "undo")
    assert (view["state"], view["keys"]) == ("applied", ["02009999"])
    await act(ann, meters, "undo")
    assert (await act(ann, place, "undo"))["state"] == "undone"
    assert "02009999" not in archive.parts.registry.terminals


@pytest.mark.parametrize(("language", "ending"), [("zh", "xlsx"), ("en", "csv")])
@pytest.mark.parametrize("kind", ["places", "terminals", "meters", "customers"])
async def test_what_goes_out_comes_in_unchanged(
    archive: Office, kind: str, ending: str, language: str
) -> None:
    office = archive
    await office.parts.archive.add_terminal(
        Terminal("dtu-1", "=Mill", protocol="dtu", registration="5245", echo=True, groups=("a",))
    )
    await office.parts.archive.add_meter(
        Meter("0102030405", "698", link="dtu-1", protocol="dlt698.45", point=0, ct=20, pt=100)
    )
    for place in PLACES:
        await office.parts.archive.add_place(place)
    await office.parts.archive.hang(["dtu-1", "000000000161"], "area", by="")
    await office.database.customers.add(Customer("000000000007", "王小明", phone="+86 1", note="-"))
    ann = await office.somebody("administrator", language=language)
    table = (await ann.get(f"/exports/{kind}?format={ending}")).body
    answer = await send(ann, kind, table, f"{kind}.{ending}")
    assert answer.code == 303, answer.body
    view = await ended(ann, answer.headers["Location"])
    counts = {name: view[name] for name in ("new", "changed", "unchanged", "errors", "unread")}
    expected = {"places": 3, "terminals": 2, "meters": 3, "customers": 1}[kind]
    assert counts == {"new": 0, "changed": 0, "unchanged": expected, "errors": 0, "unread": []}


async def test_exported_table_can_be_narrowed_edited_and_sent_back(archive: Office) -> None:
    ann = await archive.somebody("technician")
    table = cells_of((await ann.get("/exports/meters?format=xlsx&text=161")).body)
    head, row = table
    row[head.index("Name")] = "Edited"
    place, view = await preview(ann, "meters", table)
    assert (view["changed"], view["errors"], view["unread"]) == (1, 0, [])
    await act(ann, place, "apply")
    assert (await archive.database.meters.get("000000000161")).name == "Edited"


async def test_every_error_names_its_cell(archive: Office) -> None:
    ann = await archive.somebody("technician")
    head = ["Address", "Name", "Terminal or channel", "Measuring point", "Place", "CT ratio"]
    rows = [
        ["12x", "", TERMINAL],
        ["000000000171", "", "02009999"],
        ["000000000172", "", TERMINAL, "many"],
        ["000000000173", "", TERMINAL, 5000],
        ["000000000174", "", TERMINAL, 1, "nowhere"],
        ["000000000161", "", TERMINAL, 1, "", 5],
        ["", "no key", TERMINAL],
        ["000000000175", "", TERMINAL],
        ["000000000175", "", TERMINAL],
        ["000000000176"],
    ]
    _, view = await preview(ann, "meters", [head, *rows])
    found = [
        (row["problems"][0]["cell"], row["problems"][0]["message"])
        for row in view["items"]
        if row["problems"]
    ]
    assert found == [
        ("A2", "'12X' is not 12 digits"),
        ("C3", "there is no terminal or channel 02009999"),
        ("D4", "expected a whole number"),
        ("D5", "5000 is not in 1..2040"),
        ("E6", "there is no place nowhere"),
        ("F7", "a ratio is changed on the meter's page, with the readings"),
        ("A8", "is needed"),
        ("A10", "row 9 has the same one already"),
        ("C11", "is needed"),
    ]
    assert (view["errors"], view["new"]) == (9, 1)
    assert "Correct the rows" in text_of(await ann.get(f"/imports/{view['id']}"))


async def test_files_that_cannot_be_read_are_refused_on_the_form(archive: Office) -> None:
    ann = await archive.somebody("technician")
    for content, words in (
        (b"PK\x03\x04 damaged", "no workbook that can be read"),
        (b"a,b\n1,2\n", "no column of the key: a, b"),
        (b"address,Address\n1,2\n", "two columns are called Address"),
        (b"", "the file is empty"),
    ):
        answer = await send(ann, "meters", content, "bad.csv")
        assert answer.code == 400, answer.body
        assert words in text_of(answer)
    answer = await send(ann, "meters", b"x" * (16 * 1024 * 1024 + 70_000))
    assert answer.code in (400, 599)  # The answer may be lost to one who goes on sending.
    no_file = await ann.post("/imports", kind="meters")
    assert no_file.code == 400
    assert "choose a file" in text_of(no_file)


async def test_only_those_who_may_configure_send_tables(archive: Office) -> None:
    clerk = await archive.somebody("clerk")
    table = workbook([["address", "name", "link"], ["000000000161", "Shop", TERMINAL]])
    assert (await send(clerk, "meters", table)).code == 403
    assert (await clerk.get("/imports")).code == 403
    ann = await archive.somebody("technician")
    assert (await send(ann, "customers", workbook([["number", "name"], [7, "x"]]))).code == 403
    place, _ = await preview(ann, "meters", [["address", "name"], ["000000000161", "Shop"]])
    assert (await clerk.post(f"{place}/apply")).code == 403
    ann.cookies["_xsrf"], own = "", ann.cookies["_xsrf"]
    assert (
        await send(ann, "meters", table, Cookie=f"session={ann.cookies['session']}; _xsrf={own}")
    ).code == 403
    assert (await archive.database.imports.list())[1] == 1


async def test_preview_is_thrown_away(archive: Office) -> None:
    ann = await archive.somebody("technician")
    place, _ = await preview(ann, "meters", [["address", "name"], ["000000000161", "Shop"]])
    status, _ = await ann.json("DELETE", f"/api{place}")
    assert status == 200
    assert (await ann.get(place)).code == 404
    rows = archive.database.imports._rows
    assert await rows.count({}) == 0


async def test_json_twin_takes_a_file_too(archive: Office) -> None:
    ann = await archive.somebody("administrator")
    answer = await send(ann, "customers", workbook([["number", "name"], [7, "王"]]),
                        Accept="application/json")  # fmt: skip
    assert answer.code == 202
    view = json.loads(answer.body)
    await ended(ann, f"/imports/{view['id']}")
    status, _ = await ann.json("POST", f"/api/imports/{view['id']}/apply")
    assert status == 202
    await ended(ann, f"/imports/{view['id']}")
    assert (await archive.database.customers.get("000000000007")).created_by == "administrator0"
    listed = await ann.json("GET", "/api/imports")
    assert listed[1]["items"][0]["state"] == "applied"
    assert "applied" in text_of(await ann.get("/imports?kind=customers"))


async def test_tree_of_places_is_imported_in_any_order_and_undone(archive: Office) -> None:
    for place in PLACES:
        await archive.parts.archive.add_place(place)
    before = await archive.database.places.all()
    ann = await archive.somebody("technician")
    place, view = await preview(
        ann,
        "places",
        [
            ["Kind", "Name", "Hangs on", "Code"],
            ["area", "Area 1", "Town / Valley / Line 7", "A-1"],  # Above what it hangs on.
            ["line", "Line 7", "S-2", ""],
            ["substation", "Valley", "Town", "S-2"],
            ["substation", "Hill, old", "Town", "S-1"],
        ],
    )
    assert (view["new"], view["changed"], view["errors"]) == (3, 1, 0), view["items"]
    assert [row["key"] for row in view["items"]] == ["Area 1", "Line 7", "Valley", "Hill"]
    await act(ann, place, "apply")
    tree = await archive.database.places.tree()
    area = tree.named("A-1")
    assert area is not None
    assert tree.path_text(area.id) == "Town / Valley / Line 7 / Area 1"
    assert tree.path_text("area") == "Town / Hill, old / Area 12, north"
    meters, _ = await preview(
        ann, "meters", [["address", "place"], ["000000000161", "Town / Valley / Line 7 / Area 1"]]
    )
    await act(ann, meters, "apply")
    assert (await archive.database.meters.get("000000000161")).place == area.id
    view = await act(ann, place, "undo")
    assert (view["state"], view["keys"]) == ("applied", [area.id])
    await act(ann, meters, "undo")
    assert (await act(ann, place, "undo"))["state"] == "undone"
    assert await archive.database.places.all() == before


async def test_places_that_cannot_be_are_refused(archive: Office) -> None:
    for place in PLACES:
        await archive.parts.archive.add_place(place)
    ann = await archive.somebody("technician")
    rows = [
        ["Id", "Kind", "Name", "Hangs on", "Code"],
        ["", "line", "Line 1", "nowhere", ""],
        ["gone", "line", "Line 2", "", ""],
        ["", "organisation", "Firm", "S-1", ""],
        ["", "line", "", "S-1", ""],
        ["", "town", "Line 3", "", ""],
        ["", "line", "Line 4", "S-1", "L-4"],
        ["", "line", "Line 5", "S-1", "L-4"],
        ["", "substation", "Hill", "Town", "S-9"],
    ]
    _, view = await preview(ann, "places", rows)
    found = [(each["cell"], each["message"]) for row in view["items"] for each in row["problems"]]
    assert found == [
        ("D2", "there is no place nowhere"),
        ("A3", "there is no place gone"),
        (
            "D4",
            "places hang in the order organisation, substation, power line, transformer area",
        ),
        ("C5", "a place needs a name"),
        ("B6", "there is no kind of place 'town'"),
        ("E7", "the code L-4 is taken by another place"),
        ("E8", "the code L-4 is taken by another place"),
        ("C9", "there is a place Hill under the same place already"),
    ]


async def test_people_with_areas_import_into_these_alone(archive: Office) -> None:
    for place in PLACES:
        await archive.parts.archive.add_place(place)
    await archive.parts.archive.add_terminal(Terminal("02005678", "Hill", place="area"))
    await archive.parts.archive.add_meter(Meter("000000000500", "Own", link="02005678"))
    ann = await archive.somebody("administrator")
    others, _ = await preview(ann, "meters", [["address", "name"], ["000000000161", "x"]])
    bob = await archive.somebody("administrator")
    await archive.database.users.set_duty(
        "administrator1", role="administrator", areas=("hill",), full_name=""
    )
    table = cells_of((await bob.get("/exports/meters?format=xlsx")).body)
    assert [row[0] for row in table[1:]] == ["000000000500"]
    rows = [
        ["address", "name", "link", "place"],
        ["000000000500", "Own meter", "02005678", ""],
        ["000000000501", "", "02005678", "S-1"],
        ["000000000502", "", TERMINAL, ""],
        ["000000000161", "Taken", TERMINAL, "S-1"],
        ["000000000500", "", "02005678", "Town"],
    ]
    place, view = await preview(bob, "meters", rows)
    assert [row["outcome"] for row in view["items"]] == [
        "changed", "new", "error", "error", "error",
    ]  # fmt: skip
    assert [row["problems"][0]["message"] for row in view["items"][2:4]] == [
        "lies outside your areas", "lies outside your areas",
    ]  # fmt: skip
    assert (await bob.get(others)).code == 404
    assert (await bob.post(f"{others}/apply")).code == 404
    assert others not in text_of(await bob.get("/imports"))
    assert (await send(bob, "customers", workbook([["number", "name"], [7, "x"]]))).code == 403
    place, _ = await preview(bob, "meters", rows[:3])
    assert (await act(bob, place, "apply"))["state"] == "applied"


async def test_audit_log_tells_who_imported_what(archive: Office) -> None:
    ann = await archive.somebody("administrator")
    place, _ = await preview(ann, "meters", [["address", "name"], ["000000000161", "<b>Shop"]])
    assert "&lt;b&gt;Shop" in text_of(await ann.get(place))
    await act(ann, place, "apply")
    _, log = await ann.json("GET", "/api/audit?size=10")
    entries = {entry["act"]: entry for entry in log["items"]}
    assert {"imports.add", "imports.apply"} <= entries.keys()
    assert (entries["imports.apply"]["object"], entries["imports.apply"]["who"]) == (
        place, "administrator0",
    )  # fmt: skip
    assert '"changed": 1' in json.dumps(entries["imports.apply"]).replace('\\"', '"')
