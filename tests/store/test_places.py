"""Places, under hands that change them at the same time; and the log that cannot be lost."""

import asyncio
from dataclasses import replace

import pytest

from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.store.database import Database
from station.store.objects.channels import Channel
from station.store.objects.meters import Meter
from station.store.objects.places import Place, PlaceTree, Within
from station.store.objects.terminals import Terminal

ORG = Place("org", "organisation", "County")
EAST = Place("east", "organisation", "East", "org")
WEST = Place("west", "organisation", "West", "org")
AREA = Place("area", "area", "Area", "east", "TQ-1")
TERMINAL = Terminal("02001234", "North")
METER = Meter("000000000161", "Shop", link="02001234")


@pytest.fixture
async def tree(database: Database) -> Database:
    for place in (ORG, EAST, WEST, AREA):
        await database.places.add(place, by="ann")
    await database.terminals.add(TERMINAL)
    return database


def test_a_tree_knows_what_lies_where() -> None:
    tree = PlaceTree([AREA, WEST, ORG, EAST])
    assert [place.id for place in tree.children()] == ["org"]
    assert [(depth, place.id) for depth, place in tree.walk()] == [
        (0, "org"), (1, "east"), (2, "area"), (1, "west"),
    ]  # fmt: skip
    assert tree.under(["east", "gone"]) == {"east", "area"}
    assert tree.path_text("area") == "County / East / Area"
    for text in ("area", "TQ-1", "County / East / Area", " Area "):
        assert tree.named(text) is tree.by_id["area"], text
    assert PlaceTree([AREA, replace(AREA, id="b", code="")]).named("Area") is None
    ring = PlaceTree([replace(EAST, parent="west"), replace(WEST, parent="east")])
    assert len(ring.path("east")) <= 12
    assert ring.under(["east"]) == {"east", "west"}


async def test_of_two_moves_that_would_close_a_ring_one_is_refused(tree: Database) -> None:
    for _ in range(5):
        results = await asyncio.gather(
            tree.places.save(replace(EAST, parent="west")),
            tree.places.save(replace(WEST, parent="east")),
            return_exceptions=True,
        )
        refused = [each for each in results if each is not None]
        assert [type(each) for each in refused] == [InvalidValue]
        assert len((await tree.places.tree()).under(["org"])) == 4
        for place in (EAST, WEST):
            await tree.places.save(place)


async def test_nothing_is_hung_on_a_place_that_goes(tree: Database) -> None:
    for _ in range(5):
        results = await asyncio.gather(
            tree.places.remove("area"),
            tree.meters.add(replace(METER, place="area")),
            return_exceptions=True,
        )
        refused = [each for each in results if isinstance(each, StationError)]
        assert len(refused) == 1
        if await tree.meters.find(METER.address) is not None:
            assert await tree.places.find("area") is not None
            await tree.meters.remove(METER.address)
        else:
            await tree.places.add(AREA)


async def test_refusals(tree: Database) -> None:
    with pytest.raises(Conflict, match="the code TQ-1 is taken"):
        await tree.places.add(Place("b", "area", "B", "west", "TQ-1"))
    with pytest.raises(Conflict, match="there is a place West under the same place"):
        await tree.places.save(replace(EAST, name="West"))
    with pytest.raises(Conflict, match="Area still hangs on this place"):
        await tree.places.remove("east")
    with pytest.raises(InvalidValue, match="there is no place gone"):
        await tree.terminals.save(replace(TERMINAL, place="gone"))
    with pytest.raises(NotFound):
        await tree.places.save(Place("gone", "area", "Gone"))
    await tree.terminals.save(replace(TERMINAL, place="area"))
    with pytest.raises(Conflict, match="02001234 still hangs on this place"):
        await tree.places.remove("area")


async def test_every_change_is_in_the_log_and_no_refused_one(tree: Database) -> None:
    await tree.meters.add(METER, by="ann")
    await tree.meters.save(METER, by="ann")  # Nothing differs.
    await tree.meters.save(replace(METER, name="Mill", groups=("a",)), by="bob", reason="Moved")
    with pytest.raises(InvalidValue):
        await tree.meters.save(replace(METER, link="gone"), by="eve")
    await tree.meters.remove(METER.address, by="ann")
    changes, total = await tree.changes.list(of="meter", key=METER.address)
    assert total == 3
    removed, changed, added = changes
    assert (added.act, added.by, added.before, added.after["name"]) == ("added", "ann", {}, "Shop")
    assert (changed.by, changed.reason) == ("bob", "Moved")
    assert (changed.before, changed.after) == (
        {"name": "Shop", "groups": []}, {"name": "Mill", "groups": ["a"]},
    )  # fmt: skip
    assert (removed.act, removed.after) == ("removed", {})
    await tree.channels.add(Channel("line-1", "/dev/ttyUSB0"), by="ann")
    assert (await tree.changes.list(by="ann", of="channel"))[1] == 1


async def test_places_within_reach_devices_and_their_meters(tree: Database) -> None:
    moved = await tree.places.hang("area", ["02001234"], [], by="ann")
    assert moved == (1, 0)
    await tree.meters.add(METER)
    await tree.meters.add(replace(METER, address="000000000162", place="west"))
    inside = Within(frozenset({"area"}), frozenset(await tree.terminals.at(["area"])))
    found, total = await tree.meters.list(within=inside)
    assert ([meter.address for meter in found], total) == ([METER.address], 1)
    assert inside.has_meter("", "02001234")
    assert not inside.has_meter("west", "02001234")
    assert (await tree.terminals.list(within=inside))[1] == 1
    assert await tree.places.hang("area", ["02001234"], [METER.address]) == (0, 1)
