"""The interface itself: its document, and a page to look at it and to try it."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, RootModel

from station.errors import NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.access.roles import PERMISSION_NAMES
from station.handlers.base import Handler
from station.handlers.contract import FORMAT, contract
from station.handlers.interface.document import Interface
from station.handlers.interface.examples import example_of, resolved
from station.handlers.interface.operations import CHANGING, Operation
from station.handlers.marking import N_

SUBJECT_NAMES = {
    "station": N_("Station"),
    "communication": N_("Communication"),
    "collection": N_("Collection"),
    "archive": N_("Devices"),
    "control": N_("Control"),
    "events": N_("Events"),
    "selling": N_("Prepayment"),
    "access": N_("People and logins"),
    "interface": N_("This interface"),
}


class Document(RootModel[dict[str, Any]]):
    """The document of the interface, OpenAPI 3.1."""


class ExplorerQuery(BaseModel):
    """What to show: addresses with this text in them, and one of them to try."""

    text: str = Field("", max_length=100)
    operation: str = Field("", max_length=200)


class InputView(BaseModel):
    """A value of an address that the form asks for; `choices` may be empty."""

    name: str
    place: str
    needed: bool
    kind: str
    choices: list[str]
    least: int | None
    most: int | None
    about: str
    usual: str


class OperationView(BaseModel):
    """A method of an address, and what its form begins with."""

    name: str
    method: str
    path: str
    subject: str
    act: str | None
    permission: str | None
    is_allowed: bool
    serves_tokens: bool
    changes: bool
    inputs: list[InputView] = []
    body: str | None = None


class ExplorerView(BaseModel):
    """The operations by subject, and the one to try."""

    subjects: dict[str, list[OperationView]]
    total: int
    chosen: OperationView | None


class InterfaceHandler(Handler):
    """What the handlers of the interface share."""

    @property
    def interface(self) -> Interface:
        """The interface of this application."""
        interface = self.settings["interface"]
        assert isinstance(interface, Interface), "the application was made with it"
        return interface

    def send_document(self) -> None:
        """Write the document."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.write(self.interface.text)


class DocumentHandler(InterfaceHandler):
    """/api/openapi.json: every address, value and answer, for programs"""

    @requires(Permission.VIEW)
    @contract(Document)
    async def get(self) -> None:
        self.send_document()


class ExplorerHandler(InterfaceHandler):
    """/api: a page to look at the interface and to try it"""

    @requires(Permission.VIEW)
    @contract(Document, query=ExplorerQuery)
    async def get(self) -> None:
        query = self.parse_query(ExplorerQuery)
        if self.wants_json:
            self.send_document()
            return
        found = self.interface.operations
        chosen = next((each for each in found if each.name == query.operation), None)
        if query.operation and chosen is None:
            raise NotFound(f"there is no operation {query.operation}")
        subjects: dict[str, list[OperationView]] = {name: [] for name in SUBJECT_NAMES}
        for each in found:
            if self._matches(each, query.text):
                subjects[each.subject].append(self._view(each))
        view = ExplorerView(
            subjects={name: views for name, views in subjects.items() if views},
            total=len(found),
            chosen=None if chosen is None else self._whole(chosen),
        )
        self.show(
            "api.html",
            view,
            filter=query,
            subject_names=SUBJECT_NAMES,
            permission_names={each.value: name for each, name in PERMISSION_NAMES.items()},
        )

    def _matches(self, each: Operation, text: str) -> bool:
        act = self.language.say(each.act) if each.act else ""
        return text.strip().casefold() in f"{each.method} {each.path} {act}".casefold()

    def _view(self, each: Operation) -> OperationView:
        return OperationView(
            name=each.name,
            method=each.method,
            path=each.path,
            subject=each.subject,
            act=each.act,
            permission=None if each.permission is None else each.permission.value,
            is_allowed=each.permission is None or self.can(each.permission),
            serves_tokens=each.serves_tokens,
            changes=each.method in CHANGING,
        )

    def _whole(self, each: Operation) -> OperationView:
        """Return an operation with what its form asks for."""
        document = self.interface.document
        schemas = document["components"]["schemas"]
        told = document["paths"][each.path][each.method.lower()]
        inputs = [_input(given, schemas) for given in told.get("parameters", ())]
        content = told.get("requestBody", {}).get("content", {})
        body = None
        if each.contract.upload:
            inputs += _fields(content["multipart/form-data"]["schema"], schemas)
        elif content:
            shown = example_of(content["application/json"]["schema"], schemas)
            body = json.dumps(shown, indent=2, ensure_ascii=False)
        return self._view(each).model_copy(update={"inputs": inputs, "body": body})


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[InputView]:
    """Return the fields of a form with a file."""
    found = []
    for part in schema["allOf"]:
        own = resolved(part, schemas)
        for name, value in own["properties"].items():
            given = {"name": name, "in": "form", "required": True, "schema": value}
            is_file = "contentMediaType" in value
            kind = "file" if is_file else "string"
            found.append(_input(given, schemas).model_copy(update={"kind": kind}))
    return found


def _input(given: Mapping[str, Any], schemas: Mapping[str, Any]) -> InputView:
    """Return what the form asks for in place of a parameter of the document."""
    schema = resolved(given["schema"], schemas)
    items = resolved(schema.get("items", {}), schemas)
    usual = schema.get("default", "")
    return InputView(
        name=given["name"],
        place=given["in"],
        needed=given["required"],
        kind=schema.get("type", "string"),
        choices=[
            str(each) for each in (schema.get("enum") or items.get("enum") or ()) if each != ""
        ],
        least=schema.get("minimum"),
        most=schema.get("maximum"),
        about="" if given["name"] == FORMAT else schema.get("description", ""),
        usual="" if isinstance(usual, list) else str(usual).lower(),
    )
