"""Pictures that are kept: who waits for a new one, who gets the last, and how often one is made."""

import asyncio

import pytest

from station import kept
from station.errors import DatabaseDown
from station.kept import OLD_MAX_S, QUICK_S, SHARE_MAX, Kept

AGE_MIN_S = 2.0
SLOW_S = 10 * QUICK_S
GOOD_S = SLOW_S / SHARE_MAX  # How long a slow picture is shown without another thought.


class Site:
    """Something to make pictures of: `number` is what a picture shows, `takes_s` how long."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.takes_s = SLOW_S
        self.number = 0
        self.made = 0
        self.down = False
        self.going_on = asyncio.Event()
        self.going_on.set()
        self.kept = Kept(self._make, name="test picture", age_min_s=AGE_MIN_S)

    def monotonic(self) -> float:
        """Return the time that the test says it is."""
        return self.now_s

    async def _make(self) -> int:
        number = self.number
        await self.going_on.wait()
        if self.down:
            raise DatabaseDown("test")
        self.now_s += self.takes_s
        self.made += 1
        return number

    async def until_made(self, made: int) -> None:
        """Return when so many pictures have been made."""
        for _ in range(100):
            if self.made == made:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"{self.made} pictures were made, not {made}")


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site()
    monkeypatch.setattr(kept, "time", site)
    return site


async def test_of_many_who_wait_one_makes_it(site: Site) -> None:
    assert await asyncio.gather(*(site.kept.get() for _ in range(5))) == [0] * 5
    assert site.made == 1


async def test_it_is_shown_for_as_long_as_it_costs_little(site: Site) -> None:
    await site.kept.get()
    site.number, site.now_s = 1, site.now_s + GOOD_S - 1
    assert await site.kept.get() == 0
    assert site.made == 1


async def test_a_slow_one_is_made_anew_behind_who_looks(site: Site) -> None:
    await site.kept.get()
    site.number, site.now_s = 1, site.now_s + GOOD_S + 1
    site.going_on.clear()
    assert await asyncio.gather(*(site.kept.get() for _ in range(5))) == [0] * 5
    site.going_on.set()
    await site.until_made(2)
    assert await site.kept.get() == 1
    assert site.made == 2


async def test_a_quick_one_is_waited_for(site: Site) -> None:
    site.takes_s = QUICK_S / 10
    await site.kept.get()
    site.number, site.now_s = 1, site.now_s + AGE_MIN_S - 1
    assert await site.kept.get() == 0
    site.now_s += 2
    assert await site.kept.get() == 1


async def test_an_old_one_is_not_shown(site: Site) -> None:
    await site.kept.get()
    site.number, site.now_s = 1, site.now_s + OLD_MAX_S + 1
    assert await site.kept.get() == 1


async def test_what_is_forgotten_is_made_anew_also_when_it_is_being_made(site: Site) -> None:
    site.going_on.clear()
    looking = asyncio.ensure_future(site.kept.get())
    await asyncio.sleep(0)
    site.number = 1
    site.kept.forget()
    site.going_on.set()
    assert await looking == 0  # It was asked for before the change.
    assert await site.kept.get() == 1
    site.number = 2
    site.kept.forget()
    assert await site.kept.get() == 2


async def test_one_that_cannot_be_made_behind_is_tried_again(site: Site) -> None:
    await site.kept.get()
    site.number, site.now_s, site.down = 1, site.now_s + GOOD_S + 1, True
    assert await site.kept.get() == 0
    await asyncio.sleep(0)
    site.down = False
    assert await site.kept.get() == 0
    await site.until_made(2)
    assert await site.kept.get() == 1
    site.down, site.now_s = True, site.now_s + OLD_MAX_S + 1
    with pytest.raises(DatabaseDown):
        await site.kept.get()
