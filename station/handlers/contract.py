"""What a method of a resource takes and gives, said once beside it.

The document of the interface (`/api/openapi.json`) is made from it, and both sides are held to it:
a request whose query has a name that is not said here is refused, and an answer that is not what
was said is a defect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import UnionType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, WithJsonSchema
from tornado.web import RequestHandler

from station.handlers.download import XLSX_TYPE, Column

FORMAT = "format"  # The value of a query that asks for a file in place of a page of a list.
FILE_TYPES = {
    "csv": "text/csv",
    "xlsx": XLSX_TYPE,
    "text": "text/plain",
    "pdf": "application/pdf",
}
TABLE = ("csv", "xlsx")

# What may go wrong beyond what every method shares, as statuses of errors.
DEVICE = (502, 503, 504)  # A device is asked, and the answer waited for.
CARD = (409, 502, 503)  # A card lies in a reader, or does not.
GUESSING = (429,)  # A password or a code is tried.

# A moment as a clock on the wall shows it at the site: it names no zone.
LocalTime = Annotated[
    datetime,
    WithJsonSchema({"type": "string", "description": "The site's time: 2026-01-31T00:00:00"}),
]

Method = TypeVar("Method", bound=Callable[..., Any])


class NoQuery(BaseModel):
    """A query of nothing."""


@dataclass(frozen=True)
class Contract:
    """What a method takes and gives.

    `answer` is the model of its JSON, None where there is only a page or a file; `files` are the
    kinds of files that it gives, of which a table's are asked for by the query's `format`;
    `columns` are those of the table, by which it can be sorted.
    """

    answer: type[BaseModel] | UnionType | None
    query: type[BaseModel]
    body: type[BaseModel] | None
    statuses: tuple[int, ...]
    files: tuple[str, ...]
    columns: Sequence[Column[Any]]
    fails: tuple[int, ...]
    upload: bool

    @property
    def has_twin(self) -> bool:
        """Whether programs get something: what is a page alone has no address under /api."""
        return self.answer is not None or bool(self.files)

    @cached_property
    def formats(self) -> tuple[str, ...]:
        """The values that the query's `format` may have."""
        return tuple(kind for kind in self.files if kind != "pdf")

    @cached_property
    def names(self) -> list[str]:
        """The names that the query may have."""
        known = [field.alias or name for name, field in self.query.model_fields.items()]
        return [*known, *([FORMAT] if self.formats else [])]


_contracts: dict[Callable[..., Any], Contract] = {}


def contract(
    answer: type[BaseModel] | UnionType | None,
    *,
    query: type[BaseModel] = NoQuery,
    body: type[BaseModel] | None = None,
    status: int | tuple[int, ...] = 200,
    files: tuple[str, ...] = (),
    table: Sequence[Column[Any]] = (),
    fails: tuple[int, ...] = (),
    upload: bool = False,
) -> Callable[[Method], Method]:
    """Say what a handler's method takes and gives.

    `table` are the columns of a list, which has its usual files; `upload` is a form with a file.
    """
    statuses = (status,) if isinstance(status, int) else status
    kinds = TABLE if table and not files else files

    def mark(method: Method) -> Method:
        _contracts[method] = Contract(answer, query, body, statuses, kinds, table, fails, upload)
        return method

    return mark


def contract_of(handler: type[RequestHandler], http_method: str) -> Contract | None:
    """Return what a handler's method was said to take and give, or None."""
    return _contracts.get(getattr(handler, http_method.lower()))
