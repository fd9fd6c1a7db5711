"""Templates of parameters: what many devices of one kind are to hold alike.

A template is made of what is wanted of one device, or typed, and applied to devices and groups
through the dry run, as any other set.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from station.collector.parameter_dialects import (
    dialects_of,
    follows_archive,
    normal_texts,
    spec_of,
)
from station.errors import Conflict, InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.contract import contract
from station.handlers.control.parameter_views import (
    KIND_NAMES,
    FieldView,
    choices_of,
    field_views,
    numbered_code,
)
from station.handlers.control.parameters import FIELD_PREFIX, groups_of
from station.handlers.download import Column
from station.handlers.language import Language
from station.handlers.marking import N_
from station.store.objects.base import new_id
from station.store.objects.parameter_templates import ParameterTemplate
from station.store.objects.parameters import DeviceKind, Values
from station.units import utc_now

PARAMETERS_MAX = 60  # Of one template.


class ChoiceQuery(BaseModel):
    """The parameter whose form is open, and which of its numbers."""

    code: str = Field("", max_length=20)
    number: str = Field("1", max_length=8)


class TemplateBody(BaseModel):
    """A template: texts by parameter and field. `like` is a device whose wants it begins with."""

    name: str = Field(min_length=1, max_length=64)
    kind: DeviceKind = "terminal"
    like: str = Field("", max_length=32)
    values: dict[str, dict[str, str]] = Field(default_factory=dict, max_length=PARAMETERS_MAX)


class TemplateParameter(BaseModel):
    """One parameter of a template."""

    code: str
    name: str
    source: str
    fields: list[FieldView]


class ParameterTemplateView(BaseModel):
    """A template; `values` are its texts by parameter and field."""

    id: str
    name: str
    kind: DeviceKind
    values: dict[str, dict[str, str]]
    parameters: list[TemplateParameter]
    by: str
    changed_at: datetime


class ParameterTemplateList(BaseModel):
    items: list[ParameterTemplateView]
    total: int


COLUMNS = (
    Column[ParameterTemplateView](N_("Name"), lambda row: row.name),
    Column[ParameterTemplateView](N_("Kind"), lambda row: KIND_NAMES[row.kind]),
    Column[ParameterTemplateView](N_("Parameters"), lambda row: ", ".join(row.values)),
    Column[ParameterTemplateView](N_("By"), lambda row: row.by),
    Column[ParameterTemplateView](N_("Changed"), lambda row: row.changed_at),
)


class TemplateHandler(Handler):
    """What the handlers of templates share."""

    def view_of(self, template: ParameterTemplate) -> ParameterTemplateView:
        """Return a template in words."""
        return template_view(template, self.language)

    def show_template(self, template: ParameterTemplate, **context: Any) -> None:
        """Show a template with its forms."""
        view = self.view_of(template)
        self.finish_page(
            "parameter_template.html",
            view=view,
            choices=choices_of(dialects_of(template.kind), self.language),
            groups=groups_of(self.parts),
            device_kinds=KIND_NAMES,
            **context,
        )


class ParameterTemplatesHandler(TemplateHandler):
    """/parameters/templates, /api/parameters/templates"""

    @requires(Permission.VIEW)
    @contract(ParameterTemplateList, query=ListQuery, table=COLUMNS)
    async def get(self) -> None:
        await self._show_all({}, {})

    @requires(Permission.CONFIGURE)
    @contract(ParameterTemplateView, body=TemplateBody, status=201)
    async def post(self) -> None:
        assert self.user is not None, "a permission needs a person"
        try:
            body = self.parse_body(TemplateBody)
            values = normal_all(body.kind, body.values)
            if body.like:
                values = {**await self._wanted_of(body.kind, body.like), **values}
            name = " ".join(body.name.split())
            template = ParameterTemplate(new_id(), name, body.kind, values, self.user.name)
            await self.parts.database.parameter_templates.add(template)
        except Conflict:
            await self._refuse(InvalidValue("name", "there is a template of this name already"))
            return
        except InvalidValue as error:
            await self._refuse(error)
            return
        notice = self.language.say("The template is saved.")
        location = f"/parameters/templates/{template.id}"
        self.done(self.view_of(template), location, notice, status=201)

    async def _refuse(self, error: InvalidValue) -> None:
        if self.wants_json:
            raise error
        self.set_status(400)
        await self._show_all(self.typed(), self.problems_of(error))

    async def _show_all(self, typed: dict[str, Any], errors: dict[str, str]) -> None:
        query = ListQuery() if errors else self.parse_query(ListQuery)
        text = (query.text or "").casefold()
        found = [
            self.view_of(each)
            for each in await self.parts.database.parameter_templates.all()
            if text in each.name.casefold()
        ]
        skip, limit = self.span(query)
        view = ParameterTemplateList(items=found[skip : skip + limit], total=len(found))
        if self.wants_json or self.is_download:
            await self.show_list("parameter_templates.html", view, view.items, COLUMNS)
            return
        self.finish_page(
            "parameter_templates.html",
            view=view,
            filter=query,
            typed=typed,
            errors=errors,
            device_kinds=KIND_NAMES,
        )

    async def _wanted_of(self, kind: DeviceKind, address: str) -> dict[str, Values]:
        """Return what is wanted of a device, but for its list of meters."""
        device = await self.parts.parameters.device(kind, address)
        rows = await self.parts.parameters.rows(device)
        wanted = {row.code: row.wanted for row in rows if row.wanted}
        found = {code: each for code, each in wanted.items() if not follows_archive(kind, code)}
        if not found:
            raise InvalidValue("like", f"nothing is wanted of {address}")
        return found


class OneParameterTemplateHandler(TemplateHandler):
    """/parameters/templates/ID, /api/parameters/templates/ID"""

    @requires(Permission.VIEW)
    @contract(ParameterTemplateView, query=ChoiceQuery)
    async def get(self, template_id: str) -> None:
        query = self.parse_query(ChoiceQuery)
        template = await self.parts.database.parameter_templates.get(template_id)
        if self.wants_json:
            self.write_json(self.view_of(template))
            return
        self.show_template(
            template, errors={}, adding=self._adding(template, query.code, query.number)
        )

    @requires(Permission.CONFIGURE)
    @contract(ParameterTemplateView, body=TemplateBody)
    async def post(self, template_id: str) -> None:
        """Take the form of one parameter, or the whole template as JSON."""
        await self.put(template_id)

    @requires(Permission.CONFIGURE)
    @contract(ParameterTemplateView, body=TemplateBody)
    async def put(self, template_id: str) -> None:
        assert self.user is not None, "a permission needs a person"
        before = await self.parts.database.parameter_templates.get(template_id)
        try:
            after = self._changed(before, self.user.name)
            await self.parts.database.parameter_templates.save(after)
        except InvalidValue as error:
            if self.wants_json:
                raise
            self.set_status(400)
            adding = self._adding(before, self.get_body_argument("code", ""))
            self.show_template(before, errors=self.problems_of(error), adding=adding)
            return
        self.record(before=dict(before.values), after=dict(after.values))
        notice = self.language.say("The template is saved.")
        self.done(self.view_of(after), f"/parameters/templates/{template_id}", notice)

    @requires(Permission.CONFIGURE)
    @contract(Nothing)
    async def delete(self, template_id: str) -> None:
        await self.parts.database.parameter_templates.remove(template_id)
        notice = self.language.say("The template is removed; devices keep what they hold.")
        self.done(Nothing(), "/parameters/templates", notice)

    def _changed(self, before: ParameterTemplate, by: str) -> ParameterTemplate:
        if self.is_json_body:
            body = self.parse_body(TemplateBody)
            values = normal_all(before.kind, body.values)
            name = " ".join(body.name.split())
            return replace(before, name=name, values=values, by=by, changed_at=utc_now())
        code = self.get_body_argument("code")
        names = [name for name in self.request.body_arguments if name.startswith(FIELD_PREFIX)]
        texts = {name[len(FIELD_PREFIX) :]: self.get_body_argument(name) for name in names}
        values = {**before.values, **normal_all(before.kind, {code: texts})}
        if not any(text.strip() for text in texts.values()):
            values.pop(code, None)
        return replace(before, values=values, by=by, changed_at=utc_now())

    def _adding(
        self, template: ParameterTemplate, code: str, number: str = "1"
    ) -> TemplateParameter | None:
        """Return the parameter whose form is open, if one is."""
        if not code:
            return None
        code = numbered_code(template.kind, code, number)
        return _parameter(template, code, self.language)


def template_view(template: ParameterTemplate, language: Language) -> ParameterTemplateView:
    """Return a template in words."""
    return ParameterTemplateView(
        id=template.id,
        name=template.name,
        kind=template.kind,
        values={code: dict(texts) for code, texts in template.values.items()},
        parameters=[_parameter(template, code, language) for code in template.values],
        by=template.by,
        changed_at=template.changed_at,
    )


def normal_all(kind: DeviceKind, values: dict[str, dict[str, str]]) -> dict[str, Values]:
    """Return texts as devices would tell them, empty parameters left out. Raises InvalidValue."""
    found: dict[str, Values] = {}
    for code, texts in values.items():
        if follows_archive(kind, code):
            raise InvalidValue("code", "the list of meters follows the archive by itself")
        if kept := normal_texts(kind, code, texts):
            found[code] = kept
    return found


def _parameter(template: ParameterTemplate, code: str, language: Language) -> TemplateParameter:
    spec = spec_of(template.kind, code)
    fields = field_views(spec, template.values.get(code, {}), {}, language)
    return TemplateParameter(
        code=code, name=language.name(spec.name), source=spec.source, fields=fields
    )
