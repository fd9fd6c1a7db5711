"""The audit log: who did what, when, and what stood there before and after? And does it hold?"""

import json
from datetime import date, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field

from station.errors import NotFound
from station.handlers.access.act_names import ACT_NAMES
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.store.objects.audit import Entry
from station.units import day_start

ONE_DAY = timedelta(days=1)
SUMMARY_MAX = 4  # Values that a row of the list shows.
NUMBER_MAX = 10**15

OUTCOME_NAMES = {
    "done": N_("done"),
    "refused": N_("refused"),
    "failed": N_("failed"),
    "unknown": N_("cut off"),
}
VIA_NAMES = {
    "browser": N_("pages or login"),
    "token": N_("a program's token"),
    "command line": N_("command line"),
    "station": N_("the station itself"),
}


class AuditQuery(ListQuery):
    """Which entries to show; `text` is looked for in objects and in what was said.

    `from` and `to` are days at the site, both included.
    """

    who: str | None = Field(None, max_length=64)
    act: str | None = Field(None, max_length=64)
    outcome: Literal["done", "refused", "failed", "unknown"] | None = None
    first_day: date | None = Field(None, alias="from")
    last_day: date | None = Field(None, alias="to")

    @property
    def narrows(self) -> bool:
        """Whether it leaves anything out."""
        given = (self.text, self.who, self.act, self.outcome, self.first_day, self.last_day)
        return any(given)


class ValueChange(BaseModel):
    """One value that an act has set; null for what was not there."""

    name: str
    before: str | None
    after: str | None


class AuditEntry(BaseModel):
    """One entry; `object` and `led_to` are addresses of pages, `hash` proves all the others."""

    sequence: int
    at: datetime
    who: str
    via: str
    address: str
    act: str
    object: str
    outcome: str
    detail: str
    led_to: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    changes: list[ValueChange]
    station: str
    id: str
    previous: str
    hash: str


class AuditList(BaseModel):
    items: list[AuditEntry]
    total: int


class NotedHash(BaseModel):
    """What was written down of the log at some time: the number of an entry, and its hash."""

    sequence: int | None = Field(None, ge=1, le=NUMBER_MAX)
    hash: str | None = Field(None, min_length=64, max_length=64, pattern=r"^[0-9a-f]+$")


class VerdictView(BaseModel):
    """What going through the whole log has shown; `broken` is the first entry that fails."""

    holds: bool
    count: int
    waiting: int
    head: str | None
    broken: int | None
    reason: str | None


def _text_of(changes: list[ValueChange]) -> str:
    return "; ".join(
        f"{each.name}: {each.after}"
        if each.before is None
        else f"{each.name}: {each.before} → {each.after or '–'}"
        for each in changes
    )


COLUMNS = (
    Column[AuditEntry](N_("Number"), lambda entry: entry.sequence, sort="-number", look="number"),
    Column[AuditEntry](N_("Time"), lambda entry: entry.at, look="nowrap"),
    Column[AuditEntry](N_("Person"), lambda entry: entry.who, sort="person"),
    Column[AuditEntry](N_("Through"), lambda entry: VIA_NAMES.get(entry.via, entry.via), more=True),
    Column[AuditEntry](N_("Address"), lambda entry: entry.address, within="person"),
    Column[AuditEntry](N_("Act"), lambda entry: ACT_NAMES.get(entry.act, entry.act), sort="act"),
    Column[AuditEntry](N_("Object"), lambda entry: entry.object),
    Column[AuditEntry](
        N_("Outcome"), lambda entry: OUTCOME_NAMES.get(entry.outcome, entry.outcome)
    ),
    Column[AuditEntry](N_("Reason"), lambda entry: entry.detail, within="outcome"),
    Column[AuditEntry](N_("Led to"), lambda entry: entry.led_to, within="object"),
    Column[AuditEntry](N_("Values"), lambda entry: _text_of(entry.changes), look="only-wide small"),
    Column[AuditEntry](N_("Hash"), lambda entry: entry.hash, more=True, look="hex"),
)


class AuditHandler(Handler):
    """/audit, /api/audit"""

    @requires(Permission.AUDIT)
    @contract(AuditList, query=AuditQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(AuditQuery)
        skip, limit = self.span(query)
        zone = self.parts.config.site.zone_info
        await self.parts.audit.settled()
        entries, total = await self.parts.database.audit.list(
            who=query.who,
            text=query.text,
            act=query.act,
            outcome=query.outcome,
            since=None if query.first_day is None else day_start(query.first_day, zone),
            until=None if query.last_day is None else day_start(query.last_day + ONE_DAY, zone),
            skip=skip,
            limit=limit,
            sort=query.sort,
        )
        items = [entry_view(entry) for entry in entries]
        people = [user.name for user in await self.parts.database.users.list()]
        await self.show_list(
            "audit.html", AuditList(items=items, total=total), items, COLUMNS,
            filter=query, people=people, summary_max=SUMMARY_MAX, **_words(),
        )  # fmt: skip


class OneEntryHandler(Handler):
    """/audit/NUMBER, /api/audit/NUMBER"""

    @requires(Permission.AUDIT)
    @contract(AuditEntry)
    async def get(self, number: str) -> None:
        is_number = number.isascii() and number.isdigit() and len(number) < len(str(NUMBER_MAX))
        entry = await self.parts.database.audit.get(int(number)) if is_number else None
        if entry is None:
            raise NotFound(f"there is no entry {number}")
        self.show("audit_entry.html", entry_view(entry), **_words())


class VerifyHandler(Handler):
    """/audit/verify, /api/audit/verify: goes through the whole log"""

    @requires(Permission.AUDIT)
    @contract(VerdictView, query=NotedHash)
    async def get(self) -> None:
        noted = self.parse_query(NotedHash)
        known = {noted.sequence: noted.hash} if noted.sequence and noted.hash else {}
        verdict = await self.parts.database.audit.verify(known)
        view = VerdictView(
            holds=verdict.broken is None,
            count=verdict.count,
            waiting=verdict.waiting,
            head=verdict.head.hash if verdict.head else None,
            broken=verdict.broken.sequence if verdict.broken else None,
            reason=verdict.broken.reason if verdict.broken else None,
        )
        self.show("audit_verify.html", view, noted=noted, was_noted=bool(known))


def entry_view(entry: Entry) -> AuditEntry:
    """Return an entry as it is shown; one that was spoilt by hand, as far as it can be read."""
    before, after = _values(entry.before), _values(entry.after)
    shown = ("who", "via", "address", "act", "object", "outcome", "detail", "led_to", "station")
    return AuditEntry(
        sequence=entry.sequence,
        at=entry.at,
        **{name: str(getattr(entry, name)) for name in (*shown, "id", "previous", "hash")},
        before=before,
        after=after,
        changes=_changes(before or {}, after or {}),
    )


def _words() -> dict[str, Any]:
    return {"act_names": ACT_NAMES, "outcome_names": OUTCOME_NAMES, "via_names": VIA_NAMES}


def _values(text: str) -> dict[str, Any] | None:
    try:
        values = json.loads(text) if text else None
    except ValueError:
        return {"?": text}
    return values if values is None or isinstance(values, dict) else {"?": text}


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[ValueChange]:
    """Return the values that differ, in their order; without a before, all of the after."""
    names = dict.fromkeys((*before, *after))
    return [
        ValueChange(name=name, before=_shown(before, name), after=_shown(after, name))
        for name in names
        if name not in before or name not in after or before[name] != after[name]
    ]


def _shown(values: dict[str, Any], name: str) -> str | None:
    if name not in values:
        return None
    value = values[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
