"""Attacks by what is typed: scripts in every field of every form and in what is stored, operators
of the database in every body.

Each says how many tries it makes. A page is looked at as a browser reads it: element by element.
"""

import asyncio
import importlib
import inspect
import itertools
import json
import pkgutil
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from counter_site import METER, TERMINAL, CounterSite
from motor.motor_asyncio import AsyncIOMotorClient
from page_checks import PROBE, Form, read_page
from pydantic import BaseModel, ValidationError
from test_routes import addresses, methods_of, plain
from web_helpers import Office, Visitor, text_of

from station import handlers
from station.store.objects.tasks import Task

SCRIPTS = (
    f'"><{PROBE}>',
    f"'><{PROBE} x='",
    f"</script></textarea></title><{PROBE}>",
    '" onfocus=alert(1) autofocus x="',
    "javascript:alert(1)",
    f"{{{{7*191}}}}<{PROBE}>{{% raw %}}",
    f"&lt;{PROBE}&gt;<!--<{PROBE}>--!><{PROBE}>",
)
# What of a stored thing a person has typed, in whatever collection.
FREE = frozenset(
    {"name", "note", "reason", "purpose", "label", "comment", "address", "phone", "detail", "text",
     "words", "by", "who", "title", "created_by", "description", "model", "code"}
)  # fmt: skip
OPERATORS: tuple[dict[str, Any], ...] = (
    {"$ne": ""}, {"$gt": ""}, {"$regex": ".*"}, {"$where": "sleep(1000)"}, {"$in": ["a", "b"]},
    {"$exists": True}, {"$expr": {"$function": {"body": "x", "args": [], "lang": "js"}}},
)  # fmt: skip


def assert_clean(path: str, text: str) -> None:
    """Fail when a page has what could run, or has reckoned what was typed."""
    faults = read_page(text).faults
    assert not faults, (path, faults[:3])
    assert "1337<" not in text, path


async def pages_of(visitor: Visitor, ids: dict[str, str]) -> dict[str, str]:
    """Return every page that can be looked at, by its address."""
    seen: dict[str, str] = {}
    for path, handler in addresses():
        if path.startswith("/api") or "GET" not in methods_of(handler) or path == "/live":
            continue
        for place, key in ids.items():
            if path.startswith(place + "/"):
                path = re.sub(rf"^{place}/(000000000161|02001234|0{{24}})", f"{place}/{key}", path)
        answer = await visitor.get(path)
        assert answer.code < 500 or answer.code == 503, (path, answer.code)
        if "text/html" in answer.headers.get("Content-Type", ""):
            seen[path] = text_of(answer)
    return seen


@pytest.fixture
async def furnished(counter: CounterSite) -> tuple[CounterSite, Visitor, dict[str, str]]:
    """A station with one of most things, its administrator, and their keys."""
    office = counter.office
    root = await office.somebody()
    for_sale = await root.json("POST", "/api/shifts", {"float_fen": 0})
    assert for_sale[0] in (201, 403, 409), for_sale
    account, _ = await counter.opened(root)
    _, orders = await root.json("GET", "/api/orders")
    _, tariffs = await root.json("GET", "/api/tariffs")
    task = Task(id="0" * 24, name="Task", items=("energy_import_total",), period_min=15)
    await office.database.tasks.add(task)
    await root.json("POST", "/api/blocks", {"key": "203.0.113.7", "reason": "noise"})
    await root.json("POST", "/api/agents", {"workplace": "desk"})
    await root.json("POST", "/api/channels", {"name": "hall-2", "device": "/dev/null"})
    order = orders["items"][0]["id"]
    ids = {
        "/meters": METER, "/terminals": TERMINAL, "/links": TERMINAL, "/customers": "000000700001",
        "/accounts": account, "/orders": order, "/tariffs": tariffs["items"][0]["id"],
        "/limits": "administrator0", "/users": "administrator0", "/audit": "1",
        "/channels": "hall-2",
    }  # fmt: skip
    return counter, root, ids


