"""The control codes of both versions, and what each one's data begins with (digest 2.1, 2.2).

The codes of the versions differ in all but 03H and 08H, so a frame tells its version by its
function. Codes in no table belong to makers: a capture may hold them, nothing here sends them.
"""

from dataclasses import dataclass

from station.words import Text

from .frame import ERROR, FROM_METER, FUNCTION, MORE, Frame, Version


@dataclass(frozen=True, slots=True)
class Function:
    """One function; `request_id`, `reply_id`: bytes of identifier that begin the data."""

    code: int
    name: Text
    request_id: int = 0
    reply_id: int = 0


SECURITY = 0x03
BROADCAST_TIME = 0x08
READ = 0x11
READ_FOLLOWING = 0x12
READ_ADDRESS = 0x13
WRITE = 0x14
WRITE_ADDRESS = 0x15
FREEZE = 0x16
CHANGE_BAUD = 0x17
CHANGE_PASSWORD = 0x18
RESET_DEMAND = 0x19
CLEAR_METER = 0x1A
CLEAR_EVENTS = 0x1B
CONTROL = 0x1C
TERMINAL_OUTPUT = 0x1D

READ_1997 = 0x01
READ_FOLLOWING_1997 = 0x02
READ_AGAIN_1997 = 0x03
WRITE_1997 = 0x04
WRITE_ADDRESS_1997 = 0x0A
CHANGE_BAUD_1997 = 0x0C
CHANGE_PASSWORD_1997 = 0x0F
RESET_DEMAND_1997 = 0x10

FUNCTIONS_2007 = (
    Function(SECURITY, Text("security authentication", "安全认证"), 4, 4),
    Function(BROADCAST_TIME, Text("broadcast time", "广播校时")),
    Function(READ, Text("read data", "读数据"), 4, 4),
    Function(READ_FOLLOWING, Text("read following data", "读后续数据"), 4, 4),
    Function(READ_ADDRESS, Text("read address", "读通信地址")),
    Function(WRITE, Text("write data", "写数据"), 4),
    Function(WRITE_ADDRESS, Text("write address", "写通信地址")),
    Function(FREEZE, Text("freeze", "冻结命令")),
    Function(CHANGE_BAUD, Text("change baud rate", "更改通信速率")),
    Function(CHANGE_PASSWORD, Text("change password", "修改密码"), 4),
    Function(RESET_DEMAND, Text("reset maximum demand", "最大需量清零")),
    Function(CLEAR_METER, Text("clear meter", "电表清零")),
    Function(CLEAR_EVENTS, Text("clear events", "事件清零")),
    Function(CONTROL, Text("control", "跳合闸、报警、保电")),
    Function(TERMINAL_OUTPUT, Text("multi-function terminal output", "多功能端子输出控制")),
)

# That a reply to 03H begins with the identifier is not confirmed by a capture (digest 2.2).
FUNCTIONS_1997 = (
    Function(READ_1997, Text("read data", "读数据"), 2, 2),
    Function(READ_FOLLOWING_1997, Text("read following data", "读后续数据"), 2, 2),
    Function(READ_AGAIN_1997, Text("read last data again", "重读数据"), 0, 2),
    Function(WRITE_1997, Text("write data", "写数据"), 2),
    Function(BROADCAST_TIME, Text("broadcast time", "广播校时")),
    Function(WRITE_ADDRESS_1997, Text("write address", "写设备地址")),
    Function(CHANGE_BAUD_1997, Text("change baud rate", "更改通信速率")),
    Function(CHANGE_PASSWORD_1997, Text("change password", "修改密码")),
    Function(RESET_DEMAND_1997, Text("reset maximum demand", "最大需量清零")),
)

_BY_CODE = {
    Version.V2007: {function.code: function for function in FUNCTIONS_2007},
    Version.V1997: {function.code: function for function in FUNCTIONS_1997},
}
_ONLY_1997 = frozenset(_BY_CODE[Version.V1997]) - frozenset(_BY_CODE[Version.V2007])
_SECURITY_CLASS = 0x07  # The top byte of every identifier of a 2007 security function.


def version_of(frame: Frame) -> Version:
    """Return the version whose function the frame carries; 2007 where both have it alike."""
    function = frame.control & FUNCTION
    if function in _ONLY_1997 or (function == SECURITY and not _is_security(frame)):
        return Version.V1997
    return Version.V2007


def _is_security(frame: Frame) -> bool:
    """Tell 03H of 2007 from 03H of 1997, which asks with no data and refuses with one byte."""
    if frame.is_error:
        return len(frame.data) == 2
    return len(frame.data) >= 4 and frame.data[3] == _SECURITY_CLASS


def find_function(version: Version, code: int) -> Function | None:
    """Return the function of a code, or None for a maker's own."""
    return _BY_CODE[version].get(code)


def _identifier_sizes() -> dict[int, int]:
    """Return the size of the identifier for each control code that has one, but for 03H."""
    return {
        control: size
        for function in (*FUNCTIONS_1997, *FUNCTIONS_2007)
        if function.code != SECURITY
        for control, size in (
            (function.code, function.request_id),
            (function.code | FROM_METER, function.reply_id),
            (function.code | FROM_METER | MORE, function.reply_id),
        )
        if size
    }


_IDENTIFIER_SIZES = _identifier_sizes()


def identifier_size(frame: Frame) -> int:
    """Return how many bytes of identifier the data field begins with: 4, 2 or 0."""
    size = _IDENTIFIER_SIZES.get(frame.control, 0)
    if frame.control & (FUNCTION | ERROR) == SECURITY:
        is_2007 = version_of(frame) is Version.V2007
        size = 4 if is_2007 else 2 if frame.from_meter else 0
    return size if len(frame.data) >= size else 0


def data_id_of(frame: Frame) -> int | None:
    """Return the data identifier that the data field begins with, or None if there is none."""
    size = identifier_size(frame)
    return int.from_bytes(frame.data[:size], "little") if size else None
