"""The catalogue of events: a code for each kind, and its name in both languages. Pure.

A code says where its number comes from:

    1376-14         ERC 14 of Q/GDW 1376.1 (digest qgdw1376_1.md, section 14)
    645-030101      a record of DL/T 645, by the first six digits of its identifier (digest 7, 9)
    645-report-10   a bit of the active report status, 04001501
    698-3011        an event object of DL/T 698.45 (digest dlt698_45.md, section 14)

The digest has no names for the bits of the active report status. Those here are the names that two
unrelated implementations agree on; a meter counts anew each bit that is set.
"""

from collections.abc import Mapping

from station.protocols.dlt645.axes import PHASE
from station.protocols.dlt645.events import EVENTS as EVENTS_645
from station.protocols.dlt698.stores import EVENTS as EVENTS_698
from station.protocols.dlt698.stores import PHASE_EVENTS as PHASE_EVENTS_698
from station.protocols.qgdw1376.events import EVENTS as EVENTS_1376
from station.words import Text

_RECORD, _PHASE = "nn", "pp"  # Axes of identifiers: the n-th last record, the phase.

_GENERAL = (
    Text("load switch malfunction", "负荷开关误动或拒动"),
    Text("security chip error", "ESAM错误"),
    Text("internal card initialisation error", "内卡初始化错误"),
    Text("clock battery low", "时钟电池电压低"),
    Text("internal program error", "内部程序错误"),
    Text("memory fault", "存储器故障或损坏"),
    None,
    Text("clock fault", "时钟故障"),
    Text("outage-reading battery low", "停电抄表电池欠压"),
    Text("overdraft", "透支状态"),
    Text("meter cover open", "开表盖"),
    Text("terminal cover open", "开端钮盖"),
    Text("constant magnetic field", "恒定磁场干扰"),
    Text("power supply fault", "电源异常"),
    Text("tripped", "跳闸成功"),
    Text("closed", "合闸成功"),
)
_OF_A_PHASE = (
    Text("voltage loss", "失压"),
    Text("under-voltage", "欠压"),
    Text("over-voltage", "过压"),
    Text("current loss", "失流"),
    Text("over-current", "过流"),
    Text("overload", "过载"),
    Text("power reversal", "功率反向"),
    Text("phase loss", "断相"),
    Text("current break", "断流"),
)
_OF_THE_SUPPLY = (
    Text("reverse voltage sequence", "电压逆相序"),
    Text("reverse current sequence", "电流逆相序"),
    Text("voltage unbalance", "电压不平衡"),
    Text("current unbalance", "电流不平衡"),
    Text("auxiliary supply loss", "辅助电源失电"),
    Text("power-off", "掉电"),
    Text("demand overrun", "需量超限"),
    Text("power factor low", "总功率因数超下限"),
    Text("severe current unbalance", "电流严重不平衡"),
    Text("power flow reversal", "潮流反向"),
    Text("all-phase voltage loss", "全失压"),
)
_CHANGES = (
    Text("programming", "编程"),
    Text("meter clear", "电表清零"),
    Text("demand reset", "需量清零"),
    Text("event clear", "事件清零"),
    Text("clock set", "校时"),
    Text("slot table programming", "时段表编程"),
    Text("zone table programming", "时区表编程"),
    Text("weekend programming", "周休日编程"),
    Text("holiday programming", "节假日编程"),
    Text("active combination programming", "有功组合方式编程"),
    Text("reactive combination 1 programming", "无功组合方式1编程"),
    Text("reactive combination 2 programming", "无功组合方式2编程"),
    Text("settlement day programming", "结算日编程"),
    Text("tariff programming", "费率参数编程"),
    Text("ladder programming", "阶梯表编程"),
    Text("key update", "密钥更新"),
)


def _report_names() -> dict[int, Text]:
    """Return the names of the bits of the active report status; reserved ones have none."""
    bits = {bit: name for bit, name in enumerate(_GENERAL) if name is not None}
    for phase, first in (("A", 16), ("B", 32), ("C", 48)):
        for bit, name in enumerate(_OF_A_PHASE, first):
            bits[bit] = Text(f"phase {phase} {name.en}", f"{phase}相{name.zh}")
    bits.update(enumerate(_OF_THE_SUPPLY, 64))
    bits.update(enumerate(_CHANGES, 80))
    return bits


def _record_names() -> dict[str, Text]:
    """Return the names of records by the first six digits of their identifiers."""
    names: dict[str, Text] = {}
    for row in EVENTS_645:
        if not row.pattern.endswith(_RECORD):
            continue
        kind = row.pattern[: -len(_RECORD)]
        en, zh = row.en.replace("{n}", ""), row.zh.replace("{n}", "")
        if _PHASE not in kind:
            names[kind] = Text(en, zh)
            continue
        for place, label in PHASE.labels.items():
            digits = kind.replace(_PHASE, f"{place:02X}")
            names[digits] = Text(en.format(p=label.en), zh.format(p=label.zh))
    return names


REPORT_BITS = _report_names()

EVENT_NAMES: Mapping[str, Text] = {
    **{f"1376-{event.erc}": event.name for event in EVENTS_1376},
    **{f"645-{kind}": name for kind, name in _record_names().items()},
    **{f"645-report-{bit}": name for bit, name in REPORT_BITS.items()},
    **{f"698-{row.oi:04X}": row.name for row in (*PHASE_EVENTS_698, *EVENTS_698)},
    "station-clock": Text("clock found wrong", "时钟偏差超限"),
}
GROUP_NAMES = {
    "1376": Text("Q/GDW 1376.1", "Q/GDW 1376.1"),
    "645": Text("DL/T 645", "DL/T 645"),
    "698": Text("DL/T 698.45", "DL/T 698.45"),
    "station": Text("this station", "本主站"),
}


def event_name(code: str) -> Text:
    """Return what a kind of event is called; one that is in no table names itself."""
    name = EVENT_NAMES.get(code)
    if name is not None:
        return Text(name.en[0].upper() + name.en[1:], name.zh)
    return Text(f"event {code}", f"事件 {code}")


def codes_named_as(code: str) -> list[str]:
    """Return every code of the same protocol that has the name of this one, itself among them."""
    name, group = EVENT_NAMES.get(code), code.split("-")[0]
    same = [
        other
        for other, its in EVENT_NAMES.items()
        if name is not None and its.zh == name.zh and other.split("-")[0] == group
    ]
    return same or [code]
