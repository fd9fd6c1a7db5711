"""Why a meter refuses: the bits of the error words (digest 2.4). Bits combine."""

from station.words import Text

from . import functions
from .frame import Frame, Version

# The word of one byte in D1H, D4H and so on; the place in the row is the bit.
ERROR_BITS_2007 = (
    Text("other error", "其他错误"),
    Text("no requested data", "无请求数据"),
    Text("wrong password or not authorised", "密码错或未授权"),
    Text("baud rate cannot be changed", "通信速率不能更改"),
    Text("too many year time zones", "年时区数超"),
    Text("too many day slots", "日时段数超"),
    Text("too many tariffs", "费率数超"),
    Text("reserved bit 7", "保留位7"),
)

# Sources differ on bits 0 and 1; the second reading stands in brackets.
ERROR_BITS_1997 = (
    Text("other error (illegal data)", "其他错误(非法数据)"),
    Text("no requested data (wrong identifier)", "无请求数据(数据标识错)"),
    Text("wrong password", "密码错"),
    Text("reserved bit 3 (baud rate cannot be changed)", "保留位3(通信速率不能更改)"),
    *ERROR_BITS_2007[4:],
)

# The word of two bytes in C3H (one source).
SECURITY_ERROR_BITS = (
    Text("other error", "其他错误"),
    Text("repeated top-up", "重复充值"),
    Text("chip verification failed", "ESAM验证失败"),
    Text("identity authentication failed", "身份认证失败"),
    Text("customer number does not match", "客户编号不匹配"),
    Text("wrong purchase count", "充值次数错误"),
    Text("amount above the hoarding limit", "购电超囤积"),
)

_WORD_SIZE_MAX = 4  # The standard's have one byte or two; nothing longer can be one.


def error_words(version: Version, frame: Frame) -> tuple[Text, ...]:
    """Return the set bits of a refusal in words, lowest first; none unless it is a refusal."""
    if not frame.is_error or len(frame.data) > _WORD_SIZE_MAX:
        return ()
    word = int.from_bytes(frame.data, "little")
    table = _table(version, frame)
    bits = [bit for bit in range(8 * len(frame.data)) if word >> bit & 1]
    return tuple(table[bit] if bit < len(table) else _unnamed(bit) for bit in bits)


def _table(version: Version, frame: Frame) -> tuple[Text, ...]:
    if len(frame.data) == 1:
        return ERROR_BITS_2007 if version is Version.V2007 else ERROR_BITS_1997
    is_security = version is Version.V2007 and frame.function == functions.SECURITY
    return SECURITY_ERROR_BITS if is_security else ()


def _unnamed(bit: int) -> Text:
    return Text(f"error bit {bit}", f"错误位{bit}")
