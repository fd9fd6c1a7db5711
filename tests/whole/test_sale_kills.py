"""A few kills of `script/bench kills`, drawn by chance: each victim in its turn."""

import random
from itertools import cycle
from pathlib import Path

import pytest
from kill_trials import kill_lanes, tally, trials_of
from killing import TOGETHER
from trials import OPERATIONS

LANES = 4
TRIALS_EACH = 2  # Of one operation.


@pytest.mark.timeout(240)  # It starts twenty databases, on a machine that may be busy.
def test_some_kills_of_every_sale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(5)
    victims = cycle(TOGETHER)
    operations = [
        each for number, each in enumerate(OPERATIONS) if each.at_once == bool(number % 2)
    ]
    with kill_lanes(tmp_path, LANES) as lanes:
        steps = lanes.dry_runs(operations)
        drawn = []
        for operation in operations:
            trials = [*trials_of(operation, steps[operation.name], chance)]
            for _ in range(TRIALS_EACH):
                victim = next(victims)
                drawn.append(chance.choice([each for each in trials if each.kill.victim is victim]))
        reports = [*lanes.run(drawn)]
    found = tally(reports)
    with capsys.disabled():
        print(f"\n{len(drawn)} trials: {found} ", end="")  # noqa: T201  The count is wanted.
    differences = "\n".join(each.difference for each in reports if each.difference)
    assert not differences, differences
    assert all(each.struck for each in reports)
    assert min(found["station_kills"], found["mongod_kills"], found["cards_pulled"]) > 0
