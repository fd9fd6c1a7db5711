"""Line settings: as written, and as the control byte of AFN10 F1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.protocols.line import FORWARD_SPEEDS, LineSettings

settings = st.builds(
    LineSettings,
    st.sampled_from(FORWARD_SPEEDS),
    st.sampled_from(["E", "O", "N"]),
    st.integers(5, 8),
    st.sampled_from([1, 2]),
)


@pytest.mark.parametrize(
    ("text", "line", "control"),
    [
        ("2400 8E1", LineSettings(2400, "E", 8, 1), 0x6B),  # Digest, section 15.
        ("9600 8E1", LineSettings(9600, "E", 8, 1), 0xCB),  # Digest, section 15.
        ("9600 8N1", LineSettings(9600, "N", 8, 1), 0xC3),
        ("1200 7O2", LineSettings(1200, "O", 7, 2), 0x5E),
    ],
)
def test_text_and_control_byte(text, line, control):
    assert LineSettings.parse(text) == line
    assert line.text == text
    assert line.control_byte() == control
    assert LineSettings.from_control_byte(control) == line


@pytest.mark.parametrize("text", [" 2400 8e1 ", "2400,8E1"])
def test_other_ways_to_write_the_same(text):
    assert LineSettings.parse(text).text == "2400 8E1"


@pytest.mark.parametrize(
    "text", ["", "2400", "8E1", "2400 8E3", "2400 9E1", "2400 4E1", "2400 8M1", "0 8E1", "99 8E1"]
)
def test_what_is_no_line_is_refused(text):
    with pytest.raises(ValueError, match="2400 8E1"):
        LineSettings.parse(text)


def test_speeds_of_our_own_ports_are_more_than_a_terminal_can_be_told():
    line = LineSettings.parse("115200 8N1")
    assert line.speed == 115200
    with pytest.raises(ValueError, match="115200"):
        line.control_byte()


@pytest.mark.parametrize("speed", [921_601, 0])
def test_impossible_speed_is_refused(speed):
    with pytest.raises(ValueError, match="speed"):
        LineSettings(speed, "E", 8, 1)


@pytest.mark.parametrize("fields", [("X", 8, 1), ("E", 9, 1), ("E", 8, 3)])
def test_impossible_settings_are_refused(fields):
    with pytest.raises(ValueError):
        LineSettings(2400, *fields)


@given(settings)
def test_settings_come_back(line):
    assert LineSettings.parse(line.text) == line
    assert LineSettings.from_control_byte(line.control_byte()) == line
