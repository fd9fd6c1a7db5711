"""What is wrong with a body, field by field, in the words of the person who typed it."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from station.errors import InvalidValue
from station.handlers.language import Language
from station.handlers.marking import N_

_WORDS = {
    "missing": N_("is needed"),
    "extra_forbidden": N_("is not known here"),
    "int_parsing": N_("expected a whole number"),
    "int_type": N_("expected a whole number"),
    "int_from_float": N_("expected a whole number"),
    "bool_parsing": N_("expected yes or no"),
    "bool_type": N_("expected yes or no"),
    "string_type": N_("expected a text"),
    "tuple_type": N_("expected a list"),
    "string_too_short": N_("needs at least %(min_length)s characters"),
    "string_too_long": N_("may have at most %(max_length)s characters"),
    "too_short": N_("choose at least %(min_length)s"),
    "too_long": N_("choose at most %(max_length)s"),
    "greater_than_equal": N_("expected at least %(ge)s"),
    "less_than_equal": N_("expected at most %(le)s"),
    "literal_error": N_("expected one of %(expected)s"),
    "date_from_datetime_parsing": N_("expected a date such as 2026-01-31"),
    "datetime_from_date_parsing": N_("expected a time such as 2026-01-31T08:00:00Z"),
    "datetime_parsing": N_("expected a time such as 2026-01-31T08:00:00Z"),
    "timezone_aware": N_("expected a time such as 2026-01-31T08:00:00Z"),
}
_DAY = "date_from_datetime_parsing"
_EMPTY_FIELD = N_("is needed")
_DESCRIBED = N_("expected %(what)s")


# These pydantic takes for seconds since 1970 where a day or a moment is wanted.
_NUMBER = re.compile(r"[+-]?[\d_]*\.?[\d_]+(e[+-]?\d+)?", re.IGNORECASE)


class InvalidBody(InvalidValue):
    """A body in which one or more fields cannot be; `problems` has one sentence per field."""

    def __init__(self, problems: dict[str, str]) -> None:
        field, problem = next(iter(problems.items()))
        super().__init__(field, f"{field}: {problem}")
        self.problems = problems


def invalid_body(error: ValidationError, model: type[BaseModel], language: Language) -> InvalidBody:
    """Return pydantic's findings as one problem per field, in the reader's language."""
    problems: dict[str, str] = {}
    for detail in error.errors():
        field = str(detail["loc"][0]) if detail["loc"] else "body"
        problems.setdefault(field, _problem(field, detail, model, language))
    return InvalidBody(problems)


def numbers_for_moments(
    model: type[BaseModel], data: Mapping[str, Any], language: Language
) -> InvalidBody | None:
    """Return what is wrong with numbers where a model has days or moments; None without any."""
    problems = {}
    for own_name, field in model.model_fields.items():
        name, kind = field.alias or own_name, str(field.annotation)
        value = data.get(name)
        is_number = isinstance(value, int | float) or (
            isinstance(value, str) and _NUMBER.fullmatch(value.strip()) is not None
        )
        if is_number and "datetime." in kind:
            words = "datetime_parsing" if "datetime.datetime" in kind else _DAY
            problems[name] = language.say(_WORDS[words])
    return InvalidBody(problems) if problems else None


def _problem(field: str, detail: ErrorDetails, model: type[BaseModel], language: Language) -> str:
    kind = detail["type"]
    if kind == "value_error":
        return language.sentence(detail["msg"].removeprefix("Value error, "))
    if detail["input"] in ("", None, [], ()) or kind == "missing":
        return language.say(_EMPTY_FIELD)
    described = _description(model, field)
    if described:
        return language.say(_DESCRIBED, what=language.say(described))
    if kind in _WORDS:
        return language.say(_WORDS[kind]) % detail.get("ctx", {})
    return detail["msg"]


def _description(model: type[BaseModel], name: str) -> str | None:
    for own_name, field in model.model_fields.items():
        if name in (own_name, field.alias):
            return field.description
    return None
