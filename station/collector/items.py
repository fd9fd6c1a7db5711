"""The item catalogue: one row per quantity, with its identifier in every protocol.

A stored value is a whole number of the item's last decimal (kWh with two decimals: 1234 is
12.34 kWh). A clock is stored as seconds since 1970, a status word as its sixteen bits.
Identifiers: digest dlt645.md sections 4 to 6, 8.1, 8.3 and 10 (2007) and 12 (1997);
dlt698_45.md section 14; qgdw1376_1.md sections 12 and 13.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from station.protocols.dlt645 import Version
from station.units import UTC, from_local, scaled, unscaled
from station.words import Text

Kind = Literal["register", "instant", "demand", "clock", "bits"]

DLT698 = "dlt698.45"  # A meter's protocol; those of DL/T 645 are the values of `Version`.


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in a data unit of Q/GDW 1376.1.

    `key` and `index` find it in the unit's values, `inner` in an entry that has several. `exponent`
    is the power of ten between the unit of the wire and the item's (a power factor in percent).
    """

    fn: int
    key: str
    index: int | None = None
    inner: str = ""
    exponent: int = 0


@dataclass(frozen=True, slots=True)
class Places:
    """Where a terminal keeps an item of its meters, best first.

    `now` is in class 1 (AFN0C), what the terminal last read; `day` in the daily freezes and `curve`
    in the curves of class 2 (AFN0D).
    """

    now: tuple[Place, ...] = ()
    day: tuple[Place, ...] = ()
    curve: tuple[Place, ...] = ()


NOWHERE = Places()


@dataclass(frozen=True, slots=True)
class Item:
    """One quantity that can be read.

    `id_2007` and `id_1997` are DL/T 645 data identifiers, `id_698` is the OAD of DL/T 698.45 as hex
    digits, all None where the standard has none. `fn_1376` says where a terminal of
    Q/GDW 1376.1 keeps it.
    """

    code: str
    name: Text
    unit: str
    decimals: int
    kind: Kind
    id_2007: int | None
    id_1997: int | None = None
    id_698: str | None = None
    fn_1376: Places = NOWHERE

    def to_text(self, value: int | None, zone: ZoneInfo) -> str | None:
        """Return a stored value as people write it: a decimal, a local time, or hex bits."""
        if value is None:
            return None
        if self.kind == "clock":
            return datetime.fromtimestamp(value, UTC).astimezone(zone).isoformat(sep=" ")[:19]
        if self.kind == "bits":
            return f"{value:04X}"
        return str(unscaled(value, self.decimals))

    def to_value(self, decoded: object, zone: ZoneInfo) -> int:
        """Return what a protocol decoded as the whole number that is stored.

        A terminal keeps more decimals of a register than the meter shows; they are cut off, as the
        meter does. Raises ValueError if it cannot be one of this item's values.
        """
        if self.kind == "clock" and isinstance(decoded, datetime):
            return int(from_local(decoded, zone).timestamp())
        if self.kind == "bits" and isinstance(decoded, int):
            return decoded
        if isinstance(decoded, Decimal):
            if self.kind == "register":
                decoded = decoded.quantize(Decimal(1).scaleb(-self.decimals), ROUND_DOWN)
            return scaled(decoded, self.decimals)
        raise ValueError(f"{decoded!r} is no value of {self.code}")


def _row(
    code: str,
    en: str,
    zh: str,
    unit: str,
    decimals: int,
    kind: Kind,
    id_2007: int | None,
    id_1997: int | None = None,
    id_698: str | None = None,
    fn_1376: Places = NOWHERE,
) -> Item:
    return Item(code, Text(en, zh), unit, decimals, kind, id_2007, id_1997, id_698, fn_1376)


def _energy(now: int, day: int, four: int, key: str, curve: int) -> Callable[[int], Places]:
    """Return the places of an energy by tariff, 0 being the total, which alone has a curve.

    `now` and `day` are the Fn of that energy alone; `four` and 1 or 2 hold four energies each.
    """

    def places(tariff: int) -> Places:
        return Places(
            (Place(now, "energy", tariff), Place(four, key, tariff)),
            (Place(day, "energy", tariff), Place(four - 32, key, tariff)),
            () if tariff else (Place(curve, "energy"),),
        )

    return places


_IMPORT = _energy(129, 161, 33, "active_forward", 101)
_EXPORT = _energy(131, 163, 34, "active_reverse", 103)


def _instant(key: str, index: int, curve: int, exponent: int = 0) -> Places:
    """Return the places of a quantity that F25 holds with others and a curve by itself."""
    curves = (Place(curve, key, exponent=exponent),)
    return Places((Place(25, key, index, exponent=exponent),), (), curves)


_DEMAND = Places(
    (Place(145, "demands", 0, "demand"), Place(35, "active_demand", 0)),
    (Place(185, "demands", 0, "demand"), Place(3, "active_demand", 0)),
)
_PERCENT = -2


