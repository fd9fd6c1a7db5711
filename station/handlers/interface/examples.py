"""A value that fits a schema of the document: what a form begins with. Pure."""

from collections.abc import Mapping
from typing import Any

DEPTH_MAX = 6  # A model that holds itself ends here.
PLAIN: dict[str, Any] = {"integer": 0, "number": 0, "boolean": False, "object": {}, "null": None}
MOMENT = "2026-01-31T08:00:00Z"
TEXTS = {"date": "2026-01-31", "date-time": MOMENT, "time": "08:00:00"}


def resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema, or the one that it refers to."""
    reference = schema.get("$ref")
    return schema if reference is None else schemas[reference.rpartition("/")[2]]


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """Return an example: defaults where there are some, else the first or least that may be."""
    own = resolved(schema, schemas)
    if own.get("default") is not None:
        return own["default"]
    for key in ("const", "enum"):
        if key in own:
            return own[key][0] if key == "enum" else own[key]
    kinds = [each for each in own.get("anyOf", ()) if each.get("type") != "null"]
    if kinds:
        return None if "default" in own else example_of(kinds[0], schemas, depth)
    if own.get("type") == "object" and depth < DEPTH_MAX:
        return {
            name: example_of(each, schemas, depth + 1)
            for name, each in own.get("properties", {}).items()
        }
    if own.get("type") == "array":
        is_needed = own.get("minItems", 0) > 0 and depth < DEPTH_MAX
        return [example_of(own["items"], schemas, depth + 1)] if is_needed else []
    if own.get("type") == "string":
        return TEXTS.get(own.get("format", ""), "")
    return own.get("minimum", PLAIN.get(own.get("type", "null")))
