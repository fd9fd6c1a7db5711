"""The frames of tests/vectors/dlt698_45.json, and APDUs in the words that state them there."""

import json
from pathlib import Path
from typing import Any

from station.protocols.dlt698 import action, association, get, proxy, report, security
from station.protocols.dlt698 import set as setting
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import (
    AllMeters,
    Data,
    DataType,
    LastRecords,
    MeterAddresses,
    NthLast,
    StoredAt,
)
from station.protocols.dlt698.envelope import Apdu
from station.protocols.dlt698.identifiers import Oad

_FILE = Path(__file__).parents[1] / "vectors" / "dlt698_45.json"
_CONTENT: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))

FRAMES: list[dict[str, Any]] = _CONTENT["frames"]
APDUS: list[dict[str, Any]] = _CONTENT["apdus"]
BAD_FRAMES: list[dict[str, Any]] = _CONTENT["bad_frames"]
FRAME_BY_ID = {entry["id"]: entry for entry in FRAMES}

# Decoded like any other, but its APDU is encoded with the shortest length.
NOT_MINIMAL = "get-response-nonminimal-length"

_LINK_KINDS = {association.LOGIN: "login", association.HEARTBEAT: "heartbeat"}


def of_id(entry: dict[str, Any]) -> str:
    """Return the name of a test case."""
    return entry["id"]


def wire(entry: dict[str, Any]) -> bytes:
    """Return the bytes of an entry."""
    return bytes.fromhex(entry["hex"])


def wire_of(name: str) -> bytes:
    """Return the bytes of a frame by its name."""
    return wire(FRAME_BY_ID[name])


def stated(apdu: Apdu) -> dict[str, Any]:
    """Return an APDU as the file states it."""
    return _STATED[type(apdu)](apdu)


def _moment(value) -> str:
    text = value.text.replace("T", " ")
    return f"{text} dow={value.weekday}" if hasattr(value, "weekday") else text


def _hex(value: bytes) -> str:
    return value.hex().upper()


def _tsa(value) -> dict[str, Any]:
    return {
        "raw": _hex(value.raw),
        "type": value.kind,
        "logical": value.logical,
        "addr": value.address,
    }


def _column(value) -> Any:
    if isinstance(value, Oad):
        return value.text
    return {"oad": value.oad.text, "cols": [column.text for column in value.columns]}


def _meters(value) -> dict[str, Any]:
    match value:
        case AllMeters():
            return {"ms": 1}
        case MeterAddresses(addresses):
            return {"ms": 3, "addrs": [_tsa(address) for address in addresses]}


def _selection(value) -> dict[str, Any]:
    match value:
        case StoredAt(time, meters):
            return {"rsd": 5, "time": _moment(time), "ms": _meters(meters)}
        case NthLast(number):
            return {"rsd": 9, "last_n_th": number}
        case LastRecords(count, meters):
            return {"rsd": 10, "last_n": count, "ms": _meters(meters)}


_SHOWN = {
    DataType.ARRAY: ("array", lambda items: [_data(item) for item in items]),
    DataType.STRUCTURE: ("structure", lambda items: [_data(item) for item in items]),
    DataType.DOUBLE_LONG: ("double-long", int),
    DataType.DOUBLE_LONG_UNSIGNED: ("double-long-unsigned", int),
    DataType.LONG_UNSIGNED: ("long-unsigned", int),
    DataType.UNSIGNED: ("unsigned", int),
    DataType.ENUM: ("enum", int),
    DataType.OCTET_STRING: ("octet-string", _hex),
    DataType.VISIBLE_STRING: ("visible-string", str),
    DataType.DATE_TIME_S: ("date_time_s", _moment),
    DataType.OAD: ("OAD", _column),
    DataType.CSD: ("CSD", _column),
    DataType.MS: ("MS", _meters),
}


def _data(data: Data) -> Any:
    if data.type is DataType.NULL:
        return None
    if data.type is DataType.BIT_STRING:
        return {"bit-string": _hex(data.value.data), "bits": data.value.size}
    name, show = _SHOWN[data.type]
    return {name: show(data.value)}


