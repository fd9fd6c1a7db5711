"""Every cut: whatever breaks at whichever call, a sale happens once or not at all.

Each call of each operation is cut, before and after its effect, by one of the faults that can
befall it, and then brought to an end in one of the ways; `script/bench cuts` tries every fault with
every way.
"""

import random
from collections import Counter as Tally

import pytest
from cuts import some_cuts_of
from sale_site import Town
from trials import OPERATIONS, Ending, Operation, Trial, failures_of

from station.store.database import Database


@pytest.fixture
async def town(database: Database) -> Town:
    made = Town(database)
    await made.settle()
    return made


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_every_cut(
    town: Town, operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(operation.name)
    calls = (await Trial(town, operation, Ending.AGAIN, None).run()).process.calls
    cuts = some_cuts_of(calls, chance)
    failures = await failures_of(town, operation, [(cut, chance.choice([*Ending])) for cut in cuts])
    places = Tally(calls[cut.number].place for cut in cuts)
    with capsys.disabled():
        print(f"\n{operation.name}: {len(cuts)} cuts {dict(places)} ", end="")  # noqa: T201  The count is wanted.
    assert not failures, f"{len(failures)} of {len(cuts)} differ:\n" + "\n".join(failures[:20])
