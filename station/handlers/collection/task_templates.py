"""Tasks that most sites have, to begin with: each fills in the form of a new task."""

from dataclasses import dataclass, field
from typing import Any

from station.collector.items import ITEM_BY_CODE
from station.words import Text


@dataclass(frozen=True, slots=True)
class TaskTemplate:
    """A common task: what it is for, what it reads, and the other fields where they differ."""

    key: str
    name: Text
    purpose: Text
    items: tuple[str, ...]
    fields: dict[str, Any] = field(default_factory=dict)


_ENERGY = ("energy_import_total", "energy_import_t1", "energy_import_t2", "energy_import_t3",
           "energy_import_t4", "energy_export_total")  # fmt: skip

TEMPLATES = (
    TaskTemplate(
        "load-curve",
        Text("Load curve", "负荷曲线"),
        Text(
            "Power, voltage, current and energy every 15 minutes, for curves and line losses.",
            "每 15 分钟采集功率、电压、电流和电能，用于曲线与线损。",
        ),
        ("power_total", "voltage_a", "current_a", "power_factor_total", "energy_import_total"),
        {"period_min": 15, "backfill_days": 7},
    ),
    TaskTemplate(
        "daily-energy",
        Text("Daily energy", "日冻结电能"),
        Text(
            "The registers at midnight as the meters froze them: what bills and balances stand on.",
            "电能表零点冻结的电能示值，是结算与平衡的依据。",
        ),
        _ENERGY,
        {"period_min": 1440, "backfill_days": 30, "priority": "high"},
    ),
    TaskTemplate(
        "monthly-energy",
        Text("Monthly energy and demand", "月电能与需量"),
        Text(
            "Registers and maximum demand on the first of each month.",
            "每月 1 日的电能示值与最大需量。",
        ),
        (*_ENERGY, "demand_import"),
        {"cron": "0 0 1 * *", "backfill_days": 31, "priority": "high"},
    ),
    TaskTemplate(
        "voltage",
        Text("Voltage of three phases", "三相电压"),
        Text(
            "Voltages and currents of all phases every 15 minutes, for voltage quality.",
            "每 15 分钟采集各相电压与电流，用于电压质量分析。",
        ),
        ("voltage_a", "voltage_b", "voltage_c", "current_a", "current_b", "current_c"),
        {"period_min": 15, "backfill_days": 3},
    ),
    TaskTemplate(
        "prepaid",
        Text("Prepaid balance", "预付费余额"),
        Text(
            "What is left on prepaid meters and whether they are switched on, every hour.",
            "每小时采集预付费表的剩余金额、剩余电量与通断状态。",
        ),
        ("remaining_amount", "remaining_energy", "status_word_3"),
        {"period_min": 60},
    ),
    TaskTemplate(
        "clock",
        Text("Clock watch", "时钟巡检"),
        Text(
            "Every meter's clock once in a quiet hour; a day that was missed is not made up.",
            "每日在空闲时段读取一次电能表时钟，错过则不补。",
        ),
        ("clock",),
        {"cron": "30 3 * * *", "priority": "low", "missed": "skip"},
    ),
)  # fmt: skip
TEMPLATE_BY_KEY = {template.key: template for template in TEMPLATES}
assert all(code in ITEM_BY_CODE for template in TEMPLATES for code in template.items)
