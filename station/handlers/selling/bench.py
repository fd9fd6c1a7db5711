"""The bench of the demonstration: cards, a reader and meters that exist on this page only.

What a person's hands do at a real counter, and at home in front of the meter, is done here by
clicking; the station learns nothing of it but what its card reader tells.
"""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field

from station.errors import NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, Nothing
from station.handlers.contract import contract
from station.simulator.bench import Bench, CardState
from station.simulator.meter_words import CODES
from station.simulator.prepaid_meter import VirtualMeter
from station.words import Text

USE_MAX_FEN = 100_000  # At once; more is clicking twice.

CARD_STATES: dict[CardState, Text] = {
    "blank": Text("blank", "空白"),
    "waiting": Text("not yet in the meter", "未插表"),
    "returned": Text("written back by the meter", "电表已返写"),
    "foreign": Text("not readable", "无法识别"),
}
STATE_COLOURS = {"blank": "secondary", "waiting": "blue", "returned": "green", "foreign": "red"}


class InsertBody(BaseModel):
    """Which card to put into the reader."""

    card: int


class CarryBody(BaseModel):
    """Which meter to take the card to."""

    meter: str = Field(max_length=12)


class UseBody(BaseModel):
    """Energy to use, as what it costs."""

    amount_fen: int = Field(ge=1, le=USE_MAX_FEN)


class BenchCard(BaseModel):
    """A card; amounts are fen."""

    number: int
    serial: str
    state: CardState
    meter: str
    customer: str
    amount_fen: int
    count: int
    inserted: bool


class BenchMeter(BaseModel):
    """A meter with what it shows; `code` is None before the first card. Prices are yuan per kWh."""

    meter: str
    customer: str
    balance_fen: int
    count: int
    illegal_count: int
    alarm: Literal["", "alarm 1", "alarm 2", "overdrawn"]
    rates: list[Decimal]
    code: int | None
    display: str
    credited_fen: int


class BenchView(BaseModel):
    """The whole bench."""

    attached: bool
    inserted: int | None
    cards: list[BenchCard]
    meters: list[BenchMeter]


class BenchBase(Handler):
    """What the handlers of the bench share."""

    @property
    def bench(self) -> Bench:
        """The bench. Raises NotFound where this is no demonstration."""
        if self.parts.bench is None:
            raise NotFound("there is a bench in the demonstration only")
        return self.parts.bench

    def moved(self, notice: str) -> None:
        """Answer that something on the bench was moved."""
        self.done(Nothing(), "/bench", notice)


class BenchHandler(BenchBase):
    """/bench, /api/bench"""

    @requires(Permission.VIEW)
    @contract(BenchView)
    async def get(self) -> None:
        bench = self.bench
        view = BenchView(
            attached=bench.is_attached,
            inserted=bench.inserted,
            cards=[
                BenchCard(inserted=label.number == bench.inserted, **vars(label))
                for label in bench.labels()
            ],
            meters=[_meter(each) for each in bench.meters.values()],
        )
        self.show(
            "bench.html", view, states=CARD_STATES, colours=STATE_COLOURS, codes=CODES
        )  # fmt: skip


class InsertHandler(BenchBase):
    """/bench/reader/card, /api/bench/reader/card: put a card in, or take it out"""

    @requires(Permission.SELL)
    @contract(Nothing, body=InsertBody)
    async def post(self) -> None:
        body = self.parse_body(InsertBody)
        if body.card not in self.bench.cards:
            raise NotFound(f"there is no card {body.card}")
        self.bench.insert(body.card)
        self.moved(self.language.say("Card %(card)s lies in the reader.", card=body.card))

    @requires(Permission.SELL)
    @contract(Nothing)
    async def delete(self) -> None:
        self.bench.pull()
        self.moved(self.language.say("The reader is empty."))


class PlugHandler(BenchBase):
    """/bench/reader, /api/bench/reader: connect the reader, or unplug it"""

    @requires(Permission.SELL)
    @contract(Nothing)
    async def post(self) -> None:
        self.bench.attach(attached=True)
        self.moved(self.language.say("The reader is connected."))

    @requires(Permission.SELL)
    @contract(Nothing)
    async def delete(self) -> None:
        self.bench.attach(attached=False)
        self.moved(self.language.say("The reader is unplugged."))


class CarryHandler(BenchBase):
    """/bench/cards/NUMBER/carry, /api/…: take a card to a meter and back"""

    @requires(Permission.SELL)
    @contract(Nothing, body=CarryBody)
    async def post(self, number: str) -> None:
        body = self.parse_body(CarryBody)
        if not number.isdecimal() or int(number) not in self.bench.cards:
            raise NotFound(f"there is no card {number}")
        _check_meter(self.bench, body.meter)
        result = self.bench.carry(int(number), body.meter)
        self.moved(
            self.language.say(
                "Meter %(meter)s shows %(display)s: %(words)s.",
                meter=body.meter,
                display=result.display,
                words=self.language.name(CODES[result.code]),
            )
        )


class UseHandler(BenchBase):
    """/bench/meters/METER/use, /api/…: use energy"""

    @requires(Permission.SELL)
    @contract(Nothing, body=UseBody)
    async def post(self, meter: str) -> None:
        body = self.parse_body(UseBody)
        _check_meter(self.bench, meter)
        self.bench.use(meter, body.amount_fen)
        self.moved(self.language.say("Energy was used at meter %(meter)s.", meter=meter))


def _check_meter(bench: Bench, number: str) -> None:
    if number not in bench.meters:
        raise NotFound(f"there is no meter {number}")


def _meter(meter: VirtualMeter) -> BenchMeter:
    result = meter.result
    balance = f"{Decimal(meter.balance_fen) / 100:.2f}"
    return BenchMeter(
        meter=meter.meter,
        customer=meter.customer,
        balance_fen=meter.balance_fen,
        count=meter.count,
        illegal_count=meter.illegal_count,
        alarm=_alarm(meter),
        rates=_folded(meter.rates),
        code=None if result is None else result.code,
        display=balance if result is None or not result.code else result.display,
        credited_fen=0 if result is None else result.credited_fen,
    )


def _folded(rates: tuple[Decimal, ...]) -> list[Decimal]:
    """Return the rates without the last ones that only repeat."""
    used = len(rates)
    while used > 1 and rates[used - 1] == rates[used - 2]:
        used -= 1
    return list(rates[:used])


def _alarm(meter: VirtualMeter) -> Literal["", "alarm 1", "alarm 2", "overdrawn"]:
    if not meter.customer:
        return ""
    if meter.balance_fen < 0:
        return "overdrawn"
    if meter.balance_fen < meter.alarm2_fen:
        return "alarm 2"
    return "alarm 1" if meter.balance_fen < meter.alarm1_fen else ""
