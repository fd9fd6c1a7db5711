"""What every change through the pages leaves in the audit log, and when.

Before a handler's method runs its act is noted as begun; if that cannot be written, the act is
refused. When the method is done its entry is written, and only then the answer leaves. What a
handler says with `record` stands in it; else what the form said, but for its secrets. A form that
was refused because of a mistyped value changed nothing and leaves nothing.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from station import tasks
from station.errors import StationError
from station.handlers.access.identity import Identity, Tools
from station.handlers.parts import Parts
from station.store.objects.audit import Entry, Outcome, values_text

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
SHORT_MAX = 200  # Characters of an address; longer ones are no thing of ours.
DETAIL_MAX = 300
# What is said in fields of these names is never written; nor the value beside a name that tells
# that it is such a parameter of a device (DL/T 645-2007 keeps passwords under 04000Cxx).
SECRET = re.compile(r"password|secret|token|otp|recovery|^again$|^pin$|_keys?$|^operator$|^04000c")
LABELS = ("parameter", "name", "code", "item")
HIDDEN = "•••"
MISTYPED = frozenset({400, 401, 404, 405, 413})  # Nothing was changed.
TURNED_AWAY = frozenset({403, 409, 429})
ALONE = frozenset({"login", "logout", "password", "theme", "language"})


class Audited(Identity):
    """A handler whose changes are in the audit log."""

    # Whether what the handler's POST, PUT, PATCH and DELETE do is an act at all.
    is_act: ClassVar[bool] = True

    _audit_entry: Entry | None = None  # Of the act that was begun.
    _audit_ending: "asyncio.Task[None] | None" = None
    _audit_error: BaseException | None = None

    def initialize(self, parts: Parts, tools: Tools) -> None:
        super().initialize(parts, tools)
        self._audit_said: dict[str, str] = {}
        self._audit_body: BaseModel | None = None

    async def prepare(self) -> None:
        await super().prepare()
        if self._is_changing and not self.open_to_all:
            await self.begin_act()

    async def begin_act(self, who: str | None = None) -> None:
        """Note the act before it is done; handlers open to all do so when they know who it is.

        Raises DatabaseDown.
        """
        entry = self._new_entry(who)
        await self.parts.audit.begin(entry)
        self._audit_entry = entry

    def record(
        self,
        act: str | None = None,
        object: str | None = None,  # noqa: A002  It is the log's own word.
        before: object = None,
        after: object = None,
    ) -> None:
        """Say what the audit log is to tell: what was done, to what, and what stood and stands.

        `object` is the address of the thing's page; `before` and `after` are mappings, models or
        dataclasses, whose secrets are left out. What is not said stays as it is.
        """
        given = {
            "act": act,
            "object": object,
            "before": None if before is None else values_text(without_secrets(before)),
            "after": None if after is None else values_text(without_secrets(after)),
        }
        self._audit_said.update({name: value for name, value in given.items() if value is not None})

    def note_body(self, body: BaseModel) -> None:
        """Keep what the form said, for the audit log."""
        self._audit_body = body

    def note_location(self, location: str) -> None:
        """Keep where the answer leads: to what was made."""
        path = urlsplit(location).path
        if path.count("/") >= 2:
            self._audit_said["led_to"] = path[:SHORT_MAX]

    def note_error(self, error: BaseException) -> None:
        """Keep why it was refused."""
        self._audit_error = error

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        self.note_error(value)
        super().log_exception(typ, value, tb)

    # --- the entry ----------------------------------------------------------------------------

    def finish(self, chunk: Any = None) -> Any:
        """Let the answer leave, once the act's entry stands in the log."""
        if self._audit_ending is not None:
            return self._audit_ending
        if self._audit_entry is None:
            self._end_unbegun()
            return super().finish(chunk)
        if chunk is not None:
            self.write(chunk)
        self._audit_ending = tasks.spawn(self._end_act(self._audit_entry), name="audit log")
        return self._audit_ending

    async def _end_act(self, begun: Entry) -> None:
        status = self.get_status()
        try:
            if status in MISTYPED and not {"before", "after"} & self._audit_said.keys():
                self.parts.audit.drop(begun)
            else:
                await self.parts.audit.settle(self._audit_ended(begun, _outcome(status)))
        finally:
            super().finish()

    def _end_unbegun(self) -> None:
        """Write an attempt that was turned away before it began."""
        status = self.get_status()
        wrong_login = status == 401 and self.open_to_all
        if not self._is_changing or not (wrong_login or status in TURNED_AWAY):
            return
        self.parts.audit.refuse(self._audit_ended(self._new_entry(None), "refused"))

    def _audit_ended(self, begun: Entry, outcome: Outcome) -> Entry:
        values: dict[str, Any] = {"after": self._body_text(), **self._audit_said}
        made = values.pop("led_to", "")
        if outcome != "done":
            values["detail"] = _detail(self._audit_error)
        elif not self.path_args and "object" not in values and made.startswith(begun.object + "/"):
            values["object"] = made
        elif made != begun.object:
            values["led_to"] = made
        return replace(begun, outcome=outcome, **values)

    def _new_entry(self, who: str | None) -> Entry:
        name = who or ("" if self.user is None else self.user.name)
        is_token = self.session is not None and self.session.kind == "token"
        return Entry(
            act_code(self.request.method or "", self.request.path, self.path_args),
            thing_of(self.request.path, self.path_args),
            name,
            station=self.parts.audit.station,
            via="token" if is_token else "browser",
            address=self.request.remote_ip or "",
        )

    def _body_text(self) -> str:
        if self._audit_body is None or self.open_to_all:
            return ""  # Somebody may have typed a password into the field of the name.
        return values_text(without_secrets(self._audit_body))

    @property
    def _is_changing(self) -> bool:
        return self.is_act and self.request.method in CHANGING


