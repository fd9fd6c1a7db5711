"""Places as pages and JSON show them, and what of the tree somebody may see."""

from collections.abc import Collection, Mapping
from datetime import datetime

from pydantic import BaseModel

from station.collector.census import NOTHING, Count
from station.errors import InvalidValue, NotFound
from station.handlers.base import Handler
from station.store.objects.places import Place, PlaceTree, Within
from station.units import from_local

UNPLACED = "-"  # Stands for "on no place" where an id is expected.


class CountView(BaseModel):
    """What hangs on a place and below it; silent meters did not answer several runs in a row."""

    terminals: int = 0
    online: int = 0
    meters: int = 0
    silent: int = 0


class PlaceRow(BaseModel):
    """A place in a list; `path` holds the names from the top down."""

    id: str
    kind: str
    name: str
    parent: str
    code: str
    path: str
    counts: CountView


class PlaceList(BaseModel):
    items: list[PlaceRow]
    total: int


class Step(BaseModel):
    """One place above another."""

    id: str
    name: str


class PlaceView(PlaceRow):
    """Everything about a place: `above` from the top down, and how many places hang on it."""

    created_at: datetime
    above: list[Step]
    below: int


class PlaceHandler(Handler):
    """What the handlers of places share: nobody sees more of the tree than their areas."""

    async def visible_tree(self) -> PlaceTree:
        """Return the tree as far as the person may see it."""
        tree = await self.parts.archive.places()
        return part_of(tree, self.areas)

    async def view_of(self, place: Place) -> PlaceView:
        """Return everything about a place."""
        tree, counts = await self.visible_tree(), await self.parts.archive.counts()
        row = place_row(place, tree, counts)
        above = [Step(id=each.id, name=each.name) for each in tree.path(place.id)[:-1]]
        return PlaceView(
            **dict(row),
            created_at=place.created_at,
            above=above,
            below=len(tree.children(place.id)),
        )


def part_of(tree: PlaceTree, areas: Collection[str]) -> PlaceTree:
    """Return what lies within these areas; everything for none."""
    if not areas:
        return tree
    within = tree.under(areas)
    return PlaceTree(place for place in tree.by_id.values() if place.id in within)


def place_row(place: Place, tree: PlaceTree, counts: Mapping[str, Count]) -> PlaceRow:
    """Return a place as a list shows it."""
    return PlaceRow(
        id=place.id,
        kind=place.kind,
        name=place.name,
        parent=place.parent if place.parent in tree.by_id else "",
        code=place.code,
        path=tree.path_text(place.id),
        counts=count_view(counts.get(place.id, NOTHING)),
    )


def count_view(count: Count) -> CountView:
    """Return a count as JSON tells it."""
    return CountView(
        terminals=count.terminals, online=count.online, meters=count.meters, silent=count.silent
    )


def person_of(handler: Handler) -> str:
    """Return the name of the person who changes something."""
    assert handler.user is not None, "a permission needs a person"
    return handler.user.name


async def within_of(handler: Handler, place_id: str | None) -> Within | None:
    """Return what a list may show: all below a place, all of the person's areas, or everything.

    Raises NotFound for a place that is not there, or not the person's.
    """
    archive = handler.parts.archive
    if not place_id:
        return await archive.places_of(handler.areas)
    if place_id not in part_of(await archive.places(), handler.areas).by_id:
        raise NotFound(f"there is no place {place_id}")
    return await archive.places_of([place_id])


async def place_named(handler: Handler, typed: str, field: str = "place") -> str:
    """Return the id of the place that was typed: its id, code, path or a name that is unique.

    Nothing typed is no place. Raises InvalidValue.
    """
    if not typed.strip():
        return ""
    found = part_of(await handler.parts.archive.places(), handler.areas).named(typed)
    if found is None:
        raise InvalidValue(field, f"no one place is called {typed.strip()}")
    return found.id


async def own_place(handler: Handler, typed: str | None, before: str = "") -> str:
    """Return the id of the place on which a device shall hang; None leaves it as it was before.

    Somebody with areas hangs it within them. Raises InvalidValue.
    """
    found = before if typed is None else await place_named(handler, typed)
    if handler.areas and not found:
        raise InvalidValue("place", "it has to hang on a place of yours")
    return found


async def path_of(handler: Handler, place_id: str) -> str:
    """Return the names from the top down to a place."""
    return (await handler.parts.archive.places()).path_text(place_id)


async def check_in_sight(handler: Handler, *, terminal: str = "", meter: str = "") -> None:
    """Check that a terminal or meter lies in the person's areas. Raises NotFound."""
    within = await handler.parts.archive.places_of(handler.areas)
    if within is None:
        return
    if terminal and not within.has_terminal(terminal):
        raise NotFound(f"there is no terminal {terminal}")
    if meter:
        found = await handler.parts.database.meters.get(meter)
        if not within.has_meter(found.place, found.link):
            raise NotFound(f"there is no meter {meter}")


def moment_of(handler: Handler, typed: datetime | None) -> datetime | None:
    """Return a typed moment; one without a zone is a time at the site."""
    if typed is None or typed.tzinfo is not None:
        return typed
    return from_local(typed, handler.parts.config.site.zone_info)
