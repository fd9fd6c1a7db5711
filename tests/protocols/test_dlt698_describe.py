"""Frames by name: objects with their values in units, and the object table behind it."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from strategies698 import ANY, APDU_CLASSES, frames
from vectors698 import FRAMES, of_id, wire, wire_of

from station.protocols.dlt698 import action, association, get, proxy, report
from station.protocols.dlt698 import set as setting
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import NULL, BitString, Data, DataType
from station.protocols.dlt698.describe import describe
from station.protocols.dlt698.envelope import (
    AttributeResult,
    AttributeResults,
    RecordResult,
    TimeTag,
)
from station.protocols.dlt698.frame import Frame, ServerAddress
from station.protocols.dlt698.identifiers import Comdcb, Oad, Omd, Road, ScalerUnit, Ti, Tsa
from station.protocols.dlt698.moments import DateTimeS
from station.protocols.dlt698.objects import OBJECTS, method_name, name_of, shape_of
from station.protocols.dlt698.requests import answer, request
from station.protocols.dlt698.security import Plain, RandomNumber, SecurityRequest
from station.protocols.dlt698.shapes import UNITS, Array, Structure, Value
from station.protocols.dlt698.values import units_of, value_of

SERVER = ServerAddress("000000000001")
ENERGY = Oad(0x00100200)


def down(apdu):
    return describe(request(SERVER, 0, apdu))


def up(apdu):
    return describe(answer(request(SERVER, 0, get.GetRequestNormal(0, ENERGY)), apdu))


@pytest.mark.parametrize("entry", FRAMES, ids=of_id)
def test_vector(entry):
    stated = entry["decoded"]
    view = describe(Frame.from_bytes(wire(entry)))
    assert json.loads(json.dumps(view)) == view
    assert view["protocol"] == "dlt698.45"
    assert view["direction"] == {"client": "down", "server": "up"}[stated["dir"]]
    assert view["address"] == stated["sa"]
    if stated["split"]:
        assert view["fragment"]["kind"].startswith(stated["fragment"]["kind"])
        assert view["objects"] == []
        return
    inner = stated["decoded"]
    assert view["apdu"] == inner["service"]
    assert view["choice"] == inner.get("choice", "")
    inner = inner.get("inner", inner)
    assert view["piid"] == inner.get("piid", inner.get("piid_acd"))
    assert "error" not in view


def objects(name):
    return describe(Frame.from_bytes(wire_of(name)))["objects"]


def test_energy_is_scaled():
    assert objects("get-energy-response") == [
        {
            "oad": "00100200",
            "name": "Forward active energy",
            "name_zh": "正向有功电能",
            "value": ["1.02", "0.36", "0.64", "0.00", "0.01"],
            "unit": "kWh",
        }
    ]


def test_voltage_is_scaled():
    (voltage,) = objects("get-voltage-response")
    assert (voltage["value"], voltage["unit"]) == (["224.1", "0.0", "0.0"], "V")


def test_rows_of_a_record():
    time, forward, reverse = objects("get-record-response-minute")
    assert time == {
        "oad": "20210200",
        "name": "Freeze time",
        "name_zh": "数据冻结时间",
        "value": "2017-04-25T00:15:00",
        "record": "50020200",
        "row": 0,
    }
    assert (
        forward["value"]
        == reverse["value"]
        == [
            "5900.00",
            "1200.00",
            "1400.00",
            "1300.00",
            "2000.00",
        ]
    )
    assert (forward["unit"], reverse["oad"]) == ("kWh", "00200200")


def test_refused_action():
    assert objects("action-response-dar4") == [
        {
            "oad": "45000100",
            "name": "Mobile module 1, reset",
            "name_zh": "公网通信模块1 复位",
            "method": 1,
            "dar": 4,
            "error": "object undefined",
            "error_zh": "对象未定义",
        }
    ]


def test_request_names_what_it_asks():
    assert [one["oad"] for one in objects("get-list-request")] == [
        "F1000700",
        "40020200",
        "F1000200",
        "F1000400",
    ]
    assert all("value" not in one and "dar" not in one for one in objects("get-list-request"))


def test_request_for_records_says_which():
    (one,) = objects("get-record-request-last1")
    assert one["selection"] == {"is": "LastRecords", "count": 1, "meters": {"is": "AllMeters"}}
    assert one["columns"] == ["40010200", "60400200", "60410200", "60420200", "00100200"]


def test_proxy_names_the_meter():
    view = describe(Frame.from_bytes(wire_of("proxy-set-list")))
    assert view["objects"] == [
        {
            "oad": "40000200",
            "name": "Clock",
            "name_zh": "日期时间",
            "value": "2017-07-02T13:34:02",
            "meter": "000000000001",
        }
    ]
    assert view["fields"] == {"timeout_s": 30}


def test_forwarded_frame_of_this_protocol():
    view = describe(Frame.from_bytes(wire_of("proxy-trans-698")))
    assert view["fields"]["settings"] == "9600 8E1"
    assert view["objects"][0]["name"] == "RS-485 port, no. 1"
    assert view["forwarded"]["address"] == "012503200001"
    assert view["forwarded"]["objects"][0]["name"] == "Current, phase A"


def test_forwarded_frame_of_a_meter():
    view = describe(Frame.from_bytes(wire_of("proxy-trans-645-response")))
    assert (view["forwarded"]["protocol"], view["forwarded"]["address"]) == (
        "dlt645-2007",
        "000000000161",
    )


@pytest.mark.parametrize(
    ("reply", "forwarded"),
    [(b"", None), (b"\x01\x02", {"error": "no frame", "data": "0102"})],
)
def test_nothing_forwarded(reply, forwarded):
    apdu = proxy.ProxyResponseTransCommand(0, Oad(0xF2010201), reply)
    assert up(apdu)["forwarded"] == forwarded


def test_failed_forwarding():
    (port,) = up(proxy.ProxyResponseTransCommand(0, Oad(0xF2010201), Dar(33)))["objects"]
    assert (port["oad"], port["dar"], port["error"]) == ("F2010201", 33, "request timed out")


def test_report_of_a_port():
    raw = wire_of("get-voltage-response")
    view = up(report.ReportNotificationTransData(0, Oad(0xF2010201), (b"\xfe" + raw, b"\x00")))
    assert [block.get("apdu") for block in view["forwarded_blocks"]] == ["GET-Response", None]


def test_frames_in_frames_are_bounded():
    frame = Frame.from_bytes(wire_of("get-voltage-request"))
    for _ in range(10):
        command = proxy.ProxyRequestTransCommand(
            0, Oad(0xF2010201), Comdcb(6, 2, 8, 1), 1, 1, frame.to_bytes()
        )
        frame = request(SERVER, 0, command)
    view, depth = describe(frame), 0
    while "forwarded" in view:
        view, depth = view["forwarded"], depth + 1
    assert depth == 3


def test_wrappers_in_wrappers_are_bounded():
    apdu = b"\x05\x01\x00\x00\x10\x02\x00\x00"
    for _ in range(1000):
        apdu = SecurityRequest(Plain(apdu), RandomNumber(b"")).to_bytes()
    view = describe(Frame(0x43, SERVER, 0, apdu))
    assert (view["apdu"], view["piid"], view["objects"]) == ("SECURITY-Request", None, [])


def test_secured_request_shows_what_it_asks():
    view = describe(Frame.from_bytes(wire_of("security-request-energy")))
    assert view["inner"]["apdu"] == "GET-Request"
    assert view["objects"] == view["inner"]["objects"]
    assert view["objects"][0]["name"] == "Forward active energy, total"
    assert view["secured"]["verification"]["number"] == "000102030405060708090A0B0C0D0E0F"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("link-login-2025", "login"),
        ("link-heartbeat-300s", "heartbeat"),
        ("link-login-response-trusted", "success"),
        ("connect-response", "allowed"),
    ],
)
def test_numbers_in_words(name, meaning):
    fields = describe(Frame.from_bytes(wire_of(name)))["fields"]
    assert fields["meaning"] == meaning
    assert fields["meaning_zh"]


def test_error_response_in_words():
    fields = up(association.ServerError(3, 2))["fields"]
    assert fields == {"kind": 2, "meaning": "service not supported", "meaning_zh": "服务不支持"}


def test_password_is_hidden():
    apdu = association.ConnectRequest(
        0, 16, bytes(8), bytes(16), 1, 1, 1, 1, 1, association.PasswordAccess("secret")
    )
    assert down(apdu)["fields"]["mechanism"] == "***"
    text = Data(DataType.VISIBLE_STRING, "secret")
    for oad, data in (
        (Oad(0x44010200), text),
        (Oad(0x45000200), Data(DataType.STRUCTURE, (NULL,) * 7 + (text,) + (NULL,) * 4)),
        (Oad(0x45000208), text),
    ):
        view = down(setting.SetRequestNormal(0, setting.SetItem(oad, data)))
        assert "secret" not in json.dumps(view)


def test_meter_password_is_hidden_where_a_meter_is_added():
    password = Data(DataType.OCTET_STRING, b"\xab\xcd")
    basic = Data(DataType.STRUCTURE, (NULL,) * 4 + (password,) + (NULL,) * 5)
    unit = Data(DataType.STRUCTURE, (Data(DataType.LONG_UNSIGNED, 1), basic, NULL, NULL))
    for method, parameter in ((127, unit), (128, Data(DataType.ARRAY, (unit,)))):
        item = action.ActionItem(Omd.of(0x6000, method), parameter)
        view = down(action.ActionRequestNormal(0, item))
        assert "ABCD" not in json.dumps(view)
        assert "***" in json.dumps(view)


def test_write_then_read():
    oad = Oad(0x40000200)
    moment = Data(DataType.DATE_TIME_S, DateTimeS(2024, 1, 2, 3, 4, 5))
    asked = down(
        setting.SetThenGetRequestNormalList(0, (setting.SetThenGetItem(oad, moment, ENERGY, 5),))
    )
    assert [one["oad"] for one in asked["objects"]] == ["40000200", "00100200"]
    assert asked["objects"][1]["delay_s"] == 5
    reading = AttributeResult(ENERGY, Data(DataType.ARRAY, (Data(DataType.DOUBLE_LONG, -5),)))
    answered = up(
        setting.SetThenGetResponseNormalList(0, (setting.SetThenGetResult(oad, Dar(0), reading),))
    )
    assert answered["objects"][0]["dar"] == 0
    assert "error" not in answered["objects"][0]
    assert answered["objects"][1]["value"] == ["-0.05"]


def test_call_then_read():
    trip = Omd(0x80008100)
    asked = down(
        action.ActionThenGetRequestNormalList(0, (action.ActionThenGetItem(trip, NULL, ENERGY, 0),))
    )
    assert [one["name"] for one in asked["objects"]] == [
        "Remote control, trip",
        "Forward active energy",
    ]
    result = action.ActionThenGetResult(
        trip, Dar(0), Data(DataType.ENUM, 1), AttributeResult(ENERGY, Dar(2))
    )
    answered = up(action.ActionThenGetResponseNormalList(0, (result,)))
    assert (answered["objects"][0]["value"], answered["objects"][1]["dar"]) == ("1", 2)


def test_columns_of_a_store():
    """A column that names a store holds the values of its own columns."""
    road = Road(Oad(0x50040200), (ENERGY, Oad(0x00200200)))
    values = tuple(
        Data(DataType.ARRAY, (Data(DataType.DOUBLE_LONG_UNSIGNED, value),)) for value in (1, 2)
    )
    meter = Data(DataType.TSA, Tsa.of("000000000121"))
    rows = (
        (meter, Data(DataType.STRUCTURE, values)),
        (meter, NULL),
    )
    result = RecordResult(Oad(0x60120300), (Oad(0x202A0200), road), rows)
    found = up(get.GetResponseRecord(0, result))["objects"]
    assert [(one["row"], one["oad"], one["value"]) for one in found] == [
        (0, "202A0200", "000000000121"),
        (0, "00100200", ["0.01"]),
        (0, "00200200", ["0.02"]),
        (1, "202A0200", "000000000121"),
        (1, "50040200", None),
    ]
    assert found[1]["store"] == "50040200"


def test_records_that_failed_or_are_none():
    columns = (ENERGY,)
    failed = RecordResult(Oad(0x50040200), columns, Dar(6))
    empty = RecordResult(Oad(0x50040200), columns, ())
    found = up(get.GetResponseRecordList(0, (failed, empty)))["objects"]
    assert (found[0]["dar"], found[1]["value"]) == (6, [])


def test_md5():
    assert up(get.GetResponseMd5(0, ENERGY, b"\xab" * 16))["objects"][0]["value"] == "AB" * 16
    assert up(get.GetResponseMd5(0, ENERGY, Dar(3)))["objects"][0]["dar"] == 3


def test_events_that_come_along_and_time_tag():
    events = AttributeResults((AttributeResult(ENERGY, Dar(0)),))
    tag = TimeTag(DateTimeS(2024, 1, 2, 3, 4, 5), Ti(1, 10))
    view = up(get.GetResponseNormal(0, AttributeResult(ENERGY, Dar(1)), events, tag))
    assert view["follow_report"][0]["oad"] == "00100200"
    assert view["time_tag"] == {"sent": "2024-01-02T03:04:05", "delay": "10 min"}


def test_apdu_that_cannot_be_decoded():
    view = describe(Frame(0xC3, SERVER, 0, bytes.fromhex("85 01 07 20000200 01 61 00")))
    assert (view["apdu"], view["choice"]) == ("GET-Response", "Normal")
    assert (view["error"], view["offset"]) == ("data type 61H is unknown", 8)
    assert view["raw"] == "85010720000200016100"
    assert view["objects"] == []


def test_apdu_of_a_later_edition():
    view = describe(Frame(0xC3, SERVER, 0, b"\xc5\x01"))
    assert view["apdu"] == "compact GET-Response"
    assert "later edition" in view["error"]


@given(frames())
def test_any_frame(frame):
    json.dumps(describe(frame)).encode()


@pytest.mark.parametrize("cls", APDU_CLASSES)
def test_any_apdu(cls):
    @settings(max_examples=15, deadline=None)
    @given(ANY.of(cls))
    def holds(apdu):
        view = describe(Frame(0xC3, SERVER, 0, apdu.to_bytes()))
        assert "error" not in view
        json.dumps(view, ensure_ascii=False, allow_nan=False).encode()

    holds()


NAMES = {
    "00100200": ("Forward active energy", "正向有功电能"),
    "00100201": ("Forward active energy, total", "正向有功电能 总"),
    "00100203": ("Forward active energy, tariff 2", "正向有功电能 费率2"),
    "00120401": (
        "Forward active energy, phase B, high precision, total",
        "B相正向有功电能 高精度 总",
    ),
    "10100201": ("Forward active maximum demand, total", "正向有功最大需量 总"),
    "20000203": ("Voltage, phase C", "电压 C相"),
    "20010400": ("Current, neutral", "电流 零线"),
    "20040201": ("Active power, total", "有功功率 总"),
    "20040204": ("Active power, phase C", "有功功率 C相"),
    "20140207": ("Meter status words, element 7", "电能表运行状态字 第7个"),
    "50040201": ("Day freeze, last record no. 1", "日冻结 上1次记录"),
    "50040300": ("Day freeze, columns", "日冻结 关联对象属性表"),
    "30000B00": ("Loss of voltage, report flag", "电能表失压事件 上报标识"),
    "40000000": ("Clock, all attributes", "日期时间 全部属性"),
    "40000100": ("Clock, logical name", "日期时间 逻辑名"),
    "45100300": ("Ethernet module 1, master station addresses", "以太网通信模块1 主站通信参数表"),
    "60120300": ("Tasks, results", "任务配置表 采集任务记录"),
    "F2010202": ("RS-485 port, no. 2", "RS485 2号"),
    "F1000700": ("ESAM, attribute 7", "ESAM 属性7"),
    "FFFF0200": ("Unknown object", "未知对象"),
}


@pytest.mark.parametrize("oad", NAMES)
def test_name(oad):
    assert name_of(Oad.from_text(oad)) == NAMES[oad]


@pytest.mark.parametrize(
    ("omd", "name"),
    [
        ("80008100", "Remote control, trip"),
        ("80008200", "Remote control, close"),
        ("40007F00", "Clock, broadcast time setting"),
        ("50040700", "Day freeze, add columns in a batch"),
        ("00100100", "Forward active energy, reset"),
        ("00107F00", "Forward active energy, method 127"),
        ("FFFF0100", "Unknown object, reset"),
    ],
)
def test_method_name(omd, name):
    assert method_name(Omd.from_text(omd)).en == name


def test_every_object_has_two_names():
    assert all(row.name.en and row.name.zh for row in OBJECTS)
    names = [row.name for row in OBJECTS]
    assert len(set(names)) == len(names)
    for row in OBJECTS:
        for words in [*row.attributes.values(), *row.methods.values()]:
            assert words.en
            assert words.zh


SCALES = {
    "00100200": ("kWh", 2, DataType.DOUBLE_LONG_UNSIGNED),
    "00000200": ("kWh", 2, DataType.DOUBLE_LONG),
    "00300200": ("kvarh", 2, DataType.DOUBLE_LONG),
    "00900200": ("kVAh", 2, DataType.DOUBLE_LONG_UNSIGNED),
    "00100400": ("kWh", 4, DataType.LONG64_UNSIGNED),
    "20000200": ("V", 1, DataType.LONG_UNSIGNED),
    "20010200": ("A", 3, DataType.DOUBLE_LONG),
    "20020200": ("°", 1, DataType.LONG_UNSIGNED),
    "20040200": ("W", 1, DataType.DOUBLE_LONG),
    "20050200": ("var", 1, DataType.DOUBLE_LONG),
    "20060200": ("VA", 1, DataType.DOUBLE_LONG),
    "200A0200": ("", 3, DataType.LONG),
    "200F0200": ("Hz", 2, DataType.LONG_UNSIGNED),
    "20100200": ("°C", 1, DataType.LONG),
    "20170200": ("kW", 4, DataType.DOUBLE_LONG),
    "202D0200": ("yuan", 2, DataType.DOUBLE_LONG_UNSIGNED),
    "20310200": ("kWh", 2, DataType.DOUBLE_LONG_UNSIGNED),
}


@pytest.mark.parametrize("oad", SCALES)
def test_scale(oad):
    """The table of the digest, section 14."""
    shape = shape_of(Oad.from_text(oad))
    value = shape.item if isinstance(shape, Array) else shape
    assert (value.unit, value.decimals, value.type) == SCALES[oad]
    if isinstance(shape, Array):
        assert shape_of(Oad(Oad.from_text(oad).code | 1)) == value


def test_demand_is_scaled_and_its_time_is_not():
    demand = Data(
        DataType.STRUCTURE,
        (
            Data(DataType.DOUBLE_LONG_UNSIGNED, 12345),
            Data(DataType.DATE_TIME_S, DateTimeS(2024, 1, 2, 3, 4, 5)),
        ),
    )
    for oad, data in (
        ("10100201", demand),
        ("10100200", Data(DataType.ARRAY, (demand,))),
    ):
        shape = shape_of(Oad.from_text(oad))
        expected = ["1.2345", "2024-01-02T03:04:05"]
        assert value_of(data, shape) in (expected, [expected])
        assert units_of(data, shape) == {"kW"}


def test_wallet_has_money_and_a_count():
    wallet = Data(
        DataType.STRUCTURE,
        (Data(DataType.DOUBLE_LONG_UNSIGNED, 1234), Data(DataType.DOUBLE_LONG_UNSIGNED, 7)),
    )
    shape = shape_of(Oad(0x202C0200))
    assert value_of(wallet, shape) == ["12.34", "7"]
    assert units_of(wallet, shape) == {"yuan"}
    assert shape_of(Oad(0x202C0201)) == Value(DataType.DOUBLE_LONG_UNSIGNED, "yuan", 2)
    assert shape_of(Oad(0x202C0203)) is None


def test_structure_of_unknown_parts_is_not_scaled():
    number = Data(DataType.DOUBLE_LONG, 5)
    unexpected = Data(DataType.STRUCTURE, (number,))
    assert value_of(unexpected, Value(DataType.DOUBLE_LONG, "V", 1)) == ["5"]
    assert value_of(
        Data(DataType.STRUCTURE, (number, number)), Structure((Value(number.type, "V", 1),))
    ) == ["0.5", "5"]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (Data(DataType.LONG64_UNSIGNED, (1 << 64) - 1), "18446744073709551615"),
        (Data(DataType.BOOL, True), True),
        (Data(DataType.ENUM, 3), "3"),
        (Data(DataType.OI, 0x4000), "4000"),
        (Data(DataType.BIT_STRING, BitString(16, b"\x80\x01")), "8001"),
        (Data(DataType.FLOAT32, Decimal("0.1")), "0.1"),
        (Data(DataType.FLOAT64, Decimal("1E+20")), "100000000000000000000"),
        (Data(DataType.FLOAT64, None), None),
        (Data(DataType.VISIBLE_STRING, "TOPS  \0"), "TOPS"),
        (Data(DataType.VISIBLE_STRING, "\udcb5\udce7"), "电"),
        (Data(DataType.UTF8_STRING, "电\udcff"), "电\ufffd"),
        (Data(DataType.SCALER_UNIT, ScalerUnit(-2, 33)), {"exponent": -2, "unit": "kWh"}),
        (Data(DataType.SCALER_UNIT, ScalerUnit(0, 99)), {"exponent": 0, "unit": "unit 99"}),
        (Data(DataType.TI, Ti(1, 15)), "15 min"),
        (Data(DataType.TI, Ti(9, 1)), "1 unit 9"),
        (Data(DataType.OMD, Omd(0x80008100)), "80008100"),
    ],
)
def test_value_as_json_holds_it(data, value):
    assert value_of(data) == value


def test_units():
    assert (UNITS[33], UNITS[38], UNITS[255]) == ("kWh", "V", "")
