"""A day at the counter: what clerks and customers do, and the books that must agree after each act.

The books: what the clerks took, by what they were told, is the sum of the journal; and that is what
the customers used, what their meters hold and what their cards will still bring. Whoever was cut
off asks again with the same request until there is an answer, as a browser does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, field

from cuts import Cut, ProcessDied
from sale_site import CLERKS, DESKS, Counter, Home, Town, opening_of

from bench import TEST_ROOT, new_card
from station.errors import CardError, Conflict, DatabaseDown, InvalidValue, NotFound
from station.prepaid.desk_sale import Desk
from station.prepaid.terms import MeterChangeRequest, ReplacementRequest
from station.prepaid.writing import ON_A_BLANK_CARD
from station.simulator.card import VirtualCard
from station.simulator.prepaid_meter import VirtualMeter
from station.store.objects.base import new_id
from station.store.objects.orders import Order

NEW_METERS = 1_000_000  # Numbers of meters that take the place of others lie so far apart.
ANSWERS = (Conflict, CardError, InvalidValue, NotFound)  # What a clerk may be told.
NOT_NOW = (ProcessDied, DatabaseDown)
WHY = "of the day"
TRIES = 3  # One act breaks once.

Ask = Callable[[Counter], Awaitable[Order]]


@dataclass
class Resident(Home):
    """A home with what its customer used; `lost` holds the serials of cards that are lost."""

    used_fen: int = 0
    corrected_fen: int = 0
    lost: set[str] = field(default_factory=set)

    def find(self, serial: str) -> VirtualCard | None:
        """Return the card with this serial, unless it is lost."""
        if serial in self.lost:
            return None
        return next((card for card in self.cards if serial_of(card) == serial), None)


class Day:
    """One day with a few homes and two desks."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.homes: list[Resident] = []
        self.told: dict[str, int] = {}  # What was taken for each order, as the clerks were told.
        self.counter = town.counter()

    async def begin(self, homes: int) -> None:
        """Let the customers move in."""
        for _ in range(homes):
            home = await self.town.new_home()
            self.homes.append(Resident(home.meter, home.customer))

    async def restart(self) -> None:
        """Start the station again, with nothing broken."""
        await self.counter.stop()
        self.counter = self.town.counter()

    def arm(self, cut: Cut) -> None:
        """Have a call to come break."""
        self.counter.process.arm(cut)

    # --- what is confirmed ----------------------------------------------------------------------

    async def open(self, home: Resident, amount_fen: int) -> None:
        request, request_id = opening_of(home, amount_fen), new_id()
        await self._confirm(
            lambda at: at.sales.open_account(request, request_id=request_id, by=CLERKS[0])
        )

    async def sell(self, home: Resident, amount_fen: int, clerk: int = 0) -> Order | None:
        account, request_id, by = await self._account(home), new_id(), CLERKS[clerk]
        return await self._confirm(
            lambda at: at.sales.sell(account, amount_fen, request_id=request_id, by=by)
        )

    async def sell_at_once(self, home: Resident, amount_fen: int, desk: int) -> None:
        """Sell with the card on the reader; when the card fails and no order comes back, no money
        is taken."""
        account, request_id, by = await self._account(home), new_id(), CLERKS[desk]
        self._lay(await self._card_in_use(home), desk)
        await self._confirm(
            lambda at: at.sales.sell(
                account, amount_fen, request_id=request_id, by=by, desk=Desk(DESKS[desk])
            )
        )

    async def replace(self, home: Resident, amount_fen: int) -> None:
        account, request_id = await self._account(home), new_id()
        request = ReplacementRequest(WHY, amount_fen, meter_count=home.meter.count)
        made = await self._confirm(
            lambda at: at.sales.replace(account, request, request_id=request_id, by=CLERKS[0])
        )
        if made is not None:
            for order in await self.town.journal_of(home):
                if order.state == "abandoned":  # A reversal that was begun on the old card.
                    self.told.pop(order.id, None)

    async def reverse(self, home: Resident, back: int) -> None:
        orders, request_id = await self.town.journal_of(home), new_id()
        if orders:
            target = orders[-1 - back % len(orders)].id
            await self._confirm(
                lambda at: at.sales.reverse(target, WHY, request_id=request_id, by=CLERKS[1])
            )

    async def correct(self, home: Resident, amount_fen: int) -> None:
        account, request_id = await self._account(home), new_id()
        made = await self._confirm(
            lambda at: at.sales.correct(
                account, amount_fen, WHY, request_id=request_id, by=CLERKS[0]
            )
        )
        home.corrected_fen += 0 if made is None else made.amount_fen

    async def change_meter(self, home: Resident) -> None:
        """The technician takes the meter down, and stays until the new one's card is written."""
        account, request_id, old = await self._account(home), new_id(), home.meter
        number = str(int(old.meter) + NEW_METERS)
        try:
            await self.town.enter_meter(number)
        except Exception:  # noqa: BLE001  It was refused before, and is in the archive.
            return
        request = MeterChangeRequest(number, old.balance_fen, old.count, WHY)
        made = await self._confirm(
            lambda at: at.sales.change_meter(account, request, request_id=request_id, by=CLERKS[0])
        )
        if made is not None:
            home.meter = VirtualMeter(number, TEST_ROOT)
            card = self._blank(home)
            told: object = None
            for _ in range(TRIES):
                told = await self.write(made, card)
                if isinstance(told, Order):
                    return
            raise AssertionError(told)

    # --- the card -------------------------------------------------------------------------------

    async def finish(self, home: Resident, desk: int = 0) -> None:
        order = await self.unfinished(home)
        if order is not None:
            await self.write(order, await self._card_for(home, order), desk)

    async def write(self, order: Order, card: VirtualCard | None, desk: int = 0) -> object:
        """Write an order at a desk, and return what the clerk is told."""
        self._lay(card, desk)
        return await self._try(self.counter.sales.write(order.id, DESKS[desk], by=CLERKS[desk]))

    async def write_other_card(self, home: Resident, other: Resident) -> None:
        """A card that is not this home's is never written."""
        order, card = await self.unfinished(home), await self._card_in_use(other)
        if order is not None and card is not None and other is not home:
            files = dict(card.files)
            told = await self.write(order, card)
            assert isinstance(told, (*ANSWERS, *NOT_NOW)), told
            assert card.files == files

    async def abandon(self, home: Resident, desk: int = 1) -> None:
        order = await self.unfinished(home)
        if order is not None:
            self._lay(await self._card_for(home, order, is_fresh=False), desk)
            await self._give_up(order, desk)

    async def look(self, home: Resident, desk: int) -> None:
        self._lay(await self._card_in_use(home), desk)
        await self._try(self.counter.sales.look(DESKS[desk]))

    async def two_at_once(self, home: Resident, acts: tuple[str, str], same_desk: bool) -> None:
        """Two clerks work on one home in the same moment, with the card at one of the desks."""
        order = await self.unfinished(home)
        card = None if order is None else await self._card_for(home, order)
        second = 0 if same_desk else 1
        self._lay(card, 0)
        if not same_desk:
            self._lay(self._blank(home), 1)

        async def act(name: str, clerk: int, desk: int) -> None:
            if name == "sell":
                await self.sell(home, 700 + clerk, clerk)
            elif order is not None and name == "write":
                await self._try(self.counter.sales.write(order.id, DESKS[desk], by=CLERKS[clerk]))
            elif order is not None:
                await self._give_up(order, desk)

        await asyncio.gather(act(acts[0], 0, 0), act(acts[1], 1, second))

    # --- what customers do ----------------------------------------------------------------------

    async def carry(self, home: Resident) -> None:
        """Put the card in use into the meter."""
        card = await self._card_in_use(home)
        if card is not None:
            home.carry(card)

    def carry_any(self, home: Resident, place: int) -> None:
        """Put any card into the meter that was ever this home's, found again or not."""
        if home.cards:
            home.carry(home.cards[place % len(home.cards)])

    async def lose(self, home: Resident) -> None:
        """The card is lost: the one of an unfinished order, or the one in use."""
        card = await self._card_in_use(home)
        if card is not None:
            home.lost.add(serial_of(card))

    def use(self, home: Resident, amount_fen: int) -> None:
        home.meter.use(amount_fen)
        home.used_fen += amount_fen

    # --- the books ------------------------------------------------------------------------------

    async def check(self) -> None:
        """Compare the books."""
        sums = 0
        for home in self.homes:
            journal = await self.town.journal_of(home)
            standing = [each for each in journal if each.state != "abandoned"]
            sum_fen = sum(each.amount_fen for each in standing)
            taken_fen = sum(self.told.get(each.id, 0) for each in journal)
            assert sum_fen == taken_fen, f"journal {sum_fen}, taken {taken_fen}: {journal}"
            sums += sum_fen
            to_come = await self._to_come(home, journal)
            spent_fen = home.used_fen + home.corrected_fen
            brought_fen = spent_fen + worth_of(home.meter, await self._cards(home))
            assert sum_fen - brought_fen in to_come, (
                f"journal {sum_fen}, brought {brought_fen}, to come {to_come}: {told_of(journal)}"
            )
            # An old card that binds the meter keeps the one in use out, but brings nothing twice.
            other_fen = spent_fen + worth_of(home.meter, (await self._cards(home))[::-1])
            assert sum_fen - other_fen >= min(to_come), told_of(journal)
        assert sums == sum(self.told.values()), "something was taken that is in no journal"

    async def end(self) -> None:
        """Finish everything; then every card is in the meter, and all books agree."""
        await self.restart()
        for home in self.homes:
            await self.finish(home)
            if await self.unfinished(home) is not None:
                await self.abandon(home)
            await self.carry(home)
            is_left = await self.unfinished(home) is not None  # Its card is lost.
            if is_left or await self._needs_replacement(home):
                await self.replace(home, 0)
                await self.finish(home)
            order = await self.unfinished(home)
            assert order is None, (
                f"nobody can finish it: {told_of(await self.town.journal_of(home))}"
            )
        await self.check()
        for home in self.homes:
            for card in await self._cards(home) * 2:
                home.carry(card)
            assert worth_of(home.meter, home.cards) == home.meter.balance_fen
        await self.check()
        await self.counter.stop()

    async def _to_come(self, home: Resident, journal: list[Order]) -> set[int]:
        """Return what may be in the journal and not come with a card yet: 0, what an unfinished
        order is to bring, or what a replacement will: of a lost card, or of one that the meter
        refuses since an old card of this home was put in and bound it."""
        found = {0}
        for order in journal:
            if order.state == "reserved":
                found.add(order.amount_fen)
                if order.kind == "replacement":
                    found.add(order.card_amount_fen)
        account = await self.town.account_of(home)
        if account is not None and await self._needs_replacement(home):
            found |= {each + account.card_amount_fen for each in found}
        return found

    async def unfinished(self, home: Resident) -> Order | None:
        orders = await self.town.journal_of(home)
        return next((each for each in orders if each.state == "reserved"), None)

    # --- helpers --------------------------------------------------------------------------------

    async def _account(self, home: Resident) -> str:
        account = await self.town.account_of(home)
        return "none" if account is None else account.id

    async def _confirm(self, ask: Ask) -> Order | None:
        """Ask until there is an answer; an order means that the money is taken."""
        while True:
            told = await self._try(ask(self.counter))
            if isinstance(told, Order):
                self.told[told.id] = told.amount_fen
                return told
            if isinstance(told, ANSWERS):
                return None
            assert isinstance(told, NOT_NOW), repr(told)

    async def _give_up(self, order: Order, desk: int) -> None:
        """Abandon; the money goes back when the clerk is told so."""
        told: object = None
        while told is None or isinstance(told, NOT_NOW):
            sales, by = self.counter.sales, CLERKS[desk]
            told = await self._try(sales.abandon(order.id, DESKS[desk], by=by, reason=WHY))
        if isinstance(told, Order):
            self.told.pop(order.id, None)
        else:
            assert isinstance(told, ANSWERS), repr(told)

    async def _try(self, work: Awaitable[object]) -> object:
        """Do this; whatever broke is whole again afterwards, in a new process if need be."""
        at = self.counter
        told = await at.live(work)
        if at.process.is_dead and at is self.counter:
            self.counter = self.town.counter()
            for old, new in zip(at.readers, self.counter.readers, strict=True):
                if old.card is not None:
                    new.insert(old.card)
            await at.stop()
        elif at.process.has_struck:
            at.process.mend()
        assert isinstance(told, (*ANSWERS, *NOT_NOW)) or not isinstance(told, BaseException), told
        return told

    def _lay(self, card: VirtualCard | None, desk: int) -> None:
        """Put a card into the reader of a desk, or nothing."""
        reader = self.counter.readers[desk]
        reader.pull()
        if card is not None:
            reader.insert(card)

    async def _card_in_use(self, home: Resident) -> VirtualCard | None:
        """Return the card that the customer has: of the unfinished order, or of the account."""
        order, account = await self.unfinished(home), await self.town.account_of(home)
        serial = "" if order is None else order.card_serial
        if not serial and account is not None:
            serial = account.card_serial
        return home.find(serial)

    async def _card_for(
        self, home: Resident, order: Order, is_fresh: bool = True
    ) -> VirtualCard | None:
        """Return the card that a clerk would take for an order."""
        if order.card_serial or order.kind not in ON_A_BLANK_CARD:
            return await self._card_in_use(home)
        return self._blank(home) if is_fresh else None

    async def _cards(self, home: Resident) -> list[VirtualCard]:
        """Return every card of a home, the one in use first."""
        used = await self._card_in_use(home)
        return sorted(home.cards, key=lambda card: card is not used)

    async def _needs_replacement(self, home: Resident) -> bool:
        """Whether the account's card is lost, or the meter is bound to another."""
        account = await self.town.account_of(home)
        if account is None or not account.card_serial:
            return False
        bound = home.meter.bound_serial.hex().upper()
        return account.card_serial in home.lost or bound not in ("", account.card_serial)

    def _blank(self, home: Resident) -> VirtualCard:
        home.cards.append(new_card())
        return home.cards[-1]


def worth_of(meter: VirtualMeter, cards: list[VirtualCard]) -> int:
    """Return what a meter would hold once these cards were in it, one after the other, twice."""
    trial_meter, trial_cards = deepcopy((meter, cards))
    for card in trial_cards * 2:
        trial_meter.insert(card)
    return trial_meter.balance_fen


def serial_of(card: VirtualCard) -> str:
    """Return a card's serial as the station writes it."""
    return card.serial.hex().upper()


def told_of(journal: list[Order]) -> str:
    """Return the journal in few words."""
    lines = [(each.kind, each.state, each.amount_fen, each.count) for each in journal]
    return "; ".join(" ".join(map(str, line)) for line in lines)
