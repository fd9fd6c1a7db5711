"""What the document of the interface promises, held against every JSON answer of the tests."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from jsonschema_rs import Draft202012Validator

from station.handlers.routes import interface


def check_promise(method: str, path: str, status: int, body: Any) -> None:
    """Check that an answer has a status and a shape that the document names for its address.

    A defect (500) is in no document; tests that provoke one look at it themselves.
    """
    found = _responses(method, path.split("?")[0])
    if found is None or status == 500:
        return
    operation, responses = found
    assert str(status) in responses, f"{operation}: {status} is not in the document: {body}"
    if status < 400:
        error = next(_validator(operation, status).iter_errors(body), None)
        assert error is None, f"{operation}: {error}"


@functools.cache
def _patterns() -> list[tuple[str, "re.Pattern[str]", str]]:
    """Return method, address and its own in the document; what varies least comes first."""
    found = sorted(interface().operations, key=lambda each: len(each.varying))
    return [
        (each.method, re.compile(re.sub(r"{\w+}", "[^/]+", each.path)), each.path) for each in found
    ]


def _responses(method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
    for known, pattern, own in _patterns():
        if known == method and pattern.fullmatch(path):
            told = interface().document["paths"][own][method.lower()]["responses"]
            return f"{method} {own}", told
    return None


@functools.cache
def _validator(operation: str, status: int) -> Draft202012Validator:
    method, path = operation.split(" ")
    document = interface().document
    told = document["paths"][path][method.lower()]["responses"][str(status)]
    schema = told["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})
