"""What requests and replies carry besides an item's value, by function (digest 2.1 to 2.3).

Each entry lists the parts behind the identifier, if the function has one. Where a function has
several layouts, their lengths tell them apart. The value that a write sets stands behind its parts.
"""

from station.words import Text

from . import functions
from .formats import Digits, LocalTime, Raw, Secret, Written
from .frame import Version
from .tables import Field, Layout, Part

_LEVEL = Part("level", Digits(1), "", "password level", "密码权限")
_PASSWORD = Part("password", Secret(3), "", "password", "密码")
_OPERATOR = Part("operator", Digits(4), "", "operator code", "操作者代码")
_AUTHORITY = (_LEVEL, _PASSWORD, _OPERATOR)
_ADDRESS = Part("address", Digits(6), "", "communication address", "通信地址")
_BAUD = Part("baud", Digits(1), "", "baud word", "通信速率特征字")
_TIME = Part("time", LocalTime("YYMMDDhhmmss"), "", "time", "时间")
_NEW_LEVEL = Part("new_level", Digits(1), "", "new password level", "新密码权限")
_NEW_PASSWORD = Part("new_password", Secret(3), "", "new password", "新密码")

_CONTROL = (
    *_AUTHORITY,
    Part("command", Digits(1), "", "command", "控制命令"),
    Part("option", Digits(1), "", "option", "附加参数"),
    Part("until", LocalTime("YYMMDDhhmmss"), "", "valid until", "命令有效截止时间"),
)
_CONTROL_CIPHERED = (
    *_AUTHORITY,
    Part("cipher", Raw(16), "", "cipher", "密文"),
    Part("mac", Raw(4), "", "MAC", "MAC"),
)
_BLOCK_COUNT = Part("count", Digits(1), "", "blocks asked for", "负荷记录块数")
_BLOCK_START = Part("start", LocalTime("YYMMDDhhmm"), "", "from", "起始时间")

_REQUEST, _REPLY = False, True
_V2007, _V1997 = Version.V2007, Version.V1997

ARGUMENTS: dict[tuple[Version, int, bool], tuple[tuple[Part, ...], ...]] = {
    (_V2007, functions.SECURITY, _REQUEST): ((_OPERATOR,),),
    (_V2007, functions.BROADCAST_TIME, _REQUEST): ((_TIME,),),
    (_V2007, functions.READ, _REQUEST): ((_BLOCK_COUNT,), (_BLOCK_COUNT, _BLOCK_START)),
    (_V2007, functions.READ_FOLLOWING, _REQUEST): (
        (Part("sequence", Digits(1), "", "sequence number", "帧序号"),),
    ),
    (_V2007, functions.READ_ADDRESS, _REQUEST): (
        (Part("search", Raw(2), "", "a maker's meter search", "厂家搜表参数"),),
    ),
    (_V2007, functions.READ_ADDRESS, _REPLY): ((_ADDRESS,),),
    (_V2007, functions.WRITE, _REQUEST): (_AUTHORITY,),
    (_V2007, functions.WRITE_ADDRESS, _REQUEST): ((_ADDRESS,),),
    (_V2007, functions.FREEZE, _REQUEST): (
        (Part("moment", Written("MM-DD hh:mm"), "", "freeze at (99: every)", "冻结时间"),),
    ),
    (_V2007, functions.CHANGE_BAUD, _REQUEST): ((_BAUD,),),
    (_V2007, functions.CHANGE_BAUD, _REPLY): ((_BAUD,),),
    (_V2007, functions.CHANGE_PASSWORD, _REQUEST): (
        (_LEVEL, _PASSWORD, _NEW_LEVEL, _NEW_PASSWORD),
    ),
    (_V2007, functions.CHANGE_PASSWORD, _REPLY): ((_NEW_LEVEL, _NEW_PASSWORD),),
    (_V2007, functions.RESET_DEMAND, _REQUEST): (_AUTHORITY,),
    (_V2007, functions.CLEAR_METER, _REQUEST): (_AUTHORITY,),
    (_V2007, functions.CLEAR_EVENTS, _REQUEST): (
        (*_AUTHORITY, Part("events", Digits(4), "", "events (FF: all)", "事件数据标识")),
    ),
    (_V2007, functions.CONTROL, _REQUEST): (_CONTROL, _CONTROL_CIPHERED),
    (_V2007, functions.CONTROL, _REPLY): ((Part("result", Raw(2), "", "result", "执行结果"),),),
    (_V2007, functions.TERMINAL_OUTPUT, _REQUEST): (
        (Part("output", Digits(1), "", "signal", "输出信号"),),
    ),
    (_V1997, functions.WRITE_1997, _REQUEST): ((_LEVEL, _PASSWORD),),
    (_V1997, functions.WRITE_ADDRESS_1997, _REQUEST): ((_ADDRESS,),),
    (_V1997, functions.CHANGE_BAUD_1997, _REQUEST): ((_BAUD,),),
    (_V1997, functions.CHANGE_BAUD_1997, _REPLY): ((_BAUD,),),
    (_V1997, functions.CHANGE_PASSWORD_1997, _REQUEST): (
        (_LEVEL, _PASSWORD, _NEW_LEVEL, _NEW_PASSWORD),
    ),
}

# Functions whose request carries an item's value behind the parts.
WITH_VALUE = {
    (_V2007, functions.SECURITY),
    (_V2007, functions.WRITE),
    (_V1997, functions.WRITE_1997),
}


def _layout(parts: tuple[Part, ...]) -> Layout:
    fields = [
        Field(0, one.code, Text(one.en, one.zh), one.unit, one.format.size, one.format.decode,
              one.format.encode)
        for one in parts
    ]  # fmt: skip
    return Layout(fields, width=len(fields), is_block=False, may_be_shorter=False)


LAYOUTS = {key: tuple(map(_layout, rows)) for key, rows in ARGUMENTS.items()}
