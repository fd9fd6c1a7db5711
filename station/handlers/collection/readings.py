"""Readings of one item of one meter over a span of days, and what the meter used between them."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from station.collector.items import ITEM_BY_CODE, Item
from station.errors import InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, TableQuery
from station.handlers.collection.consumption import Step, consumption, step_for
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.pieces import rows_of, send_json, send_pieces
from station.store.objects.readings import Quality, Reading, Source
from station.units import day_start, local_day, utc_now
from station.words import Text

SPAN_MAX = timedelta(days=400)  # A year and a month of one item: 40,000 points at 15 minutes.
MINUTE = timedelta(minutes=1)  # The shortest slot; makes the end of a span belong to it.

SOURCE_NAMES = {
    "task": Text("task", "任务"),
    "gap": Text("gap filling", "补采"),
    "read_now": Text("read now", "召测"),
    "report": Text("report", "主动上报"),
}

QUALITY_NAMES = {
    "doubtful": Text("doubtful", "存疑"),
    "late": Text("read late", "迟读"),
    "live": Text("read live", "实时读取"),
    "recorded": Text("recorded by the device", "设备记录"),
}

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _day_or_moment(value: object) -> object:
    """Take a bare date for a day, and a plus sign that the address made a blank for a plus sign."""
    if not isinstance(value, str):
        return value
    if _DAY.fullmatch(value):
        return date.fromisoformat(value)
    return datetime.fromisoformat(value.replace(" ", "+").replace("Z", "+00:00"))


DayOrMoment = Annotated[datetime | date | None, BeforeValidator(_day_or_moment)]


def _known_item(code: str) -> str:
    if code not in ITEM_BY_CODE:
        raise ValueError(f"there is no item {code!r}")
    return code


class CurveQuery(BaseModel):
    """A meter, an item, and from when to when: dates of the site (both included) or ISO times."""

    meter: str = Field(min_length=1, max_length=32)
    item: Annotated[str, AfterValidator(_known_item)]
    from_: DayOrMoment = Field(None, alias="from", description=N_("a date such as 2026-01-31"))
    to: DayOrMoment = Field(None, description=N_("a date such as 2026-01-31"))


class ReadingsQuery(CurveQuery, TableQuery):
    """A curve, and which part of it the page shows; JSON and files have it all."""

    page: int = Field(1, ge=1, le=1000)
    size: int = Field(400, ge=1, le=500)


class FormerView(BaseModel):
    """A value that a better one replaced."""

    value: str | None
    read_at: datetime
    source: Source
    quality: Quality


class ReadingView(BaseModel):
    """One reading; a value of null means that the meter says it has none.

    `former` are the values of this moment that better ones replaced, the oldest first.
    """

    meter: str
    item: str
    time: datetime
    value: str | None
    unit: str
    read_at: datetime
    source: Source
    quality: Quality
    former: list[FormerView] = []


class ReadingList(BaseModel):
    items: list[ReadingView]
    total: int


class IntervalView(BaseModel):
    """What was used between two moments; null when one of them was not read."""

    start: datetime
    end: datetime
    value: str | None


class IntervalList(BaseModel):
    items: list[IntervalView]
    total: int
    unit: str
    step: Step


COLUMNS = (
    Column[ReadingView](N_("Meter"), lambda reading: reading.meter, more=True, look="address"),
    Column[ReadingView](N_("Item"), lambda reading: ITEM_BY_CODE[reading.item].name, more=True),
    Column[ReadingView](N_("Time"), lambda reading: reading.time, sort="time"),
    Column[ReadingView](N_("Value"), lambda reading: reading.value, look="number"),
    Column[ReadingView](N_("Unit"), lambda reading: reading.unit, look="unit"),
    Column[ReadingView](N_("Read at"), lambda reading: reading.read_at),
    Column[ReadingView](N_("Source"), lambda reading: SOURCE_NAMES[reading.source], look="soft"),
    Column[ReadingView](N_("Quality"), lambda reading: QUALITY_NAMES[reading.quality], look="soft"),
    Column[ReadingView](N_("Replaced"), lambda reading: _former_of(reading), within="quality"),
)
INTERVAL_COLUMNS = (
    Column[IntervalView](N_("From"), lambda interval: interval.start),
    Column[IntervalView](N_("To"), lambda interval: interval.end),
    Column[IntervalView](N_("Consumption"), lambda interval: interval.value),
)


class CurveHandler(Handler):
    """What the handlers of curves share."""

    def reading_view(self, reading: Reading, former: Sequence[Reading] = ()) -> ReadingView:
        """Return a reading, and those that it replaced, as pages and JSON show it."""
        item, zone = ITEM_BY_CODE[reading.item], self.parts.config.site.zone_info
        return ReadingView(
            meter=reading.meter,
            item=reading.item,
            time=reading.moment,
            value=item.to_text(reading.value, zone),
            unit=item.unit,
            read_at=reading.read_at,
            source=reading.source,
            quality=reading.quality,
            former=[
                FormerView(
                    value=item.to_text(each.value, zone),
                    read_at=each.read_at,
                    source=each.source,
                    quality=each.quality,
                )
                for each in former
            ],
        )

    def span_of(self, query: CurveQuery) -> tuple[datetime, datetime]:
        """Return the moments that a query spans; the end is not included."""
        zone = self.parts.config.site.zone_info
        today = local_day(utc_now(), zone)
        start = self._moment("from", query.from_ or today, timedelta())
        end = self._moment("to", query.to or max(today, local_day(start, zone)), timedelta(days=1))
        if end <= start:
            raise InvalidValue("to", self.language.say("the end lies before the beginning"))
        if end - start > SPAN_MAX:
            raise InvalidValue(
                "to", self.language.say("at most %(days)s days at once", days=SPAN_MAX.days)
            )
        return start, end

    def _moment(self, field: str, value: datetime | date, later: timedelta) -> datetime:
        zone = self.parts.config.site.zone_info
        try:
            if not isinstance(value, datetime):
                return day_start(value + later, zone)
            if value.tzinfo is None:
                return value.replace(tzinfo=zone)
        except OverflowError:
            raise InvalidValue(field, self.language.say("there is no such day")) from None
        return value


class ReadingsHandler(CurveHandler):
    """/readings, /api/readings"""

    @requires(Permission.VIEW)
    @contract(ReadingList, query=ReadingsQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ReadingsQuery)
        start, end = self.span_of(query)
        meter = await self.parts.database.meters.get(query.meter)
        store = self.parts.database.readings
        readings = await store.curve(query.meter, query.item, start, end)
        former = await store.former(query.meter, query.item, start, end)

        def view(reading: Reading) -> ReadingView:
            return self.reading_view(reading, former.get(reading.moment, ()))

        if query.sort.startswith("-"):
            readings = readings[::-1]
        if self.is_download:
            columns = self.file_columns(COLUMNS, query)
            await send_pieces(self, rows_of(readings, view), columns)
            return
        if self.wants_json:
            await send_json(self, rows_of(readings, view), len(readings))
            return
        skip = (query.page - 1) * query.size
        items = [view(reading) for reading in readings[skip : skip + query.size]]
        zone = self.parts.config.site.zone_info
        self.show(
            "readings.html",
            ReadingList(items=items, total=len(readings)),
            the_table=await self.table_of(COLUMNS, query),
            filter=query,
            meter=meter,
            item=ITEM_BY_CODE[query.item],
            first_day=local_day(start, zone),
            last_day=local_day(end - MINUTE, zone),
        )


class ConsumptionHandler(CurveHandler):
    """/consumption, /api/consumption: for registers, such as energy"""

    @requires(Permission.VIEW)
    @contract(IntervalList, query=CurveQuery, table=INTERVAL_COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(CurveQuery)
        item = ITEM_BY_CODE[query.item]
        if item.kind != "register":
            raise InvalidValue("item", self.language.say("this item is not a register"))
        start, end = self.span_of(query)
        await self.parts.database.meters.get(query.meter)
        items, step = await self._intervals(query.meter, item, start, end)
        view = IntervalList(items=items, total=len(items), unit=item.unit, step=step)
        if self.is_download:
            await self.show_list("", view, items, INTERVAL_COLUMNS)
        else:
            self.write_json(view)

    async def _intervals(
        self, meter: str, item: Item, start: datetime, end: datetime
    ) -> tuple[list[IntervalView], Step]:
        zone = self.parts.config.site.zone_info
        store = self.parts.database.readings
        readings = await store.curve(meter, item.code, start, end + MINUTE)
        step = step_for(end - start)
        intervals = [
            IntervalView(
                start=interval.start, end=interval.end, value=item.to_text(interval.value, zone)
            )
            for interval in consumption(readings, start, end, step, zone)
        ]
        return intervals, step


def _former_of(reading: ReadingView) -> Text:
    """Return the values that a reading replaced, with how good they were."""
    named = [(each.value or "–", QUALITY_NAMES[each.quality]) for each in reading.former]
    return Text(
        ", ".join(f"{value} ({quality.en})" for value, quality in named),
        "、".join(f"{value}（{quality.zh}）" for value, quality in named),
    )