async def send(root: Visitor, path: str, form: Form, values: dict[str, str]) -> tuple[int, str]:
    """Send a form as a browser would, with these values."""
    target = form.action or path
    if form.method == "get":
        answer = await root.get(target.split("?")[0] + "?" + _query(values))
    else:
        answer = await root.post(target, **{**values, "_xsrf": root.cookies["_xsrf"]})
    is_page = "text/html" in answer.headers.get("Content-Type", "")
    return answer.code, text_of(answer) if is_page else ""


def _query(values: dict[str, str]) -> str:
    return urlencode(values)


KEPT = ("/logout", "/language", "/theme", "/password", "/sessions", "/totp")


async def test_scripts_in_every_field_of_every_form_stay_text(
    furnished: tuple[CounterSite, Visitor, dict[str, str]],
) -> None:
    _, root, ids = furnished
    pages = await pages_of(root, ids)
    forms: dict[tuple[str, str, tuple[str, ...]], tuple[str, Form]] = {}
    for path, text in pages.items():
        assert_clean(path, text)
        for form in read_page(text).forms:
            target = form.action or path
            if form.texts and not target.startswith(KEPT):
                forms.setdefault((form.method, target, tuple(form.texts)), (path, form))
    fields = tries = 0
    scripts = itertools.cycle(SCRIPTS)
    for path, form in forms.values():
        fields += len(form.texts)
        all_at_once = [dict.fromkeys(form.texts, script) for script in SCRIPTS[:5:2]]
        alone = [{name: next(scripts)} for name in form.texts]  # The others are as they were.
        for changed in (*all_at_once, *alone):
            tries += len(changed)
            status, text = await send(root, path, form, {**form.values, **changed})
            assert status < 500 or status in (502, 503, 504), (path, form.action, changed)
            assert_clean(f"{path} -> {form.action} {changed}", text)
    for path, text in (await pages_of(root, ids)).items():
        assert_clean(path, text)  # What was taken is shown here.
    assert len(pages) > 60
    assert fields > 100
    assert tries > 1000


async def test_scripts_that_got_into_the_database_stay_text(
    furnished: tuple[CounterSite, Visitor, dict[str, str]], mongo_uri: str
) -> None:
    _, root, ids = furnished
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    store, changed, scripts = client["tests"], 0, itertools.cycle(SCRIPTS)
    for name in await store.list_collection_names(filter={"type": "collection"}):
        if name in ("users", "sessions", "settings", "roles"):
            continue  # Without these nobody could look.
        async for document in store[name].find({}):
            texts = {
                key: next(scripts)
                for key, value in document.items()
                if key in FREE and isinstance(value, str)
            }
            if texts:
                changed += len(texts)
                await store[name].update_one({"_id": document["_id"]}, {"$set": texts})
    client.close()
    shown = 0
    for path, text in (await pages_of(root, ids)).items():
        assert_clean(path, text)
        shown += text.count("probe") + text.count("alert(1)")
    assert changed > 20
    assert shown > 20


def models() -> list[type[BaseModel]]:
    """Return every model of the handlers: what may come in, and what goes out."""
    found: dict[str, type[BaseModel]] = {}
    for module in pkgutil.walk_packages(handlers.__path__, "station.handlers."):
        loaded = importlib.import_module(module.name)
        for name, one in inspect.getmembers(loaded, inspect.isclass):
            if issubclass(one, BaseModel) and one is not BaseModel:
                found[f"{one.__module__}.{name}"] = one
    return [*found.values()]


def is_body(model: type[BaseModel]) -> bool:
    """Whether a model is of what comes in; the others are views."""
    return model.__name__.endswith(
        ("Body", "Query", "Change", "Choice", "Asked", "Request", "What", "Bought", "Noted")
    )


