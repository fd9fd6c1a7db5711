"""Identifiers of 2007, class 07: what the security chip is told and answers over 03H (digest 9).

Requests and replies of one identifier differ, so each has its table: `encode_request` and
`decode_request` are for requests, replies are among the items of 2007. Behind the identifier a
request has the operator code and then the parts below. Ciphers, random numbers, keys and MACs are
bytes that only the utility's key machine and the chip understand.
"""

from collections.abc import Sequence

from .formats import ALL_THAT_IS_LEFT, Bcd, Binary, Content, Digits, Raw
from .tables import Part, Row, Table
from .values import ItemValue, decode_as, encode_as

_AMOUNT = Part("amount", Binary(4, decimals=2), "yuan", "amount", "购电金额")
_COUNT = Part("count", Binary(4), "", "purchase count", "购电次数")
_CUSTOMER = Part("customer", Digits(6), "", "customer number", "客户编号")


def _raw(code: str, size: int, en: str, zh: str) -> Part:
    return Part(code, Raw(size), "", en, zh)


_MAC = _raw("mac", 4, "MAC", "MAC")
_MAC_2 = _raw("mac_2", 4, "second MAC", "MAC2")
_KEY_INFO = _raw("key_info", 4, "key information", "密钥信息")
_REMAINING = _raw("remaining", 4, "remaining amount", "剩余金额")
_PURCHASES = _raw("purchases", 4, "purchase count", "购电次数")
_PLACE = (
    _raw("length", 2, "length", "数据长度"),
    _raw("start", 2, "start", "起始地址"),
    _raw("file", 2, "file", "文件标识"),
    _raw("directory", 2, "directory", "目录标识"),
)
_SALE = (_AMOUNT, _COUNT, _MAC, _CUSTOMER, _MAC_2)
_REST = Part("rest", Raw(), "", "content", "数据")

# Identifiers, code, English, Chinese, the request's parts, the reply's parts.
_FUNCTIONS = (
    (("070000FF",), "authentication", "Identity authentication", "身份认证",
     (_raw("cipher", 8, "cipher", "密文1"), _raw("random", 8, "random number", "随机数1"),
      _raw("factor", 8, "dispersion factor", "分散因子")),
     (_raw("random", 4, "random number", "随机数2"),
      _raw("serial", 8, "chip serial", "ESAM序列号"))),
    (("070001FF",), "authentication_lifetime", "Authentication lifetime", "身份认证时效设置",
     (Part("minutes", Bcd("XXXX"), "min", "lifetime", "时效"), _MAC), ()),
    (("070002FF", "07000201"), "authentication_end", "End of authentication", "身份认证失效",
     (), (_CUSTOMER, _REMAINING, _PURCHASES, _KEY_INFO)),
    (("070101FF",), "open_account", "Open account", "开户", _SALE, ()),
    (("070102FF",), "top_up", "Top up", "充值", _SALE, ()),
    (("070103FF",), "wallet_initialisation", "Wallet initialisation", "钱包初始化",
     (_AMOUNT, _COUNT, _raw("macs", 8, "MACs", "MAC")), ()),
    (("070201FF",), "key_update_control", "Update of the control key", "控制命令密钥更新",
     (_KEY_INFO, _MAC, _raw("key", 32, "key", "密钥")), ()),
    (("070202FF",), "key_update_parameter", "Update of the parameter key", "参数密钥更新",
     (_KEY_INFO, _MAC, _raw("key", 32, "key", "密钥")), ()),
    (("070203FF",), "key_update_identity", "Update of the identity key", "身份认证密钥更新",
     (_KEY_INFO, _MAC, _raw("key", 32, "key", "密钥")), ()),
    (("070204FF",), "key_update_master", "Update of the master key", "主控密钥更新",
     (_KEY_INFO, _MAC, _raw("key", 32, "key", "密钥")), ()),
    (("070301FF",), "key_update", "Key update", "密钥更新", (_REST,), (_REST,)),
    (("070003FF",), "infrared_authentication", "Infrared authentication", "红外认证",
     (_REST,), (_REST,)),
    (("078003FF",), "infrared_query", "Infrared authentication query", "红外认证查询",
     (_REST,), (_REST,)),
    (("078001FF",), "chip_read", "Read back from the chip", "数据回抄",
     _PLACE, (*_PLACE, _raw("data", ALL_THAT_IS_LEFT, "data", "数据"), _MAC)),
    (("078102FF", "07810201"), "chip_state", "Query of the chip's state", "状态查询",
     (), (_REMAINING, _MAC, _PURCHASES, _MAC_2, _CUSTOMER, _KEY_INFO)),
)  # fmt: skip

_REQUESTS = Table(
    [
        Row(pattern, code, en, zh, parts)
        for patterns, code, en, zh, parts, _ in _FUNCTIONS
        for pattern in patterns
    ],
    (),
    digits=8,
)
SECURITY_REPLIES = tuple(
    Row(pattern, code, en, zh, parts)
    for patterns, code, en, zh, _, parts in _FUNCTIONS
    for pattern in patterns
)


def encode_request(data_id: int, values: Sequence[Content]) -> bytes:
    """Return what `requests.security` sends behind the operator code.

    Raises ValueError if the identifier is unknown, takes another number of values, or one does not
    fit.
    """
    return encode_as(_REQUESTS.find(data_id), f"{data_id:08X}", values)


def decode_request(data_id: int, body: bytes) -> list[ItemValue]:
    """Return the values that a request has behind the operator code."""
    return decode_as(_REQUESTS.find(data_id), data_id, body)
