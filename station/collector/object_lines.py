"""Parameters of a terminal of DL/T 698.45 over the wire: asked by GET, set by SET and by methods.

Entries of a list are read with the whole list, as the standard knows no question for some of them,
and set by the method that adds or replaces them. Each request that changes something is said once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from station.collector.drivers.base import NoMemory
from station.collector.drivers.dlt698_talk import ANOTHER_SERVICE, Talk698
from station.collector.object_catalogue import ObjectCode, object_code
from station.collector.object_lists import METERS
from station.collector.object_parts import ObjectParameter
from station.collector.parameter_lines import Told, accepted
from station.errors import BadAnswer, InvalidValue, Refused
from station.frontend.link import Priority, TerminalPort
from station.frontend.proxy import port_object
from station.protocols.dlt645 import Version
from station.protocols.dlt698 import action, get
from station.protocols.dlt698 import set as writing
from station.protocols.dlt698.dar import RETRY, SUCCESS, Dar
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.envelope import Apdu, AttributeResult
from station.protocols.dlt698.identifiers import BAUD_RATES, Oad
from station.protocols.line import LineSettings
from station.store.objects.meters import Meter
from station.store.objects.parameters import Values

TIMEOUT_S = 30.0  # Of a terminal on a mobile link (digest, section 16).
OBJECTS_MAX = 8  # Of one question: the answer stays below the 512 bytes of small devices.

_PROTOCOLS = {Version.V1997.value: 1, Version.V2007.value: 2, "dlt698.45": 3}


@dataclass(frozen=True, slots=True)
class AskedObjects:
    """What one request asks or sets."""

    codes: tuple[str, ...]
    oads: tuple[Oad, ...]


class ObjectParameters:
    """A terminal whose parameters are read and set."""

    def __init__(self, port: TerminalPort, *, priority: Priority = Priority.CONTROL) -> None:
        self._name = port.name
        self._talk = Talk698(port, port.name, port.name, priority=priority, memory=NoMemory())

    async def read(self, codes: Iterable[str]) -> dict[str, Told]:
        """Return what the terminal holds; see `ParameterLine`."""
        told: dict[str, Told] = {}
        for asked in queries(codes):
            found, problem, at = await self._objects(asked.oads)
            exchange = None if self._talk.last is None else self._talk.last.exchange
            for code in asked.codes:
                told[code] = self._told(object_code(code), code, found, problem, at, exchange)
        return told

    async def write(self, values: Mapping[str, Values], _authority: object, /) -> int:
        """Set whole values; see `ParameterLine`. What is not shown stays as the terminal has it."""
        held = await self._held([code for code in values if object_code(code).row.part.keeps()])
        refusals: list[Refused] = []
        exchange: int | None = None
        for codes, make in requests_of(values, held):
            try:
                answer, _ = await self._talk.ask(make, timeout_s=TIMEOUT_S, once=True)
                self._check(answer, codes)
            except Refused as refusal:
                refusals.append(refusal)
            else:
                exchange = None if self._talk.last is None else self._talk.last.exchange
        return accepted(exchange, refusals)

    def _told(
        self,
        found: ObjectCode,
        code: str,
        results: Mapping[Oad, Data | Dar],
        problem: str,
        at: datetime,
        exchange: int | None,
    ) -> Told:
        result = results.get(found.row.oad)
        if isinstance(result, Dar):
            problem = f"terminal {self._name}: {found.row.oad.text} refused: {result.words.en}"
        if not isinstance(result, Data):
            problem = problem or f"terminal {self._name}: it has no {code}"
            return Told({}, at, problem, exchange)
        entry = entry_of(found, result)
        if entry is None:
            return Told({}, at, f"terminal {self._name}: it has no {code}", exchange)
        try:
            return Told(found.row.part.texts(entry), at, "", exchange)
        except (ValueError, TypeError, AttributeError):
            words = f"terminal {self._name}: {code} is not as the standard has it"
            return Told({}, at, f"{words}: {entry.to_bytes().hex().upper()[:200]}", exchange)

    async def _held(self, codes: Sequence[str]) -> dict[str, Data]:
        """Return what stands under parameters that hold something that is not shown."""
        held: dict[str, Data] = {}
        for asked in queries(codes):
            found, _, _ = await self._objects(asked.oads)
            for code in asked.codes:
                taken = object_code(code)
                result = found.get(taken.row.oad)
                entry = entry_of(taken, result) if isinstance(result, Data) else None
                if entry is not None:
                    held[code] = entry
        return held

    async def _objects(self, oads: Sequence[Oad]) -> tuple[dict[Oad, Data | Dar], str, datetime]:
        """Return objects, why there are none, and when the answer came."""
        try:
            results, at = await self._results(oads)
        except Refused as refusal:
            if len(oads) == 1:
                return {}, str(refusal), self._at()
            found: dict[Oad, Data | Dar] = {}
            for oad in oads:  # Not together: one by one.
                alone, problem, _ = await self._objects([oad])
                found |= alone
            return found, problem, self._at()
        return {one.oad: one.result for one in results}, "", at

    async def _results(self, oads: Sequence[Oad]) -> tuple[Sequence[AttributeResult], datetime]:
        def make(piid: int) -> Apdu:
            if len(oads) == 1:
                return get.GetRequestNormal(piid, oads[0])
            return get.GetRequestNormalList(piid, tuple(oads))

        answer, at = await self._talk.ask_long(make, timeout_s=TIMEOUT_S)
        if isinstance(answer, get.GetResponseNormal):
            return (answer.result,), at
        if isinstance(answer, get.GetResponseNormalList):
            return answer.results, at
        if isinstance(answer, list):
            return [one for one in answer if isinstance(one, AttributeResult)], at
        raise BadAnswer(f"terminal {self._name}: {ANOTHER_SERVICE}")

    def _at(self) -> datetime:
        assert self._talk.last is not None, "a refusal is an answer"
        return self._talk.last.at

    def _check(self, answer: Apdu, codes: Sequence[str]) -> None:
        """Raise Refused unless the terminal has done it."""
        if not isinstance(answer, writing.SetResponseNormal | action.ActionResponseNormal):
            raise BadAnswer(f"terminal {self._name}: {ANOTHER_SERVICE}")
        dar = answer.result.dar
        if dar == SUCCESS:
            return
        words = f"terminal {self._name}: {', '.join(codes)} refused: {dar.words.en}"
        raise BadAnswer(words) if dar.code in RETRY else Refused(words)


Request = tuple[tuple[str, ...], "Make"]


class Make:
    """Makes the request that sets parameters, once its number is known."""

    def __init__(self, row: ObjectParameter, data: Data) -> None:
        self._row = row
        self._data = data

    def __call__(self, piid: int) -> Apdu:
        if self._row.add is not None:
            return action.ActionRequestNormal(piid, action.ActionItem(self._row.add, self._data))
        return writing.SetRequestNormal(piid, writing.SetItem(self._row.oad, self._data))


def requests_of(values: Mapping[str, Values], held: Mapping[str, Data]) -> Iterator[Request]:
    """Yield the requests that set whole values, with the codes in each. Raises InvalidValue."""
    for codes in together(values, lists_whole=False):
        made = []
        for code in codes:
            found = object_code(code)
            made.append(found.row.part.data(values[code], found.number, held.get(code)))
            _check_size(code, made[-1])
        row = object_code(codes[0]).row
        data = Data(DataType.ARRAY, tuple(made)) if row.is_list else made[0]
        yield tuple(codes), Make(row, data)


def queries(codes: Iterable[str]) -> Iterator[AskedObjects]:
    """Yield what is asked for together: some objects, or one list."""
    for part in together(codes, lists_whole=True):
        oads = dict.fromkeys(object_code(code).row.oad for code in part)
        yield AskedObjects(tuple(part), tuple(oads))


def together(codes: Iterable[str], *, lists_whole: bool) -> Iterator[list[str]]:
    """Yield codes that go into one request: to read (lists whole), or to set."""
    by_row: dict[Oad, list[str]] = {}
    single: list[str] = []
    for code in dict.fromkeys(codes):
        row = object_code(code).row
        if row.is_list:
            by_row.setdefault(row.oad, []).append(code)
        else:
            single.append(code)
    size = OBJECTS_MAX if lists_whole else 1
    for at in range(0, len(single), size):
        yield single[at : at + size]
    for listed in by_row.values():
        count = len(listed) if lists_whole else object_code(listed[0]).row.together
        for at in range(0, len(listed), count):
            yield listed[at : at + count]


def entry_of(found: ObjectCode, data: Data) -> Data | None:
    """Return the entry of a list that a code names, or the whole of what is no list."""
    if not found.row.is_list:
        return data
    if data.type is not DataType.ARRAY:
        return None
    entries: tuple[Data, ...] = data.value
    numbered = (each for each in entries if each.type is DataType.STRUCTURE and each.value)
    return next((each for each in numbered if each.value[0].value == found.number), None)


def archived_object(meter: Meter) -> dict[str, str] | None:
    """Return what the archive wants a terminal to hold of a meter in 6000.

    None for a meter that has no place in such a list: that of another protocol or of no point.
    """
    protocol = _PROTOCOLS.get(meter.protocol)
    if protocol is None or not meter.point:
        return None
    speed = LineSettings.parse(meter.line).speed
    if speed not in BAUD_RATES:
        return None
    return {
        "address": meter.address,
        "speed": str(BAUD_RATES.index(speed)),
        "protocol": str(protocol),
        "port": port_object(meter.port).text,
        "tariffs": str(meter.tariffs),
        "pt": str(meter.pt),
        "ct": str(meter.ct),
    }


def archived_code(meter: Meter) -> str:
    """Return the code of a meter's entry in 6000."""
    return f"{METERS.text}.{meter.point}"


def _check_size(code: str, data: Data) -> None:
    try:
        data.write()
    except ValueError as error:
        raise InvalidValue("value", f"{code}: {error}") from None
