"""Imports: send a table in, look at what every row would change, apply it, undo it.

A file is taken in pieces after it is known who sends it, so that only these requests may be large.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPInputError, parse_body_arguments
from tornado.web import stream_request_body

from station.collector.import_rows import TABLES
from station.collector.sheets import FILE_SIZE_MAX
from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import Forbidden, requires
from station.handlers.access.people import Permission
from station.handlers.archive.import_views import (
    COLUMNS,
    KIND_NAMES,
    OUTCOME_NAMES,
    ROW_COLUMNS,
    STATE_NAMES,
    ImportList,
    ImportView,
    OneImportView,
    RowView,
    columns_of,
    import_view,
    kinds_for,
    names_of,
    row_view,
    unkept_view,
)
from station.handlers.areas import is_open
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.contract import TABLE, contract
from station.handlers.pieces import send_pieces
from station.handlers.tables import usual_table
from station.store.objects.imports import Import

UPLOAD_SIZE_MAX = FILE_SIZE_MAX + 64 * 1024  # Bytes of a request: the file and the form around it.
UPLOAD_TIME_MAX_S = 300.0  # For a file over a poor line: 64 kB a second.
ROWS_AT_ONCE = 500  # Of a file that goes out: some 20 ms.

Kind = Literal["places", "terminals", "meters", "customers"]


class ImportBody(BaseModel):
    """What comes with a file: which table it is."""

    kind: Kind


class ImportsQuery(ListQuery):
    """The list of imports; `kind` is the table that the form begins with."""

    kind: Kind = "meters"


class RowsQuery(ListQuery):
    """Which rows of an import to show."""

    outcome: Literal["new", "changed", "unchanged", "error"] | None = None


class ExportQuery(BaseModel):
    """Which things to put into the file."""

    text: str | None = Field(None, max_length=100)
    link: str | None = Field(None, max_length=64)


class ImportHandler(Handler):
    """What the handlers of imports share."""

    async def find_import(self, import_id: str) -> Import:
        """Return an import that this person may see. Raises NotFound."""
        import_ = await self.parts.database.imports.get(import_id)
        if self.areas and import_.by != self.actor.name:
            raise NotFound(f"there is no import {import_id}")
        return import_

    async def import_to_change(self, import_id: str) -> Import:
        """Return an import that this person may apply and undo. Raises NotFound, Forbidden."""
        import_ = await self.find_import(import_id)
        self.check_kind(import_.kind)
        return import_

    @property
    def may_import_customers(self) -> bool:
        """Whether the person deals with customers, who belong to the whole site."""
        return self.can(Permission.SELL) and not self.areas

    def check_kind(self, kind: str) -> None:
        """Raise Forbidden for a table that this person may not send in."""
        if kind == "customers" and not self.may_import_customers:
            raise Forbidden(self.language.say("customers are imported by those who sell to them"))

    def view_of(self, import_: Import) -> ImportView:
        return import_view(import_, self.parts.imports.work(import_.id), self.language)


@stream_request_body
class ImportsHandler(ImportHandler):
    """/imports, /api/imports"""

    _body_is_here = False

    async def prepare(self) -> None:
        self._pieces: list[bytes] = []
        await super().prepare()
        if self.request.method == "POST":
            size = self.request.headers.get("Content-Length", "")
            if not size.isdecimal() or int(size) > UPLOAD_SIZE_MAX:
                raise InvalidValue("file", f"the file has more than {FILE_SIZE_MAX // 2**20} MB")
            connection = self.request.connection
            assert isinstance(connection, HTTP1Connection), "the server speaks no other HTTP"
            connection.set_max_body_size(UPLOAD_SIZE_MAX)
            connection.set_body_timeout(UPLOAD_TIME_MAX_S)

    def data_received(self, chunk: bytes) -> None:
        self._pieces.append(chunk)

    @property
    def needs_xsrf(self) -> bool:
        """The token of a form lies in the body, and is looked at when that is here."""
        return self._body_is_here and super().needs_xsrf

    @requires(Permission.CONFIGURE)
    @contract(ImportList, query=ImportsQuery, table=COLUMNS)
    async def get(self) -> None:
        await self._show_list(self.parse_query(ImportsQuery))

    @requires(Permission.CONFIGURE)
    @contract(ImportView, body=ImportBody, status=202, upload=True)
    async def post(self) -> None:
        try:
            name, content = self._file()
            body = self.parse_body(ImportBody)
            self.check_kind(body.kind)
            import_id = await self.parts.imports.read(
                body.kind,
                name,
                content,
                names_of(body.kind, self.tools.languages),
                by=self.actor.name,
                areas=self.areas,
            )
        except (InvalidValue, Conflict) as error:
            await self._refuse(error)
            return
        self.tell_end("import", [import_id], name, f"/imports/{import_id}")
        work = self.parts.imports.work(import_id)
        assert work is not None, "it was begun just now"
        self.done(unkept_view(work, self.language), f"/imports/{import_id}", status=202)

    def _file(self) -> tuple[str, bytes]:
        """Take the body apart; return the file's name and what is in it."""
        request = self.request
        kind = request.headers.get("Content-Type", "")
        try:
            parse_body_arguments(
                kind, b"".join(self._pieces), request.body_arguments, request.files, request.headers
            )
        except HTTPInputError:
            raise InvalidValue("file", "the request cannot be understood") from None
        self._pieces.clear()
        for name, values in request.body_arguments.items():
            request.arguments.setdefault(name, []).extend(values)
        self._body_is_here = True
        if self.needs_xsrf:
            self.check_xsrf_cookie()
        files = request.files.get("file", [])
        if not files or not files[0].filename:
            raise InvalidValue("file", "choose a file")
        return files[0].filename, files[0].body

    async def _show_list(self, query: ImportsQuery) -> None:
        skip, limit = self.span(query)
        by = self.actor.name if self.areas else None
        imports, total = await self.parts.database.imports.list(
            by=by, skip=skip, limit=limit, sort=query.sort
        )
        view = ImportList(items=[self.view_of(each) for each in imports], total=total)
        await self.show_list(
            "imports.html", view, view.items, COLUMNS, filter=query, **self._words(query.kind)
        )

    async def _refuse(self, error: StationError) -> None:
        if self.wants_json:
            raise error
        imports, total = await self.parts.database.imports.list(
            by=self.actor.name if self.areas else None
        )
        view = ImportList(items=[self.view_of(each) for each in imports], total=total)
        kind = self.get_body_argument("kind", "meters")
        self.refuse_form(
            "imports.html",
            error,
            view=view,
            filter=ImportsQuery(),
            the_table=usual_table(COLUMNS),
            **self._words(kind),
        )

    def _words(self, kind: str) -> dict[str, Any]:
        kinds = kinds_for(self.may_import_customers)
        return {
            "kinds": kinds,
            "exports": [each for each in kinds if not self.areas or is_open(f"/exports/{each}")],
            "kind": kind,
            "kind_names": KIND_NAMES,
            "state_names": STATE_NAMES,
        }


