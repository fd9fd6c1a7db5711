"""The topology of a place: what hangs on what, as rows that the picture and the table share."""

from web_helpers import Office, text_of

from station.store.objects.meters import Meter
from station.store.objects.places import Place
from station.store.objects.terminals import Terminal

LINK = "05711001"


async def area(office: Office) -> str:
    """A transformer area with one terminal that is down, two buses, and three meters."""
    await office.parts.archive.add_place(Place("area", "area", "Riverside <1>", code="R1"))
    await office.parts.archive.add_place(Place("other", "area", "Elsewhere", code="E1"))
    await office.parts.archive.add_terminal(Terminal(LINK, "North", place="area"))
    await office.parts.archive.add_terminal(Terminal("05711002", "South", place="other"))
    for number, (link, port, stage) in enumerate(
        (
            (LINK, 2, "active"),
            (LINK, 2, "planned"),
            (LINK, 3, "active"),
            ("05711002", 2, "active"),
        )
    ):
        meter = Meter(
            f"00000000000{number}", "", link=link, port=port, point=number + 1, stage=stage
        )
        await office.parts.archive.add_meter(meter)
    return "area"


async def test_rows_say_what_hangs_on_what_and_how_it_is(office: Office) -> None:
    place = await area(office)
    ann = await office.somebody()
    status, view = await ann.json("GET", f"/api/places/{place}/topology?size=3000")
    assert status == 200
    assert [(row["kind"], row["id"], row["parent"], row["state"]) for row in view["items"]] == [
        ("link", LINK, "", "offline"),
        ("bus", f"{LINK}:2", LINK, "offline"),
        ("bus", f"{LINK}:3", LINK, "offline"),
        ("meter", "000000000000", f"{LINK}:2", "unreachable"),
        ("meter", "000000000001", f"{LINK}:2", "idle"),
        ("meter", "000000000002", f"{LINK}:3", "unreachable"),
    ]
    assert (view["meters"], view["meters_all"]) == (3, 3)
    page = text_of(await ann.get(f"/places/{place}/topology?state=idle"))
    assert "Riverside &lt;1&gt;" in page
    assert page.count("<tr id=") == 1
    assert f'data-place="{place}"' in page
    table = text_of(await ann.get(f"/places/{place}/topology?format=csv&sort=-address"))
    assert [line.split(",")[0] for line in table.splitlines()[1:4]] == [
        f"{LINK}:3",
        f"{LINK}:2",
        LINK,
    ]


async def test_it_keeps_to_the_areas_and_says_what_to_do_where_nothing_hangs(
    office: Office,
) -> None:
    await area(office)
    await office.parts.archive.add_place(Place("bare", "area", "New", code="N1"))
    ann = await office.somebody()
    page = text_of(await ann.get("/places/bare/topology"))
    assert "Nothing hangs here yet" in page
    assert 'id="topology"' not in page
    bob = await office.somebody("technician")
    name = sorted(user.name for user in await office.database.users.list())[-1]
    await office.database.users.set_duty(name, role="technician", areas=("other",), full_name="")
    assert (await bob.get("/places/area/topology")).code == 404
    status, view = await bob.json("GET", "/api/places/other/topology")
    assert (status, [row["address"] for row in view["items"] if row["kind"] == "meter"]) == (
        200, ["000000000003"]
    )  # fmt: skip
