"""Links as pages and JSON show them: the archive, what was last stored, and what is live now.

A terminal of the archive that never dialled in is a link too: offline, never seen.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from station.handlers.parts import Parts
from station.handlers.sentences import N_
from station.store.objects.channels import Channel
from station.store.objects.links import LinkState
from station.store.objects.terminals import Terminal

LINKS_MAX = 200_000  # Twice what one front-end can be configured to hold.

NEVER_SEEN = N_("never seen")
SWITCHED_OFF = N_("switched off")


class Traffic(BaseModel):
    """Bytes that crossed a link since the station started."""

    bytes_in: int = 0
    bytes_out: int = 0


class LinkView(BaseModel):
    """A link as it stands; `reason` says why it is offline, `since` since when it is as it is."""

    address: str
    name: str
    kind: Literal["terminal", "channel"]
    protocol: str
    state: Literal["online", "offline"]
    since: datetime | None
    last_seen: datetime | None
    reason: str
    remote: str
    known: bool
    traffic: Traffic
    logins: int
    replaced: int

    @property
    def page(self) -> str | None:
        """The page of what is at the other end."""
        if not self.known:
            return None
        return f"/{self.kind}s/{self.address}"


async def find_link(parts: Parts, address: str) -> LinkView | None:
    """Return one link, or None if nothing of this address was ever seen or entered."""
    end = await parts.database.terminals.find(address) or await parts.database.channels.find(
        address
    )
    state = parts.registry.state(address) or await parts.database.links.find(address)
    return _view(end, state)


async def link_of(parts: Parts, end: Terminal | Channel) -> LinkView:
    """Return the link of something in the archive."""
    address = end.address if isinstance(end, Terminal) else end.name
    state = parts.registry.state(address) or await parts.database.links.find(address)
    view = _view(end, state)
    assert view is not None, "what is in the archive has a link"
    return view


async def all_links(parts: Parts) -> list[LinkView]:
    """Return every link by address; what this process knows goes before what was stored."""
    database = parts.database
    terminals, _ = await database.terminals.list(limit=LINKS_MAX)
    channels, _ = await database.channels.list(limit=LINKS_MAX)
    stored, _ = await database.links.list(limit=LINKS_MAX)
    ends: dict[str, Terminal | Channel] = {terminal.address: terminal for terminal in terminals}
    ends.update({channel.name: channel for channel in channels})
    states = {state.address: state for state in stored}
    states.update({state.address: state for state in parts.registry.states()})
    views = [_view(ends.get(address), states.get(address)) for address in {*ends, *states}]
    return sorted((view for view in views if view is not None), key=lambda view: view.address)


def _view(end: Terminal | Channel | None, state: LinkState | None) -> LinkView | None:
    if state is not None:
        return LinkView(
            address=state.address,
            name=end.name if isinstance(end, Terminal) else "",
            kind=state.kind,
            protocol=state.protocol,
            state=state.state,
            since=state.since,
            last_seen=state.last_seen,
            reason=_reason(end, state.reason),
            remote=state.remote,
            known=end is not None,
            traffic=Traffic(bytes_in=state.bytes_in, bytes_out=state.bytes_out),
            logins=state.logins,
            replaced=state.replaced,
        )
    if end is None:
        return None
    is_terminal = isinstance(end, Terminal)
    return LinkView(
        address=end.address if isinstance(end, Terminal) else end.name,
        name=end.name if is_terminal else "",
        kind="terminal" if is_terminal else "channel",
        protocol=end.protocol if isinstance(end, Terminal) else "dlt645",
        state="offline",
        since=None,
        last_seen=None,
        reason=_reason(end, NEVER_SEEN),
        remote=end.url if isinstance(end, Channel) else "",
        known=True,
        traffic=Traffic(),
        logins=0,
        replaced=0,
    )


def _reason(end: Terminal | Channel | None, reason: str) -> str:
    return SWITCHED_OFF if isinstance(end, Channel) and not end.enabled else reason
