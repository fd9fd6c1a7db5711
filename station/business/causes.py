"""From what is silent, dark or unread to as few causes as explain it. Pure.

A *link* is away when it has been down for a while, or when it said that its power goes. A meter is
*dark* when it said that its power goes, and *unread* when it fails while its link is up.

- Where most links below a place are away the place is the cause, the lowest that holds them all;
  without places, or above them, the whole site.
- The cause is power when enough of those that are away have said so: not every device has the
  strength for a last word. Otherwise it is the connection.
- What hangs on a link that is away says nothing of its own.
- Where most meters of a link are dark or unread the link is the cause; of one that is down all have
  to be dark, be it only one.

A wider cause that stands goes on until few of its devices are left, so that a network that comes
back device by device does not end in an alarm for each.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from station.business.alarm_kinds import POWER_OFF, SILENT, UNREAD
from station.store.objects.alarms import Scope
from station.store.objects.places import PlaceTree

GROUP_MIN = 2  # One device is never a group.
SHARE_MIN = 0.8  # Of a group: one or two that went on by a battery or another network hide nothing.
SHARE_STANDING = 0.2  # Below it a cause that stands has come to its end.
TOLD_MIN = 0.3  # Of those that are away: a last word gets through from about every other device.

Subject = tuple[str, Scope, str]  # Kind, scope, address or id.


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a meter hangs, or a link: `place` is a place's id."""

    link: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """The site at one moment; `links` and `meters` are those that are to be heard.

    Of the meters those on links with dark or unread ones are enough. `standing` are the causes
    that have an alarm.
    """

    links: Mapping[str, Seat]
    down: Collection[str] = frozenset()
    dark_links: Collection[str] = frozenset()
    meters: Mapping[str, Seat] = field(default_factory=dict)
    dark_meters: Collection[str] = frozenset()
    unread: Collection[str] = frozenset()
    tree: PlaceTree = field(default_factory=lambda: PlaceTree(()))
    standing: Collection[Subject] = frozenset()

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to explain."""
        return not (self.down or self.dark_links or self.dark_meters or self.unread)


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause: `members` are the devices that it explains, of `all` that are there."""

    kind: str
    scope: Scope
    subject: str
    members: tuple[str, ...]
    all: int
    told: int = 0  # How many of them said that their power goes.

    @property
    def key(self) -> str:
        """What tells this cause from every other."""
        return cause_key(self.kind, self.scope, self.subject)


def cause_key(kind: str, scope: str, subject: str) -> str:
    """Return the key of a cause."""
    return f"{kind}:{scope}:{subject}"


def causes(picture: Picture) -> list[Cause]:
    """Return the causes of all that is wrong, each device in one at most."""
    dark = {link for link in picture.dark_links if link in picture.links}
    on_link: dict[str, list[str]] = defaultdict(list)
    for address, seat in picture.meters.items():
        on_link[seat.link].append(address)
    for link, meters in on_link.items():
        is_gone = link in picture.down and all(meter in picture.dark_meters for meter in meters)
        if link in picture.links and (is_gone or _is_whole(picture, POWER_OFF, link, meters)):
            dark.add(link)
    away = {link for link in picture.down if link in picture.links} | dark
    found = list(_of_links(picture, away, dark))
    for link, meters in on_link.items():
        if link in picture.links and link not in away:
            found += _of_meters(picture, link, meters)
    return found


# Links.


def _of_links(picture: Picture, away: set[str], dark: set[str]) -> Iterator[Cause]:
    left = set(away)
    by_place = _links_by_place(picture)
    for scope, subject in _groups(picture, by_place, away):
        links = by_place[subject] if scope == "place" else [*picture.links]
        members = [link for link in links if link in left]
        if len(members) < GROUP_MIN:
            continue
        left.difference_update(members)
        told = sum(link in dark for link in members)
        is_power = told >= TOLD_MIN * len(members) or (POWER_OFF, scope, subject) in (
            picture.standing if told else ()
        )
        kind = POWER_OFF if is_power else SILENT
        yield Cause(kind, scope, subject, tuple(sorted(members)), len(links), told)
    for link in sorted(left):
        kind = POWER_OFF if link in dark else SILENT
        yield Cause(kind, "link", link, (link,), 1, int(link in dark))


def _links_by_place(picture: Picture) -> dict[str, list[str]]:
    """Return the links that hang on each place or below it."""
    right_there: dict[str, list[str]] = defaultdict(list)
    for address, seat in picture.links.items():
        right_there[seat.place].append(address)
    by_place: dict[str, list[str]] = defaultdict(list)
    for place, links in right_there.items():
        for above in picture.tree.path(place):
            by_place[above.id] += links
    return by_place


def _groups(
    picture: Picture, by_place: Mapping[str, Sequence[str]], away: set[str]
) -> Iterator[tuple[Scope, str]]:
    """Yield the widest groups that are away as a whole, each under its narrowest name."""
    tree = picture.tree
    roots = [place.id for place in tree.children()]
    if _group_is_away(picture, "station", "", [*picture.links], away):
        name = _narrowest(tree, "", by_place, len(picture.links))
        scope: Scope = "place" if name else "station"
        yield scope, name
        return
    waiting = roots
    while waiting:
        place = waiting.pop()
        links = by_place.get(place, ())
        if _group_is_away(picture, "place", place, links, away):
            yield "place", _narrowest(tree, place, by_place, len(links))
        else:
            waiting += [child.id for child in tree.children(place)]


def _narrowest(
    tree: PlaceTree, place: str, by_place: Mapping[str, Sequence[str]], links: int
) -> str:
    """Return the lowest place on which all these links hang."""
    while True:
        same = [
            child.id for child in tree.children(place) if len(by_place.get(child.id, ())) == links
        ]
        if not same:
            return place
        place = same[0]


def _group_is_away(
    picture: Picture, scope: Scope, subject: str, links: Sequence[str], away: set[str]
) -> bool:
    members = sum(link in away for link in links)
    stands = any((kind, scope, subject) in picture.standing for kind in (SILENT, POWER_OFF))
    return _is_most(members, len(links), stands)


# Meters.


def _of_meters(picture: Picture, link: str, meters: Sequence[str]) -> Iterator[Cause]:
    """Yield the causes of the meters of a link that is not away."""
    dark = [meter for meter in meters if meter in picture.dark_meters]
    unread = [meter for meter in meters if meter in picture.unread and meter not in dark]
    for meter in sorted(dark):
        yield Cause(POWER_OFF, "meter", meter, (meter,), 1, 1)
    if _is_whole(picture, UNREAD, link, meters):
        yield Cause(UNREAD, "link", link, tuple(sorted(unread)), len(meters))
        return
    for meter in sorted(unread):
        yield Cause(UNREAD, "meter", meter, (meter,), 1)


def _is_whole(picture: Picture, kind: str, link: str, meters: Sequence[str]) -> bool:
    """Tell whether most meters of a link are dark, or unread."""
    among = picture.dark_meters if kind == POWER_OFF else picture.unread
    stands = (kind, "link", link) in picture.standing
    return _is_most(sum(meter in among for meter in meters), len(meters), stands)


def _is_most(members: int, whole: int, stands: bool) -> bool:
    share = SHARE_STANDING if stands else SHARE_MIN
    return members >= GROUP_MIN and members >= share * whole
