"""The tree of the archive: places, what hangs on them, stages, and the log of changes."""

import pytest
from web_helpers import PASSWORD_HASH, Office, Visitor, text_of, words_of

from station.store.objects.users import User

AREA = {"kind": "area", "name": "Area 12"}


async def place(ann: Visitor, **fields: str) -> str:
    status, made = await ann.json("POST", "/api/places", fields)
    assert status == 201, made
    return str(made["id"])


async def small_tree(ann: Visitor) -> dict[str, str]:
    """Make an organisation with two substations, a line, and an area on it."""
    ids = {"org": await place(ann, kind="organisation", name="County")}
    ids["north"] = await place(ann, kind="substation", name="North", parent=ids["org"])
    ids["south"] = await place(ann, kind="substation", name="South", parent="County")
    ids["line"] = await place(ann, kind="line", name="Line 1", parent="County / North")
    ids["area"] = await place(ann, **AREA, parent=ids["line"], code="TQ-12")
    return ids


async def test_places_are_entered_moved_and_removed(office: Office) -> None:
    ann = await office.somebody("technician")
    assert "No place yet" in text_of(await ann.get("/tree"))
    saved = await ann.post("/places", kind="organisation", name="  County   grid ")
    assert saved.code == 303
    assert "County grid" in text_of(await ann.get("/tree"))
    ids = await small_tree(ann)
    page = words_of(await ann.get(f"/places/{ids['area']}"))
    assert "County" in page
    assert "TQ-12" in page
    moved = await ann.post(
        f"/places/{ids['line']}", kind="line", name="Line 1", parent="County / South"
    )
    assert moved.code == 303
    _, view = await ann.json("GET", f"/api/places/{ids['area']}")
    assert view["path"] == "County / South / Line 1 / Area 12"
    status, refused = await ann.json("DELETE", f"/api/places/{ids['line']}")
    assert (status, refused["error"]["message"]) == (409, "Area 12 still hangs on this place")
    assert (await ann.json("DELETE", f"/api/places/{ids['area']}"))[0] == 200
    assert (await ann.json("GET", f"/api/places/{ids['area']}"))[0] == 404


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"kind": "area", "name": ""}, "name", "at least 1"),
        ({"kind": "area", "name": "a / b"}, "name", "a slash with blanks"),
        ({"kind": "street", "name": "a"}, "kind", "no kind of place"),
        ({"kind": "area", "name": "a", "code": "a b"}, "code", "32 letters"),
        ({"kind": "area", "name": "a", "parent": "Nowhere"}, "parent", "no one place is called"),
        ({"kind": "organisation", "name": "a", "parent": "TQ-12"}, "parent", "in the order"),
        ({"kind": "area", "name": "a", "parent": "TQ-12"}, "parent", "in the order"),
    ],
)
async def test_refused_places(
    office: Office, fields: dict[str, str], field: str, message: str
) -> None:
    ann = await office.somebody("technician")
    await small_tree(ann)
    status, answer = await ann.json("POST", "/api/places", fields)
    assert (status, answer["error"]["field"]) == (400, field)
    assert message in answer["error"]["message"] or message == "at least 1"
    form = await ann.post("/places", **fields)
    assert form.code == 400
    assert 'aria-invalid="true"' in text_of(form) or field == "kind"


async def test_names_and_codes_are_unique(office: Office) -> None:
    ann = await office.somebody("technician")
    ids = await small_tree(ann)
    for fields, message in (
        ({**AREA, "parent": ids["line"]}, "there is a place Area 12 under the same place already"),
        ({"kind": "area", "name": "B", "code": "TQ-12"}, "the code TQ-12 is taken"),
    ):
        status, answer = await ann.json("POST", "/api/places", fields)
        assert status == 409
        assert message in answer["error"]["message"]
    assert await place(ann, **AREA, parent=ids["south"])  # The same name elsewhere.


async def test_branches_show_what_hangs_where(site: Office) -> None:
    ann = await site.somebody("technician")
    ids = await small_tree(ann)
    top = words_of(await ann.get("/tree"))
    assert "On no place" in top
    _, unplaced = await ann.json("GET", "/api/tree/branch?place=-")
    assert [node["id"] for node in unplaced["items"]] == ["02001234"]
    taken = await ann.post(f"/places/{ids['area']}/devices", addresses="02001234, 000000000163")
    assert taken.code == 303
    _, tree = await ann.json("GET", "/api/tree")
    county = next(node for node in tree["items"] if node["name"] == "County")
    assert county["counts"] == {"terminals": 1, "online": 1, "meters": 3, "silent": 0}
    _, branch = await ann.json("GET", f"/api/tree/branch?place={ids['area']}")
    assert [(node["type"], node["id"], node["state"]) for node in branch["items"]] == [
        ("terminal", "02001234", "online"),
        ("meter", "000000000163", "online"),
    ]
    _, meters = await ann.json("GET", "/api/tree/branch?link=02001234")
    assert [node["id"] for node in meters["items"]] == [f"00000000016{n}" for n in (1, 2, 3)]
    counts = text_of(await ann.get(f"/tree/branch?place={ids['line']}&counts=true"))
    assert 'hx-swap-oob="true"' in counts
    assert f'id="counts-place-{ids["line"]}-place-{ids["area"]}"' in counts
    opened = words_of(await ann.get(f"/tree?open={ids['area']}"))
    assert "000000000163" in opened
    _, hits = await ann.json("GET", "/api/search?text=tq-12")
    assert [(hit["kind"], hit["key"], hit["name"]) for hit in hits["items"]] == [
        ("place", "Area 12", "County / North / Line 1")
    ]
    body = {"link": "02001234", "name": "Shop"}
    assert (await ann.json("PUT", "/api/meters/000000000163", body))[1]["place"] == ids["area"]
    found = words_of(await ann.get("/tree?text=000000000161"))
    assert "County / North / Line 1 / Area 12" in found
    for path in (f"/api/meters?place={ids['org']}", f"/api/terminals?place={ids['line']}"):
        _, listed = await ann.json("GET", path)
        assert listed["total"] == (3 if "meters" in path else 1), path
    assert (await ann.json("GET", f"/api/meters?place={ids['south']}"))[1]["total"] == 0


