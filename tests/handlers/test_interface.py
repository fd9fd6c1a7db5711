"""The document of the interface: whole, sound, and held to by every address."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from test_routes import methods_of
from web_helpers import Office, Visitor, text_of, words_of

from station.handlers.access.identity import permission_of
from station.handlers.contract import contract_of
from station.handlers.interface.document import SCHEMAS, SUBJECTS
from station.handlers.interface.examples import example_of
from station.handlers.interface.explorer import SUBJECT_NAMES
from station.handlers.interface.operations import Operation
from station.handlers.routes import interface, routes

LIVE = {"/live", "/agents/link"}  # Connections that stay; they speak no JSON over HTTP.
# Lists that come whole: they are short, or one thing's own.
WHOLE = {
    "/api/alarms/rules", "/api/completeness/fills", "/api/consumption", "/api/controls/dry_run",
    "/api/limits", "/api/search", "/api/success", "/api/tasks/templates", "/api/tokens",
    "/api/tree/branch", "/api/meters/{address}/frames", "/api/meters/{address}/parameters",
    "/api/terminals/{address}/parameters",
}  # fmt: skip
ADDRESS = "000000000161"


@pytest.fixture
async def ann(office: Office) -> Visitor:
    return await office.somebody("administrator")


def lists() -> Iterator[Operation]:
    """Yield what answers with a list: items, and how many there are."""
    for each in interface().operations:
        fields = getattr(each.contract.answer, "model_fields", {})
        if each.method == "GET" and {"items", "total"} <= fields.keys():
            yield each


def test_every_method_says_what_it_takes_and_gives() -> None:
    silent = [
        f"{method} {pattern}: say it with @contract, as its neighbours do"
        for pattern, handler in routes()
        for method in methods_of(handler)
        if contract_of(handler, method) is None and pattern not in LIVE
    ]
    assert silent == []


def test_the_document_is_whole() -> None:
    document = interface().document
    methods = {(path, name) for path, each in document["paths"].items() for name in each}
    assert methods == {(each.path, each.method.lower()) for each in interface().operations}
    assert len(methods) > 200
    names = [each.name for each in interface().operations]
    assert len(set(names)) == len(names), "operations have names of their own"
    told = json.dumps(document)
    led_to = set(re.findall(rf'"{SCHEMAS}([^"]+)"', told))
    assert led_to == set(document["components"]["schemas"]), "every schema is there and is used"
    assert SUBJECTS.keys() == SUBJECT_NAMES.keys() == {each["name"] for each in document["tags"]}
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator({**schema, "components": document["components"]})
        assert "properties" in schema or "enum" in schema or schema.get("type") == "object", name


def test_permissions_and_errors_are_told() -> None:
    document = interface().document
    for each in interface().operations:
        told = document["paths"][each.path][each.method.lower()]
        permission = permission_of(each.handler, each.method)
        assert told.get("x-permission") == (None if permission is None else permission.value)
        assert bool(told["security"]) == (permission is not None), each.path
        assert {"400", "503"} <= told["responses"].keys()
        assert permission is None or {"401", "403"} <= told["responses"].keys()
        needed = [each["name"] for each in told.get("parameters", ()) if each["in"] == "path"]
        assert needed == re.findall(r"{(\w+)}", each.path)


def test_lists_have_one_shape() -> None:
    schemas = interface().document["components"]["schemas"]
    found = list(lists())
    assert len(found) > 30
    for each in found:
        answer, query = each.contract.answer, each.contract.query.model_fields
        assert isinstance(answer, type), each.path
        shape = schemas[answer.__name__]["properties"]
        assert (shape["items"]["type"], shape["total"]["type"]) == ("array", "integer"), each.path
        assert (each.path in WHOLE) == ("page" not in query), f"{each.path}: pages or not"
        assert ("page" in query) == ("size" in query), each.path
    assert {each.path for each in found} >= WHOLE, "what comes whole is there"


@pytest.mark.parametrize("twin", [True, False], ids=["json", "page"])
async def test_unknown_names_in_a_query_are_refused_everywhere(ann: Visitor, twin: bool) -> None:
    """Every address that is read, its page as its JSON."""
    seen = 0
    for each in interface().operations:
        if each.method != "GET" or each.path == "/healthz":
            continue
        path = re.sub(r"{\w+}", ADDRESS, each.path)
        answer = await ann.get(f"{path if twin else page_of(path)}?nonsense=1&limit=2")
        assert answer.code == 400, f"{path}: {answer.code}"
        told = text_of(answer)
        assert "nonsense, limit: is not known here" in told, path
        if twin:
            assert json.loads(told)["error"]["field"] == "nonsense", path
        seen += 1
    assert seen > 90


def page_of(path: str) -> str:
    if path == "/api/openapi.json":
        return path
    return "/" if path == "/api/overview" else path.removeprefix("/api")


async def test_errors_have_one_shape(office: Office, ann: Visitor) -> None:
    """Without a login, with a method that is not there, and where nothing is."""
    shape = {"error": {"code": str, "message": str}}
    stranger = office.visitor()
    for each in interface().operations:
        path = re.sub(r"{\w+}", ADDRESS, each.path)
        if each.permission is not None and each.method == "GET":
            assert shape_of(await stranger.json("GET", path)) == (401, shape), path
        answer = await ann.send("PATCH", path, "{}")
        assert (answer.code, kinds(json.loads(answer.body))) == (405, shape), path
        assert each.method in answer.headers["Allow"], path
    assert shape_of(await ann.json("GET", "/api/nothing")) == (404, shape)


def shape_of(answer: tuple[int, Any]) -> tuple[int, Any]:
    status, body = answer
    return status, kinds(body)


def kinds(body: Any) -> Any:
    """Return a body with the kind of each value in place of it."""
    return (
        {key: kinds(each) for key, each in body.items()} if isinstance(body, dict) else type(body)
    )


async def test_a_file_is_of_a_kind_that_the_list_has(ann: Visitor) -> None:
    assert (await ann.get("/api/meters?format=csv")).code == 200
    for path, wanted in (("/api/meters", "csv, xlsx"), ("/api/frames", "csv, xlsx, text")):
        status, refused = await ann.json("GET", f"{path}?format=exe")
        assert (status, refused["error"]["field"]) == (400, "format")
        assert wanted in refused["error"]["message"]
    assert (await ann.json("GET", "/api/overview?format=csv"))[0] == 400


def test_what_a_table_is_sorted_by_is_told() -> None:
    told = interface().document["paths"]["/api/meters"]["get"]["parameters"]
    schemas = {each["name"]: each["schema"] for each in told}
    assert {"", "address", "-address"} <= set(schemas["sort"]["enum"])
    names = re.compile(schemas["columns"]["pattern"])
    assert names.fullmatch("address,name")
    assert not names.fullmatch("address,nonsense")


async def test_what_is_a_page_alone_is_not_for_programs(ann: Visitor) -> None:
    answer = await ann.get(f"/api/accounts/{ADDRESS}/transfer")
    assert (answer.code, answer.headers["Allow"]) == (405, "POST")
    answer = await ann.get("/terminals/new", Accept="application/json")
    assert answer.code == 405


@pytest.mark.parametrize("value", ["0", "-1.5", "1e9", 86400, True])
async def test_numbers_are_no_days(ann: Visitor, value: object) -> None:
    status, refused = await ann.json("GET", f"/api/day_end?day={value}")
    assert (status, refused["error"]["field"]) == (400, "day"), value


async def test_the_document_and_its_page(office: Office, ann: Visitor) -> None:
    assert (await office.visitor().get("/api/openapi.json")).code == 401
    status, document = await ann.json("GET", "/api/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    assert (await ann.get("/api", Accept="application/json")).body == (
        await ann.get("/api/openapi.json")
    ).body
    page = await ann.get("/api?text=parameters/templates")
    assert "/api/parameters/templates/{template_id}" in text_of(page)
    assert "/api/meters/{address}/read" not in text_of(page)
    chosen = words_of(await ann.get("/api?operation=post_meters_address_read"))
    assert "done for real" in chosen
    assert "Needs the permission" in chosen
    reader = await office.somebody("reader")
    assert "You do not have it" in words_of(await reader.get("/api?operation=post_meters"))
    assert (await ann.get("/api?operation=nothing")).code == 404


async def test_each_operation_has_a_form(ann: Visitor) -> None:
    for each in interface().operations:
        page = text_of(await ann.get(f"/api?text=nothing&operation={each.name}"))
        assert f'data-path="{each.path}"' in page, each.name
        assert all(f'id="value-{name}"' in page for name in each.varying), each.name


def test_an_example_fits_its_schema() -> None:
    """Defaults, choices, what is optional, lists that need something, one model in another."""
    schemas = {
        "Inner": {"type": "object", "properties": {"at": {"type": "string", "format": "date"}}}
    }
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "count": {"type": "integer", "minimum": 3},
            "name": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "usual": {"type": "string", "default": "x"},
            "some": {"type": "array", "minItems": 1, "items": {"$ref": "#/schemas/Inner"}},
            "none": {"type": "array", "items": {"type": "string"}},
            "yes": {"type": "boolean"},
        },
    }
    assert example_of(schema, schemas) == {
        "kind": "a", "count": 3, "name": None, "usual": "x",
        "some": [{"at": "2026-01-31"}], "none": [], "yes": False,
    }  # fmt: skip


async def test_a_strange_name_is_one_short_line_in_the_log(
    ann: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody writes lines of their own into the log, and nobody fills it."""
    with caplog.at_level("INFO"):
        status, refused = await ann.json("GET", f"/api/meters?a%0Ab%1B{'x' * 5000}=1")
    assert (status, len(refused["error"]["field"])) == (400, 40)
    [line] = [each.getMessage() for each in caplog.records if "is not known here" in each.message]
    assert line.isprintable()
    assert len(line) < 700
