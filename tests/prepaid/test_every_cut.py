"""Every cut: whatever breaks at whichever call, a sale happens once or not at all.

Each call of each operation is cut, before and after its effect, by one of the faults that can
befall it, and then brought to an end in one of the ways; `script/bench cuts` tries every fault with
every way.
"""

import random
from collections import Counter as Tally

import pytest
from cuts import WRITE, Cut, some_cuts_of
from sale_site import CLERKS, DESKS, Town, open_home, opening_of
from trials import OPERATIONS, Ending, Operation, Trial, failures_of

from station.errors import CardFailed, WrongCard
from station.prepaid.terms import ReplacementRequest
from station.store.database import Database
from station.store.objects.base import new_id


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
    if operation.at_once:
        cuts = chance.sample(cuts, len(cuts) // 3)  # The bench tries them all.
    trials = [drawn(cut, chance, cuts) for cut in cuts]
    failures = await failures_of(town, operation, trials)
    places = Tally(calls[cut.number].place for cut in cuts)
    with capsys.disabled():
        print(f"\n{operation.name}: {len(cuts)} cuts {dict(places)} ", end="")  # noqa: T201  The count is wanted.
    assert not failures, f"{len(failures)} of {len(cuts)} differ:\n" + "\n".join(failures[:20])


def drawn(cut: Cut, chance: random.Random, others: list[Cut]) -> tuple[Cut, Ending, Cut | None]:
    """Draw how the work goes on after a cut; half of the ends are cut, too.

    Not so when the card is lost: the next replacement would be another story.
    """
    ending = chance.choice([*Ending])
    is_cut_again = ending is not Ending.LOST and chance.random() < 0.5
    return cut, ending, chance.choice(others) if is_cut_again else None


async def test_card_begun_for_one_and_used_for_another(town: Town) -> None:
    """An opening is given up with the card it was begun on, which is another customer's by now."""
    first, second = await town.new_home(), await town.new_home()
    card = first.new_card()
    counter = town.counter()
    counter.insert(card)
    request = opening_of(first, 100_00)
    begun = await counter.sales.open_account(request, request_id=new_id(), by=CLERKS[0])
    counter.readers[0].before_apdu = refuse_writes
    with pytest.raises(CardFailed):
        await counter.sales.write(begun.id, DESKS[0], by=CLERKS[0])
    counter.readers[0].calm()
    assert (await town.journal_of(first))[0].card_serial == card.serial.hex().upper()

    second.cards.append(card)
    request = opening_of(second, 50_01)
    other = await counter.sales.open_account(request, request_id=new_id(), by=CLERKS[0])
    await counter.sales.write(other.id, DESKS[0], by=CLERKS[0])
    with pytest.raises(WrongCard):
        await counter.sales.write(begun.id, DESKS[0], by=CLERKS[0])
    given_up = await counter.sales.abandon(begun.id, DESKS[0], by=CLERKS[0], reason="begun twice")
    assert given_up.state == "abandoned"
    assert second.carry().credited_fen == 50_01
    await counter.stop()


async def test_card_lost_before_the_meter_was_opened(town: Town) -> None:
    """An opening without an amount never reached the meter: the new card opens it, and credits."""
    home = await town.new_home()
    counter = town.counter()
    await open_home(counter, home, 0)
    counter.insert(home.new_card())
    request = ReplacementRequest("lost", 20_02, meter_count=0)
    order = await counter.sales.replace(home.account, request, request_id=new_id(), by=CLERKS[0])
    await counter.sales.write(order.id, DESKS[0], by=CLERKS[0])
    assert home.carry().credited_fen == 20_02
    await counter.stop()


def refuse_writes(number: int, apdu: bytes) -> None:
    """Break off before the first byte is written."""
    if apdu[1] == WRITE:
        raise CardFailed("the card was pulled")
