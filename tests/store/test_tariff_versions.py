"""Versions of a tariff: numbered without gaps, forward only, and approved by a second person."""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from station.errors import Conflict, NotFound
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import utc_now

MAIN = PriceSet(
    (Decimal("0.5000"), Decimal("0.3")),
    (Decimal("200"), Decimal("400.50")),
    (Decimal("0"), Decimal("0.05"), Decimal("0.3")),
    "year",
    ((1, 1, 0), (7, 1, 12)),
)


def a_version(**changes: Any) -> TariffVersion:
    version = TariffVersion(
        new_id(), "HOME", "Homes", MAIN, date(2027, 1, 1), "first", utc_now(),
        backup=PriceSet((Decimal("0.6"),)), switch_at=datetime.fromisoformat("2027-07-01T00:30"),
        alarm1_fen=5_000, note="as published",
    )  # fmt: skip
    return replace(version, **changes)


async def approved(database: Database, **changes: Any) -> TariffVersion:
    version = await database.tariffs.add_version(a_version(**changes))
    await database.tariffs.submit(version.id, "first", utc_now())
    return await database.tariffs.approve(version.id, "second", utc_now())


async def test_what_was_kept_is_found_as_it_was(database: Database) -> None:
    version = await database.tariffs.add_version(a_version())
    assert version.number == 1
    found = await database.tariffs.get(version.id)
    assert found == version
    assert str(found.main.rates[0]) == "0.5000"  # Exact, and never a float.
    assert found.switch_at is not None
    assert found.switch_at.tzinfo is None


async def test_a_version_sent_twice_is_one(database: Database) -> None:
    sent = a_version()
    first = await database.tariffs.add_version(sent)
    again = replace(sent, created_at=utc_now() + timedelta(seconds=5))
    assert await database.tariffs.add_version(again) == first
    with pytest.raises(Conflict, match="exists already"):
        await database.tariffs.add_version(replace(sent, alarm1_fen=1))
    assert len(await database.tariffs.versions("HOME")) == 1


async def test_versions_at_once_are_numbered_without_gaps(database: Database) -> None:
    await asyncio.gather(*(database.tariffs.add_version(a_version()) for _ in range(4)))
    await database.tariffs.add_version(a_version(tariff="SHOP"))
    assert [each.number for each in await database.tariffs.versions("HOME")] == [4, 3, 2, 1]
    assert [each.number for each in await database.tariffs.versions("SHOP")] == [1]
    assert await database.tariffs.codes() == ("HOME", "SHOP")


async def test_nobody_approves_what_is_their_own(database: Database) -> None:
    version = await database.tariffs.add_version(a_version())
    with pytest.raises(Conflict, match="version 1 of HOME is not submitted yet"):
        await database.tariffs.approve(version.id, "second", utc_now())
    await database.tariffs.submit(version.id, "other", utc_now())
    for own in ("first", "other"):
        with pytest.raises(Conflict, match="a second person must approve"):
            await database.tariffs.approve(version.id, own, utc_now())
    at = utc_now()
    done = await database.tariffs.approve(version.id, "second", at)
    assert (done.state, done.approved_by, done.approved_at) == ("approved", "second", at)
    assert done.submitted_by == "other"


async def test_an_approved_version_never_changes(database: Database) -> None:
    version = await approved(database)
    with pytest.raises(Conflict, match="version 1 of HOME is approved already"):
        await database.tariffs.withdraw(version.id, "first", utc_now(), "a mistake")
    with pytest.raises(Conflict, match="approved already"):
        await database.tariffs.submit(version.id, "first", utc_now())
    with pytest.raises(Conflict, match="never changes"):
        await database.tariffs.save(replace(version, alarm1_fen=1))
    with pytest.raises(Conflict, match="never changes"):
        await database.tariffs.remove(version.id)
    # The same approval again changes nothing; another's comes too late.
    later = utc_now() + timedelta(hours=1)
    assert await database.tariffs.approve(version.id, "second", later) == version
    with pytest.raises(Conflict, match="approved already"):
        await database.tariffs.approve(version.id, "third", later)
    assert await database.tariffs.get(version.id) == version


async def test_of_approving_and_withdrawing_at_once_one_happens(database: Database) -> None:
    version = await database.tariffs.add_version(a_version())
    await database.tariffs.submit(version.id, "first", utc_now())
    outcomes = await asyncio.gather(
        database.tariffs.approve(version.id, "second", utc_now()),
        database.tariffs.withdraw(version.id, "first", utc_now(), "wrong day"),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1
    standing = await database.tariffs.get(version.id)
    assert standing in outcomes


async def test_the_current_version_is_the_one_that_began_last(database: Database) -> None:
    with pytest.raises(NotFound, match="no approved version on 2027-01-01"):
        await database.tariffs.current("HOME", date(2027, 1, 1))
    first = await approved(database)
    second = await approved(database, effective_on=date(2027, 3, 1))
    overtaken = await approved(database, effective_on=date(2027, 3, 1), note="corrected")
    await database.tariffs.add_version(a_version(effective_on=date(2027, 2, 1)))  # A draft.
    await approved(database, tariff="SHOP", effective_on=date(2027, 2, 1))
    with pytest.raises(NotFound):
        await database.tariffs.current("HOME", date(2026, 12, 31))
    assert await database.tariffs.current("HOME", date(2027, 2, 28)) == first
    assert await database.tariffs.current("HOME", date(2027, 3, 1)) == overtaken
    assert second.number < overtaken.number


async def test_a_list_by_text_and_state(database: Database) -> None:
    home = await approved(database)
    shop = await database.tariffs.add_version(a_version(tariff="SHOP", name="Shops"))
    assert await database.tariffs.list() == ([home, shop], 2)
    assert await database.tariffs.list(text="shops") == ([shop], 1)
    assert await database.tariffs.list(state="approved") == ([home], 1)
    assert await database.tariffs.list(skip=1, limit=1) == ([shop], 2)
