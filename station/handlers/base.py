"""A resource over HTTP: bodies and queries become models, views become a page or JSON.

A page and its JSON are made from one view, so they cannot drift apart.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlencode, urlsplit

from pydantic import BaseModel, Field, ValidationError
from tornado.web import HTTPError

from station.collector.completeness import TASKS_MAX
from station.errors import InvalidValue, StationError
from station.handlers.access.auditing import Audited
from station.handlers.access.identity import SESSION_COOKIE, one_line, status_of
from station.handlers.access.people import Permission
from station.handlers.areas import is_open, shape_of
from station.handlers.contract import FORMAT, Contract, contract_of
from station.handlers.download import ROWS_MAX, XLSX_TYPE, Column, to_csv, to_xlsx, writing
from station.handlers.endings import What
from station.handlers.json_bodies import ZERO, json_value
from station.handlers.language import LANGUAGES
from station.handlers.problems import InvalidBody, invalid_body, numbers_for_moments
from station.handlers.tables import (
    Table,
    check_sort,
    chosen_table,
    remembered_table,
    usual_table,
)
from station.handlers.templating import render
from station.store.objects.tasks import Task
from station.units import utc_now

log = logging.getLogger(__name__)

COOKIE_DAYS = 400  # The longest that browsers keep a cookie.
NAME_TOLD_MAX = 40  # Characters of a name in a query that is not known,
NAMES_TOLD_MAX = 5  # and so many of them; somebody else may have written the address.
NOTICE_SIZE_MAX = 500  # Characters; a cookie holds 4 KiB.

Model = TypeVar("Model", bound=BaseModel)
Row = TypeVar("Row")


class Nothing(BaseModel):
    """The answer to a change after which there is nothing to show."""


class TableQuery(BaseModel):
    """How a table is shown: by which column it is sorted, and which columns there are."""

    sort: str = Field("", max_length=40)  # With a minus in front the last one comes first.
    columns: str | None = Field(None, max_length=1000)  # Those of the page and its files.


class ListQuery(TableQuery):
    """What the address of a list says: a text to look for, and which part to show."""

    text: str | None = Field(None, max_length=100)
    page: int = Field(1, ge=1, le=100_000)
    size: int = Field(50, ge=1, le=1000)

    @property
    def skip(self) -> int:
        """How many rows come before this page."""
        return (self.page - 1) * self.size


class Handler(Audited):
    """A resource: reads bodies into models, writes views as a page or as JSON."""

    _contract: Contract | None = None  # What the method that was asked for takes and gives.

    async def prepare(self) -> None:
        await super().prepare()
        self._contract = contract_of(type(self), self.request.method or "GET")
        if self._contract is not None and not self._finished:
            self._check_query(self._contract)

    @property
    def wants_json(self) -> bool:
        """Whether the answer is JSON: under /api, or when the client likes it better."""
        if self.request.path.startswith("/api/"):
            return True
        return _prefers_json(self.request.headers.get("Accept", ""))

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return self.request.headers.get("HX-Request") == "true"

    def compute_etag(self) -> str | None:
        return None  # Every page holds a fresh XSRF token, so no two are equal.

    # --- what came in -------------------------------------------------------------------------

    def _check_query(self, contract: Contract) -> None:
        """Raise InvalidValue for names that the query may not have, and for a file's kind."""
        if self.wants_json and not contract.has_twin:
            raise HTTPError(405)
        say, known = self.language.say, contract.names
        strange = [name for name in self.request.query_arguments if name not in known]
        if strange:
            unknown = say("is not known here: this address takes no query")
            if known:
                unknown = say("is not known here; known are: %(names)s", names=", ".join(known))
            told = ", ".join(name[:NAME_TOLD_MAX] for name in strange[:NAMES_TOLD_MAX])
            raise InvalidValue(strange[0][:NAME_TOLD_MAX], f"{told}: {unknown}")
        if self.wanted_format not in ("", *contract.formats):
            wanted = say("expected one of %(expected)s", expected=", ".join(contract.formats))
            raise InvalidValue(FORMAT, f"{FORMAT}: {wanted}")

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Return a text of the address or of a form. Raises HTTPError for one with a zero."""
        text = super().decode_argument(value, name)
        if ZERO in text:
            raise HTTPError(400)
        return text

    def parse_body(self, model: type[Model]) -> Model:
        """Return a JSON or form body as a model. Raises InvalidBody, which names the fields."""
        if self.is_json_body:
            try:
                data = json_value(self.request.body)
            except ValueError:
                raise InvalidValue("body", self.language.say("expected JSON")) from None
            if not isinstance(data, dict):
                raise InvalidValue("body", self.language.say("expected a JSON object"))
        else:
            data = self._form(model, self.request.body_arguments)
        body = self._validated(model, data)
        self.note_body(body)
        return body

    def parse_query(self, model: type[Model]) -> Model:
        """Return the query as a model; empty values count as absent. Raises InvalidBody."""
        given = {
            name: [value for value in values if value.strip()]
            for name, values in self.request.query_arguments.items()
        }
        return self._validated(model, self._form(model, given))

    def typed(self) -> dict[str, Any]:
        """Return what was typed in a form, to be shown again; nothing for what is not there."""
        typed: dict[str, Any] = defaultdict(str)
        for name in self.request.body_arguments:
            values = self.get_body_arguments(name)
            typed[name] = values if len(values) > 1 else values[0]
        return typed

    @property
    def is_json_body(self) -> bool:
        """Whether JSON came in, and not a form."""
        return self.request.headers.get("Content-Type", "").startswith("application/json")

    def _form(self, model: type[BaseModel], given: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for own_name, field in model.model_fields.items():
            name = field.alias or own_name
            values = [self.decode_argument(value, name).strip() for value in given.get(name, ())]
            if "tuple" in str(field.annotation):
                data[name] = [value for value in values if value]
            elif values:
                data[name] = values[-1]
        return data

    def _validated(self, model: type[Model], data: dict[str, Any]) -> Model:
        numbers = numbers_for_moments(model, data, self.language)
        if numbers is not None:
            raise numbers
        try:
            return model.model_validate(data)
        except ValidationError as error:
            raise invalid_body(error, model, self.language) from None

    # --- what goes out ------------------------------------------------------------------------

    def show(self, template: str, view: BaseModel, *, status: int = 200, **context: Any) -> None:
        """Write a view: as JSON, or as the page that the template makes of it."""
        self.set_status(status)
        if self.wants_json:
            self.write_json(view)
        else:
            self.finish_page(template, view=view, **context)

    def write_json(self, view: BaseModel) -> None:
        """Write a view as JSON, whoever asks."""
        if self._contract is not None:
            answer = self._contract.answer
            assert answer is not None, "a page alone was promised"
            assert isinstance(view, answer), f"{answer} was promised, not {type(view).__name__}"
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.write(view.model_dump_json())

    async def show_list(
        self,
        template: str,
        view: BaseModel,
        rows: Sequence[Row],
        columns: Sequence[Column[Row]],
        *,
        fixed: bool = False,
        **context: Any,
    ) -> None:
        """Write a list: as a page, as JSON, or as the file that the query's `format` names.

        `filter` is the list's query; `fixed` is a page whose columns are not chosen. Raises
        InvalidValue for an order or a column that is not.
        """
        given = context.get("filter")
        query = given if isinstance(given, TableQuery) else TableQuery()
        if self.is_download:
            await self.send_table(rows, self.file_columns(columns, query))
        else:
            table = await self.table_of(columns, query)
            self.show(template, view, **context, the_table=None if fixed else table)

    def file_columns(
        self, columns: Sequence[Column[Row]], query: TableQuery
    ) -> Sequence[Column[Row]]:
        """Return the columns of a file: those of the query, or all. Raises InvalidValue."""
        check_sort(columns, query.sort)
        if query.columns is None:
            return columns
        return chosen_table(usual_table(columns), query.columns).written

    async def table_of(self, columns: Sequence[Column[Row]], query: TableQuery) -> Table[Row]:
        """Return a table as the query names it, as the person left it, or as it usually is.

        Raises InvalidValue for an order or a column that is not.
        """
        check_sort(columns, query.sort)
        name = shape_of(self.request.path, self.path_args)
        usual = usual_table(columns, name, query.sort)
        if query.columns is not None:
            return chosen_table(usual, query.columns)
        if self.wants_json or self.user is None:
            return usual
        choices = self.parts.database.table_choices
        return remembered_table(usual, await choices.find(self.user.name, name))

    async def send_table(self, rows: Sequence[Row], columns: Sequence[Column[Row]]) -> None:
        """Write a table as a workbook for `format=xlsx`, else as CSV."""
        zone = self.parts.config.site.zone_info
        if not self.wants_workbook:
            self.send_file(to_csv(rows, columns, self.language, zone), "csv", "text/csv")
            return
        loop = asyncio.get_running_loop()
        content = await loop.run_in_executor(
            writing, to_xlsx, self.file_name, rows, columns, self.language, zone
        )
        self.send_file(content, "xlsx", XLSX_TYPE)

    def set_session_cookie(self, token: str) -> None:
        """Let the browser keep a session's token, out of reach of scripts and other sites."""
        secure = self.request.protocol == "https"
        self.set_cookie(SESSION_COOKIE, token, httponly=True, samesite="Lax", secure=secure)

    def send_file(self, content: str | bytes, ending: str, kind: str) -> None:
        """Write a text, or bytes, that the browser keeps as a file."""
        charset = "; charset=UTF-8" if isinstance(content, str) else ""
        self.set_header("Content-Type", kind + charset)
        self.set_header("Content-Disposition", f'attachment; filename="{self.file_name}.{ending}"')
        self.write(content)

    @property
    def file_name(self) -> str:
        """What a file made of this page is called, without its ending."""
        return self.request.path.removeprefix("/api").strip("/").replace("/", "-")

    @property
    def wants_workbook(self) -> bool:
        """Whether the file that is asked for is a workbook; any other is CSV."""
        return self.wanted_format == "xlsx"

    @property
    def is_download(self) -> bool:
        """Whether a file of the whole list is asked for, not one page of it."""
        return self.wanted_format != ""

    @property
    def wanted_format(self) -> str:
        """The kind of file that is asked for; empty for a page or JSON."""
        return self.get_query_argument(FORMAT, "")

    async def offered_tasks(self) -> list[Task]:
        """Return the tasks that a filter offers: those that read something of the person's."""
        tasks, _ = await self.parts.database.tasks.list(limit=TASKS_MAX)
        seen = await self.tasks_in_sight()
        return tasks if seen is None else [task for task in tasks if task.id in seen.tasks]

    def span(self, query: ListQuery) -> tuple[int, int]:
        """Return how many rows to skip and how many to take; a download takes all."""
        return (0, ROWS_MAX) if self.is_download else (query.skip, query.size)

    def finish_page(self, template: str, **context: Any) -> None:
        """Write a page, or the part of it that htmx selects."""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        environment = self.tools.environments[self.language.code]
        self.write(render(environment, template, {**self._page_context(), **context}))

    def done(
        self, view: BaseModel, location: str, notice: str | None = None, *, status: int = 200
    ) -> None:
        """Answer a change: JSON gets the view, a browser goes on to a page and reads the notice."""
        self.note_location(location)
        if self.wants_json:
            self.set_status(status)
            self.write_json(view)
            return
        if notice:
            value = quote(notice[:NOTICE_SIZE_MAX])
            self.set_cookie("notice", value, httponly=True, samesite="Lax")
        if self.is_partial:
            self.set_header("HX-Redirect", location)
            self.set_status(204)
        else:
            self.redirect(location, status=303)

    def tell_end(self, what: What, ids: Iterable[str], name: str, location: str) -> None:
        """Have the person's pages told when what was begun here has ended."""
        if self.user is not None:
            self.tools.endings.began(what, ids, by=self.user.name, name=name, href=location)

    def _page_context(self) -> dict[str, Any]:
        notice = None if self.is_partial else self.get_cookie("notice")
        if notice:
            self.clear_cookie("notice")
        return {
            "language": self.language,
            "language_names": LANGUAGES,
            "user": self.user,
            "can": lambda name: self.can(Permission(name)),
            "opens": lambda path: not self.areas or is_open(path),
            "site": self.parts.config.site,
            "theme": "dark" if self.get_cookie("theme") == "dark" else "light",
            "now": utc_now(),
            "path": self.request.path,
            "partial": self.is_partial,
            "query": self._query_url,
            "static_url": self.static_url,
            "xsrf_token": self.xsrf_token.decode(),
            "notice": unquote(notice) if notice else None,
            "errors": {},
            "frame_days": self.parts.config.frontend.frame_days,
            "front_port": self.parts.config.frontend.port,
        }

    def _query_url(self, **changes: object) -> str:
        """Return this page's address with some of its query changed; None takes a value out."""
        query: dict[str, Any] = {
            name: self.get_query_arguments(name) for name in self.request.query_arguments
        }
        query |= changes
        kept = {name: value for name, value in query.items() if value not in (None, "", [""])}
        return self.request.path + ("?" + urlencode(kept, doseq=True) if kept else "")

    # --- what went wrong ----------------------------------------------------------------------

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if self.wants_json:
            super().write_error(status_code, **kwargs)
            return
        body = self.explain(status_code, **kwargs)
        status = self.get_status()
        if status == 401:
            self._send_to_login()
        elif body.code == "password_change_needed":
            self.done(Nothing(), "/password", body.message)
            if not self._finished:
                self.finish()
        elif self.is_partial:
            self.set_header("HX-Retarget", "#notices")
            self.set_header("HX-Reswap", "beforeend")
            self.finish_page("parts/notice.html", message=body.message, kind="danger")
            self.finish()
        else:
            self.finish_page("error.html", error=body, status=status)
            self.finish()

    def _send_to_login(self) -> None:
        came_from = self.request.uri or "/"
        if self.is_partial:
            current = urlsplit(self.request.headers.get("HX-Current-URL", "/"))
            came_from = current.path + (f"?{current.query}" if current.query else "")
            self.set_header("HX-Redirect", "/login?" + urlencode({"next": local_path(came_from)}))
            self.finish()
        else:
            if self.request.method != "GET":
                came_from = "/"
            self.redirect("/login?" + urlencode({"next": local_path(came_from)}), status=303)

    def refuse_form(self, template: str, error: StationError, **context: Any) -> None:
        """Show a form again with what was typed and what was wrong with it.

        For JSON the error goes on to become an answer by itself.
        """
        if self.wants_json:
            raise error
        self.note_error(error)
        log.info("%s %s: %s", self.request.method, self.request.path, one_line(error))
        self.set_status(status_of(error)[0])
        shown = {"typed": self.typed(), "errors": self.problems_of(error), **context}
        self.finish_page(template, **shown)

    def allowed_methods(self) -> list[str]:
        """The methods that this address answers to; programs have no use for a page alone."""
        methods = super().allowed_methods()
        if not self.wants_json:
            return methods
        contracts = {method: contract_of(type(self), method) for method in methods}
        return [
            method
            for method, contract in contracts.items()
            if contract is None or contract.has_twin
        ]

    def problems_of(self, error: StationError) -> dict[str, str]:
        """Return what to write beside each field; an empty field stands for the whole form."""
        if isinstance(error, InvalidBody):
            return error.problems
        field = error.field if isinstance(error, InvalidValue) else ""
        return {field: self.language.sentence(str(error))}


def local_path(target: str) -> str:
    """Return a path on this site to go on to after logging in; `/` when it leads elsewhere."""
    parts = urlsplit(target)
    is_local = target.startswith("/") and not parts.scheme and not parts.netloc
    hides_host = target.startswith(("//", "/\\")) or any(ord(letter) < 32 for letter in target)
    return target if is_local and not hides_host and "\\" not in target else "/"


def _prefers_json(accept: str) -> bool:
    quality = {"application/json": 0.0, "text/html": 0.0}
    for part in accept.split(","):
        kind, *options = (piece.strip() for piece in part.split(";"))
        if kind in quality:
            wished = [option[2:] for option in options if option.startswith("q=")]
            try:
                quality[kind] = float(wished[0]) if wished else 1.0
            except ValueError:
                quality[kind] = 0.0
    return quality["application/json"] > quality["text/html"]


class UnknownPage(Handler):
    """Every address that no route knows."""

    open_to_all = True

    async def prepare(self) -> None:
        await self._identify()
        raise HTTPError(404)
