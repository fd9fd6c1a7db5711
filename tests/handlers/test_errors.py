"""What goes wrong: each error has its status, and a defect tells a reference and nothing else."""

import json
import logging
import re
from typing import Any

import pytest
from web_helpers import Office, open_office, text_of, words_of

from station.collector.completeness import TaskCompleteness
from station.errors import (
    BadAnswer,
    Conflict,
    DatabaseDown,
    InvalidValue,
    LinkDown,
    MeterTimeout,
    NotFound,
    Refused,
    StationError,
)
from station.handlers.access.identity import STATUSES
from station.store.database import Database
from station.store.objects.tasks import Task


class Failing:
    """Stands where a part is and raises one error whatever is asked of it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def read_now(self, *_: Any) -> None:
        raise self._error

    async def ping(self) -> None:
        raise self._error


class Counted:
    """Completeness as a test wants it."""

    def __init__(self, **meters: tuple[int, int]) -> None:
        task = Task("1", "Curve", ("power_total",), 15)
        expected = sum(wanted for wanted, _ in meters.values())
        stored = sum(present for _, present in meters.values())
        self._found = [TaskCompleteness(task, expected, stored, meters)]

    async def of_day(self, _: Any) -> list[TaskCompleteness]:
        return self._found


ERRORS: list[tuple[Exception, int, str]] = [
    (InvalidValue("items", "no such item"), 400, "invalid_value"),
    (NotFound("there is no meter 000000000161"), 404, "not_found"),
    (Conflict("taken"), 409, "conflict"),
    (BadAnswer("wrong checksum"), 502, "bad_answer"),
    (Refused("no"), 502, "refused"),
    (LinkDown("terminal 02001234: logged out"), 503, "link_down"),
    (DatabaseDown("the database does not answer: X"), 503, "database_down"),
    (MeterTimeout("meter 000000000161: no answer"), 504, "meter_timeout"),
    (RuntimeError("a secret at /home/somebody"), 500, "internal_error"),
    (ZeroDivisionError("division"), 500, "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "code"), ERRORS)
async def test_each_error_has_its_status(
    database: Database, error: Exception, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_office(database, reader=Failing(error)) as office:
        ann = await office.somebody("technician")
        await ann.json("POST", "/api/terminals", {"address": "02001234"})
        await ann.json("POST", "/api/meters", {"address": "000000000161", "link": "02001234"})
        caplog.set_level(logging.INFO)
        found, body = await ann.json(
            "POST", "/api/meters/000000000161/read", {"items": ["voltage_a"]}
        )
        assert (found, body["error"]["code"]) == (status, code)
        assert set(body) == {"error"}
        assert ("field" in body["error"]) == (status == 400)
        page = await ann.post("/meters/000000000161/read", items=["voltage_a"])
        assert page.code == status
        if isinstance(error, StationError):
            assert body["error"]["message"] == str(error)
            assert str(error) in words_of(page)
            assert "Traceback" not in caplog.text
            return
        for text in (json.dumps(body), text_of(page)):
            assert str(error) not in text
            assert "Traceback" not in text
        (reference,) = re.findall(r"internal error ([0-9a-f]{8})", body["error"]["message"])
        assert f"internal error {reference}" in caplog.text
        assert str(error) in caplog.text  # There it stands, with its traceback.


def test_every_error_of_the_tree_that_a_person_can_meet_has_a_status() -> None:
    tested = {type(error) for error, _, _ in ERRORS if isinstance(error, StationError)}
    assert tested < set(STATUSES)


async def test_wrong_method_and_wrong_path(office: Office) -> None:
    ann = await office.somebody()
    assert (await ann.json("PATCH", "/api/meters", {}))[0] == 405
    assert (await ann.json("DELETE", "/api/meters"))[0] == 405
    assert (await ann.send("BREW", "/meters")).code == 405
    assert (await ann.get("/meters/%ff")).code == 400
    assert (await ann.get("/meters/000000000161/nonsense")).code == 404


async def test_error_page_for_htmx_is_a_notice(office: Office) -> None:
    ann = await office.somebody()
    answer = await ann.get("/meters/000000000999", **{"HX-Request": "true"})
    assert answer.code == 404
    assert answer.headers["HX-Retarget"] == "#notices"
    assert "<html" not in text_of(answer)
    stranger = office.visitor()
    answer = await stranger.get(
        "/meters", **{"HX-Request": "true", "HX-Current-URL": f"{office.url}/links?state=offline"}
    )
    assert answer.code == 401
    assert answer.headers["HX-Redirect"] == "/login?next=%2Flinks%3Fstate%3Doffline"


async def test_health_tells_whether_the_database_answers(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = await office.visitor().get("/healthz")
    assert (healthy.code, json.loads(healthy.body)) == (200, {"status": "ok", "station": "test"})
    monkeypatch.setattr(office.database, "ping", Failing(DatabaseDown("gone")).ping)
    ill = await office.visitor().get("/healthz")
    assert (ill.code, json.loads(ill.body)) == (503, {"status": "database_down", "station": "test"})


async def test_silent_meters_are_listed(database: Database) -> None:
    counted = Counted(**{"000000000161": (4, 0), "000000000162": (4, 1), "000000000163": (0, 0)})
    async with open_office(database, completeness=counted) as office:
        ann = await office.somebody("technician")
        await ann.json("POST", "/api/terminals", {"address": "02001234"})
        for meter in ("000000000161", "000000000162", "000000000163"):
            await ann.json("POST", "/api/meters", {"address": meter, "link": "02001234"})
        _status, view = await ann.json("GET", "/api/overview")
        assert (view["silent"], view["silent_expected"]) == (["000000000161"], 2)
        assert (view["stored"], view["expected"]) == (1, 8)
        page = words_of(await ann.get("/"))
        assert "1 meter is silent today 000000000161" in page
        assert "12.5 %" in page
        for query, total in (
            ("silent=true", 1),
            ("silent=true&text=162", 0),
            ("silent=true&link=02001234", 1),
            ("silent=true&page=2", 1),
        ):
            _status, found = await ann.json("GET", f"/api/meters?{query}")
            assert found["total"] == total
        assert found["items"] == []
