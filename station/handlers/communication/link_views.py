"""Links as pages and JSON show them: the archive, what was last stored, and what is live now.

A terminal of the archive that never dialled in is a link too: offline, never seen.
"""

from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from station.handlers.marking import N_
from station.handlers.parts import Parts
from station.store.objects.channels import Channel
from station.store.objects.link_events import LinkEvent
from station.store.objects.links import NEVER_SEEN, LinkState
from station.store.objects.terminals import Terminal
from station.store.objects.traffic import Traffic as DayTraffic

LINKS_MAX = 200_000  # Twice what one front-end can be configured to hold.

SWITCHED_OFF = N_("switched off")


class Traffic(BaseModel):
    """What crossed a link since the station started."""

    bytes_in: int = 0
    bytes_out: int = 0
    frames_in: int = 0
    frames_out: int = 0


class Quality(BaseModel):
    """What went wrong on a link since the station started.

    Answers that nobody waited for any more, that came twice, that did not come, bytes that were no
    sound frame, and answers of another device.
    """

    late: int = 0
    duplicate: int = 0
    timeouts: int = 0
    bad: int = 0
    wrong_address: int = 0

    @property
    def faults(self) -> int:
        """How often something went wrong."""
        return self.late + self.duplicate + self.timeouts + self.bad + self.wrong_address


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
    flapping: bool = False
    traffic: Traffic
    quality: Quality = Quality()
    logins: int
    replaced: int

    @property
    def page(self) -> str | None:
        """The page of what is at the other end."""
        if not self.known:
            return None
        return f"/{self.kind}s/{self.address}"


class LinkEventView(BaseModel):
    """A coming up or going down; `lasted_s` until the next one, or until now."""

    at: datetime
    state: Literal["online", "offline"]
    reason: str
    remote: str
    lasted_s: float

    @property
    def lasted(self) -> timedelta:
        """How long it stayed so."""
        return timedelta(seconds=self.lasted_s)


class TrafficView(BaseModel):
    """One local day of a link."""

    day: date
    bytes_in: int
    bytes_out: int
    frames_in: int
    frames_out: int
    logins: int
    late: int
    duplicate: int
    timeouts: int
    bad: int
    wrong_address: int


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


def live_view(parts: Parts, stored: LinkState) -> LinkView:
    """Return a link of a list, as it stands at this moment."""
    return _view_of(parts.registry.state(stored.address) or stored)


def event_view(event: LinkEvent, until: datetime) -> LinkEventView:
    """Return an event of a link's history; `until` the next one happened."""
    return LinkEventView(
        at=event.at,
        state=event.state,
        reason=event.reason,
        remote=event.remote,
        lasted_s=max(0.0, (until - event.at).total_seconds()),
    )


def traffic_view(traffic: DayTraffic) -> TrafficView:
    """Return what crossed a link on one day."""
    counts = traffic.counts
    return TrafficView(
        day=traffic.day,
        bytes_in=counts.bytes_in,
        bytes_out=counts.bytes_out,
        frames_in=counts.frames_in,
        frames_out=counts.frames_out,
        logins=counts.logins,
        late=counts.late,
        duplicate=counts.duplicate,
        timeouts=counts.timeouts,
        bad=counts.bad,
        wrong_address=counts.wrong_address,
    )


def _view(end: Terminal | Channel | None, state: LinkState | None) -> LinkView | None:
    if state is not None:
        view = _view_of(state)
        view.known = end is not None
        if isinstance(end, Terminal):
            view.name = end.name
        elif isinstance(end, Channel) and not end.enabled:
            view.reason = SWITCHED_OFF
        return view
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
        reason=SWITCHED_OFF if isinstance(end, Channel) and not end.enabled else NEVER_SEEN,
        remote=end.url if isinstance(end, Channel) else "",
        known=True,
        traffic=Traffic(),
        logins=0,
        replaced=0,
    )


def _view_of(state: LinkState) -> LinkView:
    return LinkView(
        address=state.address,
        name=state.name,
        kind=state.kind,
        protocol=state.protocol,
        state=state.state,
        since=state.since,
        last_seen=state.last_seen,
        reason=state.reason,
        remote=state.remote,
        known=state.known,
        flapping=state.flapping,
        traffic=Traffic(
            bytes_in=state.bytes_in,
            bytes_out=state.bytes_out,
            frames_in=state.frames_in,
            frames_out=state.frames_out,
        ),
        quality=Quality(
            late=state.late,
            duplicate=state.duplicate,
            timeouts=state.timeouts,
            bad=state.bad,
            wrong_address=state.wrong_address,
        ),
        logins=state.logins,
        replaced=state.replaced,
    )
