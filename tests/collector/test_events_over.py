"""Events that tell their own end: a flag, a second moment, or power that is back."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from station.collector.events import events_in
from station.frontend.link import Report
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.functions import make_unit
from station.protocols.qgdw1376.units import join
from station.units import UTC

AT = datetime(2026, 3, 2, 4, tzinfo=UTC)
OFF = datetime.fromisoformat("2026-03-02 11:00:00")  # As a device tells it: without a zone.
ON = datetime.fromisoformat("2026-03-02 11:30:00")


def is_over(erc: int, values: dict[str, Any]) -> bool:
    """Tell whether a terminal's record of an event, told over the wire, says that it is over."""
    content = {
        "important_counter": 1,
        "general_counter": 0,
        "start_pointer": 0,
        "end_pointer": 1,
        "records": [{"erc": erc, "values": values}],
    }
    frame = qgdw1376.Frame(
        qgdw1376.UP | qgdw1376.INITIATOR | 4,
        qgdw1376.Address.from_text("02001234"),
        qgdw1376.CLASS_3,
        qgdw1376.SINGLE | qgdw1376.CONFIRM,
        join([make_unit(qgdw1376.CLASS_3, 0, 1, content, up=True)]),
    )
    told = qgdw1376.Frame.from_bytes(frame.to_bytes())
    report = Report("02001234", "qgdw1376", told, AT, 1)
    (event,) = events_in(report, lambda _: None, "test", ZoneInfo("Asia/Shanghai"))
    return event.over


@pytest.mark.parametrize(
    ("erc", "values", "over"),
    [
        (14, {"off": OFF, "on": ON}, True),
        (14, {"off": ON, "on": OFF}, False),  # The end is that of the outage before.
        (14, {"off": OFF, "on": None}, False),
        (12, {"time": OFF, "point": 5, "state": 1}, False),
        (12, {"time": ON, "point": 5, "state": 0}, True),
    ],
)
def test_what_terminals_tell(erc: int, values: dict[str, Any], over: bool) -> None:
    assert is_over(erc, values) is over