def act_code(method: str, path: str, varying: Sequence[str]) -> str:
    """Return the code of an act from its address: `terminals.add`, `tariffs.approve`."""
    pieces = _pieces(path, varying)
    words = [word for word, varies in pieces if not varies]
    ends_in_thing = bool(pieces) and pieces[-1][1]
    if method == "DELETE":
        words.append("remove")
    elif ends_in_thing:
        words.append("change")
    elif len(words) == 1 and words[0] not in ALONE:
        words.append("add")
    return ".".join(words)[:SHORT_MAX]


def thing_of(path: str, varying: Sequence[str]) -> str:
    """Return the address of the page of the thing that an address is about."""
    pieces = _pieces(path, varying)
    last = max((place for place, (_, varies) in enumerate(pieces) if varies), default=0)
    return "".join(f"/{word}" for word, _ in pieces[: last + 1])[:SHORT_MAX]


def without_secrets(values: object) -> dict[str, Any]:
    """Return values as JSON may hold them, with what is secret hidden, however deep it lies."""
    given: Mapping[str, Any]
    if isinstance(values, BaseModel):
        given = values.model_dump(mode="json", exclude_none=True)
    elif isinstance(values, Mapping):
        given = values
    else:
        assert is_dataclass(values), "a model, a mapping or a dataclass"
        assert not isinstance(values, type), "an instance"
        given = asdict(values)
    labels = " ".join(str(given[label]) for label in LABELS if label in given)
    is_secret = any(SECRET.search(label) for label in labels.lower().split())
    return {
        name: HIDDEN if is_secret and name not in LABELS else _shown(name, value)
        for name, value in given.items()
    }


def _shown(name: str, value: Any) -> Any:
    if SECRET.search(name.lower()):
        return HIDDEN
    if isinstance(value, Mapping | BaseModel) or is_dataclass(value):
        return without_secrets(value)
    if isinstance(value, list | tuple):
        return [_shown("", each) for each in value]
    return value


def _pieces(path: str, varying: Sequence[str]) -> list[tuple[str, bool]]:
    """Return the words of an address, and of each whether it varies; looked at from the end."""
    left = list(varying)
    pieces = []
    for word in reversed(path.removeprefix("/api").strip("/").split("/")):
        varies = bool(left) and unquote(word) == left[-1]
        if varies:
            left.pop()
        pieces.append((word, varies))
    return pieces[::-1]


def _outcome(status: int) -> Outcome:
    if status < 400:
        return "done"
    return "failed" if status >= 500 else "refused"


def _detail(error: BaseException | None) -> str:
    if isinstance(error, StationError):
        return str(error)[:DETAIL_MAX]
    return "" if error is None else type(error).__name__