class OneImportHandler(ImportHandler):
    """/imports/ID, /api/imports/ID"""

    @requires(Permission.CONFIGURE)
    @contract(OneImportView, query=RowsQuery, table=ROW_COLUMNS)
    async def get(self, import_id: str) -> None:
        query = self.parse_query(RowsQuery)
        work = self.parts.imports.work(import_id)
        words: dict[str, Any] = {
            "kind_names": KIND_NAMES,
            "outcome_names": OUTCOME_NAMES,
            "state_names": STATE_NAMES,
        }
        import_ = await self.parts.database.imports.find(import_id)
        if import_ is None and work is not None and work.by == self.actor.name:
            view = OneImportView(**unkept_view(work, self.language).model_dump())
            await self.show_list(
                "import.html", view, view.items, ROW_COLUMNS, filter=query, **words
            )
            return
        import_ = await self.find_import(import_id)
        skip, limit = self.span(query)
        outcomes = [query.outcome] if query.outcome else []
        if self.is_download:
            columns = self.file_columns(ROW_COLUMNS, query)
            await send_pieces(self, self._rows(import_, outcomes), columns)
            return
        rows, total = await self.parts.database.imports.rows(
            import_, outcomes, skip=skip, limit=limit
        )
        places = await self.parts.archive.places()
        view = OneImportView(
            **self.view_of(import_).model_dump(),
            items=[row_view(import_, row, places, self.language) for row in rows],
            total=total,
        )
        table = await self.table_of(ROW_COLUMNS, query)
        self.show("import.html", view, filter=query, the_table=table, **words)

    async def _rows(
        self, import_: Import, outcomes: Sequence[str]
    ) -> AsyncIterator[Sequence[RowView]]:
        places = await self.parts.archive.places()
        last = 0
        while True:
            rows, _ = await self.parts.database.imports.rows(
                import_, outcomes, after=last, limit=ROWS_AT_ONCE
            )
            if not rows:
                return
            last = rows[-1].number
            yield [row_view(import_, row, places, self.language) for row in rows]

    @requires(Permission.CONFIGURE)
    @contract(Nothing)
    async def delete(self, import_id: str) -> None:
        import_ = await self.import_to_change(import_id)
        await self.parts.imports.discard(import_)
        notice = self.language.say("The preview is thrown away. Nothing has changed.")
        self.done(Nothing(), f"/imports?kind={import_.kind}", notice)


