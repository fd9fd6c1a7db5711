"""Every APDU by its tag (digest, section 4)."""

from dataclasses import dataclass

from station.protocols.faults import FrameError
from station.words import Text

from . import action, association, get, proxy, report, security
from . import set as setting
from .envelope import Apdu


@dataclass(frozen=True, slots=True)
class Service:
    """A tag, the name of its APDU, and its choices by name; one APDU without choice has none."""

    tag: int
    name: str
    name_zh: str
    choices: dict[str, type[Apdu]]

    @property
    def text(self) -> Text:
        """Return the name in both languages."""
        return Text(self.name, self.name_zh)


SERVICES = (
    Service(0x01, "LINK-Request", "预连接请求", {"": association.LinkRequest}),
    Service(0x02, "CONNECT-Request", "建立应用连接请求", {"": association.ConnectRequest}),
    Service(0x03, "RELEASE-Request", "断开应用连接请求", {"": association.ReleaseRequest}),
    Service(
        0x05,
        "GET-Request",
        "读取请求",
        {
            "Normal": get.GetRequestNormal,
            "NormalList": get.GetRequestNormalList,
            "Record": get.GetRequestRecord,
            "RecordList": get.GetRequestRecordList,
            "Next": get.GetRequestNext,
            "MD5": get.GetRequestMd5,
        },
    ),
    Service(
        0x06,
        "SET-Request",
        "设置请求",
        {
            "Normal": setting.SetRequestNormal,
            "NormalList": setting.SetRequestNormalList,
            "ThenGetNormalList": setting.SetThenGetRequestNormalList,
        },
    ),
    Service(
        0x07,
        "ACTION-Request",
        "操作请求",
        {
            "Normal": action.ActionRequestNormal,
            "NormalList": action.ActionRequestNormalList,
            "ThenGetNormalList": action.ActionThenGetRequestNormalList,
        },
    ),
    Service(
        0x08,
        "REPORT-Response",
        "上报应答",
        {
            "List": report.ReportResponseList,
            "RecordList": report.ReportResponseRecordList,
            "TransData": report.ReportResponseTransData,
        },
    ),
    Service(
        0x09,
        "PROXY-Request",
        "代理请求",
        {
            "GetList": proxy.ProxyRequestGetList,
            "GetRecord": proxy.ProxyRequestGetRecord,
            "SetList": proxy.ProxyRequestSetList,
            "SetThenGetList": proxy.ProxyRequestSetThenGetList,
            "ActionList": proxy.ProxyRequestActionList,
            "ActionThenGetList": proxy.ProxyRequestActionThenGetList,
            "TransCommand": proxy.ProxyRequestTransCommand,
        },
    ),
    Service(0x10, "SECURITY-Request", "安全请求", {"": security.SecurityRequest}),
    Service(0x6E, "ERROR-Response", "异常应答", {"": association.ClientError}),
    Service(0x81, "LINK-Response", "预连接应答", {"": association.LinkResponse}),
    Service(0x82, "CONNECT-Response", "建立应用连接应答", {"": association.ConnectResponse}),
    Service(0x83, "RELEASE-Response", "断开应用连接应答", {"": association.ReleaseResponse}),
    Service(
        0x84, "RELEASE-Notification", "断开应用连接通知", {"": association.ReleaseNotification}
    ),
    Service(
        0x85,
        "GET-Response",
        "读取应答",
        {
            "Normal": get.GetResponseNormal,
            "NormalList": get.GetResponseNormalList,
            "Record": get.GetResponseRecord,
            "RecordList": get.GetResponseRecordList,
            "Next": get.GetResponseNext,
            "MD5": get.GetResponseMd5,
        },
    ),
    Service(
        0x86,
        "SET-Response",
        "设置应答",
        {
            "Normal": setting.SetResponseNormal,
            "NormalList": setting.SetResponseNormalList,
            "ThenGetNormalList": setting.SetThenGetResponseNormalList,
        },
    ),
    Service(
        0x87,
        "ACTION-Response",
        "操作应答",
        {
            "Normal": action.ActionResponseNormal,
            "NormalList": action.ActionResponseNormalList,
            "ThenGetNormalList": action.ActionThenGetResponseNormalList,
        },
    ),
    Service(
        0x88,
        "REPORT-Notification",
        "上报通知",
        {
            "List": report.ReportNotificationList,
            "RecordList": report.ReportNotificationRecordList,
            "TransData": report.ReportNotificationTransData,
        },
    ),
    Service(
        0x89,
        "PROXY-Response",
        "代理应答",
        {
            "GetList": proxy.ProxyResponseGetList,
            "GetRecord": proxy.ProxyResponseGetRecord,
            "SetList": proxy.ProxyResponseSetList,
            "SetThenGetList": proxy.ProxyResponseSetThenGetList,
            "ActionList": proxy.ProxyResponseActionList,
            "ActionThenGetList": proxy.ProxyResponseActionThenGetList,
            "TransCommand": proxy.ProxyResponseTransCommand,
        },
    ),
    Service(0x90, "SECURITY-Response", "安全应答", {"": security.SecurityResponse}),
    Service(0xEE, "ERROR-Response", "异常应答", {"": association.ServerError}),
)