def _result(one) -> dict[str, Any]:
    shown = {"dar": one.result.code} if isinstance(one.result, Dar) else {"data": _data(one.result)}
    return {"oad": one.oad.text} | shown


def _record(one) -> dict[str, Any]:
    return {
        "oad": one.oad.text,
        "cols": [_column(column) for column in one.columns],
        "rows": [[_data(data) for data in row] for row in one.rows],
    }


def _query(one) -> dict[str, Any]:
    return {
        "oad": one.oad.text,
        "rsd": _selection(one.selection),
        "rcsd": [_column(column) for column in one.columns],
    }


def _set_item(one) -> dict[str, Any]:
    return {"oad": one.oad.text, "data": _data(one.data)}


def _action_item(one) -> dict[str, Any]:
    return {"omd": one.omd.text, "parameter": _data(one.parameter)}


def _action_result(one) -> dict[str, Any]:
    return {"omd": one.omd.text, "dar": one.dar.code}


def _target(one, items) -> dict[str, Any]:
    return {"tsa": _tsa(one.meter), "timeout_s": one.timeout_s, "items": items}


def _request(service: str, choice: str, a, fields: dict[str, Any]) -> dict[str, Any]:
    assert a.time_tag is None
    view = {"service": service, "choice": choice, "piid": a.piid} | fields | {"time_tag": None}
    return view if choice else {key: view[key] for key in view if key != "choice"}


def _answer(service: str, choice: str, a, fields: dict[str, Any]) -> dict[str, Any]:
    view = _request(service, choice, a, fields)
    assert a.follow_report is None
    view["piid_acd"] = view.pop("piid")
    return view | {"follow_report": None}


def _sizes(a, prefix: str) -> dict[str, Any]:
    return {
        "version": f"{a.version:04X}",
        "protocol_conformance": _hex(a.protocol_conformance),
        "function_conformance": _hex(a.function_conformance),
        f"{prefix}_tx": a.send_size,
        f"{prefix}_rx": a.receive_size,
        "rx_window": a.receive_window,
        "max_apdu": a.apdu_size,
        "timeout_s": a.timeout_s,
    }


def _mechanism(a) -> dict[str, Any]:
    match a.mechanism:
        case association.PublicAccess():
            return {"mechanism": 0}
        case association.SignatureAccess(ciphertext, signature):
            return {
                "mechanism": 3,
                "ciphertext": _hex(ciphertext),
                "signature": _hex(signature),
            }


def _connect_response(a) -> dict[str, Any]:
    f, s = a.factory, a.security
    factory = f.maker + f.software_version + f.software_date
    factory += f.hardware_version + f.hardware_date + f.extension
    proof = None if s is None else {"rn": _hex(s.random), "signature": _hex(s.signature)}
    fields = {"factory": factory, "result": a.result, "security": proof}
    return _answer("CONNECT-Response", "", a, fields | _sizes(a, "server"))


def _security_request(a) -> dict[str, Any]:
    assert isinstance(a.verification, security.RandomNumber)
    return {
        "service": "SECURITY-Request",
        "plain": _hex(a.content.apdu),
        "inner": stated(decode_apdu(a.content.apdu)),
        "verify": {"rn": _hex(a.verification.number)},
    }


def _security_response(a) -> dict[str, Any]:
    return {
        "service": "SECURITY-Response",
        "plain": _hex(a.content.apdu),
        "inner": stated(decode_apdu(a.content.apdu)),
        "mac": _hex(a.mac),
    }


def _link_request(a) -> dict[str, Any]:
    return {
        "service": "LINK-Request",
        "piid_acd": a.piid,
        "type": _LINK_KINDS[a.kind],
        "heartbeat_s": a.heartbeat_s,
        "request_time": _moment(a.time),
    }


def _link_response(a) -> dict[str, Any]:
    return {
        "service": "LINK-Response",
        "piid": a.piid,
        "result": f"{a.result:02X}",
        "request_time": _moment(a.request_time),
        "received_time": _moment(a.received_time),
        "response_time": _moment(a.response_time),
    }