async def test_devices_are_hung_all_or_none(site: Office) -> None:
    ann = await site.somebody("technician")
    ids = await small_tree(ann)
    refused = await ann.post(f"/places/{ids['area']}/devices", addresses="02001234 777")
    assert refused.code == 400
    assert "there is no terminal or meter 777" in words_of(refused)
    _, terminal = await ann.json("GET", "/api/terminals/02001234")
    assert terminal["place"] == ""


async def test_areas_limit_what_is_seen_and_done(site: Office) -> None:
    ann = await site.somebody("technician")
    ids = await small_tree(ann)
    await ann.post(f"/places/{ids['area']}/devices", addresses="02001234")
    bob = await limited(site, ids["south"])
    _, tree = await bob.json("GET", "/api/tree")
    assert [node["name"] for node in tree["items"]] == ["South"]
    for path in ("/api/meters", "/api/terminals", "/api/changes?object=terminal"):
        assert (await bob.json("GET", path))[1]["total"] == 0, path
    for path in (
        f"/api/places/{ids['area']}",
        f"/api/tree/branch?place={ids['area']}",
        "/api/tree/branch?link=02001234",
        f"/api/meters?place={ids['org']}",
    ):
        assert (await bob.json("GET", path))[0] == 404, path
    stolen = {"addresses": "02001234"}
    assert (await bob.json("POST", f"/api/places/{ids['south']}/devices", stolen))[0] == 400
    assert (await bob.json("POST", "/api/places", {**AREA, "name": "Free"}))[0] == 400
    stage = {"stage": "removed"}
    assert (await bob.json("POST", "/api/terminals/02001234/stage", stage))[0] == 404
    assert (await bob.json("POST", "/api/meters/000000000161/stage", stage))[0] == 404
    assert "County" not in text_of(await bob.get("/places"))


async def limited(office: Office, *areas: str) -> Visitor:
    """Return a technician who deals with some places only."""
    await office.database.users.add(User("bob", PASSWORD_HASH, role="technician", areas=areas))
    bob = office.visitor()
    assert (await bob.log_in("bob")).code == 303
    return bob


async def test_stages_and_the_log_of_changes(site: Office) -> None:
    ann = await site.somebody("technician")
    form = {"stage": "suspended", "at": "2026-01-02T03:04", "reason": "Mended"}
    assert (await ann.post("/meters/000000000161/stage", **form)).code == 303
    page = words_of(await ann.get("/meters/000000000161"))
    assert "suspended" in page
    assert "2026-01-02 03:04" in page
    assert "suspended" in words_of(await ann.get("/meters"))
    future = {"stage": "active", "at": "2999-01-01T00:00:00Z"}
    status, answer = await ann.json("POST", "/api/meters/000000000161/stage", future)
    assert (status, answer["error"]["message"]) == (400, "this moment has not come yet")
    _, changes = await ann.json("GET", "/api/changes?object=meter&key=000000000161")
    first, added = changes["items"]
    assert (first["by"], first["act"], first["reason"]) == ("technician0", "changed", "Mended")
    assert first["differences"][0] == {
        "field": "stage", "name": "Stage", "before": "active", "after": "suspended",
    }  # fmt: skip
    assert added["act"] == "added"
    log = words_of(await ann.get("/changes"))
    assert "Mended" in log
    assert "suspended" in text_of(await ann.get("/changes?format=csv"))
    await ann.post("/terminals/02001234/stage", stage="removed")
    assert "removed" in words_of(await ann.get("/terminals/02001234"))


async def test_anomalies_are_shown_and_go(site: Office) -> None:
    ann = await site.somebody("technician")
    assert "Nothing is wrong" in words_of(await ann.get("/anomalies"))
    meter = {"address": "000000000164", "link": "02001234", "point": 1}
    assert (await ann.json("POST", "/api/meters", meter))[0] == 201
    _, found = await ann.json("GET", "/api/anomalies")
    assert found["kinds"] == {"same_point": 2}
    assert found["items"][0]["others"] == ["000000000164"]
    assert "two meters on one point" in words_of(await ann.get("/anomalies?kind=same_point"))
    assert "Nothing matches" in words_of(await ann.get("/anomalies?kind=silent"))
    assert "000000000164" in text_of(await ann.get("/anomalies?format=csv"))
    await ann.post("/meters/000000000164/stage", stage="removed")
    assert (await ann.json("GET", "/api/anomalies"))[1]["total"] == 0
