"""Our values as those of the independent package `dlt698`, field by field."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from station.protocols.dlt698 import (
    action,
    association,
    data,
    get,
    moments,
    proxy,
    report,
    security,
)
from station.protocols.dlt698 import identifiers as ids
from station.protocols.dlt698 import set as setting
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.envelope import (
    AttributeResult,
    AttributeResults,
    RecordResult,
    RecordResults,
    TimeTag,
)

peer = pytest.importorskip("dlt698._native", reason="needs CPython 3.11")


def theirs(value: Any) -> Any:
    """Return a value of ours as one of theirs."""
    if isinstance(value, tuple):
        return [theirs(item) for item in value]
    made = _MADE.get(type(value))
    return value if made is None else made(value)


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _octets(value: Any) -> list[int]:
    return list(value.to_bytes())


_DATA: dict[DataType, Callable[[Any], Any]] = {
    DataType.NULL: lambda _: peer.Data.null(),
    DataType.ARRAY: lambda v: peer.Data.array(theirs(v)),
    DataType.STRUCTURE: lambda v: peer.Data.structure(theirs(v)),
    DataType.BOOL: peer.Data.boolean,
    DataType.BIT_STRING: lambda v: peer.Data.bit_string(v.size, v.data),
    DataType.DOUBLE_LONG: peer.Data.int32,
    DataType.DOUBLE_LONG_UNSIGNED: peer.Data.uint32,
    DataType.OCTET_STRING: peer.Data.octet_string,
    DataType.VISIBLE_STRING: peer.Data.visible_string,
    DataType.UTF8_STRING: peer.Data.utf8_string,
    DataType.INTEGER: peer.Data.int8,
    DataType.LONG: peer.Data.int16,
    DataType.UNSIGNED: peer.Data.uint8,
    DataType.LONG_UNSIGNED: peer.Data.uint16,
    DataType.LONG64: peer.Data.int64,
    DataType.LONG64_UNSIGNED: peer.Data.uint64,
    DataType.ENUM: peer.Data.enumeration,
    DataType.FLOAT32: lambda v: peer.Data.float32(_float(v)),
    DataType.FLOAT64: lambda v: peer.Data.float64(_float(v)),
    DataType.DATE_TIME: lambda v: peer.Data.date_time(_octets(v)),
    DataType.DATE: lambda v: peer.Data.date(_octets(v)),
    DataType.TIME: lambda v: peer.Data.time(_octets(v)),
    DataType.DATE_TIME_S: lambda v: peer.Data.date_time_s(_octets(v)),
    DataType.OI: peer.Data.oi,
    DataType.OAD: lambda v: peer.Data.oad(theirs(v)),
    DataType.ROAD: lambda v: peer.Data.road(theirs(v)),
    DataType.OMD: lambda v: peer.Data.omd(theirs(v)),
    DataType.TI: lambda v: peer.Data.ti(theirs(v)),
    DataType.TSA: lambda v: peer.Data.tsa(v.raw),
    DataType.MAC: peer.Data.mac,
    DataType.RN: peer.Data.rn,
    DataType.REGION: lambda v: peer.Data.region(theirs(v)),
    DataType.SCALER_UNIT: lambda v: peer.Data.scaler_unit(theirs(v)),
    DataType.RSD: lambda v: peer.Data.rsd(theirs(v)),
    DataType.CSD: lambda v: peer.Data.csd(theirs(v)),
    DataType.MS: lambda v: peer.Data.ms(theirs(v)),
    DataType.SID: lambda v: peer.Data.sid(theirs(v)),
    DataType.SID_MAC: lambda v: peer.Data.sid_mac(theirs(v)),
    DataType.COMDCB: lambda v: peer.Data.comdcb(theirs(v)),
    DataType.RCSD: lambda v: peer.Data.rcsd(theirs(v)),
}


def _like(made: Any, **names: str) -> Callable[[Any], Any]:
    """Return what makes one of theirs out of the fields of one of ours, their names first."""

    def make(value: Any) -> Any:
        return made(**{their: theirs(getattr(value, our)) for their, our in names.items()})

    return make


def _request(made: Any, **names: str) -> Callable[[Any], Any]:
    return _like(made, piid="piid", time_tag="time_tag", **names)


def _answer(made: Any, **names: str) -> Callable[[Any], Any]:
    return _like(made, piid_acd="piid", follow_report="follow_report", time_tag="time_tag", **names)


def _listed(make: Callable[..., Any], made: Any, field: str, name: str) -> tuple[Any, Any]:
    """Return what makes the APDU of one thing and of a list; theirs holds a list in both cases."""

    def one(value: Any) -> Any:
        apdu = make(made)(value)
        setattr(apdu, field, [theirs(getattr(value, name))])
        apdu.list = False
        return apdu

    def many(value: Any) -> Any:
        apdu = make(made)(value)
        plural = {"query": "queries"}.get(name, f"{name}s")
        setattr(apdu, field, theirs(getattr(value, plural)))
        apdu.list = True
        return apdu

    return one, many


_get, _get_list = _listed(_request, peer.GetRequest, "attributes", "oad")
_get_record, _get_record_list = _listed(_request, peer.GetRecordRequest, "records", "query")
_got, _got_list = _listed(_answer, peer.GetResponse, "attributes", "result")
_got_record, _got_record_list = _listed(_answer, peer.GetRecordResponse, "records", "result")
_set, _set_list = _listed(_request, peer.SetRequest, "attributes", "item")
_was_set, _was_set_list = _listed(_answer, peer.SetResponse, "attributes", "result")
_act, _act_list = _listed(_request, peer.ActionRequest, "methods", "item")
_acted, _acted_list = _listed(_answer, peer.ActionResponse, "methods", "result")


def _report(choice: int) -> Callable[[Any], Any]:
    def make(value: Any) -> Any:
        oads = theirs(getattr(value, "oads", ()))
        return peer.ReportResponse(
            choice=choice, attributes=oads, piid=value.piid, time_tag=theirs(value.time_tag)
        )

    return make


def _proxy_list(make: Callable[..., Any], made: Any) -> Callable[[Any], Any]:
    return make(made, payload="targets")


def _proxied(apdu: Any, payload: Any) -> Any:
    answer = isinstance(apdu, proxy.ProxyResponseGetRecord | proxy.ProxyResponseTransCommand)
    made = (_answer(peer.ProxyResponse) if answer else _request(peer.ProxyRequest))(apdu)
    made.payload = payload
    return made


def _proxy_record(a: Any) -> Any:
    record = peer.ProxyRecordRequest(record=theirs(a.query), server=theirs(a.meter))
    made = _proxied(a, record)
    made.timeout_seconds = a.timeout_s
    return made


def _proxy_trans(a: Any) -> Any:
    return _proxied(
        a,
        peer.ProxyTransRequest(
            port=theirs(a.port),
            communication=theirs(a.settings),
            response_timeout_seconds=a.timeout_s,
            byte_timeout_milliseconds=a.byte_timeout_ms,
            command=a.command,
        ),
    )


def _parameters(a: Any) -> Any:
    return peer.AssociationParameters(
        version=a.version,
        protocol=list(a.protocol_conformance),
        function=list(a.function_conformance),
        send_frame_bytes=a.send_size,
        receive_frame_bytes=a.receive_size,
        receive_window=a.receive_window,
        apdu_bytes=a.apdu_size,
        timeout_seconds=a.timeout_s,
    )


def _connect(a: Any) -> Any:
    made = _request(peer.ConnectRequest, mechanism="mechanism")(a)
    made.parameters = _parameters(a)
    return made


def _connected(a: Any) -> Any:
    made = _answer(peer.ConnectResponse, result="result", security="security")(a)
    made.parameters = _parameters(a)
    f = a.factory
    made.factory = peer.FactoryVersion(
        manufacturer=list(f.maker.encode()),
        software_version=list(f.software_version.encode()),
        software_date=list(f.software_date.encode()),
        hardware_version=list(f.hardware_version.encode()),
        hardware_date=list(f.hardware_date.encode()),
        extension=list(f.extension.encode()),
    )
    return made


def _md5(a: Any) -> Any:
    made = _answer(peer.GetMd5Response, attribute="oad")(a)
    made.result = list(a.reply) if isinstance(a.reply, bytes) else a.reply.code
    return made


def _error(server: bool) -> Callable[[Any], Any]:
    def make(a: Any) -> Any:
        follow_report = theirs(getattr(a, "follow_report", None))
        return peer.ErrorResponse(
            piid=a.piid,
            type=a.kind,
            server=server,
            follow_report=follow_report,
            time_tag=theirs(a.time_tag),
        )

    return make


def _call(method: Any, parameter: Any) -> Any:
    return peer.ActionMethod(method=theirs(method), parameter=theirs(parameter))


def _called(one: Any) -> Any:
    return peer.ActionResult(method=theirs(one.omd), dar=one.dar.code, data=theirs(one.data))


def _write(oad: Any, value: Any) -> Any:
    return peer.SetAttribute(attribute=theirs(oad), value=theirs(value))


def _link_kind(a: Any) -> Any:
    return peer.LinkRequest(
        piid_acd=a.piid,
        type=peer.LinkRequestType(a.kind),
        heartbeat_seconds=a.heartbeat_s,
        requested_at=theirs(a.time),
    )


_TARGET = {"server": "meter", "timeout_seconds": "timeout_s"}

_MADE: dict[type, Callable[[Any], Any]] = {
    Data: lambda v: _DATA[v.type](v.value),
    Dar: lambda v: v.code,
    ids.Oad: lambda v: peer.Oad(oi=v.oi, attribute=v.code >> 8 & 0xFF, index=v.index),
    ids.Omd: lambda v: peer.Omd(oi=v.oi, method=v.method, mode=v.mode),
    ids.Road: _like(peer.Road, attribute="oad", associated="columns"),
    ids.Ti: _like(peer.Ti, unit="unit", interval="count"),
    ids.Tsa: _like(peer.Tsa, value="raw"),
    ids.ScalerUnit: _like(peer.ScalerUnit, scaler="exponent", unit="unit"),
    ids.Sid: _like(peer.Sid, identifier="identity", additional="attachment"),
    ids.SidMac: lambda v: peer.SidMac(sid=theirs(v.sid), mac=peer.Mac(value=v.mac)),
    ids.Comdcb: _like(
        peer.Comdcb,
        baud="baud",
        parity="parity",
        data_bits="data_bits",
        stop_bits="stop_bits",
        flow_control="flow",
    ),
    moments.DateTime: lambda v: peer.DateTime(value=_octets(v)),
    moments.DateTimeS: lambda v: peer.DateTimeS(value=_octets(v)),
    data.Region: _like(peer.Region, boundary="kind", begin="begin", end="end"),
    data.NoMeters: _like(peer.NoMeters),
    data.AllMeters: lambda _: peer.AllMeters(),
    data.MeterTypes: lambda v: peer.MeterTypes(values=bytes(v.types)),
    data.MeterAddresses: _like(peer.MeterAddresses, values="addresses"),
    data.MeterNumbers: _like(peer.MeterNumbers, values="numbers"),
    data.MeterTypeRegions: _like(peer.MeterTypeRegions, values="regions"),
    data.MeterAddressRegions: _like(peer.MeterAddressRegions, values="regions"),
    data.MeterNumberRegions: _like(peer.MeterNumberRegions, values="regions"),
    data.NoSelection: _like(peer.SelectAll),
    data.RecordEqual: _like(peer.Selector1, attribute="oad", value="value"),
    data.RecordRange: _like(
        peer.Selector2, attribute="oad", begin="begin", end="end", interval="interval"
    ),
    data.RecordRanges: _like(peer.Selector3, ranges="ranges"),
    data.StartedAt: _like(peer.Selector4, time="time", meters="meters"),
    data.StoredAt: _like(peer.Selector5, time="time", meters="meters"),
    data.StartedBetween: _like(
        peer.Selector6, begin="begin", end="end", interval="interval", meters="meters"
    ),
    data.StoredBetween: _like(
        peer.Selector7, begin="begin", end="end", interval="interval", meters="meters"
    ),
    data.SucceededBetween: _like(
        peer.Selector8, begin="begin", end="end", interval="interval", meters="meters"
    ),
    data.NthLast: _like(peer.Selector9, previous="number"),
    data.LastRecords: _like(peer.Selector10, latest="count", meters="meters"),
    TimeTag: _like(peer.TimeTag, sent_at="sent", allowed_delay="delay"),
    AttributeResult: _like(peer.AttributeResult, attribute="oad", result="result"),
    RecordResult: _like(peer.RecordResult, attribute="oad", columns="columns", result="rows"),
    AttributeResults: lambda v: theirs(v.results),
    RecordResults: lambda v: theirs(v.results),
    association.LinkRequest: _link_kind,
    association.LinkResponse: _like(
        peer.LinkResponse,
        piid="piid",
        result="result",
        requested_at="request_time",
        received_at="received_time",
        responded_at="response_time",
    ),
    association.PublicAccess: _like(peer.NullSecurity),
    association.PasswordAccess: _like(peer.PasswordSecurity, password="password"),
    association.SymmetricAccess: _like(
        peer.SymmetrySecurity, ciphertext="ciphertext", signature="signature"
    ),
    association.SignatureAccess: _like(
        peer.SignatureSecurity, ciphertext="ciphertext", signature="signature"
    ),
    association.ConnectRequest: _connect,
    association.SecurityData: _like(peer.SecurityData, random="random", signature="signature"),
    association.ConnectResponse: _connected,
    association.ReleaseRequest: _request(peer.ReleaseRequest),
    association.ReleaseResponse: _answer(peer.ReleaseResponse, result="result"),
    association.ReleaseNotification: _answer(
        peer.ReleaseNotification, established_at="established", current_time="now"
    ),
    association.ClientError: _error(server=False),
    association.ServerError: _error(server=True),
    get.RecordQuery: _like(peer.GetRecord, attribute="oad", rows="selection", columns="columns"),
    get.GetRequestNormal: _get,
    get.GetRequestNormalList: _get_list,
    get.GetRequestRecord: _get_record,
    get.GetRequestRecordList: _get_record_list,
    get.GetRequestNext: _request(peer.GetNextRequest, block="block"),
    get.GetRequestMd5: _request(peer.GetMd5Request, attribute="oad"),
    get.GetResponseNormal: _got,
    get.GetResponseNormalList: _got_list,
    get.GetResponseRecord: _got_record,
    get.GetResponseRecordList: _got_record_list,
    get.GetResponseNext: _answer(
        peer.GetNextResponse, last="last", block="block", result="content"
    ),
    get.GetResponseMd5: _md5,
    setting.SetItem: lambda v: _write(v.oad, v.data),
    setting.SetThenGetItem: lambda v: peer.SetThenGet(
        set=_write(v.oad, v.data), read=theirs(v.read_oad), delay_seconds=v.delay_s
    ),
    setting.SetResult: _like(peer.SetResult, attribute="oad", dar="dar"),
    setting.SetThenGetResult: lambda v: peer.SetThenGetResult(
        set=peer.SetResult(attribute=theirs(v.oad), dar=v.dar.code), read=theirs(v.reading)
    ),
    setting.SetRequestNormal: _set,
    setting.SetRequestNormalList: _set_list,
    setting.SetThenGetRequestNormalList: _request(peer.SetThenGetRequest, items="items"),
    setting.SetResponseNormal: _was_set,
    setting.SetResponseNormalList: _was_set_list,
    setting.SetThenGetResponseNormalList: _answer(peer.SetThenGetResponse, items="results"),
    action.ActionItem: lambda v: _call(v.omd, v.parameter),
    action.ActionThenGetItem: lambda v: peer.ActionThenGet(
        action=_call(v.omd, v.parameter), read=theirs(v.read_oad), delay_seconds=v.delay_s
    ),
    action.ActionResult: _called,
    action.ActionThenGetResult: lambda v: peer.ActionThenGetResult(
        action=_called(v), read=theirs(v.reading)
    ),
    action.ActionRequestNormal: _act,
    action.ActionRequestNormalList: _act_list,
    action.ActionThenGetRequestNormalList: _request(peer.ActionThenGetRequest, items="items"),
    action.ActionResponseNormal: _acted,
    action.ActionResponseNormalList: _acted_list,
    action.ActionThenGetResponseNormalList: _answer(peer.ActionThenGetResponse, items="results"),
    report.ReportNotificationList: _answer(peer.ReportNotification, payload="results"),
    report.ReportNotificationRecordList: _answer(peer.ReportNotification, payload="results"),
    report.ReportNotificationTransData: lambda v: peer.ReportNotification(
        piid_acd=v.piid,
        follow_report=theirs(v.follow_report),
        time_tag=theirs(v.time_tag),
        payload=peer.TransData(port=theirs(v.port), data=list(v.blocks)),
    ),
    report.ReportResponseList: _report(1),
    report.ReportResponseRecordList: _report(2),
    report.ReportResponseTransData: _report(3),
    proxy.ProxyGetTarget: _like(peer.ProxyGetTarget, items="oads", **_TARGET),
    proxy.ProxySetTarget: _like(peer.ProxySetTarget, items="items", **_TARGET),
    proxy.ProxySetThenGetTarget: _like(peer.ProxySetThenGetTarget, items="items", **_TARGET),
    proxy.ProxyActionTarget: _like(peer.ProxyActionTarget, items="items", **_TARGET),
    proxy.ProxyActionThenGetTarget: _like(peer.ProxyActionThenGetTarget, items="items", **_TARGET),
    proxy.ProxyGetResult: _like(peer.ProxyGetResultTarget, server="meter", items="results"),
    proxy.ProxySetResult: _like(peer.ProxySetResultTarget, server="meter", items="results"),
    proxy.ProxySetThenGetResult: _like(
        peer.ProxySetThenGetResultTarget, server="meter", items="results"
    ),
    proxy.ProxyActionResult: _like(peer.ProxyActionResultTarget, server="meter", items="results"),
    proxy.ProxyActionThenGetResult: _like(
        peer.ProxyActionThenGetResultTarget, server="meter", items="results"
    ),
    **{
        made: _request(peer.ProxyRequest, timeout_seconds="timeout_s", payload="targets")
        for made in (
            proxy.ProxyRequestGetList,
            proxy.ProxyRequestSetList,
            proxy.ProxyRequestSetThenGetList,
            proxy.ProxyRequestActionList,
            proxy.ProxyRequestActionThenGetList,
        )
    },
    proxy.ProxyRequestGetRecord: _proxy_record,
    proxy.ProxyRequestTransCommand: _proxy_trans,
    **{
        made: _answer(peer.ProxyResponse, payload="targets")
        for made in (
            proxy.ProxyResponseGetList,
            proxy.ProxyResponseSetList,
            proxy.ProxyResponseSetThenGetList,
            proxy.ProxyResponseActionList,
            proxy.ProxyResponseActionThenGetList,
        )
    },
    proxy.ProxyResponseGetRecord: lambda v: _proxied(
        v, peer.ProxyRecordResponse(server=theirs(v.meter), record=theirs(v.result))
    ),
    proxy.ProxyResponseTransCommand: lambda v: _proxied(
        v, peer.ProxyTransResponse(port=theirs(v.port), result=theirs(v.reply))
    ),
    security.RandomNumber: lambda v: peer.Rn(value=v.number),
    security.RandomNumberMac: lambda v: peer.RnMac(
        random=peer.Rn(value=v.number), mac=peer.Mac(value=v.mac)
    ),
    security.SecurityRequest: lambda v: peer.SecurityRequest(
        application=_secured(v.content),
        encrypted=isinstance(v.content, security.Ciphertext),
        verification=theirs(v.verification),
    ),
    security.SecurityResponse: lambda v: peer.SecurityResponse(
        application=_secured(v.content),
        encrypted=isinstance(v.content, security.Ciphertext),
        verification=None if v.mac is None else peer.Mac(value=v.mac),
    ),
}


def _secured(content: Any) -> Any:
    match content:
        case security.Plain(apdu):
            return apdu
        case security.Ciphertext(enciphered):
            return enciphered
    return content.code