def _release_notification(a) -> dict[str, Any]:
    fields = {"established": _moment(a.established), "now": _moment(a.now)}
    return _answer("RELEASE-Notification", "", a, fields)


def _server_error(a) -> dict[str, Any]:
    view = _answer("ERROR-Response", "", a, {"type": a.kind})
    view["piid"] = view.pop("piid_acd")
    return view


def _proxy_request(choice: str, show) -> Any:
    def shown(a) -> dict[str, Any]:
        targets = [_target(t, [show(item) for item in _items(t)]) for t in a.targets]
        fields = {"timeout_s": a.timeout_s, "targets": targets}
        return _request("PROXY-Request", choice, a, fields)

    return shown


def _items(target) -> Any:
    return target.oads if isinstance(target, proxy.ProxyGetTarget) else target.items


def _proxy_record(a) -> dict[str, Any]:
    fields = {"timeout_s": a.timeout_s, "tsa": _tsa(a.meter)} | _query(a.query)
    return _request("PROXY-Request", "GetRecord", a, fields)


def _trans_command(a) -> dict[str, Any]:
    fields = {
        "port": a.port.text,
        "comdcb": _hex(a.settings.to_bytes()),
        "rx_timeout_s": a.timeout_s,
        "byte_timeout_ms": a.byte_timeout_ms,
        "command": _hex(a.command),
    }
    return _request("PROXY-Request", "TransCommand", a, fields)


_STATED = {
    association.LinkRequest: _link_request,
    association.LinkResponse: _link_response,
    association.ConnectRequest: lambda a: _request(
        "CONNECT-Request", "", a, _sizes(a, "client") | _mechanism(a)
    ),
    association.ConnectResponse: _connect_response,
    association.ReleaseNotification: _release_notification,
    association.ServerError: _server_error,
    get.GetRequestNormal: lambda a: _request("GET-Request", "Normal", a, {"oad": a.oad.text}),
    get.GetRequestNormalList: lambda a: _request(
        "GET-Request", "NormalList", a, {"oads": [oad.text for oad in a.oads]}
    ),
    get.GetRequestRecord: lambda a: _request(
        "GET-Request", "Record", a, {"record": _query(a.query)}
    ),
    get.GetResponseNormal: lambda a: _answer(
        "GET-Response", "Normal", a, {"result": _result(a.result)}
    ),
    get.GetResponseNormalList: lambda a: _answer(
        "GET-Response", "NormalList", a, {"results": [_result(one) for one in a.results]}
    ),
    get.GetResponseRecord: lambda a: _answer(
        "GET-Response", "Record", a, {"record": _record(a.result)}
    ),
    setting.SetRequestNormal: lambda a: _request("SET-Request", "Normal", a, _set_item(a.item)),
    setting.SetResponseNormal: lambda a: _answer(
        "SET-Response", "Normal", a, {"oad": a.result.oad.text, "dar": a.result.dar.code}
    ),
    action.ActionRequestNormal: lambda a: _request(
        "ACTION-Request", "Normal", a, _action_item(a.item)
    ),
    action.ActionResponseNormal: lambda a: _answer(
        "ACTION-Response", "Normal", a, _action_result(a.result)
    ),
    report.ReportNotificationRecordList: lambda a: _answer(
        "REPORT-Notification", "RecordList", a, {"records": [_record(one) for one in a.results]}
    ),
    report.ReportResponseRecordList: lambda a: _request(
        "REPORT-Response", "RecordList", a, {"oads": [oad.text for oad in a.oads]}
    ),
    proxy.ProxyRequestGetList: _proxy_request("GetList", lambda oad: oad.text),
    proxy.ProxyRequestGetRecord: _proxy_record,
    proxy.ProxyRequestSetList: _proxy_request("SetList", _set_item),
    proxy.ProxyRequestActionList: _proxy_request("ActionList", _action_item),
    proxy.ProxyRequestTransCommand: _trans_command,
    proxy.ProxyResponseTransCommand: lambda a: _answer(
        "PROXY-Response", "TransCommand", a, {"port": a.port.text, "reply": _hex(a.reply)}
    ),
    security.SecurityRequest: _security_request,
    security.SecurityResponse: _security_response,
}
