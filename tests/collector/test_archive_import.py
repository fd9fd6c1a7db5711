"""Imports that meet trouble on their way: all rows are in the archive in the end, or none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from web_helpers import CONFIG, Office, open_office

from station.collector.archive_import import ArchiveImports
from station.collector.import_rows import TABLES
from station.errors import Conflict, DatabaseDown
from station.store.database import Database
from station.store.objects import imports as import_store
from station.store.objects.imports import Import
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

TERMINAL = "02001234"
METERS = 40
NAMES = {name: name for name in TABLES["meters"].fields}


@pytest.fixture
async def office(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """Pages whose imports go in portions of ten rows; half of the meters are there."""
    monkeypatch.setattr("station.collector.archive_import.ROWS_AT_ONCE", 10)
    async with open_office(database) as opened:
        await opened.parts.archive.add_terminal(Terminal(TERMINAL, "North"))
        for number in range(METERS // 2):
            await opened.parts.archive.add_meter(Meter(f"{number:012}", "Old", link=TERMINAL))
        yield opened


async def names(database: Database) -> list[str]:
    return [meter.name for meter in await database.meters.many()]


async def preview(imports: ArchiveImports, database: Database) -> Import:
    lines = [f"{number:012},New,{TERMINAL}" for number in range(METERS)]
    table = "\n".join(["address,name,link", *lines]).encode()
    import_id = await imports.read("meters", "table.csv", table, NAMES, by="ann")
    await over(imports, import_id)
    return await database.imports.get(import_id)


async def over(imports: ArchiveImports, import_id: str) -> None:
    for _ in range(500):
        work = imports.work(import_id)
        if work is not None and work.is_over:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it is still under way")


def at_row(
    database: Database, monkeypatch: pytest.MonkeyPatch, row: int, do: Callable[[], Awaitable[Any]]
) -> None:
    """Have `do()` done once, when the rows up to this one are through."""
    step, waiting = database.imports.step, [do]

    async def stepping(import_: Import, limit: int, *, leaving: bool = False) -> Import:
        if waiting and import_.position >= row:
            await waiting.pop()()
        return await step(import_, limit, leaving=leaving)

    monkeypatch.setattr(database.imports, "step", stepping)


async def test_row_that_is_changed_on_the_way_takes_all_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, imports = office.database, office.parts.imports
    before = await database.meters.many()
    import_ = await preview(imports, database)
    late = before[15]

    async def change() -> None:
        await office.parts.archive.save_meter(replace(late, name="Faster"))

    at_row(database, monkeypatch, 11, change)
    await imports.apply(import_, by="ann")
    await over(imports, import_.id)
    after = await database.imports.get(import_.id)
    assert (after.state, after.heading, after.keys) == ("preview", "", (late.address,))
    assert after.position < 2  # Row 1 is the head.
    assert (after.applied_by, after.applied_at) == ("", None)
    assert await database.meters.many() == [
        replace(late, name="Faster") if meter == late else meter for meter in before
    ]
    changes, _ = await database.changes.list(of="meter", key=before[0].address)
    assert [change.reason for change in changes[:2]] == [
        "import of table.csv taken back", "import of table.csv",
    ]  # fmt: skip


async def test_what_others_changed_behind_the_import_stays_theirs(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, imports = office.database, office.parts.imports
    before = await database.meters.many()
    import_ = await preview(imports, database)

    async def change() -> None:  # One row before, one behind.
        for meter in (before[3], before[18]):
            now = await database.meters.get(meter.address)
            await office.parts.archive.save_meter(replace(now, name="Theirs"))

    at_row(database, monkeypatch, 11, change)
    await imports.apply(import_, by="ann")
    await over(imports, import_.id)
    found = await names(database)
    assert len(found) == METERS // 2
    assert [number for number, name in enumerate(found) if name != "Old"] == [3, 18]


async def test_station_that_was_cut_off_goes_on_at_its_next_start(
    office: Office, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = office.parts.imports
    before = await database.meters.many()
    import_ = await preview(imports, database)
    for act, wanted in (("apply", "applied"), ("undo", "undone")):
        cut = asyncio.Event()

        async def hang(cut: asyncio.Event = cut) -> None:
            cut.set()
            await asyncio.sleep(60)

        with monkeypatch.context() as patched:
            at_row(database, patched, 0 if act == "undo" else 21, hang)
            await getattr(imports, act)(import_, by="ann")
            await asyncio.wait_for(cut.wait(), 10)
            await imports.stop()
        halfway = await database.imports.get(import_.id)
        assert halfway.heading == wanted
        imports = ArchiveImports(database, office.parts.archive, office.parts.feed, CONFIG.station)
        with pytest.raises(Conflict):
            await imports.apply(import_, by="bob")
        await imports.start()
        await over(imports, import_.id)
        import_ = await database.imports.get(import_.id)
        assert (import_.state, import_.heading) == (wanted, "")
        assert set(await names(database)) == ({"New"} if act == "apply" else {"Old"})
    assert await database.meters.many() == before


async def test_database_that_is_gone_for_a_while_is_waited_for(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, imports = office.database, office.parts.imports
    import_ = await preview(imports, database)
    step, left = database.imports.step, [DatabaseDown("gone"), DatabaseDown("gone")]

    async def failing(import_: Import, limit: int, *, leaving: bool = False) -> Import:
        stepped = await step(import_, limit, leaving=leaving)
        if left and stepped.position > 20:
            raise left.pop()  # After the fact: the outcome is not known to the caller.
        return stepped

    monkeypatch.setattr(database.imports, "step", failing)
    await imports.apply(import_, by="ann")
    await over(imports, import_.id)
    assert not left
    assert await names(database) == ["New"] * METERS
    changes, total = await database.changes.list(of="meter", key=f"{METERS - 1:012}")
    assert (total, changes[0].act) == (1, "added")


async def test_two_imports_do_not_mix(office: Office) -> None:
    database, imports = office.database, office.parts.imports
    first = await preview(imports, database)
    second = await preview(imports, database)
    await imports.apply(first, by="ann")
    with pytest.raises(Conflict, match="under way"):
        await imports.apply(second, by="ann")
    await over(imports, first.id)
    await imports.apply(second, by="ann")
    await over(imports, second.id)
    after = await database.imports.get(second.id)
    assert (after.state, after.trouble) == ("preview", "40 rows were changed by others meanwhile")
    assert len(after.keys) == import_store.KEYS_SHOWN
