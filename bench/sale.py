"""How long a sale takes, from confirm to success, over the bare exchange of the same bytes.

Real pcscd with virtual readers, virtual cards in a process of their own, a real mongod. A purchase
is confirmed and written; then the card is put back as it was, and the same commands are sent again
through PC/SC by a bare loop: the card gives the same challenges, so every command and every answer
is the same byte for byte. In between the card goes to its virtual meter, outside of the measured
time.

The journal's share is what the database's calls took of a sale. Then two counters sell at once,
each with a reader of its own. Limit: a sale takes at most 3 times the bare exchange.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.managers import BaseManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from smartcard import scard

from station.live import Feed
from station.prepaid.cards.apdu import Response
from station.prepaid.desk_sale import Desk
from station.prepaid.readers.base import FixedReaders
from station.prepaid.readers.pcsc import PcscReader
from station.prepaid.readers.remembered import Remembered
from station.prepaid.readers.workplace import Workplaces
from station.prepaid.sales import Sales
from station.simulator import card as card_module
from station.simulator.card import VirtualCard
from station.simulator.card_link import VirtualSlot
from station.simulator.prepaid_meter import VirtualMeter
from station.store.database import Database
from station.store.driver import Collection
from station.store.embedded import EmbeddedMongo
from station.store.objects.base import new_id

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "prepaid"))

from sale_site import SECURITY, ZONE, Home, Town, opening_of
from virtual_pcscd import VirtualPcscd, virtual_pcscd

from bench import TEST_ROOT, new_card

RATIO_LIMIT = 3.0
AMOUNT_FEN = 100
READER_NAMES = ("First counter", "Second counter")
DESKS = ("first", "second")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sales", type=int, default=200, help="to measure, one after the other")
    parser.add_argument("--warm-up", type=int, default=20, help="sales before these")
    parser.add_argument("--seconds", type=float, default=10.0, help="of two counters at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        readers = Path(folder) / "readers"
        readers.mkdir()
        with Cards() as manager, virtual_pcscd(readers, READER_NAMES) as pcscd:
            cards = manager.CardHome()
            for name, slot in pcscd.slots.items():
                pcscd.slots[name] = FarSlot(slot.port, cards)
            result = asyncio.run(measure(options, Path(folder), pcscd))
    print(json.dumps(result))
    return int(result["ratio_vs_apdu"] > RATIO_LIMIT)


class Challenges:
    """The random bytes of the virtual cards; they can be given a second time."""

    def __init__(self) -> None:
        self._chance = card_module.secrets.token_bytes
        self.given: list[bytes] = []
        self.again: Iterator[bytes] | None = None

    def token_bytes(self, size: int) -> bytes:
        """Return random bytes, or the next ones of those that are given again."""
        if self.again is not None:
            return next(self.again)
        self.given.append(self._chance(size))
        return self.given[-1]


class CardHome:
    """The cards in the readers and the meters they belong to, one for each port of a reader; they
    live in a process of their own, as cards do."""

    def __init__(self) -> None:
        self._cards: dict[int, VirtualCard] = {}
        self._meters: dict[int, VirtualMeter] = {}
        self._slots: dict[int, VirtualSlot] = {}
        self._before: dict[int, dict[int, bytes]] = {}
        self._written: dict[int, dict[int, bytes]] = {}
        self._challenges = Challenges()

    def insert(self, port: int, meter: str) -> None:
        """Put a blank card for a new meter into a reader."""
        self._cards[port], self._meters[port] = new_card(), VirtualMeter(meter, TEST_ROOT)
        self._slots[port] = VirtualSlot(port)
        self._slots[port].insert(self._cards[port])

    def pull(self, port: int) -> None:
        """Take the card out."""
        if port in self._slots:
            self._slots[port].pull()

    def carry(self, port: int) -> int:
        """Put the card into its meter, and return what was credited, in fen."""
        return self._meters[port].insert(self._cards[port]).credited_fen

    def keep(self, port: int) -> None:
        """Keep the card's files as they are, and its challenges from now on."""
        self._before[port] = dict(self._cards[port].files)
        self._challenges = Challenges()
        patch.object(card_module, "secrets", self._challenges).start()

    def again(self, port: int) -> None:
        """Put the card back as it was kept; it will give the same challenges."""
        self._written[port] = self._cards[port].files
        self._cards[port].files = dict(self._before[port])
        self._challenges.again = iter(self._challenges.given)

    def is_as_written(self, port: int) -> bool:
        """Whether the card was written a second time as it was at first; then challenges are free
        again."""
        patch.stopall()
        return self._cards[port].files == self._written[port]


