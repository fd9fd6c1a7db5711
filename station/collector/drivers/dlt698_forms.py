"""In which form an object of a DL/T 698.45 meter is asked for, and what it refused so far.

An item is one element of an attribute. It can be had with the whole attribute or by itself; devices
differ in what they give, and what they refuse is not asked for again that day.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from station.collector.drivers.base import Refusals
from station.collector.drivers.dlt698_talk import Asker
from station.collector.drivers.dlt698_values import oad_of, whole_of
from station.collector.outcome import Cause, Missed
from station.collector.plan import Want
from station.protocols.dlt698.identifiers import Oad
from station.store.objects.meters import Meter


@dataclass(frozen=True, slots=True)
class Asked698:
    """A meter that is asked, how, and what it refuses."""

    asker: Asker
    meter: Meter
    zone: ZoneInfo
    refusals: Refusals

    def forms(self, wants: Iterable[Want], store: str = "") -> "Forms":
        """Return the points by what to ask for them.

        Records of a store hold whole attributes as a rule; of what is shown now, a single element
        is asked for by itself.
        """
        by_attribute: dict[Oad, list[Want]] = defaultdict(list)
        for want in wants:
            by_attribute[whole_of(oad_of(want.item))].append(want)
        asked: dict[Oad, list[Want]] = defaultdict(list)
        gone = []
        for whole, members in by_attribute.items():
            has_whole = store + whole.text not in self.refusals
            several = len({want.item.code for want in members}) > 1
            if has_whole and (store or several):
                asked[whole] += members
                continue
            for want in members:
                oad = oad_of(want.item)
                if store + oad.text not in self.refusals:
                    asked[oad].append(want)
                elif has_whole:
                    asked[whole].append(want)
                else:
                    gone.append(self._refused(want))
        return Forms(asked, gone)

    def _refused(self, want: Want) -> Missed:
        text = f"meter {self.meter.address}: {want.item.id_698} is refused"
        return Missed(want, Cause.REFUSED, text)


@dataclass(frozen=True, slots=True)
class Forms:
    """Points by what is asked for them, and those of which every form was refused."""

    asked: dict[Oad, list[Want]]
    gone: list[Missed]
