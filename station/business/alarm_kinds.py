"""The catalogue of alarms: which events need a person, how urgently, and what to do. Pure.

A row lists the codes of `collector.event_names` that tell the same, whatever the protocol and the
phase, so that a meter with one fault has one alarm. Every code that has a name stands in exactly
one row, or in `EVENTS_ONLY`; one without a name is an event only.

    critical  people or supply are in danger, or nothing can be known any more: now
    major     money or data are being lost, or somebody may be tampering: today
    minor     something is wrong that can wait for the next visit
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from station.words import Text

Severity = Literal["critical", "major", "minor"]
SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor")  # The most urgent first.

SILENT = "silent"  # A link that was up is down, and stays down.
UNREAD = "unread"  # The link is up, and its meters do not answer.
POWER_OFF = "power_off"  # The devices said that their supply goes, or went.


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """One kind of alarm; in `codes` a `?` stands for any one character.

    `passes`: it is over when the device tells an end, and needs nobody then.
    """

    key: str
    severity: Severity
    name: Text
    advice: Text
    codes: tuple[str, ...]
    passes: bool = False


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _kind(
    key: str, severity: Severity, names: str, advice: str, codes: str, *, passes: bool = False
) -> AlarmKind:
    """Return a row; names and advice are English and Chinese with a bar between them."""
    (en, zh), (advice_en, advice_zh) = names.split(" | "), advice.split(" | ")
    return AlarmKind(key, severity, Text(en, zh), Text(advice_en, advice_zh), _codes(codes), passes)


KINDS: tuple[AlarmKind, ...] = (
    # What the station itself notices.
    _kind(
        SILENT, "major", "No connection | 通信中断",
        "Look at the history of the link: signal, SIM card, power of the terminal."
        " | 查看链路历史：信号、SIM卡、终端电源。",
        "",
    ),
    _kind(
        UNREAD, "minor", "Meter does not answer | 电能表无应答",
        "Read it by hand; then look at its wiring, its address and its module."
        " | 先手动召测；再检查接线、地址和通信模块。",
        "1376-31 698-310F",
        passes=True,
    ),
    # Supply.
    _kind(
        POWER_OFF, "major", "Power-off | 停电",
        "Ask the control room whether it is planned; send somebody if not."
        " | 向调度确认是否计划停电；如非计划，派人处理。",
        "1376-14 645-031100 645-report-69 698-3011 698-3106",
        passes=True,
    ),
    _kind(
        "all_phase_loss", "critical", "All-phase voltage loss | 全失压",
        "Current flows without voltage: check the voltage circuit on site."
        " | 有电流而无电压：现场检查电压回路。",
        "645-030500 645-report-74 698-300D",
        passes=True,
    ),
    _kind(
        "phase_loss", "major", "Phase loss | 断相",
        "Check fuses and conductors of the phase. | 检查该相熔断器和导线。",
        "645-0304?? 645-130?01 645-130?25 645-report-23 645-report-39 645-report-55 698-3003",
        passes=True,
    ),
    _kind(
        "voltage_loss", "major", "Voltage loss | 失压",
        "Energy is lost while it lasts: check the voltage circuit."
        " | 失压期间少计电量：检查电压回路。",
        "1376-10 645-0301?? 645-100?01 645-100?25 645-report-16 645-report-32 645-report-48"
        " 698-3000",
        passes=True,
    ),
    _kind(
        "current_loss", "major", "Current loss | 失流、断流",
        "Energy is lost while it lasts: check the current circuit and its links."
        " | 失流期间少计电量：检查电流回路和连接片。",
        "1376-9 1376-34 645-030B?? 645-030D?? 645-180?01 645-180?25 645-1A0?01 645-1A0?25"
        " 645-report-19 645-report-24 645-report-35 645-report-40 645-report-51 645-report-56"
        " 698-3004 698-3006",
        passes=True,
    ),
    _kind(
        "over_voltage", "major", "Voltage too high | 过压",
        "Look at the voltage of the transformer area. | 查看台区电压。",
        "1376-24 645-0303?? 645-120?01 645-120?25 645-report-18 645-report-34 645-report-50"
        " 698-3002",
        passes=True,
    ),
    _kind(
        "under_voltage", "minor", "Voltage too low | 欠压",
        "Look at the voltage and the load of the transformer area. | 查看台区电压和负荷。",
        "645-0302?? 645-110?01 645-110?25 645-report-17 645-report-33 645-report-49 698-3001",
        passes=True,
    ),
    _kind(
        "overload", "major", "Overload | 过载、过流",
        "Compare the load with what was agreed. | 与合同容量比较负荷。",
        "1376-25 1376-26 645-030C?? 645-030F?? 645-report-20 645-report-21 645-report-36"
        " 645-report-37 645-report-52 645-report-53 698-3005 698-3008",
        passes=True,
    ),
    _kind(
        "imbalance", "minor", "Imbalance | 不平衡",
        "Spread the customers over the phases. | 调整三相负荷分配。",
        "1376-17 645-030900 645-030A00 645-report-66 645-report-67 645-report-72",
        passes=True,
    ),
    _kind(
        "limits", "minor", "A limit is passed | 越限",
        "Compare the values of the event with the limits that are set."
        " | 将事件数据与所设限值比较。",
        "1376-15 1376-16 645-0312?? 645-report-70 645-report-71 698-300B",
        passes=True,
    ),
    _kind(
        "auxiliary_supply", "minor", "Auxiliary supply lost | 辅助电源失电",
        "Check the auxiliary supply of the meter. | 检查电能表辅助电源。",
        "645-030600 645-report-68",
        passes=True,
    ),
    # Wiring and tampering.
    _kind(
        "phase_order", "major", "Phase order | 相序错误",
        "Check the wiring of the meter. | 检查电能表接线。",
        "1376-11 645-030700 645-030800 645-report-64 645-report-65 698-300F",
        passes=True,
    ),
    _kind(
        "reverse_power", "major", "Power flows backwards | 功率反向",
        "Wrong wiring, or generation that is not registered. | 接线错误，或有未登记的发电。",
        "645-030E?? 645-report-22 645-report-38 645-report-54 645-report-73 698-3007",
        passes=True,
    ),
    _kind(
        "cover", "major", "Cover opened | 开盖",
        "Nobody was sent? Then look at the seals on site. | 如无工作安排，现场检查封印。",
        "645-03300D 645-03300E 645-report-10 645-report-11 698-301B 698-301C",
    ),
    _kind(
        "magnet", "major", "Magnetic field | 恒定磁场干扰",
        "Somebody may hold a magnet to the meter: look on site."
        " | 可能有人用磁铁干扰电能表：现场检查。",
        "645-033500 645-report-12 698-302A",
    ),
    _kind(
        "cleared", "critical", "Meter was cleared | 电能表清零",
        "Readings begin anew: find out who did it, and record the last values."
        " | 示值重新开始：查明操作人，登记清零前示值。",
        "645-033001 645-report-81 698-3013",
    ),
    _kind(
        "authentication", "major", "Message authentication failed | 消息认证错误",
        "Somebody may try to command the terminal: look at its address and its password."
        " | 可能有人试图控制终端：检查地址和密码。",
        "1376-20 698-3109",
    ),
    # Devices.
    _kind(
        "meter_fault", "major", "Meter fault | 电能表故障",
        "Plan to exchange the meter. | 安排换表。",
        "645-report-1 645-report-2 645-report-4 645-report-5 645-report-13 1376-13 698-310A",
    ),
    _kind(
        "switch_fault", "critical", "Load switch fault | 负荷开关故障",
        "The meter may not trip or close as ordered: look on site."
        " | 电能表可能不按命令跳合闸：现场检查。",
        "645-report-0 698-302B",
    ),
    _kind(
        "battery", "minor", "Battery low | 电池欠压",
        "Exchange the battery, or the meter, at the next visit. | 下次到现场时更换电池或电能表。",
        "645-report-3 645-report-8",
    ),
    _kind(
        "clock", "minor", "Clock is wrong | 时钟异常",
        "Check and set the clock. | 核对并校时。",
        "1376-12 645-report-7 698-302E 698-3105 station-clock",
        passes=True,
    ),
    _kind(
        "metering", "major", "Metering is doubtful | 计量异常",
        "Compare with the readings before and after; check the meter."
        " | 与前后示值比较，检查电能表。",
        "1376-22 1376-27 1376-28 1376-29 1376-30 698-310B 698-310C 698-310D 698-310E",
    ),
    _kind(
        "terminal_fault", "major", "Terminal fault | 终端故障",
        "The event tells which part; plan a visit. | 事件中有故障部件；安排现场处理。",
        "1376-2 1376-21",
    ),
    _kind(
        "capacitor", "minor", "Capacitor is locked | 电容器闭锁",
        "Check the capacitor bank. | 检查电容器组。",
        "1376-18",
    ),
    _kind(
        "unknown_meter", "minor", "Unknown meter | 发现未知电能表",
        "Enter the meter, or find out whose it is. | 建档，或查明归属。",
        "1376-35 698-3111 698-3112",
    ),
    _kind(
        "traffic", "minor", "Traffic above the limit | 通信流量超限",
        "Look at the traffic of the link. | 查看链路流量。",
        "1376-32 698-3110",
    ),
    # Control and prepayment.
    _kind(
        "tripped", "major", "Tripped by itself | 跳闸",
        "Load control, or no credit left: tell the customer."
        " | 负荷控制或余额用尽：通知用户。",
        "1376-6 1376-7",
    ),
    _kind(
        "control_warning", "minor", "Control warning | 电控告警",
        "The limit of load or credit comes near: tell the customer."
        " | 即将到达负荷或电量限值：通知用户。",
        "1376-23",
    ),
    _kind(
        "overdraft", "minor", "Overdraft | 透支",
        "Tell the customer to buy energy. | 通知用户购电。",
        "645-report-9",
    ),
)  # fmt: skip

# What somebody did on purpose, or what only says that all is well again: to be looked up, not to
# call anybody.
EVENTS_ONLY = _codes(
    "1376-1 1376-3 1376-4 1376-5 1376-8 1376-19 1376-33"
    " 645-033000 645-033002 645-033003 645-033004 645-033005 645-033006 645-0332?? 645-0333??"
    " 645-1D00?? 645-1E00?? 645-report-14 645-report-15 645-report-80"
    " 645-report-82 645-report-83 645-report-84 645-report-85 645-report-86 645-report-87"
    " 645-report-88 645-report-89 645-report-9?"
    " 698-3012 698-3014 698-3015 698-3016 698-301F 698-3020 698-3028 698-3100 698-3101"
    " 698-3104 698-3114 698-3115 698-3118 698-311C"
)

# What is more urgent when it is not one device's: a terminal's meters, an area, the whole site.
_WIDER: Mapping[tuple[str, str], Severity] = {
    (SILENT, "place"): "critical",
    (SILENT, "station"): "critical",
    (UNREAD, "link"): "major",
    (POWER_OFF, "link"): "critical",
    (POWER_OFF, "place"): "critical",
    (POWER_OFF, "station"): "critical",
}

KIND_BY_KEY: Mapping[str, AlarmKind] = {kind.key: kind for kind in KINDS}
assert len(KIND_BY_KEY) == len(KINDS), "a kind of alarm stands twice"


def matches(pattern: str, code: str) -> bool:
    """Tell whether a code is one of those that a pattern stands for."""
    return re.fullmatch(re.escape(pattern).replace(r"\?", "."), code) is not None


@lru_cache(maxsize=1024)  # A few hundred codes exist.
def kind_of(code: str) -> AlarmKind | None:
    """Return the kind of alarm that an event raises; None for one that is an event only."""
    return next(
        (kind for kind in KINDS if any(matches(pattern, code) for pattern in kind.codes)), None
    )


def severity_of(kind: str, scope: str) -> Severity:
    """Return how urgent a kind of alarm is for a `meter`, a `link`, a `place` or the `station`."""
    return _WIDER.get((kind, scope), KIND_BY_KEY[kind].severity)


def at_least(severity: str, least: str) -> bool:
    """Tell whether a severity is as urgent as another, or more."""
    order: tuple[str, ...] = SEVERITIES
    return order.index(severity) <= order.index(least)
