"""The catalogue of alarms: every event that has a name is judged, and judged once."""

import pytest

from station.business.alarm_kinds import (
    EVENTS_ONLY,
    KINDS,
    POWER_OFF,
    SEVERITIES,
    UNREAD,
    at_least,
    kind_of,
    matches,
)
from station.collector.event_names import EVENT_NAMES

PATTERNS = [*EVENTS_ONLY, *(pattern for kind in KINDS for pattern in kind.codes)]


@pytest.mark.parametrize("code", EVENT_NAMES)
def test_every_named_event_is_judged_once(code: str) -> None:
    assert len([pattern for pattern in PATTERNS if matches(pattern, code)]) == 1


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_is_left_over(pattern: str) -> None:
    assert any(matches(pattern, code) for code in EVENT_NAMES)


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("1376-14", POWER_OFF),
        ("645-report-69", POWER_OFF),
        ("698-3106", POWER_OFF),
        ("1376-31", UNREAD),
        ("645-030102", "voltage_loss"),
        ("645-report-32", "voltage_loss"),
        ("645-report-11", "cover"),
        ("698-302A", "magnet"),
    ],
)
def test_the_same_trouble_is_one_kind_in_every_protocol(code: str, key: str) -> None:
    kind = kind_of(code)
    assert kind is not None
    assert kind.key == key


@pytest.mark.parametrize("code", ["645-033004", "1376-5", "645-report-95", "1376-77", "nonsense"])
def test_what_somebody_did_and_what_nobody_knows_calls_nobody(code: str) -> None:
    assert kind_of(code) is None


def test_severities_have_an_order() -> None:
    assert [at_least(each, "major") for each in SEVERITIES] == [True, True, False]
    assert all(kind.name.zh and kind.advice.zh for kind in KINDS)
