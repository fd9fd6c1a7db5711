"""Reader agents: which computers lend their card readers, and how another one comes to."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from station import tasks
from station.errors import Conflict, InvalidValue, ReaderFailed
from station.handlers.access.identity import Identity, LoginNeeded, requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows, usual_table
from station.prepaid.readers.agent import AgentLink, Offer
from station.prepaid.readers.agent_wire import MESSAGE_SIZE_MAX, BadMessage, PairingAsked

BAD_MESSAGE = 4400  # Codes of a closing WebSocket from 4000 on are the application's own.
ENDED = 4409


class AgentBody(BaseModel):
    """The workplace that a computer is to be paired with."""

    workplace: str = Field(min_length=1, max_length=32)


class AgentView(BaseModel):
    """One computer that may lend its readers."""

    workplace: str
    is_connected: bool
    paired_by: str
    paired_at: datetime
    last_seen: datetime | None


class AgentList(BaseModel):
    """Every such computer, by workplace."""

    items: list[AgentView]
    total: int


class OfferView(BaseModel):
    """A code that a computer is paired with; it serves once."""

    workplace: str
    code: str
    good_until: datetime


class PairedView(BaseModel):
    """What an agent gets for a code."""

    workplace: str
    token: str


COLUMNS = (
    Column[AgentView](N_("Workplace"), lambda agent: agent.workplace, sort="workplace"),
    Column[AgentView](N_("Connected"), lambda agent: agent.is_connected),
    Column[AgentView](N_("Paired by"), lambda agent: agent.paired_by),
    Column[AgentView](N_("Paired at"), lambda agent: agent.paired_at, look="nowrap"),
    Column[AgentView](
        N_("Last seen"), lambda agent: agent.last_seen, sort="-last_seen", look="nowrap"
    ),
)


class AgentsHandler(Handler):
    """/agents, /api/agents: the computers, and a code for a further one"""

    @requires(Permission.VIEW)
    @contract(AgentList, query=ListQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ListQuery)
        view = await self._all(query)
        await self.show_list("agents.html", view, view.items, COLUMNS, **self._page(query))

    @requires(Permission.SELL)
    @contract(OfferView, body=AgentBody, status=201)
    async def post(self) -> None:
        assert self.user is not None, "a permission needs a person"
        query = ListQuery()
        try:
            body = self.parse_body(AgentBody)
            offer = _offer_view(self.parts.agents.offer(body.workplace.strip(), self.user.name))
        except (InvalidValue, Conflict) as error:
            shown = None if self.wants_json else await self._all(query)
            self.refuse_form(
                "agents.html", error, view=shown, filter=query, offer=None,
                the_table=usual_table(COLUMNS),
            )  # fmt: skip
            return
        if self.wants_json:
            self.show("agents.html", offer, status=201)
            return
        view = await self._all(query)
        address = f"{self.request.protocol}://{self.request.host}"
        command = f"station reader-agent --station {address} --code {offer.code}"
        page = {**self._page(query), "offer": offer, "command": command}
        self.show("agents.html", view, status=201, the_table=usual_table(COLUMNS), **page)

    def _page(self, query: ListQuery) -> dict[str, Any]:
        return {"filter": query, "typed": {"workplace": ""}, "offer": None}

    async def _all(self, query: ListQuery) -> AgentList:
        text = (query.text or "").casefold()
        found = [
            AgentView(
                workplace=agent.workplace,
                is_connected=is_connected,
                paired_by=agent.paired_by,
                paired_at=agent.paired_at,
                last_seen=agent.last_seen,
            )
            for agent, is_connected in await self.parts.agents.all()
            if text in f"{agent.workplace} {agent.paired_by}".casefold()
        ]
        found = [*sorted_rows(found, COLUMNS, query.sort, self.language)]
        skip, limit = self.span(query)
        return AgentList(items=found[skip : skip + limit], total=len(found))


class OneAgentHandler(Handler):
    """/agents/WORKPLACE, /api/agents/WORKPLACE"""

    @requires(Permission.SELL)
    @contract(Nothing)
    async def delete(self, workplace: str) -> None:
        await self.parts.agents.forget(workplace)
        notice = self.language.say("%(workplace)s lends no readers any more.", workplace=workplace)
        self.done(Nothing(), "/agents", notice)


class PairAgentHandler(Handler):
    """/api/agents/pair: an agent gives a code and gets its token; the code is its permission"""

    open_to_all = True

    @property
    def needs_xsrf(self) -> bool:
        """Whether another site could use the browser's login: there is none in this request."""
        return False

    @contract(PairedView, body=PairingAsked, status=201)
    async def post(self) -> None:
        body = self.parse_body(PairingAsked)
        await self.begin_act()
        paired = await self.parts.agents.pair(body.code)
        self.record(object=f"/agents/{paired.workplace}")
        self.set_status(201)
        self.write_json(PairedView(workplace=paired.workplace, token=paired.token))


class AgentLinkHandler(Identity, WebSocketHandler):
    """/agents/link: the connection of an agent, which shows its token"""

    open_to_all = True  # The token that it shows is checked below.
    _link: AgentLink | None = None

    @property
    def max_message_size(self) -> int:
        """How long a message may be, in bytes: an agent says more than a page does."""
        return MESSAGE_SIZE_MAX

    async def get(self, *args: Any, **kwargs: Any) -> None:
        self._agent = await self.parts.agents.recognise(self.bearer or "")
        if self._agent is None:
            raise LoginNeeded(self.language.say("this reader agent is not paired"))
        await super().get(*args, **kwargs)

    async def open(self, *_args: str, **_kwargs: str) -> None:
        """Lend what the agent lends."""
        assert self._agent is not None, "nobody else gets here"
        self._link = await self.parts.agents.connect(self._agent, self._send, self._end)

    def on_message(self, message: str | bytes) -> None:
        """Take what the agent says."""
        if self._link is None:  # It speaks before it was taken note of.
            self.close(ENDED)
            return
        try:
            self._link.hear(message)
        except BadMessage as error:
            self.close(BAD_MESSAGE, str(error)[:100])

    async def _ended(self) -> None:
        if self._link is not None:
            await self.parts.agents.disconnect(self._link)

    def on_close(self) -> None:
        """Do without it."""
        tasks.spawn(self._ended(), name="end of a reader agent's connection")

    async def _send(self, text: str) -> None:
        try:
            await self.write_message(text)
        except WebSocketClosedError:
            raise ReaderFailed("the reader agent has gone", code="agent_gone") from None

    def _end(self) -> None:
        self.close(ENDED)


def _offer_view(offer: Offer) -> OfferView:
    return OfferView(workplace=offer.workplace, code=offer.code, good_until=offer.good_until)