class Cards(BaseManager):
    """The process of the cards."""


Cards.register("CardHome", CardHome)


class FarSlot:
    """A slot of a reader whose card is in the other process."""

    def __init__(self, port: int, home: Any) -> None:
        self.port, self.home = port, home

    def insert(self, meter: Any) -> None:
        self.home.insert(self.port, meter)

    def pull(self) -> None:
        self.home.pull(self.port)


class Journal:
    """Adds up what the outermost calls of the database took."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def timed(self, verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return the verb with its time taken."""

        async def call(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            self._depth += 1
            try:
                return await verb(*arguments, **options)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.perf_counter() - began

        return call

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take the time of every verb of every collection; one sale at a time only."""
        verbs = [
            name
            for name, verb in vars(Collection).items()
            if asyncio.iscoroutinefunction(verb) and not name.startswith("_")
        ]
        timed = {name: self.timed(getattr(Collection, name)) for name in verbs}
        # Plain functions of a class: each gets the collection as its first argument.
        functions = {name: _function(call) for name, call in timed.items()}
        with patch.multiple(Collection, **functions):
            yield


def _function(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def verb(self: Collection, *arguments: Any, **options: Any) -> Any:
        return await call(self, *arguments, **options)

    return verb


class Recording:
    """A reader that keeps what goes through it: a list of conversations."""

    def __init__(self, inner: PcscReader) -> None:
        self.inner = inner
        self.conversations: list[list[tuple[bytes, Response]]] = []

    @property
    def identity(self) -> Any:
        return self.inner.identity

    def connect(self) -> Any:
        channel = self.inner.connect()
        kept: list[tuple[bytes, Response]] = []
        self.conversations.append(kept)

        def transmit(apdu: bytes) -> Response:
            answer = channel.transmit(apdu)
            kept.append((apdu, answer))
            return answer

        return SimpleNamespace(transmit=transmit, disconnect=channel.disconnect)

    def close(self) -> None:
        self.inner.close()


class Counter:
    """A desk with a reader, and one customer whose card lies in it."""

    def __init__(
        self, sales: Sales, desk: str, home: Home, reader: Recording, cards: Any, port: int
    ) -> None:
        self.sales, self.desk, self.home, self.reader = sales, desk, home, reader
        self.cards, self.port = cards, port

    async def open(self) -> None:
        request = opening_of(self.home, AMOUNT_FEN)
        order = await self.sales.open_account(request, request_id=new_id(), by=self.desk)
        self.home.account = order.account
        await self.sales.write(order.id, self.desk, by=self.desk)
        self.to_the_meter()

    async def sell(self) -> float:
        """Sell and write, and return the seconds; then the card goes to the meter."""
        self.reader.conversations.clear()
        began = time.perf_counter()
        order = await self.sales.sell(
            self.home.account, AMOUNT_FEN, request_id=new_id(), by=self.desk, desk=Desk(self.desk)
        )
        seconds = time.perf_counter() - began
        assert order.state == "written"
        return seconds

    def to_the_meter(self) -> None:
        assert self.cards.carry(self.port) == AMOUNT_FEN

    async def sell_and_carry(self) -> float:
        seconds = await self.sell()
        self.to_the_meter()
        return seconds


async def measure(
    options: argparse.Namespace, folder: Path, pcscd: VirtualPcscd
) -> dict[str, float]:
    mongo = EmbeddedMongo(folder / "data")
    database = await Database.connect(await mongo.start(), "sale", zone=ZONE)
    try:
        town = Town(database)
        await town.settle()
        workplaces = Workplaces(SECURITY, Remembered(database.reader_uses, "bench"))
        sales = Sales(database, workplaces, Feed(), ZONE)
        counters = [
            await _counter(town, sales, workplaces, pcscd, *each)
            for each in zip(READER_NAMES, DESKS, strict=True)
        ]
        one = await _one_counter(counters[0], options)
        both = await _two_counters(counters, options.seconds)
        await workplaces.stop()
    finally:
        await database.close()
        await mongo.stop()
    return {**one, "sales_per_s_two_counters": round(both, 1)}


async def _counter(
    town: Town,
    sales: Sales,
    workplaces: Workplaces,
    pcscd: VirtualPcscd,
    reader_name: str,
    desk: str,
) -> Counter:
    slot = f"{reader_name} 00 00"
    reader = Recording(PcscReader(slot))
    workplaces.add(FixedReaders(reader), desk)
    home = await town.new_home()
    pcscd.insert(slot, home.meter.meter)
    far = pcscd.slots[slot]
    counter = Counter(sales, desk, home, reader, far.home, far.port)
    await counter.open()
    return counter


async def _one_counter(counter: Counter, options: argparse.Namespace) -> dict[str, float]:
    journal, spans, bare, shares = Journal(), [], [], []
    for number in range(options.warm_up + options.sales):
        counter.cards.keep(counter.port)
        with journal.watching():
            journal.seconds = 0.0
            seconds = await counter.sell()
            share = journal.seconds / seconds
        bare_seconds = _bare(counter)
        counter.to_the_meter()
        if number >= options.warm_up:
            spans.append(seconds)
            shares.append(share)
            bare.append(bare_seconds)
    apdus = sum(map(len, counter.reader.conversations))
    sale_ms, bare_ms = (1000 * statistics.median(each) for each in (spans, bare))
    share = statistics.median(shares)
    print(f"{'':<34}{'median ms':>10}")
    print(f"{'sale, from confirm to success':<34}{sale_ms:>10.2f}")
    print(f"{f'the same {apdus} commands, bare':<34}{bare_ms:>10.2f}")
    print(f"{'calls of the database in a sale':<34}{share * sale_ms:>10.2f}")
    return {
        "sale_ms": round(sale_ms, 2),
        "sale_p95_ms": round(1000 * sorted(spans)[int(0.95 * len(spans))], 2),
        "apdus": apdus,
        "apdu_ms": round(bare_ms, 2),
        "ratio_vs_apdu": round(sale_ms / bare_ms, 2),
        "ratio_limit": RATIO_LIMIT,
        "journal_share": round(share, 2),
    }


def _bare(counter: Counter) -> float:
    """Send the same commands to the same card as it was, and return the seconds."""
    counter.cards.again(counter.port)
    conversations = counter.reader.conversations
    name = counter.reader.identity.name
    began = time.perf_counter()
    answers = [_talk(name, [apdu for apdu, _ in each]) for each in conversations]
    seconds = time.perf_counter() - began
    wanted = [
        [[*answer.data, *divmod(answer.sw, 256)] for _, answer in each] for each in conversations
    ]
    assert answers == wanted, "the card answered otherwise"
    assert counter.cards.is_as_written(counter.port)
    return seconds


def _talk(name: str, commands: list[bytes]) -> list[list[int]]:
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    _, card, protocol = scard.SCardConnect(
        context,
        name,
        scard.SCARD_SHARE_EXCLUSIVE,
        scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
    )
    answers = [scard.SCardTransmit(card, protocol, [*each])[1] for each in commands]
    scard.SCardDisconnect(card, scard.SCARD_RESET_CARD)
    scard.SCardReleaseContext(context)
    return answers


async def _two_counters(counters: list[Counter], seconds: float) -> float:
    """Sell at both for so long, and return the sales a second."""
    deadline = time.perf_counter() + seconds

    async def sell(counter: Counter) -> int:
        made = 0
        while time.perf_counter() < deadline:
            await counter.sell_and_carry()
            made += 1
        return made

    began = time.perf_counter()
    made = await asyncio.gather(*map(sell, counters))
    rate = sum(made) / (time.perf_counter() - began)
    print(f"{'sales a second, two counters':<34}{rate:>10.1f}")
    return rate


if __name__ == "__main__":
    sys.exit(main())
