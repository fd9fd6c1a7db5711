"""Who is refused, and which links come up too often."""

import pytest

from station.errors import InvalidValue
from station.frontend import guard as frontend_guard
from station.frontend.guard import (
    FLAP_FORGIVEN_S,
    FLAPS_MAX,
    HOLD_OFF_FIRST_S,
    HOLD_OFF_MAX_S,
    UNNAMED_FORGIVEN_PER_S,
    Flapping,
    Guard,
    network_of,
)


def test_addresses_and_networks_are_blocked_with_their_reason() -> None:
    guard = Guard()
    guard.set_blocks([("02001234", "stolen")], [("192.0.2.7", "scans"), ("10.1.0.0/16", "old APN")])
    assert guard.address_refusal("02001234") == "terminal 02001234 is blocked: stolen"
    assert guard.address_refusal("02001235") is None
    assert guard.refusal("192.0.2.7", 0.0) == "192.0.2.7 is blocked: scans"
    assert guard.refusal("10.1.255.255", 0.0) == "10.1.255.255 is blocked: old APN"
    assert guard.refusal("::ffff:10.1.2.3", 0.0) == "::ffff:10.1.2.3 is blocked: old APN"
    assert guard.refusal("10.2.0.0", 0.0) is None
    assert guard.refusal("fe80::1%eth0", 0.0) is None
    assert guard.ip_refusal("unknown") is None
    guard.set_blocks([], [])
    assert guard.refusal("192.0.2.7", 0.0) is None


def test_networks_are_read_as_people_write_them() -> None:
    assert str(network_of(" 203.0.113.9 ")) == "203.0.113.9/32"
    assert str(network_of("203.0.113.9/24")) == "203.0.113.0/24"
    with pytest.raises(InvalidValue, match="'here' is neither an IP address nor a network"):
        network_of("here")


def test_who_never_logs_in_is_refused_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend_guard, "UNNAMED_MAX", 100)
    guard = Guard()
    refusals = [guard.refusal("192.0.2.7", 1.0) for _ in range(150)]
    assert refusals[:99] == [None] * 99
    assert refusals[99:] == ["too many connections of 192.0.2.7 without a login"] * 51
    assert guard.refusal("192.0.2.8", 1.0) is None
    assert guard.refusal("192.0.2.7", 1.0 + 10 / UNNAMED_FORGIVEN_PER_S) is None


def test_any_number_may_dial_in_through_one_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend_guard, "UNNAMED_MAX", 10)
    guard = Guard()
    for _ in range(1000):
        assert guard.refusal("192.0.2.7", 1.0) is None
        guard.logged_in("192.0.2.7")
    guard.logged_in("192.0.2.9")  # Its attempts were forgotten meanwhile.


def test_a_scan_from_everywhere_holds_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend_guard, "IPS_MAX", 3)
    monkeypatch.setattr(frontend_guard, "UNNAMED_MAX", 2)
    guard = Guard()
    assert [guard.refusal(f"192.0.2.{n}", 1.0) for n in range(9)] == [None] * 9
    assert guard.refusal("192.0.2.0", 1.0) is None, "it was forgotten"
    assert guard.refusal("192.0.2.8", 1.0) is not None


def test_a_flapping_link_is_held_off_longer_and_longer() -> None:
    flapping = Flapping()
    now = 5.0
    assert [flapping.came_up(now) for _ in range(FLAPS_MAX)] == [0.0] * FLAPS_MAX
    grown = [flapping.came_up(now) for _ in range(12)]
    assert grown[:3] == [HOLD_OFF_FIRST_S, 2 * HOLD_OFF_FIRST_S, 4 * HOLD_OFF_FIRST_S]
    assert grown[-1] == HOLD_OFF_MAX_S
    assert flapping.came_up(now + 13 * FLAP_FORGIVEN_S) == 0.0, "it was steady for long enough"


def test_a_link_that_comes_up_now_and_then_is_steady() -> None:
    flapping = Flapping()
    assert {flapping.came_up(n * FLAP_FORGIVEN_S) for n in range(100)} == {0.0}