ITEMS: tuple[Item, ...] = (
    _row("energy_import_total", "Forward active energy, total", "正向有功总电能", "kWh", 2, "register", 0x00010000, 0x9010, "00100201", _IMPORT(0)),
    _row("energy_import_t1", "Forward active energy, sharp", "正向有功尖电能", "kWh", 2, "register", 0x00010100, 0x9011, "00100202", _IMPORT(1)),
    _row("energy_import_t2", "Forward active energy, peak", "正向有功峰电能", "kWh", 2, "register", 0x00010200, 0x9012, "00100203", _IMPORT(2)),
    _row("energy_import_t3", "Forward active energy, flat", "正向有功平电能", "kWh", 2, "register", 0x00010300, 0x9013, "00100204", _IMPORT(3)),
    _row("energy_import_t4", "Forward active energy, valley", "正向有功谷电能", "kWh", 2, "register", 0x00010400, 0x9014, "00100205", _IMPORT(4)),
    _row("energy_export_total", "Reverse active energy, total", "反向有功总电能", "kWh", 2, "register", 0x00020000, 0x9020, "00200201", _EXPORT(0)),
    _row("energy_export_t1", "Reverse active energy, sharp", "反向有功尖电能", "kWh", 2, "register", 0x00020100, 0x9021, "00200202", _EXPORT(1)),
    _row("energy_export_t2", "Reverse active energy, peak", "反向有功峰电能", "kWh", 2, "register", 0x00020200, 0x9022, "00200203", _EXPORT(2)),
    _row("energy_export_t3", "Reverse active energy, flat", "反向有功平电能", "kWh", 2, "register", 0x00020300, 0x9023, "00200204", _EXPORT(3)),
    _row("energy_export_t4", "Reverse active energy, valley", "反向有功谷电能", "kWh", 2, "register", 0x00020400, 0x9024, "00200205", _EXPORT(4)),
    _row("voltage_a", "Voltage, phase A", "A相电压", "V", 1, "instant", 0x02010100, 0xB611, "20000201", _instant("voltage", 0, 89)),
    _row("voltage_b", "Voltage, phase B", "B相电压", "V", 1, "instant", 0x02010200, 0xB612, "20000202", _instant("voltage", 1, 90)),
    _row("voltage_c", "Voltage, phase C", "C相电压", "V", 1, "instant", 0x02010300, 0xB613, "20000203", _instant("voltage", 2, 91)),
    _row("current_a", "Current, phase A", "A相电流", "A", 3, "instant", 0x02020100, 0xB621, "20010201", _instant("current", 0, 92)),
    _row("current_b", "Current, phase B", "B相电流", "A", 3, "instant", 0x02020200, 0xB622, "20010202", _instant("current", 1, 93)),
    _row("current_c", "Current, phase C", "C相电流", "A", 3, "instant", 0x02020300, 0xB623, "20010203", _instant("current", 2, 94)),
    _row("power_total", "Active power, total", "总有功功率", "kW", 4, "instant", 0x02030000, 0xB630, "20040201", _instant("power", 0, 81)),
    _row("power_a", "Active power, phase A", "A相有功功率", "kW", 4, "instant", 0x02030100, 0xB631, "20040202", _instant("power", 1, 82)),
    _row("power_b", "Active power, phase B", "B相有功功率", "kW", 4, "instant", 0x02030200, 0xB632, "20040203", _instant("power", 2, 83)),
    _row("power_c", "Active power, phase C", "C相有功功率", "kW", 4, "instant", 0x02030300, 0xB633, "20040204", _instant("power", 3, 84)),
    _row("reactive_power_total", "Reactive power, total", "总无功功率", "kvar", 4, "instant", 0x02040000, 0xB640, "20050201", _instant("reactive_power", 0, 85)),
    _row("power_factor_total", "Power factor, total", "总功率因数", "", 3, "instant", 0x02060000, 0xB650, "200A0201", _instant("power_factor", 0, 105, _PERCENT)),
    _row("power_factor_a", "Power factor, phase A", "A相功率因数", "", 3, "instant", 0x02060100, 0xB651, "200A0202", _instant("power_factor", 1, 106, _PERCENT)),
    _row("power_factor_b", "Power factor, phase B", "B相功率因数", "", 3, "instant", 0x02060200, 0xB652, "200A0203", _instant("power_factor", 2, 107, _PERCENT)),
    _row("power_factor_c", "Power factor, phase C", "C相功率因数", "", 3, "instant", 0x02060300, 0xB653, "200A0204", _instant("power_factor", 3, 108, _PERCENT)),
    _row("frequency", "Frequency", "频率", "Hz", 2, "instant", 0x02800002, None, "200F0200"),
    _row("demand_import", "Forward active maximum demand", "正向有功最大需量", "kW", 4, "demand", 0x01010000, 0xA010, "10100201", _DEMAND),
    _row("demand_present", "Present active demand", "当前有功需量", "kW", 4, "instant", 0x02800004, None, "20170200"),
    _row("clock", "Clock", "时钟", "", 0, "clock", 0x0400010C, None, "40000200", Places((Place(27, "clock"),))),
    _row("status_word_1", "Status word 1", "运行状态字1", "", 0, "bits", 0x04000501, None, "20140201", Places((Place(28, "status", 0),))),
    _row("status_word_2", "Status word 2", "运行状态字2", "", 0, "bits", 0x04000502, None, "20140202", Places((Place(28, "status", 1),))),
    _row("status_word_3", "Status word 3", "运行状态字3", "", 0, "bits", 0x04000503, None, "20140203", Places((Place(28, "status", 2),))),
    _row("remaining_amount", "Remaining amount", "剩余金额", "yuan", 2, "register", 0x00900200, None, "202C0200", Places((Place(167, "money_left"),))),
    _row("remaining_energy", "Remaining energy", "剩余电量", "kWh", 2, "register", 0x00900100, fn_1376=Places((Place(167, "energy_left"),))),
)  # fmt: skip
ITEM_BY_CODE = {item.code: item for item in ITEMS}
assert len(ITEM_BY_CODE) == len(ITEMS), "duplicate item code"


def has_item(protocol: str, item: Item) -> bool:
    """Tell whether a meter of this protocol knows the item at all."""
    if protocol == DLT698:
        return item.id_698 is not None
    if protocol == Version.V1997.value:
        return item.id_1997 is not None or item.kind == "clock"
    return item.id_2007 is not None
