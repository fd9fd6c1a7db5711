"""Card readers: which ones are here, which holds a card, and which one wrote last."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from station.errors import NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows
from station.prepaid.readers.base import ReaderIdentity, ReaderState
from station.prepaid.readers.workplace import Workplace

State = Literal["ready", "no_card", "card", "failed", "away"]

STATE_NAMES: dict[State, str] = {
    "ready": N_("ready"),
    "no_card": N_("no card"),
    "card": N_("card inserted"),
    "failed": N_("failed"),
    "away": N_("not attached"),
}


class ReadersQuery(ListQuery):
    """Which readers to show."""

    workplace: str | None = Field(None, max_length=64)


class ReaderView(BaseModel):
    """A reader; `last_used_at` is when it last wrote a card. One that is away was used before."""

    workplace: str
    model: str
    name: str
    serial: str
    port: str
    state: State
    reason: str
    last_used_at: datetime | None


class ReaderList(BaseModel):
    """The readers of all workplaces; `troubles` keep further ones from being found."""

    items: list[ReaderView]
    total: int
    troubles: list[str]


COLUMNS = (
    Column[ReaderView](N_("Workplace"), lambda reader: reader.workplace, sort="workplace"),
    Column[ReaderView](N_("Model"), lambda reader: reader.model, sort="model"),
    Column[ReaderView](N_("Name"), lambda reader: reader.name, more=True),
    Column[ReaderView](N_("Serial number"), lambda reader: reader.serial, look="address only-wide"),
    Column[ReaderView](N_("Port"), lambda reader: reader.port, look="address"),
    Column[ReaderView](N_("State"), lambda reader: reader.state),
    Column[ReaderView](N_("Reason"), lambda reader: reader.reason, within="state"),
    Column[ReaderView](
        N_("Last used"), lambda reader: reader.last_used_at, sort="-last_used", look="nowrap"
    ),
)


class ReadersHandler(Handler):
    """/readers, /api/readers"""

    @requires(Permission.VIEW)
    @contract(ReaderList, query=ReadersQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ReadersQuery)
        names = self.parts.workplaces.names()
        found: list[ReaderView] = []
        troubles: list[str] = []
        for name in names if query.workplace is None else [query.workplace]:
            try:
                place = self.parts.workplaces.get(name)
                found += await self._readers_of(place)
            except NotFound:  # An agent that has just gone.
                continue
            troubles += [self.language.sentence(trouble) for trouble in place.troubles]
        text = (query.text or "").casefold()
        found = [each for each in found if text in f"{each.name} {each.port}".casefold()]
        found = [*sorted_rows(found, COLUMNS, query.sort, self.language)]
        skip, limit = self.span(query)
        view = ReaderList(items=found[skip : skip + limit], total=len(found), troubles=troubles)
        await self.show_list(
            "readers.html",
            view,
            view.items,
            COLUMNS,
            filter=query,
            workplaces=names,
            state_names=STATE_NAMES,
        )

    async def _readers_of(self, place: Workplace) -> list[ReaderView]:
        """Return the readers that are there, then those that were used and are away."""
        states = await place.readers()
        used = await self.parts.readers_used.used(place.name)
        here = [self._view(place.name, state, _last_used(state.identity, used)) for state in states]
        away = [
            _away(place.name, identity, at)
            for identity, at in used.items()
            if not any(identity.is_same(state.identity) for state in states)
        ]
        return [*here, *away]

    def _view(self, workplace: str, state: ReaderState, used: datetime | None) -> ReaderView:
        identity = state.identity
        return ReaderView(
            workplace=workplace,
            model=identity.model,
            name=identity.name,
            serial=identity.serial,
            port=identity.port,
            state=state.state,
            reason=self.language.sentence(state.text) if state.text else "",
            last_used_at=used,
        )


def _last_used(identity: ReaderIdentity, used: dict[ReaderIdentity, datetime]) -> datetime | None:
    return next((at for other, at in used.items() if identity.is_same(other)), None)


def _away(workplace: str, identity: ReaderIdentity, used: datetime) -> ReaderView:
    return ReaderView(
        workplace=workplace,
        model=identity.model,
        name=identity.name,
        serial=identity.serial,
        port=identity.port,
        state="away",
        reason="",
        last_used_at=used,
    )
