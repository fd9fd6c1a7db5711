"""DAR, the result of every access, in words (digest, section 13)."""

from dataclasses import dataclass

from station.words import Text

from .axdr import U8, Wire

OTHER = 255

WORDS = {
    0: Text("success", "成功"),
    1: Text("hardware fault", "硬件失效"),
    2: Text("temporary failure", "暂时失效"),
    3: Text("read or write denied", "拒绝读写"),
    4: Text("object undefined", "对象未定义"),
    5: Text("interface class mismatch", "对象接口类不符合"),
    6: Text("object does not exist", "对象不存在"),
    7: Text("type mismatch", "类型不匹配"),
    8: Text("out of range", "越界"),
    9: Text("data block unavailable", "数据块不可用"),
    10: Text("split transfer cancelled", "分帧传输已取消"),
    11: Text("not in split transfer", "不处于分帧传输状态"),
    12: Text("block write cancelled", "块写取消"),
    13: Text("no block write", "不存在块写状态"),
    14: Text("bad block number", "数据块序号无效"),
    15: Text("wrong password or not authorised", "密码错或未授权"),
    16: Text("communication rate cannot change", "通信速率不能更改"),
    17: Text("too many year zones", "年时区数超"),
    18: Text("too many day periods", "日时段数超"),
    19: Text("too many tariffs", "费率数超"),
    20: Text("security authentication mismatch", "安全认证不匹配"),
    21: Text("repeated top-up", "重复充值"),
    22: Text("ESAM verification failed", "ESAM验证失败"),
    23: Text("security authentication failed", "安全认证失败"),
    24: Text("customer number mismatch", "客户编号不匹配"),
    25: Text("wrong top-up count", "充值次数错误"),
    26: Text("purchase above the hoarding limit", "购电超囤积"),
    27: Text("address abnormal", "地址异常"),
    28: Text("symmetric decryption failed", "对称解密错误"),
    29: Text("asymmetric decryption failed", "非对称解密错误"),
    30: Text("wrong signature", "签名错误"),
    31: Text("meter suspended", "电能表挂起"),
    32: Text("time tag invalid", "时间标签无效"),
    33: Text("request timed out", "请求超时"),
    34: Text("wrong P1 or P2 of the ESAM", "ESAM的P1P2不正确"),
    35: Text("wrong LC of the ESAM", "ESAM的LC错误"),
    36: Text("comparison failed", "比对失败"),
    OTHER: Text("other error", "其它错误"),
}

RETRY = frozenset((1, 2, 33))  # Asking again may help; with any other it does not.


@dataclass(frozen=True, slots=True)
class Dar(Wire):
    """Data access result; 0 is success."""

    code: U8

    @property
    def words(self) -> Text:
        """Return the result in words."""
        words = WORDS.get(self.code)
        return words or Text(f"unknown error {self.code}", f"未知错误{self.code}")


SUCCESS = Dar(0)
