"""Places: the list, one with what hangs on it, and their forms; hanging devices on a place."""

import re
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.archive_sentences import PLACE_KINDS
from station.handlers.archive.place_views import (
    PlaceHandler,
    PlaceList,
    PlaceRow,
    PlaceView,
    person_of,
    place_named,
    place_row,
)
from station.handlers.base import ListQuery, Nothing
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows
from station.store.objects.base import new_id
from station.store.objects.places import Place

TAKEN_SIZE_MAX = 20_000  # Characters of a pasted list: a thousand addresses.

OFFERED_MAX = 20  # More than one looks through.

_BETWEEN = re.compile(r"[\s,，;；、]+")


class PlacesQuery(ListQuery):
    """Which places to show; `under` is a place's id."""

    kind: str | None = Field(None, max_length=20)
    under: str | None = Field(None, max_length=32)


class NewPlaceQuery(BaseModel):
    """The id of the place that a new one is to lie below."""

    parent: str = Field("", max_length=32)


class OfferedQuery(BaseModel):
    """What is being typed, under the name that its field has."""

    place: str = Field("", max_length=1000)
    parent: str = Field("", max_length=1000)


class PlaceBody(BaseModel):
    """What is entered of a place; `parent` may be an id, a code or a path of names."""

    kind: str = Field("area", max_length=20)
    name: str = Field(min_length=1, max_length=64)
    parent: str = Field("", max_length=1000)
    code: str = Field("", max_length=32)


class TakeBody(BaseModel):
    """Addresses of terminals and meters that shall hang on a place."""

    addresses: str = Field(min_length=1, max_length=TAKEN_SIZE_MAX)


class TakenView(BaseModel):
    """How many terminals and meters hang on the place now that did not before."""

    terminals: int
    meters: int


COLUMNS = (
    Column[PlaceRow](N_("Name"), lambda place: place.name, sort="name"),
    Column[PlaceRow](N_("Kind"), lambda place: place.kind, sort="kind", look="nowrap"),
    Column[PlaceRow](N_("Code"), lambda place: place.code, sort="code"),
    Column[PlaceRow](
        N_("Place"), lambda place: place.path, head=N_("Hangs on"), look="only-wide soft"
    ),
    Column[PlaceRow](
        N_("Terminals"), lambda place: place.counts.terminals, sort="-terminals", look="number"
    ),
    Column[PlaceRow](
        N_("Online"), lambda place: place.counts.online, sort="-online", look="number"
    ),
    Column[PlaceRow](
        N_("Meters"), lambda place: place.counts.meters, sort="-meters", look="number"
    ),
    Column[PlaceRow](
        N_("Silent"), lambda place: place.counts.silent, sort="-silent", look="number"
    ),
)


class FormHandler(PlaceHandler):
    """What the handlers with the form of a place share."""

    def refuse(self, error: StationError, place: Place | None) -> None:
        """Show the form again with what was typed."""
        self.refuse_form("place_form.html", error, place=place)

    async def one(self, place_id: str) -> Place:
        """Return a place that the person may see. Raises NotFound."""
        found = (await self.visible_tree()).by_id.get(place_id)
        if found is None:
            raise NotFound(f"there is no place {place_id}")
        return found

    async def entered(self) -> dict[str, Any]:
        """Return the fields of a place as they were typed, with the id of the parent."""
        body = self.parse_body(PlaceBody)
        parent = await place_named(self, body.parent, "parent")
        if self.areas and not parent:
            raise InvalidValue("parent", "it has to hang on a place of yours")
        return {**body.model_dump(), "parent": parent}


