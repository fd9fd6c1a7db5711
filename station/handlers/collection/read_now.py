"""Reading a meter now, and the frames behind what was read."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from station.collector.items import ITEM_BY_CODE, ITEMS
from station.collector.reader import ReadResult
from station.errors import StationError
from station.handlers.access.identity import ErrorBody, requires, status_of
from station.handlers.access.people import Permission
from station.handlers.collection.readings import CurveHandler
from station.handlers.communication.frames import FrameList, FrameView, frame_view
from station.handlers.contract import DEVICE, contract
from station.store.objects.frames import FrameRecord
from station.store.objects.meters import Meter
from station.units import utc_now

FRAMES_SHOWN_MAX = 200  # Of one read-now; a read of every item of a meter takes some sixty.


def _at(value: object) -> object:
    return value.replace(" ", "+") if isinstance(value, str) else value


class EvidenceQuery(BaseModel):
    """The moment at which a value was read, exactly as the reading has it."""

    read_at: Annotated[datetime, BeforeValidator(_at)]


class ReadNowBody(BaseModel):
    """Which items to read."""

    items: tuple[str, ...] = Field(min_length=1, max_length=len(ITEMS))


class ReadNowValue(BaseModel):
    """An item that was read; a value of null means that the meter says it has none."""

    item: str
    name: str
    value: str | None
    unit: str
    time: datetime
    read_at: datetime


class ReadNowMiss(BaseModel):
    """An item that was not read: the cause in a word and in a sentence."""

    item: str
    name: str
    cause: str
    text: str


class ReadNowView(BaseModel):
    items: list[ReadNowValue | ReadNowMiss]
    total: int


class EvidenceHandler(CurveHandler):
    """/meters/ADDRESS/frames, /api/meters/ADDRESS/frames: the frames behind a value"""

    @requires(Permission.VIEW)
    @contract(FrameList, query=EvidenceQuery)
    async def get(self, address: str) -> None:
        query = self.parse_query(EvidenceQuery)
        meter = await self.parts.database.meters.get(address)
        records = await self._exchange(meter, query.read_at)
        frames = [frame_view(record, self.language, decoded=True) for record in records]
        self.show("evidence.html", FrameList(items=frames, total=len(frames)))

    async def _exchange(self, meter: Meter, read_at: datetime) -> list[FrameRecord]:
        """Return the frames of an exchange; one that has just been is not in the log yet."""
        stored = await self.parts.database.frames.exchange_of(meter.address, read_at)
        if stored:
            return stored
        recent = self.parts.trace.recent(meter.link, FRAMES_SHOWN_MAX)
        numbers = {each.exchange for each in recent if each.at == read_at and each.exchange}
        return [each for each in reversed(recent) if each.exchange in numbers]


class ReadNowHandler(CurveHandler):
    """/meters/ADDRESS/read, /api/meters/ADDRESS/read"""

    @requires(Permission.COLLECT)
    @contract(ReadNowView, body=ReadNowBody, fails=DEVICE)
    async def post(self, address: str) -> None:
        meter = await self.parts.database.meters.get(address)
        began_at = utc_now()
        try:
            body = self.parse_body(ReadNowBody)
            results = await self.parts.reader.read_now(address, body.items)
        except StationError as error:
            if self.wants_json:
                raise
            self._show_failure(meter, began_at, error)
            return
        items = [self._result(result) for result in results]
        view = ReadNowView(items=items, total=len(items))
        self.show(
            "read_now.html",
            view,
            error=None,
            meter=address,
            frames=self._frames_since(meter, began_at),
        )

    def _show_failure(self, meter: Meter, began_at: datetime, error: StationError) -> None:
        status, code = status_of(error)
        self.log_exception(type(error), error, None)
        self.set_status(status)
        self.finish_page(
            "read_now.html",
            view=None,
            meter=meter.address,
            error=ErrorBody(code=code, message=self.language.sentence(str(error))),
            frames=self._frames_since(meter, began_at),
        )

    def _frames_since(self, meter: Meter, began_at: datetime) -> list[FrameView]:
        recent = self.parts.trace.recent(meter.link, FRAMES_SHOWN_MAX)
        return [
            frame_view(record, self.language, decoded=False)
            for record in reversed(recent)
            if record.at >= began_at and record.meter == meter.address
        ]

    def _result(self, result: ReadResult) -> ReadNowValue | ReadNowMiss:
        item = ITEM_BY_CODE[result.item]
        name = self.language.name(item.name)
        if result.reading is None:
            cause = result.cause.value if result.cause else "unknown"
            return ReadNowMiss(item=item.code, name=name, cause=cause, text=result.text or "")
        view = self.reading_view(result.reading)
        return ReadNowValue(
            item=item.code,
            name=name,
            value=view.value,
            unit=view.unit,
            time=view.time,
            read_at=view.read_at,
        )
