"""LINK, CONNECT, RELEASE and ERROR (digest, sections 4 to 6)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from station.words import Text

from .axdr import U8, U16, U32, Characters, Choice, Fixed, VisibleString, Wire
from .envelope import Apdu, FollowReport, TimeTag
from .moments import DateTime, DateTimeS

# LINK-Request
LOGIN = 0
HEARTBEAT = 1
LOGOUT = 2
LINK_KINDS = {
    LOGIN: Text("login", "登录"),
    HEARTBEAT: Text("heartbeat", "心跳"),
    LOGOUT: Text("logout", "退出登录"),
}

# LINK-Response: the clock of the answering side in bit 7, the result in bits 2-0.
CLOCK_TRUSTED = 0x80
LINK_RESULT_MASK = 0x07
ACCEPTED = 0
ADDRESS_DUPLICATED = 1
ILLEGAL_DEVICE = 2
NO_CAPACITY = 3
LINK_RESULTS = {
    ACCEPTED: Text("success", "成功"),
    ADDRESS_DUPLICATED: Text("address duplicated", "地址重复"),
    ILLEGAL_DEVICE: Text("illegal device", "非法设备"),
    NO_CAPACITY: Text("no capacity", "容量不足"),
}

# CONNECT-Response; 6 is of a later edition.
CONNECT_RESULTS = {
    0: Text("allowed", "允许建立应用连接"),
    1: Text("wrong password", "密码错误"),
    2: Text("symmetric decryption failed", "对称解密错误"),
    3: Text("asymmetric decryption failed", "非对称解密错误"),
    4: Text("wrong signature", "签名错误"),
    5: Text("protocol version mismatch", "协议版本不匹配"),
    6: Text("ESAM communication failed", "ESAM通信失败"),
    255: Text("other error", "其它错误"),
}

# ERROR-Response
NOT_DECODABLE = 1
NOT_SUPPORTED = 2
OTHER_ERROR = 255
ERROR_KINDS = {
    NOT_DECODABLE: Text("APDU not decodable", "APDU无法解析"),
    NOT_SUPPORTED: Text("service not supported", "服务不支持"),
    OTHER_ERROR: Text("other error", "其它错误"),
}


@dataclass(frozen=True, slots=True)
class LinkRequest(Apdu):
    """A terminal logs in, is still there, or logs out."""

    TAG: ClassVar[bytes] = b"\x01"
    piid: U8
    kind: U8
    heartbeat_s: U16
    time: DateTime


@dataclass(frozen=True, slots=True)
class LinkResponse(Apdu):
    """The answer; `request_time` is the terminal's own stamp, and terminals check it."""

    TAG: ClassVar[bytes] = b"\x81"
    piid: U8
    result: U8
    request_time: DateTime
    received_time: DateTime
    response_time: DateTime


# How a client proves who it is.


@dataclass(frozen=True, slots=True)
class PublicAccess(Wire):
    """It does not."""


@dataclass(frozen=True, slots=True)
class PasswordAccess(Wire):
    """By a password."""

    password: VisibleString


@dataclass(frozen=True, slots=True)
class SymmetricAccess(Wire):
    """By a symmetric cipher."""

    ciphertext: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignatureAccess(Wire):
    """By a digital signature."""

    ciphertext: bytes
    signature: bytes


Mechanism = Annotated[
    PublicAccess | PasswordAccess | SymmetricAccess | SignatureAccess,
    Choice(
        "mechanism",
        {0: PublicAccess, 1: PasswordAccess, 2: SymmetricAccess, 3: SignatureAccess},
    ),
]


@dataclass(frozen=True, slots=True)
class ConnectRequest(Apdu):
    """Opens an application association; in the conformances the first bit is the highest."""

    TAG: ClassVar[bytes] = b"\x02"
    piid: U8
    version: U16
    protocol_conformance: Annotated[bytes, Fixed(8)]
    function_conformance: Annotated[bytes, Fixed(16)]
    send_size: U16
    receive_size: U16
    receive_window: U8
    apdu_size: U16
    timeout_s: U32
    mechanism: Mechanism
    time_tag: TimeTag | None = None


Ascii4 = Annotated[str, Characters("ascii", Fixed(4))]
Ascii6 = Annotated[str, Characters("ascii", Fixed(6))]
Ascii8 = Annotated[str, Characters("ascii", Fixed(8))]


@dataclass(frozen=True, slots=True)
class FactoryVersion(Wire):
    """What a maker says of a device; unused places are spaces or zero bytes."""

    maker: Ascii4
    software_version: Ascii4
    software_date: Ascii6
    hardware_version: Ascii4
    hardware_date: Ascii6
    extension: Ascii8


@dataclass(frozen=True, slots=True)
class SecurityData(Wire):
    """What a server returns to prove who it is."""

    random: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ConnectResponse(Apdu):
    """Accepts (result 0) or refuses an association."""

    TAG: ClassVar[bytes] = b"\x82"
    piid: U8
    factory: FactoryVersion
    version: U16
    protocol_conformance: Annotated[bytes, Fixed(8)]
    function_conformance: Annotated[bytes, Fixed(16)]
    send_size: U16
    receive_size: U16
    receive_window: U8
    apdu_size: U16
    timeout_s: U32
    result: U8
    security: SecurityData | None = None
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ReleaseRequest(Apdu):
    """Ends an association."""

    TAG: ClassVar[bytes] = b"\x03"
    piid: U8
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ReleaseResponse(Apdu):
    """The association has ended (result 0)."""

    TAG: ClassVar[bytes] = b"\x83"
    piid: U8
    result: U8
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ReleaseNotification(Apdu):
    """The association has run out of time."""

    TAG: ClassVar[bytes] = b"\x84"
    piid: U8
    established: DateTimeS
    now: DateTimeS
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ClientError(Apdu):
    """ERROR-Response of a client: what came could not be decoded, or is not supported."""

    TAG: ClassVar[bytes] = b"\x6e"
    piid: U8
    kind: U8
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ServerError(Apdu):
    """ERROR-Response of a server: what came could not be decoded, or is not supported."""

    TAG: ClassVar[bytes] = b"\xee"
    piid: U8
    kind: U8
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None
