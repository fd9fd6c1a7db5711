"""The document of the interface in OpenAPI 3.1, made of what the handlers say. Pure.

Programs that read it (generators of clients, testers) learn every address, value and answer.
"""

import inspect
import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from tornado.web import RequestHandler

import station
from station.handlers.access.identity import SESSION_COOKIE, STATUSES, ErrorBody
from station.handlers.contract import FILE_TYPES, FORMAT, Contract
from station.handlers.interface.operations import Operation, operations

SCHEMAS = "#/components/schemas/"
SUBJECTS = {
    "station": "The station itself, and what concerns everybody",
    "communication": "Links with terminals and lines; frames; who is kept out",
    "collection": "Tasks, runs, readings, completeness",
    "archive": "Places, terminals, meters, channels; imports and exports",
    "control": "Commands, parameters, clocks",
    "events": "Events of devices, alarms and their rules",
    "selling": "Customers, accounts, orders, cards, shifts, tariffs",
    "access": "People, roles, logins, tokens, the audit log",
    "interface": "This interface",
}
ABOUT = """Everything that the pages show and do. Lists are `{"items": [...], "total": n}`; those \
that take `page` and `size` show a part. Errors are `{"error": {"code", "message", "field"}}`. A \
name in a query that is not in this document is refused. Moments are ISO 8601 in UTC, values \
decimal strings."""
ABOUT_SESSION = """The cookie that a login sets. What changes something then also needs the header \
`X-Xsrftoken` with the value of the cookie `_xsrf`; requests with a token need none."""
TOLD = {
    400: "A value cannot be, or is not known; `field` names it",
    401: "Nobody is logged in, or the password or code is wrong",
    403: "The person or the token may not do this",
    404: "There is no such thing, or it lies outside the person's areas",
    409: "It contradicts what is there",
    429: "Too many attempts; `Retry-After` says how many seconds to wait",
    502: "The device or card answered wrongly, or refused",
    503: "The database, a link or a reader does not answer",
    504: "The device did not answer in time",
}


class Interface:
    """What programs can ask for, and the document of it; made when they are first asked for."""

    def __init__(self, routes: Iterable[tuple[str, type[RequestHandler]]]) -> None:
        self._routes = routes

    @cached_property
    def operations(self) -> list[Operation]:
        """All that programs can ask for."""
        return operations(self._routes)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document, as JSON may hold it."""
        return document(self.operations, version=station.__version__)

    @cached_property
    def text(self) -> str:
        """The document as JSON."""
        return json.dumps(self.document, ensure_ascii=False)


class ErrorAnswer(BaseModel):
    """What every error looks like."""

    error: ErrorBody


def document(found: Sequence[Operation], *, version: str) -> dict[str, Any]:
    """Return the document of these operations as JSON may hold it."""
    schemas, places = _schemas(found)
    paths: dict[str, dict[str, Any]] = {}
    for each in found:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas, places)
    used = {each.subject for each in found}
    errors = {f"error_{status}": _error(status, places) for status in TOLD}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Station", "version": version, "description": ABOUT},
        "tags": [
            {"name": name, "description": told} for name, told in SUBJECTS.items() if name in used
        ],
        "paths": paths,
        "components": {
            "schemas": _needed(schemas, [paths, errors]),
            "responses": errors,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION_COOKIE,
                    "description": ABOUT_SESSION,
                },
            },
        },
    }


Places = dict[tuple[type[Any], JsonSchemaMode], dict[str, Any]]


def _schemas(found: Sequence[Operation]) -> tuple[dict[str, Any], Places]:
    """Return the schemas of all models by name, and where each model's own stands."""
    wanted: dict[tuple[type[Any], JsonSchemaMode], None] = {(ErrorAnswer, "serialization"): None}
    for each in found:
        wanted |= dict.fromkeys((model, "serialization") for model in _answers(each.contract))
        wanted[each.contract.query, "validation"] = None
        if each.contract.body is not None:
            wanted[each.contract.body, "validation"] = None
    places, told = models_json_schema(list(wanted), ref_template="{model}")
    names = _names(told["$defs"])
    schemas = {names[key]: _renamed(schema, names) for key, schema in told["$defs"].items()}
    return schemas, {key: _renamed(place, names) for key, place in places.items()}


def _answers(contract: Contract) -> list[type[BaseModel]]:
    """Return the models of an answer: one, or those of which it is one."""
    if contract.answer is None:
        return []
    return list(getattr(contract.answer, "__args__", (contract.answer,)))