class PlacesHandler(FormHandler):
    """/places, /api/places"""

    @requires(Permission.VIEW)
    @contract(PlaceList, query=PlacesQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(PlacesQuery)
        tree, counts = await self.visible_tree(), await self.parts.archive.counts()
        text = (query.text or "").casefold()
        under = tree.under([query.under]) if query.under else tree.by_id.keys()
        found = [
            row
            for _, place in tree.walk()
            if place.id in under
            and query.kind in (None, place.kind)
            and text in f"{place.name} {place.code} {tree.path_text(place.id)}".casefold()
            for row in [place_row(place, tree, counts)]
        ]
        found = [*sorted_rows(found, COLUMNS, query.sort, self.language)]
        skip, limit = self.span(query)
        rows = found[skip : skip + limit]
        view = PlaceList(items=rows, total=len(found))
        await self.show_list("places.html", view, rows, COLUMNS, filter=query)

    @requires(Permission.CONFIGURE)
    @contract(PlaceView, body=PlaceBody, status=201)
    async def post(self) -> None:
        try:
            place = Place(new_id(), **await self.entered())
            await self.parts.archive.add_place(place, by=person_of(self))
        except (InvalidValue, Conflict) as error:
            self.refuse(error, None)
            return
        notice = self.language.say("Place %(name)s is saved.", name=place.name)
        saved = await self.one(place.id)
        self.done(await self.view_of(saved), f"/places/{place.id}", notice, status=201)


class NewPlaceHandler(FormHandler):
    """/places/new"""

    @requires(Permission.CONFIGURE)
    @contract(None, query=NewPlaceQuery)
    async def get(self) -> None:
        tree = await self.visible_tree()
        parent = tree.by_id.get(self.parse_query(NewPlaceQuery).parent)
        kinds = list(PLACE_KINDS)
        kind = kinds[0]
        if parent is not None:
            kind = kinds[min(kinds.index(parent.kind) + 1, len(kinds) - 1)]
        typed = {
            "name": "",
            "code": "",
            "kind": kind,
            "parent": tree.path_text(parent.id) if parent else "",
        }
        self.finish_page("place_form.html", typed=typed, place=None)


class OfferedHandler(PlaceHandler):
    """/places/offered: the paths of places that fit what is being typed in a form."""

    @requires(Permission.VIEW)
    @contract(None, query=OfferedQuery)
    async def get(self) -> None:
        query = self.parse_query(OfferedQuery)
        tree, wanted = await self.visible_tree(), (query.place or query.parent).casefold()
        paths = []
        for _, place in tree.walk():
            path = tree.path_text(place.id)
            if wanted in f"{path} {place.code}".casefold():
                paths.append(path)
            if len(paths) == OFFERED_MAX:
                break
        self.finish_page("places_offered.html", paths=paths)


class OnePlaceHandler(FormHandler):
    """/places/ID, /api/places/ID"""

    @requires(Permission.VIEW)
    @contract(PlaceView)
    async def get(self, place_id: str) -> None:
        view = await self.view_of(await self.one(place_id))
        self.show("place.html", view, typed={"addresses": ""})

    @requires(Permission.CONFIGURE)
    @contract(PlaceView, body=PlaceBody)
    async def post(self, place_id: str) -> None:
        await self.put(place_id)

    @requires(Permission.CONFIGURE)
    @contract(PlaceView, body=PlaceBody)
    async def put(self, place_id: str) -> None:
        before = await self.one(place_id)
        try:
            place = replace(before, **await self.entered())
            await self.parts.archive.save_place(place, by=person_of(self))
        except (InvalidValue, Conflict) as error:
            self.refuse(error, before)
            return
        notice = self.language.say("Place %(name)s is saved.", name=place.name)
        self.done(await self.view_of(await self.one(place_id)), f"/places/{place_id}", notice)

    @requires(Permission.CONFIGURE)
    @contract(Nothing)
    async def delete(self, place_id: str) -> None:
        place = await self.one(place_id)
        await self.parts.archive.remove_place(place_id, by=person_of(self))
        notice = self.language.say("Place %(name)s is removed.", name=place.name)
        location = f"/places/{place.parent}" if place.parent else "/tree"
        self.done(Nothing(), location, notice)


class EditPlaceHandler(FormHandler):
    """/places/ID/edit"""

    @requires(Permission.CONFIGURE)
    @contract(None)
    async def get(self, place_id: str) -> None:
        place = await self.one(place_id)
        typed = {name: getattr(place, name) for name in PlaceBody.model_fields}
        typed["parent"] = (await self.visible_tree()).path_text(place.parent)
        self.finish_page("place_form.html", typed=typed, place=place)


class TakeHandler(FormHandler):
    """/places/ID/devices: hang terminals and meters on a place, all of them or none."""

    @requires(Permission.CONFIGURE)
    @contract(TakenView, body=TakeBody)
    async def post(self, place_id: str) -> None:
        place = await self.one(place_id)
        try:
            taken = await self._take(place_id)
        except InvalidValue as error:
            await self._refuse(error, place)
            return
        count = taken.terminals + taken.meters
        notice = self.language.say(
            "%(count)s more hang on %(name)s now.", count=count, name=place.name
        )
        self.done(taken, f"/places/{place_id}", notice)

    async def _take(self, place_id: str) -> TakenView:
        body = self.parse_body(TakeBody)
        addresses = dict.fromkeys(each for each in _BETWEEN.split(body.addresses) if each)
        terminals, meters = await self.parts.archive.hang(
            list(addresses), place_id, by=person_of(self), areas=self.areas
        )
        return TakenView(terminals=terminals, meters=meters)

    async def _refuse(self, error: InvalidValue, place: Place) -> None:
        view = None if self.wants_json else await self.view_of(place)
        self.refuse_form("place.html", error, view=view)
