"""Readings over a span of days, and what a register grew by."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from web_helpers import Office, Visitor, words_of

from station.handlers.collection.consumption import Interval, consumption, step_for
from station.store.objects.readings import Reading
from station.units import UTC, day_start

ZONE = ZoneInfo("Asia/Shanghai")
METER = "000000000161"
START = day_start(date(2026, 3, 1), ZONE)


def register(*values: int | None, step: timedelta = timedelta(minutes=15)) -> list[Reading]:
    """Return readings at equal distances from the start of the day."""
    return [
        Reading(METER, "energy_import_total", START + number * step, value, START)
        for number, value in enumerate(values)
    ]


def test_consumption_from_reading_to_reading() -> None:
    readings = register(100, 130, None, 150, 140, 145)
    intervals = consumption(readings, START, START + timedelta(days=1), "reading", ZONE)
    assert [interval.value for interval in intervals] == [30, None, None, None, 5]
    assert intervals[0] == Interval(START, START + timedelta(minutes=15), 30)
    assert consumption([], START, START, "reading", ZONE) == []
    assert consumption(readings[:1], START, START, "reading", ZONE) == []


def test_consumption_by_hour_and_day_takes_the_borders_only() -> None:
    readings = register(*range(0, 200, 2))
    hours = consumption(readings, START, START + timedelta(days=1), "hour", ZONE)
    assert len(hours) == 24
    assert {hour.value for hour in hours} == {8}
    without = [each for each in readings if each.moment != START + timedelta(hours=5)]
    hours = consumption(without, START, START + timedelta(days=1), "hour", ZONE)
    assert [number for number, hour in enumerate(hours) if hour.value is None] == [4, 5]
    days = consumption(readings, START, START + timedelta(days=2), "day", ZONE)
    assert [day.value for day in days] == [192, None]


def test_days_with_a_clock_change_have_their_own_length() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = day_start(date(2026, 3, 29), berlin)
    hours = consumption([], start, start + timedelta(hours=23), "hour", berlin)
    assert len(hours) == 23
    assert hours[-1].end == day_start(date(2026, 3, 30), berlin)


@pytest.mark.parametrize(
    ("days", "step"), [(1, "reading"), (2, "reading"), (3, "hour"), (10, "hour"), (11, "day")]
)
def test_step_grows_with_the_span(days: int, step: str) -> None:
    assert step_for(timedelta(days=days)) == step


@pytest.fixture
async def ann(office: Office) -> Visitor:
    """Somebody who looks at a meter with a day of readings and one more midnight."""
    visitor = await office.somebody("technician")
    await visitor.json("POST", "/api/terminals", {"address": "02001234"})
    await visitor.json("POST", "/api/meters", {"address": METER, "link": "02001234"})
    await office.database.readings.save(register(*range(1000, 1097)))
    return visitor


async def test_days_of_the_site_are_whole_days(ann: Visitor) -> None:
    curve = f"/api/readings?meter={METER}&item=energy_import_total"
    status, found = await ann.json("GET", f"{curve}&from=2026-03-01&to=2026-03-01")
    assert (status, found["total"]) == (200, 96)
    assert found["items"][0]["time"] == "2026-02-28T16:00:00Z"
    assert found["items"][0]["value"] == "10.00"
    for span, total in (
        ("from=2026-03-01&to=2026-03-01", 96),
        ("from=2026-03-01&to=2026-03-02", 97),
        ("from=2026-02-28&to=2026-02-28", 0),
        ("from=2026-02-28T16:00:00Z&to=2026-02-28T17:00:00Z", 4),
        ("from=2026-03-01T00:00:00%2B08:00&to=2026-03-01T01:00:00+08:00", 4),
        ("from=2026-03-01T00:00:00&to=2026-03-01T01:00:00", 4),
    ):
        assert (await ann.json("GET", f"{curve}&{span}"))[1]["total"] == total, span


async def test_spans_that_cannot_be(ann: Visitor) -> None:
    curve = f"meter={METER}&item=energy_import_total"
    for query, status, field in (
        (f"{curve}&from=yesterday", 400, "from"),
        (f"{curve}&from=2026-02-30", 400, "from"),
        (f"{curve}&from=2026-03-02&to=2026-03-01", 400, "to"),
        (f"{curve}&from=2020-01-01&to=2026-01-01", 400, "to"),
        (f"{curve}&from=9999-12-31", 400, "to"),
        (f"{curve}&from=0001-01-01&to=0001-01-01", 400, "from"),
        (f"meter={METER}&item=nonsense", 400, "item"),
        (f"meter={METER}", 400, "item"),
        ("item=energy_import_total", 400, "meter"),
        ("meter=000000000999&item=energy_import_total", 404, None),
    ):
        for path in ("readings", "consumption"):
            code, body = await ann.json("GET", f"/api/{path}?{query}")
            assert (code, body["error"].get("field")) == (status, field), query
    code, body = await ann.json("GET", f"/api/consumption?meter={METER}&item=voltage_a")
    assert (code, body["error"]["field"]) == (400, "item")


async def test_consumption_of_a_day_holds_its_last_quarter(ann: Visitor) -> None:
    query = f"meter={METER}&item=energy_import_total&from=2026-03-01&to="
    status, found = await ann.json("GET", f"/api/consumption?{query}2026-03-01")
    assert (status, found["total"], found["unit"], found["step"]) == (200, 96, "kWh", "reading")
    assert {interval["value"] for interval in found["items"]} == {"0.01"}
    assert found["items"][-1]["end"] == "2026-03-01T16:00:00Z"
    status, found = await ann.json("GET", f"/api/consumption?{query}2026-03-05")
    assert (found["step"], found["total"]) == ("hour", 120)
    csv = (await ann.get(f"/consumption?{query}2026-03-01&format=csv")).body.decode()
    assert csv.splitlines()[1] == "2026-03-01 00:00:00,2026-03-01 00:15:00,0.01"


async def test_absent_values_and_clocks_are_told_as_they_are(office: Office, ann: Visitor) -> None:
    now = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
    readings = {"voltage_b": None, "clock": int(now.timestamp()), "status_word_1": 0x00FF}
    await office.database.readings.save(
        [Reading(METER, code, now, value, now, "read_now") for code, value in readings.items()]
    )
    for code, value in (
        ("voltage_b", None),
        ("clock", "2026-03-01 12:00:00"),
        ("status_word_1", "00FF"),
    ):
        _status, found = await ann.json(
            "GET", f"/api/readings?meter={METER}&item={code}&from=2026-03-01&to=2026-03-01"
        )
        assert [item["value"] for item in found["items"]] == [value]
    page = words_of(
        await ann.get(f"/readings?meter={METER}&item=voltage_b&from=2026-03-01&to=2026-03-01")
    )
    assert "absent" in page


async def test_quality_and_what_was_replaced_stand_beside_the_value(
    office: Office, ann: Visitor
) -> None:
    late = Reading(METER, "voltage_a", START, 2201, START, "gap", "late")
    doubtful = late._replace(moment=START + timedelta(hours=1), quality="doubtful")
    recorded = late._replace(value=2203, source="report", quality="recorded")
    for each in (late, doubtful, recorded):
        await office.database.readings.save([each])
    query = f"readings?meter={METER}&item=voltage_a&from=2026-03-01&to=2026-03-01"
    _status, found = await ann.json("GET", f"/api/{query}")
    first, second = found["items"]
    assert (first["value"], first["source"], first["quality"]) == ("220.3", "report", "recorded")
    read_at = found["items"][0]["former"][0].pop("read_at")
    assert datetime.fromisoformat(read_at) == START
    assert first["former"] == [{"value": "220.1", "source": "gap", "quality": "late"}]
    assert (second["quality"], second["former"]) == ("doubtful", [])
    page = (await ann.get(f"/{query}")).body.decode()
    assert "before: 220.1, read late, gap filling" in page
    assert page.count('quality">doubtful</span>') == 1
    assert "recorded by the device" in page
    csv = (await ann.get(f"/{query}&format=csv")).body.decode().splitlines()
    assert csv[1].endswith("report,recorded by the device,220.1 (read late)")
    assert csv[2].endswith("gap filling,doubtful,")


async def test_a_long_curve_has_pages_but_is_whole_as_json(office: Office, ann: Visitor) -> None:
    await office.database.readings.save(register(*range(1000, 3500)))
    query = f"readings?meter={METER}&item=energy_import_total&from=2026-03-01&to=2026-03-31"
    _status, found = await ann.json("GET", f"/api/{query}")
    assert len(found["items"]) == found["total"] == 2500
    times = [item["time"] for item in found["items"]]
    assert times == sorted(set(times))
    page = words_of(await ann.get(f"/{query}&page=2"))
    assert "401 to 800 of 2,500" in page
    assert len((await ann.get(f"/{query}&format=csv")).body.decode().splitlines()) == 2501
