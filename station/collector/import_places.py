"""What the rows of a table would change in the tree of places. Pure.

A row is known by its id, else by its code, else by its name under the place that it hangs on. What
it hangs on is said by code, id, or the names from the top down, and may stand anywhere in the same
file: rows are applied from the top of the tree down.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from station.collector.archive_checks import check_parent, checked_place
from station.collector.import_cells import RowCells, Surroundings
from station.errors import InvalidValue
from station.store.objects.base import new_id
from station.store.objects.imports import ImportRow
from station.store.objects.places import DEPTH_MAX, PATH_SEPARATOR, Place, PlaceTree

LEVEL = 1_000_000  # More than a file has rows: a level of the tree comes wholly before the next.


def plan_places(
    rows: Sequence[Sequence[str]], columns: Sequence[str | None], around: Surroundings
) -> Iterator[ImportRow]:
    """Yield what each row would do; `rows` are those behind the head, which is row 1."""
    cells = [RowCells(number, row, columns) for number, row in enumerate(rows, 2) if any(row)]
    plan = _Plan(cells, around)
    for each in cells:
        yield plan.row(each)


class _Plan:
    """All rows of a table, against the tree that is there and the one that would be."""

    def __init__(self, cells: Sequence[RowCells], around: Surroundings) -> None:
        self._around = around
        self._before = around.places.by_id
        self._paths = {key: around.places.path_text(key) for key in self._before}
        # What a place may be called in a cell, and where it hangs under which name.
        self._called = {path: key for key, path in self._paths.items()}
        self._called |= {place.code: place.id for place in self._before.values() if place.code}
        self._called |= {key: key for key in self._before}
        self._spots = {(place.parent, place.name): key for key, place in self._before.items()}
        self._found: dict[int, Place] = {}  # By row.
        self._wrong: dict[int, InvalidValue] = {}
        self._settle_all(cells)
        found = {place.id: place for place in self._found.values()}
        self._after = PlaceTree({**self._before, **found}.values())
        places = self._after.by_id.values()
        self._times = Counter(place.id for place in self._found.values())
        self._codes = Counter(place.code for place in places)
        self._names = Counter((place.parent, place.name) for place in places)

    def row(self, cells: RowCells) -> ImportRow:
        """Return what one row does."""
        place = self._found.get(cells.number)
        error = self._wrong.get(cells.number) or self._fault(place)
        if error is not None or place is None:
            error = error or InvalidValue("parent", f"there is no place {cells.text('parent')}")
            problem = cells.problem(error.field, str(error))
            return ImportRow(cells.number, cells.text("name"), "error", problems=(problem,))
        before = self._before.get(place.id)
        if before == place:
            return ImportRow(cells.number, place.id, "unchanged")
        order = len(self._after.path(place.id)) * LEVEL + cells.number
        if before is None:
            return ImportRow(cells.number, place.id, "new", after=place, order=order)
        return ImportRow(cells.number, place.id, "changed", before=before, after=place, order=order)

    def _settle_all(self, cells: Sequence[RowCells]) -> None:
        """Settle rows until those that are left hang on what is nowhere."""
        waiting = list(cells)
        while waiting:
            left = [each for each in waiting if not self._settle(each)]
            if len(left) == len(waiting):
                return
            waiting = left

    def _settle(self, cells: RowCells) -> bool:
        """Find out what a row is about; false while it is not known what it hangs on."""
        above = cells.text("parent")
        if above and above not in self._called:
            return False
        try:
            place = checked_place(self._place(cells, self._called.get(above, "")))
        except InvalidValue as error:
            self._wrong[cells.number] = error
            return True
        self._found[cells.number] = place
        path = PATH_SEPARATOR.join(filter(None, (self._paths.get(place.parent), place.name)))
        self._paths.setdefault(place.id, path)
        for name in (path, place.code):
            if name:
                self._called.setdefault(name, place.id)
        return True

    def _place(self, cells: RowCells, parent: str) -> Place:
        """Return the place of a row as the row wants it."""
        key, code, name = cells.text("id"), cells.text("code"), cells.text("name")
        before = self._before.get(key or self._called.get(code, "") if key or code else "")
        if key and before is None:
            raise InvalidValue("id", f"there is no place {key}")
        if before is not None and not cells.has("parent"):
            parent = before.parent
        if before is None and not code:
            before = self._before.get(self._spots.get((parent, " ".join(name.split())), ""))
        place = before or Place(new_id(), "", "", created_at=self._around.now)
        return replace(
            place,
            kind=cells.text("kind") or place.kind,
            name=name or place.name,
            parent=parent,
            code=code if cells.has("code") else place.code,
        )

    def _fault(self, place: Place | None) -> InvalidValue | None:
        """Return what is wrong with a place in the tree that would be."""
        if place is None:
            return None
        if self._times[place.id] > 1:
            return InvalidValue("name", "another row is of the same place")
        if place.code and self._codes[place.code] > 1:
            return InvalidValue("code", f"the code {place.code} is taken by another place")
        if self._names[place.parent, place.name] > 1:
            message = f"there is a place {place.name} under the same place already"
            return InvalidValue("name", message)
        if self._is_ring(place):
            return InvalidValue("parent", "a place cannot hang below itself")
        allowed = self._around.allowed
        if allowed is not None and not {place.id, place.parent} & allowed:
            return InvalidValue("parent", "lies outside your areas")
        parent = self._after.by_id.get(place.parent)
        try:
            if parent is not None:
                check_parent(place.kind, parent.kind)
            for child in self._after.children(place.id):
                check_parent(child.kind, place.kind)
        except InvalidValue as error:
            return error
        return None

    def _is_ring(self, place: Place) -> bool:
        above = place
        for _ in range(DEPTH_MAX):
            parent = self._after.by_id.get(above.parent)
            if parent is None:
                return False
            above = parent
        return True