def test_operators_are_refused_in_every_field_of_every_body() -> None:
    fields = tries = 0
    open_fields: set[str] = set()
    for model in filter(is_body, models()):
        for name, about in model.model_fields.items():
            fields += 1
            for operator in OPERATORS:
                tries += 1
                key = about.alias or name
                try:
                    model.model_validate({key: operator})
                except ValidationError as error:
                    if any(
                        each["loc"] and each["loc"][0] in (key, name) for each in error.errors()
                    ):
                        continue
                except ValueError:
                    continue
                open_fields.add(f"{model.__name__}.{name}")
    assert fields > 200
    assert tries > 1400
    assert open_fields <= OPEN_FIELDS


# These take an object of any names; what is done with it is tried below.
OPEN_FIELDS = {"WantBody.values"}


async def operators_everywhere(root: Visitor) -> int:
    """Send operators in every field to every address, and return how many tries that were."""
    tries = 0
    for path, handler in addresses():
        if not path.startswith("/api"):
            continue
        for method in methods_of(handler):
            headers = {"Content-Type": "application/json", "X-Xsrftoken": root.cookies["_xsrf"]}
            if method in ("POST", "PUT", "PATCH") and plain(path) not in ("/logout",):
                body = dict.fromkeys(fields_of(handler), OPERATORS[1])
                answer = await root.send(method, path, json.dumps(body), headers)
                tries += 1
                assert answer.code < 500 or answer.code == 503, (method, path, answer.body)
            elif method == "GET":
                names = fields_of(handler) or ["text"]
                query = "&".join(
                    f"{name}[$ne]=1&{name}=%7B%22%24gt%22%3A%22%22%7D" for name in names
                )
                answer = await root.get(f"{path}?{query}")
                tries += 1
                assert answer.code < 500 or answer.code == 503, (path, answer.body)
    return tries


async def test_operators_get_nobody_in_and_find_nothing(office: Office) -> None:
    root = await office.somebody()
    stranger = office.visitor()
    tries = 0
    for operator in OPERATORS:
        for body in (
            {"username": operator, "password": "x"},
            {"username": "administrator0", "password": operator},
            {"username": operator, "password": operator},
            {"username": ["administrator0"], "password": ["x"]},
        ):
            tries += 1
            assert (await stranger.json("POST", "/api/login", body))[0] == 400
    tries += await operators_everywhere(root)
    keys = ('{"$gt":""}', "[$ne]", "$where", ".*", "{}", "' || '1'=='1", "..", "true", "null", "%")
    for path in ("/api/meters/", "/api/terminals/", "/api/orders/", "/api/users/", "/api/audit/"):
        for key in keys:
            tries += 1
            status = (await root.get(path + quote(key, safe=""))).code
            assert status in (400, 404), (path, key, status)
    await root.post("/terminals", address="02001234", name="North")
    for key in ("$ne", "$where", "a.b", "", "__proto__"):
        tries += 1
        path = "/api/terminals/02001234/parameters/F1"
        assert (await root.json("PUT", path, {"values": {key: "x"}}))[0] in (400, 404), key
    assert tries > 200
    assert (await office.database.users.count()) == 1


async def test_a_search_is_text_and_no_pattern(office: Office) -> None:
    root = await office.somebody()
    await root.post("/terminals", address="02001234", name="North.*")
    began = asyncio.get_running_loop().time()
    for text, total in ((".*", 1), ("North.*", 1), ("N.rth", 0), ("^", 0), ("(a+)+$", 0)):
        found = await root.json("GET", "/api/terminals?text=" + text.replace("+", "%2B"))
        assert found[1]["total"] == total, text
    bad = "(" * 90
    assert (await root.json("GET", f"/api/terminals?text={bad}"))[1]["total"] == 0
    assert asyncio.get_running_loop().time() - began < 10


def fields_of(handler: type) -> list[str]:
    """Return the names of what the models of a handler's module take."""
    module = inspect.getmodule(handler)
    own = [one for one in models() if one.__module__ == module.__name__ and is_body(one)]
    return sorted({about.alias or name for one in own for name, about in one.model_fields.items()})
