"""The card on the reader: what it holds, whose it is, and where to go on."""

from pydantic import BaseModel

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.contract import CARD, LocalTime, contract
from station.handlers.selling.account_views import AccountView, account_views
from station.handlers.selling.desk import AtDesk, DeskHandler
from station.handlers.selling.order_views import OrderView
from station.prepaid.cards.dialog import CardContents
from station.prepaid.readers.base import ReaderIdentity


class ReaderView(BaseModel):
    """Which reader it was."""

    model: str
    name: str
    serial: str
    port: str


class ReturnView(BaseModel):
    """What the meter wrote back onto the card; `returned_at` is the meter's own time."""

    meter: str
    customer: str
    remaining_fen: int
    overdraft_fen: int
    count: int
    illegal_count: int
    returned_at: LocalTime | None


class CardView(BaseModel):
    """A card as it was found: its files, the account it belongs to, and what stands in the way."""

    reader: ReaderView
    serial: str
    state: str
    profile: str | None
    meter: str | None
    customer: str | None
    card_type: int | None
    amount_fen: int | None
    count: int | None
    returned: ReturnView | None
    account: AccountView | None
    unfinished: OrderView | None
    problem: str | None


class ReadCardHandler(DeskHandler):
    """/cards/read, /api/cards/read"""

    @requires(Permission.SELL)
    @contract(CardView, body=AtDesk, fails=CARD)
    async def post(self) -> None:
        place = self.parse_body(AtDesk).workplace or self.desk
        look = await self.sales.look(place)
        accounts = [] if look.account is None else [look.account]
        orders = [] if look.unfinished is None else [look.unfinished]
        problem = look.problem and self.language.sentence(look.problem)
        own = await self.meters_in_sight()
        meters = {each.meter for each in accounts} | {each.meter for each in orders}
        if own is not None and not meters <= own:
            accounts, orders = [], []
            problem = self.language.say("this card belongs to an account outside your areas")
        view = card_view(
            look.reader,
            look.contents,
            next(iter(await account_views(self.parts.database, accounts)), None),
            next(iter(await self.order_views(orders)), None),
            problem,
        )
        if view.unfinished is not None and not self.wants_json:
            self.done(view, f"/orders/{view.unfinished.id}")
        elif view.account is not None and not view.problem and not self.wants_json:
            self.done(view, f"/accounts/{view.account.id}")
        else:
            self.show("parts/card.html", view)


def card_view(
    reader: ReaderIdentity,
    contents: CardContents,
    account: AccountView | None,
    unfinished: OrderView | None,
    problem: str | None,
) -> CardView:
    """Return a card as it is shown."""
    parameters, wallet, returned = contents.parameters, contents.wallet, contents.returned
    return CardView(
        reader=ReaderView(
            model=reader.model, name=reader.name, serial=reader.serial, port=reader.port
        ),
        serial=contents.serial,
        state=contents.state,
        profile=None if contents.profile is None else contents.profile.value,
        meter=None if parameters is None else parameters.meter,
        customer=None if parameters is None else parameters.customer,
        card_type=None if parameters is None else int(parameters.card_type),
        amount_fen=None if wallet is None else wallet.amount_fen,
        count=None if wallet is None else wallet.count,
        returned=None
        if returned is None
        else ReturnView(**{name: getattr(returned, name) for name in ReturnView.model_fields}),
        account=account,
        unfinished=unfinished,
        problem=problem,
    )