class ImportActHandler(ImportHandler):
    """What applying and undoing share."""

    act: ClassVar[Literal["apply", "undo"]]

    @requires(Permission.CONFIGURE)
    @contract(ImportView, status=202)
    async def post(self, import_id: str) -> None:
        import_ = await self.import_to_change(import_id)
        begin = self.parts.imports.apply if self.act == "apply" else self.parts.imports.undo
        await begin(import_, by=self.actor.name)
        self.tell_end("import", [import_.id], import_.file_name, f"/imports/{import_.id}")
        self.record(
            object=f"/imports/{import_.id}",
            after={
                "table": import_.kind,
                "file": import_.file_name,
                "new": import_.new,
                "changed": import_.changed,
            },
        )
        self.done(self.view_of(import_), f"/imports/{import_.id}", status=202)


class ApplyImportHandler(ImportActHandler):
    """/imports/ID/apply, /api/imports/ID/apply"""

    act = "apply"


class UndoImportHandler(ImportActHandler):
    """/imports/ID/undo, /api/imports/ID/undo"""

    act = "undo"


class ExportHandler(Handler):
    """/exports/KIND, /api/exports/KIND: the file that is edited and sent in again"""

    @requires(Permission.VIEW)
    @contract(None, query=ExportQuery, files=TABLE)
    async def get(self, kind: str) -> None:
        if kind not in TABLES:
            raise NotFound(f"there is no table {kind}")
        query = self.parse_query(ExportQuery)
        columns = columns_of(kind, await self.parts.archive.places())
        await send_pieces(self, self._things(kind, query), columns)

    async def _things(self, kind: str, query: ExportQuery) -> AsyncIterator[Sequence[Any]]:
        database = self.parts.database
        within = await self.parts.archive.places_of(self.areas)
        if kind == "places":
            tree = await self.parts.archive.places()
            yield [place for _, place in tree.walk() if within is None or place.id in within.places]
            return
        skip = 0
        while True:
            things: Sequence[Any]
            if kind == "meters":
                things, _ = await database.meters.list(
                    query.text, query.link, skip=skip, limit=ROWS_AT_ONCE, within=within
                )
            elif kind == "terminals":
                things, _ = await database.terminals.list(
                    query.text, skip=skip, limit=ROWS_AT_ONCE, within=within
                )
            else:
                things, _ = await database.customers.list(query.text, skip=skip, limit=ROWS_AT_ONCE)
            if not things:
                return
            yield things
            skip += len(things)