# Met in the field, not in the edition of 2017: to be refused, with the link kept (section 15).
LATER_SERVICES = {
    0x45: Text("compact GET-Request", "紧凑读取请求"),
    0x46: Text("compact SET-Request", "紧凑设置请求"),
    0x49: Text("compact PROXY-Request", "紧凑代理请求"),
    0xC5: Text("compact GET-Response", "紧凑读取应答"),
    0xC6: Text("compact SET-Response", "紧凑设置应答"),
    0xC9: Text("compact PROXY-Response", "紧凑代理应答"),
}

SERVICE_BY_TAG = {service.tag: service for service in SERVICES}
_CLASSES = {
    apdu_class.TAG: (apdu_class, choice)
    for service in SERVICES
    for choice, apdu_class in service.choices.items()
}
_WRAPPERS = (security.SecurityRequest.TAG, security.SecurityResponse.TAG)
assert len(_CLASSES) == sum(len(service.choices) for service in SERVICES), "duplicate APDU tag"
assert all(
    apdu_class.TAG[0] == service.tag
    for service in SERVICES
    for apdu_class in service.choices.values()
), "an APDU under another's tag"


def decode_apdu(raw: bytes) -> Apdu:
    """Return the APDU that exactly these bytes hold. Raises FrameError."""
    found = _CLASSES.get(raw[:2]) or _CLASSES.get(raw[:1])
    if found is not None:
        return found[0].from_bytes(raw)
    if not raw:
        raise FrameError("no APDU", 0)
    if raw[0] in LATER_SERVICES:
        name = LATER_SERVICES[raw[0]].en
        raise FrameError(f"{name} belongs to a later edition and is not supported", 0)
    if raw[0] not in SERVICE_BY_TAG:
        raise FrameError(f"APDU tag {raw[0]:02X}H is unknown", 0)
    if len(raw) < 2:
        raise FrameError("the APDU is cut off", 1)
    raise FrameError(f"choice {raw[1]} of {SERVICE_BY_TAG[raw[0]].name} is unknown", 1)


def piid_of(raw: bytes) -> int | None:
    """Return the PIID of an APDU, of the one inside if it is wrapped; None if there is none.

    Raises FrameError for a wrapper that cannot be decoded.
    """
    if raw[:1] in _WRAPPERS:
        raw = security.plain_bytes(decode_apdu(raw)) or b""
    at = 1 if raw[:1] in _CLASSES else 2
    return raw[at] if len(raw) > at and raw[:1] not in _WRAPPERS else None


def service_of(raw: bytes) -> tuple[Text, str]:
    """Return the name of an APDU and of its choice, as far as the first bytes tell."""
    tag = raw[0] if raw else 0
    _, choice = _CLASSES.get(raw[:2], (None, ""))
    if tag in SERVICE_BY_TAG:
        return SERVICE_BY_TAG[tag].text, choice
    return LATER_SERVICES.get(tag, Text("unknown", "未知")), choice
