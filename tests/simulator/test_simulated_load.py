"""Load curves: the same whenever asked, never running back, and consistent with one another."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.simulator.curve import DAY_S, Curve, Periods, energies_of
from station.simulator.load import DEMAND_S, EPOCH, Load
from station.simulator.shapes import SHAPES, TARIFF_OF_HOUR
from station.units import UTC

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = datetime(2026, 11, 19, 16, tzinfo=UTC)  # 20 November in Shanghai, a Friday.
STEP = timedelta(minutes=15)
SITES = [
    ("990000000101", "home", {}),
    ("990000000103", "home", {"photovoltaic": True}),
    ("990000000202", "shop", {"phases": 3}),
    ("990000000301", "workshop", {"phases": 3}),
    ("990000000304", "workshop", {"phases": 3, "photovoltaic": True}),
    ("990000000401", "pump", {"phases": 3, "tariffs": 1}),
]
LOADS = [Load(address, shape, SHANGHAI, **options) for address, shape, options in SITES]
each_load = pytest.mark.parametrize("load", LOADS, ids=[address for address, *_ in SITES])
moments = st.integers(0, 60 * DAY_S).map(lambda second: MIDNIGHT - timedelta(seconds=second))


def registers(state):
    return (
        state.energy_import,
        state.energy_export,
        state.reactive_quadrant_1,
        state.reactive_quadrant_2,
    )


@each_load
def test_tariffs_add_up_to_the_total(load):
    for step in range(3 * 96):
        for total, *tariffs in registers(load.state(MIDNIGHT - step * STEP)):
            assert total == sum(tariffs)


@each_load
def test_registers_never_run_back(load):
    start = MIDNIGHT - timedelta(days=4)
    states = [load.state(start + step * timedelta(minutes=7)) for step in range(900)]
    for before, after in pairwise(states):
        for old, new in zip(registers(before), registers(after), strict=True):
            assert all(was <= now for was, now in zip(old, new, strict=True))


@given(first=moments, second=moments)
@settings(max_examples=60, deadline=None)
def test_registers_never_run_back_over_any_span(first, second):
    early, late = sorted((first, second))
    for load in LOADS:
        assert load.state(early).energy_import[0] <= load.state(late).energy_import[0]


@given(moment=moments)
@settings(max_examples=20, deadline=None)
def test_same_value_whoever_asks_and_in_whatever_order(moment):
    address, shape, options = SITES[4]
    fresh = Load(address, shape, SHANGHAI, **options)
    assert fresh.state(moment) == LOADS[4].state(moment)
    assert fresh.max_demand(MIDNIGHT - timedelta(days=61), moment) == LOADS[4].max_demand(
        MIDNIGHT - timedelta(days=61), moment
    )


def test_seed_and_address_make_the_difference():
    state = Load("990000000101", "home", SHANGHAI, seed=1).state(MIDNIGHT)
    assert Load("990000000101", "home", SHANGHAI, seed=2).state(MIDNIGHT) != state
    assert Load("990000000102", "home", SHANGHAI, seed=1).state(MIDNIGHT) != state


@each_load
def test_energy_is_the_integral_of_power(load):
    """A step of a minute each, over six hours that hold two changes of tariff."""
    start = MIDNIGHT + timedelta(hours=6)
    minute = timedelta(minutes=1)
    joules = sum(
        load.state(start + minute * step + minute / 2).power[0] / 10 * 60 for step in range(360)
    )
    before, after = load.state(start), load.state(start + 360 * minute)
    counted = after.energy_import[0] - before.energy_import[0]
    counted -= after.energy_export[0] - before.energy_export[0]
    assert joules / 36_000 == pytest.approx(counted, rel=0.005, abs=9)  # Nine last digits cut off.


@each_load
def test_phases_voltage_current_and_factor_fit_together(load):
    for step in range(96):
        state = load.state(MIDNIGHT + step * STEP)
        for quantity in (state.power, state.reactive_power):
            total, *phases = quantity
            assert total == sum(phase for phase in phases if phase is not None)
        for phase, volts in enumerate(state.voltage):
            assert (volts is None) == (state.current[phase] is None)
            if volts is None:
                continue
            assert 1980 <= volts <= 2400
            watts = (
                volts / 10 * state.current[phase] / 1000 * abs(state.power_factor[phase + 1]) / 1000
            )
            assert watts == pytest.approx(state.power[phase + 1] / 10, rel=0.01, abs=0.6)
        assert 4990 <= state.frequency <= 5010
        assert abs(state.power[0]) < 799_999  # What the signed format can hold.


def test_single_phase_has_one_phase_only():
    state = LOADS[0].state(MIDNIGHT)
    assert state.voltage[1:] == state.current[1:] == (None, None)
    assert state.power[2:] == (None, None)
    assert LOADS[2].state(MIDNIGHT).voltage.count(None) == 0


def test_photovoltaic_roof_delivers_at_noon_and_not_at_night():
    noon, night = (LOADS[1].state(MIDNIGHT + timedelta(hours=hour)) for hour in (12, 23))
    assert noon.power[0] < 0 < night.power[0]
    assert noon.current[0] < 0
    assert noon.power_factor[0] < 0
    assert night.energy_export[0] > LOADS[1].state(MIDNIGHT).energy_export[0]
    assert LOADS[0].state(MIDNIGHT).energy_export[0] == 0


def test_homes_peak_in_the_evening_and_workshops_rest_at_weekends():
    home, workshop = LOADS[0], LOADS[3]

    def used(load, start_hour, end_hour):
        start, end = (
            load.state(MIDNIGHT + timedelta(hours=hour)) for hour in (start_hour, end_hour)
        )
        return end.energy_import[0] - start.energy_import[0]

    assert used(home, 18, 21) > 2 * used(home, 1, 4)
    assert used(home, 6, 8) > used(home, 3, 5)
    friday, sunday = used(workshop, 8, 12), used(workshop, 56, 60)
    assert friday > 2 * sunday


def test_tariff_registers_grow_in_their_hours_only():
    load = LOADS[0]
    for hour, tariff in enumerate(TARIFF_OF_HOUR[4]):
        start = load.state(MIDNIGHT + timedelta(hours=hour)).energy_import
        end = load.state(MIDNIGHT + timedelta(hours=hour + 1)).energy_import
        grown = [number for number in range(1, 5) if end[number] > start[number]]
        assert grown == [tariff]


@each_load
def test_max_demand_is_the_highest_mean_and_says_when(load):
    since, until = MIDNIGHT - timedelta(days=5), MIDNIGHT + timedelta(hours=10, minutes=7)
    demand, *by_tariff = load.max_demand(since, until)
    assert demand.value == max(row.value for row in by_tariff)
    assert since < demand.at <= until
    assert demand.at.minute % 15 == demand.at.second == 0
    grown = (
        load.state(demand.at).energy_import[0]
        - load.state(demand.at - timedelta(seconds=DEMAND_S)).energy_import[0]
    )
    assert demand.value / 10_000 == pytest.approx(grown / 100 * 4, abs=0.17)
    assert load.demand(demand.at)[0] == load.demand(demand.at + STEP / 2)[0] == demand.value


def test_max_demand_of_no_whole_period_is_nothing():
    since = MIDNIGHT + timedelta(minutes=1)
    assert {row.value for row in LOADS[0].max_demand(since, since + STEP)} == {0}
    assert LOADS[0].max_demand(since, since + STEP)[0].at is None


def test_remaining_amount_goes_down_and_is_topped_up():
    amounts = [
        LOADS[2].state(MIDNIGHT + timedelta(hours=step)).remaining_amount for step in range(240)
    ]
    falls = [before - after for before, after in pairwise(amounts) if after < before]
    rises = [after - before for before, after in pairwise(amounts) if after > before]
    assert len(falls) > 10 * len(rises) > 0
    assert all(0 < amount <= 20_000 for amount in amounts)


def test_registers_pass_the_days_on_which_clocks_change():
    load = Load("990000000101", "home", BERLIN)
    for day in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        totals = [load.state(day + step * STEP).energy_import[0] for step in range(120)]
        assert totals == sorted(totals)
        assert max(after - before for before, after in pairwise(totals)) < 200


def test_before_the_epoch_registers_stand_still():
    first = datetime(EPOCH.year, EPOCH.month, EPOCH.day, tzinfo=SHANGHAI)
    past = datetime(1971, 2, 3, tzinfo=UTC)
    assert registers(LOADS[0].state(past)) == registers(LOADS[0].state(first))
    assert LOADS[0].demand(past) == LOADS[0].demand(first)


def test_shapes_and_tariffs_are_whole_days():
    assert all(len(s.workday) == len(s.weekend) == 24 for s in SHAPES.values())
    assert all(sorted(set(hours)) == list(range(1, n + 1)) for n, hours in TARIFF_OF_HOUR.items())


def test_curve_holds_exactly_the_energy_it_is_given():
    periods = Periods(TARIFF_OF_HOUR[4])
    knots = [1_000 + 37 * (place % 11) for place in range(289)]
    curve = Curve(knots, [1_111_111, 2_222_222, 3_333_333, 4_444_444], periods)
    assert curve.energies(0) == [0, 0, 0, 0]
    sums = [sum(curve.energies(second)) for second in range(0, DAY_S, 97)]
    assert sums == sorted(sums)
    assert curve.energies(DAY_S - 1)[0] == 1_111_111  # The evening is over.
    assert sum(energies_of([3_600_000] * 289, periods)) == 24 * 3_600_000


def test_curve_without_power_stays_empty():
    curve = Curve([0] * 289, [0], Periods(TARIFF_OF_HOUR[1]))
    assert curve.energies(50_000) == [0]
    assert curve.power(50_000) == 0