def _names(keys: Iterable[str]) -> dict[str, str]:
    """Return a short name for each key; models of the same name get their module in front."""
    names = {}
    for key in keys:
        *modules, name = key.split("__")
        names[key] = f"{modules[-1]}.{name}" if modules else name
    assert len(set(names.values())) == len(names), "two models of one name in one module"
    return names


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Return a schema whose references lead to the components of the document."""
    if isinstance(value, dict):
        return {
            key: f"{SCHEMAS}{names[each]}" if key == "$ref" else _renamed(each, names)
            for key, each in value.items()
        }
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value


def _operation(each: Operation, schemas: dict[str, Any], places: Places) -> dict[str, Any]:
    contract = each.contract
    parameters = [*map(_part, each.varying), *_query(contract, schemas, places)]
    told: dict[str, Any] = {
        "operationId": each.name,
        "tags": [each.subject],
        "summary": _summary(each),
        "description": _needs(each),
    }
    if each.permission is not None:
        told["x-permission"] = each.permission.value
    if parameters:
        told["parameters"] = parameters
    if contract.body is not None:
        told["requestBody"] = _body(contract, places)
    told["responses"] = {
        **{str(status): _answer(contract, places) for status in contract.statuses},
        **{
            str(status): {"$ref": f"#/components/responses/error_{status}"}
            for status in each.statuses
        },
    }
    ways = ["token", "session"] if each.serves_tokens else ["session"]
    told["security"] = [{way: []} for way in ways] if each.permission is not None else []
    return told


def _summary(each: Operation) -> str:
    """Return what a method does in a few words: what the log calls it, or what it answers."""
    heads = [inspect.getdoc(model) or "" for model in _answers(each.contract) if each.varying]
    words = each.act or each.said or next(iter(heads), "") or each.path.removeprefix("/api/")
    first = re.split(r"[.:;\n]", words.replace("_", " "))[0]
    return first[:1].upper() + first[1:]


def _needs(each: Operation) -> str:
    if each.permission is None:
        return "Open to all."
    needs = f"Needs the permission `{each.permission.value}`."
    return needs if each.serves_tokens else f"{needs} A token will not do: log in."


def _part(name: str) -> dict[str, Any]:
    """Return a part of the address that varies."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }


def _query(contract: Contract, schemas: dict[str, Any], places: Places) -> list[dict[str, Any]]:
    """Return the values of a query; an empty one counts as absent, so none may be null."""
    model = schemas[_last(places[contract.query, "validation"]["$ref"])]
    found = [
        {
            "name": name,
            "in": "query",
            "required": name in model.get("required", ()),
            "schema": _without_null(_of_table(contract, name) or schema),
        }
        for name, schema in model.get("properties", {}).items()
    ]
    if contract.formats:
        about = "A file of the whole list in place of a part of it"
        kinds = {"type": "string", "enum": list(contract.formats), "description": about}
        found.append({"name": FORMAT, "in": "query", "required": False, "schema": kinds})
    return found


def _of_table(contract: Contract, name: str) -> dict[str, Any] | None:
    """Return what a table's `sort` and `columns` may be; None for other values."""
    if name == "sort" and contract.columns:
        keys = [each.sort.lstrip("-") for each in contract.columns if each.sort]
        orders = ["", *(order for key in keys for order in (key, f"-{key}"))]
        return {"enum": orders, "type": "string", "description": "A minus begins with the last"}
    if name == "columns" and contract.columns:
        names = "|".join(each.name for each in contract.columns)
        about = "Those of the page and its files, with commas between them"
        return {"type": "string", "pattern": f"^({names})(,({names}))*$", "description": about}
    return None


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key not in ("anyOf", "title")}
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if kept.get("default", "") is None:
        del kept["default"]
    if len(kinds) == 1:
        return {**kinds[0], **kept}
    return {**kept, "anyOf": kinds} if kinds else kept


def _body(contract: Contract, places: Places) -> dict[str, Any]:
    assert contract.body is not None, "asked only of what takes one"
    schema = places[contract.body, "validation"]
    if not contract.upload:
        return {"required": True, "content": {"application/json": {"schema": schema}}}
    file = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
    }
    return {
        "required": True,
        "content": {"multipart/form-data": {"schema": {"allOf": [schema, file]}}},
    }


def _answer(contract: Contract, places: Places) -> dict[str, Any]:
    content: dict[str, Any] = {}
    kinds = [places[model, "serialization"] for model in _answers(contract)]
    if kinds:
        content["application/json"] = {"schema": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}}
    for kind in contract.files:
        content[FILE_TYPES[kind]] = {"schema": {"type": "string"}}
    return {"description": "The answer", "content": content}


def _error(status: int, places: Places) -> dict[str, Any]:
    codes = sorted({code for known, code in STATUSES.values() if known == status})
    told: dict[str, Any] = {
        "description": f"{TOLD[status]} ({', '.join(f'`{code}`' for code in codes)})",
        "content": {"application/json": {"schema": places[ErrorAnswer, "serialization"]}},
    }
    if status == 429:
        told["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 0}}}
    return told


def _needed(schemas: dict[str, Any], told: Any) -> dict[str, Any]:
    """Return the schemas that these lead to; models of queries stand as parameters there."""
    needed: set[str] = set()
    waiting = _references(told)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting |= _references(schemas[name])
    return {name: schemas[name] for name in sorted(needed)}


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = value.get("$ref")
        found = {_last(own)} if isinstance(own, str) and own.startswith(SCHEMAS) else set()
        return found.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
