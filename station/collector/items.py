"""The item catalogue: one row per quantity, with its identifier in every protocol.

A stored value is a whole number of the item's last decimal (kWh with two decimals: 1234 is
12.34 kWh). A clock is stored as seconds since 1970, a status word as its sixteen bits.
Identifiers: digest dlt645.md sections 4 to 6, 8.1, 8.3 and 10 (2007) and 12 (1997).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from station.units import UTC, from_local, scaled, unscaled
from station.words import Text

Kind = Literal["register", "instant", "demand", "clock", "bits"]


@dataclass(frozen=True, slots=True)
class Item:
    """One quantity that can be read.

    `id_2007` and `id_1997` are DL/T 645 data identifiers, None where the standard has none.
    """

    code: str
    name: Text
    unit: str
    decimals: int
    kind: Kind
    id_2007: int | None
    id_1997: int | None = None

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

        Raises ValueError if it cannot be one of this item's values.
        """
        if self.kind == "clock" and isinstance(decoded, datetime):
            return int(from_local(decoded, zone).timestamp())
        if self.kind == "bits" and isinstance(decoded, int):
            return decoded
        if isinstance(decoded, Decimal):
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
) -> Item:
    return Item(code, Text(en, zh), unit, decimals, kind, id_2007, id_1997)


ITEMS: tuple[Item, ...] = (
    _row("energy_import_total", "Forward active energy, total", "正向有功总电能", "kWh", 2, "register", 0x00010000, 0x9010),
    _row("energy_import_t1", "Forward active energy, sharp", "正向有功尖电能", "kWh", 2, "register", 0x00010100, 0x9011),
    _row("energy_import_t2", "Forward active energy, peak", "正向有功峰电能", "kWh", 2, "register", 0x00010200, 0x9012),
    _row("energy_import_t3", "Forward active energy, flat", "正向有功平电能", "kWh", 2, "register", 0x00010300, 0x9013),
    _row("energy_import_t4", "Forward active energy, valley", "正向有功谷电能", "kWh", 2, "register", 0x00010400, 0x9014),
    _row("energy_export_total", "Reverse active energy, total", "反向有功总电能", "kWh", 2, "register", 0x00020000, 0x9020),
    _row("energy_export_t1", "Reverse active energy, sharp", "反向有功尖电能", "kWh", 2, "register", 0x00020100, 0x9021),
    _row("energy_export_t2", "Reverse active energy, peak", "反向有功峰电能", "kWh", 2, "register", 0x00020200, 0x9022),
    _row("energy_export_t3", "Reverse active energy, flat", "反向有功平电能", "kWh", 2, "register", 0x00020300, 0x9023),
    _row("energy_export_t4", "Reverse active energy, valley", "反向有功谷电能", "kWh", 2, "register", 0x00020400, 0x9024),
    _row("voltage_a", "Voltage, phase A", "A相电压", "V", 1, "instant", 0x02010100, 0xB611),
    _row("voltage_b", "Voltage, phase B", "B相电压", "V", 1, "instant", 0x02010200, 0xB612),
    _row("voltage_c", "Voltage, phase C", "C相电压", "V", 1, "instant", 0x02010300, 0xB613),
    _row("current_a", "Current, phase A", "A相电流", "A", 3, "instant", 0x02020100, 0xB621),
    _row("current_b", "Current, phase B", "B相电流", "A", 3, "instant", 0x02020200, 0xB622),
    _row("current_c", "Current, phase C", "C相电流", "A", 3, "instant", 0x02020300, 0xB623),
    _row("power_total", "Active power, total", "总有功功率", "kW", 4, "instant", 0x02030000, 0xB630),
    _row("power_a", "Active power, phase A", "A相有功功率", "kW", 4, "instant", 0x02030100, 0xB631),
    _row("power_b", "Active power, phase B", "B相有功功率", "kW", 4, "instant", 0x02030200, 0xB632),
    _row("power_c", "Active power, phase C", "C相有功功率", "kW", 4, "instant", 0x02030300, 0xB633),
    _row("reactive_power_total", "Reactive power, total", "总无功功率", "kvar", 4, "instant", 0x02040000, 0xB640),
    _row("power_factor_total", "Power factor, total", "总功率因数", "", 3, "instant", 0x02060000, 0xB650),
    _row("power_factor_a", "Power factor, phase A", "A相功率因数", "", 3, "instant", 0x02060100, 0xB651),
    _row("power_factor_b", "Power factor, phase B", "B相功率因数", "", 3, "instant", 0x02060200, 0xB652),
    _row("power_factor_c", "Power factor, phase C", "C相功率因数", "", 3, "instant", 0x02060300, 0xB653),
    _row("frequency", "Frequency", "频率", "Hz", 2, "instant", 0x02800002),
    _row("demand_import", "Forward active maximum demand", "正向有功最大需量", "kW", 4, "demand", 0x01010000, 0xA010),
    _row("demand_present", "Present active demand", "当前有功需量", "kW", 4, "instant", 0x02800004),
    _row("clock", "Clock", "时钟", "", 0, "clock", 0x0400010C),
    _row("status_word_1", "Status word 1", "运行状态字1", "", 0, "bits", 0x04000501),
    _row("status_word_2", "Status word 2", "运行状态字2", "", 0, "bits", 0x04000502),
    _row("status_word_3", "Status word 3", "运行状态字3", "", 0, "bits", 0x04000503),
    _row("remaining_amount", "Remaining amount", "剩余金额", "yuan", 2, "register", 0x00900200),
    _row("remaining_energy", "Remaining energy", "剩余电量", "kWh", 2, "register", 0x00900100),
)  # fmt: skip
ITEM_BY_CODE = {item.code: item for item in ITEMS}
assert len(ITEM_BY_CODE) == len(ITEMS), "duplicate item code"
