"""What programs can ask for: each method of each address, as its handler says it. Pure."""

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tornado.web import RequestHandler

from station.handlers.access.act_names import ACT_NAMES
from station.handlers.access.auditing import act_code
from station.handlers.access.identity import METHODS, Identity, permission_of
from station.handlers.access.people import Permission
from station.handlers.contract import GUESSING, Contract, contract_of

TWIN = "(?:/api)?"  # How the address of a page begins that has one for programs, too.
VARYING = re.compile(r"\(\[\^/\]\+\)")
CHANGING = ("POST", "PUT", "DELETE")


@dataclass(frozen=True)
class Operation:
    """One method of one address. `varying` are the names of the parts of the address that vary."""

    method: str
    path: str
    subject: str
    varying: tuple[str, ...]
    handler: type[RequestHandler]
    permission: Permission | None
    contract: Contract

    @property
    def name(self) -> str:
        """A name that no other has: `get_meters_address`."""
        words = re.findall(r"[a-z_]+", self.path.removeprefix("/api"))
        return "_".join([self.method.lower(), *words])

    @property
    def act(self) -> str | None:
        """What the audit log calls it, a message of the catalogue; None when nothing changes."""
        if self.method == "GET":
            return None
        marks = [f"<{name}>" for name in self.varying]
        path = self.path
        for name, mark in zip(self.varying, marks, strict=True):
            path = path.replace(f"{{{name}}}", mark)
        return ACT_NAMES.get(act_code(self.method, path, marks))

    @property
    def said(self) -> str:
        """What the head of its handler says beyond its addresses; may be empty."""
        head = inspect.cleandoc(self.handler.__doc__ or "").split("\n")[0]
        return head.partition(": ")[2].rstrip(".")

    @property
    def serves_tokens(self) -> bool:
        """Whether a program's token will do, or only a login."""
        return not issubclass(self.handler, Identity) or self.handler.serves_tokens

    @property
    def statuses(self) -> list[int]:
        """The statuses of the errors that it may end in."""
        found = {400, 503, *self.contract.fails}
        if self.permission is not None:
            found |= {401, 403}
        if GUESSING[0] in self.contract.fails:
            found |= {401}
        if self.varying or self.contract.body or self.contract.query.model_fields:
            found |= {404}  # Also for what a body or a query names.
        if self.method in CHANGING:
            found |= {403, 409}
        return sorted(found - set(self.contract.statuses))


def operations(routes: Iterable[tuple[str, type[RequestHandler]]]) -> list[Operation]:
    """Return all that programs can ask for, by subject and address."""
    found = [each for pattern, handler in routes for each in _of(pattern, handler)]
    return sorted(found, key=lambda each: (each.subject, each.path, METHODS.index(each.method)))


def _of(pattern: str, handler: type[RequestHandler]) -> Iterator[Operation]:
    path = pattern.replace(TWIN, "/api")
    if path == pattern and not path.startswith("/api/") and path != "/healthz":
        return  # A page alone, or a live connection.
    for method in METHODS:
        contract = contract_of(handler, method)
        if contract is None or not contract.has_twin:
            continue
        function = getattr(handler, method.lower())
        names = tuple(inspect.signature(function).parameters)[1:]
        yield Operation(
            method,
            _named(path, names),
            _subject(handler),
            names[: len(VARYING.findall(path))],
            handler,
            permission_of(handler, method),
            contract,
        )


def _named(path: str, names: tuple[str, ...]) -> str:
    left = iter(names)
    return VARYING.sub(lambda _: f"{{{next(left)}}}", path)


def _subject(handler: type[RequestHandler]) -> str:
    """Return the room that a handler stands in: `archive`; the hall is `station`."""
    rooms = handler.__module__.split(".")[2:-1]
    return rooms[0] if rooms else "station"
