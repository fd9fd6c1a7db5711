"""Clocks that are found wrong, as events: an alarm comes of them, and goes when they are right.

A clock is wrong when it is off by more than the limit, whatever the way may have hidden. It is told
at each look that finds it so, and once when it is right again.
"""

from collections.abc import Callable, Sequence

from station.live import Feed
from station.store.objects.clocks import ClockState
from station.store.objects.events import Event, Events, event_id
from station.units import utc_now
from station.words import Text

CLOCK_WRONG = "station-clock"  # The code of the event.
DEVIATION = Text("deviation", "偏差")


class ClockEvents:
    """Says which clocks are wrong."""

    def __init__(
        self,
        events: Events,
        feed: Feed,
        on_events: Callable[[Sequence[Event]], None],
        *,
        station: str,
        wrong_over_s: int,
    ) -> None:
        self._events = events
        self._feed = feed
        self._on_events = on_events
        self._station = station
        self._limit_ms = wrong_over_s * 1000

    async def note(self, before: ClockState | None, after: ClockState) -> None:
        """Tell what a look has found. Raises DatabaseDown."""
        is_wrong = self._is_wrong(after)
        if not is_wrong and (before is None or not self._is_wrong(before)):
            return
        event = self._event(after, over=not is_wrong)
        await self._events.save_many([event])
        message = {"id": event.id, "link": event.link, "meter": event.meter}
        self._feed.announce("events", {**message, "code": event.code})
        self._on_events([event])

    def _is_wrong(self, state: ClockState) -> bool:
        deviation_ms = state.deviation_ms
        if deviation_ms is None:
            return False
        return abs(deviation_ms) - state.uncertainty_ms > self._limit_ms

    def _event(self, state: ClockState, *, over: bool) -> Event:
        meter = state.device if state.kind == "meter" else None
        moment = "" if state.looked_at is None else state.looked_at.isoformat()
        value = f"{(state.deviation_ms or 0) / 1000:+.1f}"
        row = {"name": DEVIATION.en, "name_zh": DEVIATION.zh, "value": value, "unit": "s"}
        return Event(
            event_id(self._station, CLOCK_WRONG, state.device, moment),
            CLOCK_WRONG,
            state.link,
            meter,
            None,
            utc_now(),
            b"",
            station=self._station,
            protocol="",
            values=(row,),
            over=over,
        )
