"""Parameters: texts and units, what a terminal and a meter hold, and what the archive wants."""

from collections.abc import Mapping
from typing import Any

import pytest
from small_site import DEAD, METER, OLD, SITE, TERMINAL

from station.collector.meter_catalogue import (
    METER_MAIN,
    METER_MAIN_1997,
    METER_MORE,
    METER_MORE_1997,
)
from station.collector.parameter_catalogue import terminal_code
from station.collector.parameter_dialects import spec_of
from station.collector.parameter_units import complete, held_in, normal_values, set_units
from station.collector.parameters import Parameters
from station.errors import InvalidValue, LinkDown, MeterTimeout, Refused
from station.protocols.dlt645.requests import Authority
from station.protocols.qgdw1376 import requests
from station.protocols.qgdw1376.frame import QUERY_PARAMETERS, SET_PARAMETERS, Address
from station.store.objects.meters import Meter
from station.store.objects.parameters import Parameter

F3 = {
    "main_ip": "203.0.113.9",
    "main_port": "7001",
    "spare_ip": "0.0.0.0",
    "spare_port": "0",
    "apn": "CMIOT",
}


def answer(values: Mapping[str, Mapping[str, str]]) -> list[Any]:
    """Return the frames in which a terminal tells these values."""
    request = requests.ask(QUERY_PARAMETERS, Address.from_text(TERMINAL), [], sequence=1, master=1)
    return [requests.answer(request, [asked.unit]) for asked in set_units(values)]


@pytest.mark.parametrize(
    ("code", "texts", "hex_digits"),
    [
        ("F3", F3, "CB007109591B000000000000434D494F540000000000000000000000"),
        ("F1", {"rts_time": "1", "allowed_delay": "2", "timeout": "30", "repeats": "3",
                "confirm_reports": "07", "heartbeat_period": "5"}, "01021E300705"),
        ("F9", {"valid": "1; 4; 14", "important": "14"}, "09200000000000000020000000000000"),
        ("F67.5", {"state": "85"}, "55"),
        ("F65.2", {"period": "15", "period_unit": "0", "base_time": "2026-01-31 08:00:00",
                   "sampling": "1", "units": "p1 F25; p2 F33"},
         "0F000008 31C126 01 02 01010103 02010104".replace(" ", "")),
        ("F33.2", {"no_automatic_reading": "0", "key_meters_only": "0", "send_freeze": "0",
                   "send_clock": "1", "search_meters": "0", "read_status_words": "0",
                   "days": "FFFFFFFF", "time": "00:05", "interval": "60",
                   "clock_broadcast": "day 00 01:30", "periods": "06:00-22:00; 23:00-23:59"},
         "01 02 0800 FFFFFFFF 0500 3C 300100 02 0006 0022 0023 5923".replace(" ", "")),
    ],
)  # fmt: skip
def test_texts_become_bytes_and_come_back(
    code: str, texts: dict[str, str], hex_digits: str
) -> None:
    texts = normal_values(code, texts)
    (asked,) = set_units({code: texts})
    assert asked.unit.data.hex().upper() == hex_digits
    assert asked.unit.pn == terminal_code(code).pn
    held, _ = held_in(answer({code: texts}), [code])
    assert held == {code: texts}


@pytest.mark.parametrize(
    ("code", "texts", "field"),
    [
        ("F3", {"main_ip": "10.0.0"}, "main_ip"),
        ("F3", {"main_port": "70000"}, "main_port"),
        ("F3", {"apn": "x" * 17}, "apn"),
        ("F3", {"nonsense": "1"}, "nonsense"),
        ("F1", {"repeats": "4"}, "repeats"),
        ("F1", {"confirm_reports": "zz"}, "confirm_reports"),
        ("F9", {"valid": "65"}, "valid"),
        ("F33.2", {"periods": "06:00"}, "periods"),
        ("F33.2", {"time": "25 o'clock"}, "time"),
        ("F65.2", {"base_time": "tomorrow"}, "base_time"),
        ("F10.1", {"password": "000000000000"}, "password"),
        ("F2", {}, "code"),
        ("F3.1", {}, "code"),
        ("F65", {}, "code"),
        ("F65.65", {}, "code"),
        ("F10.²", {}, "code"),
    ],
)
def test_what_does_not_fit_names_its_field(code: str, texts: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        normal_values(code, texts)
    assert refused.value.field == field


def test_a_field_that_is_not_wanted_stays_as_the_device_has_it() -> None:
    assert complete("F3", {"main_port": "7001"}, {**F3, "main_port": "1"}) == F3
    with pytest.raises(InvalidValue, match="read it first"):
        complete("F3", {"main_port": "7001"}, {})
    wanted = Parameter("x", "F3", kind="terminal", wanted={"main_port": "7001"})
    assert wanted.state == "unread"


def test_every_parameter_is_named_in_both_languages_with_its_source() -> None:
    codes = ["F1", "F3", "F4", "F8", "F9", "F10.1", "F25.1", "F26.1", "F33.1", "F36", "F65.1"]
    specs = [spec_of("terminal", code) for code in codes]
    specs += [spec_of("meter", code) for code in (*METER_MAIN, *METER_MORE)]
    specs += [spec_of("meter", code) for code in (*METER_MAIN_1997, *METER_MORE_1997)]
    assert all(spec.name.en != spec.name.zh and spec.source for spec in specs)
    assert all(field.name.zh for spec in specs for field in spec.fields)


@pytest.fixture
async def parameters(collecting: Any, zone: Any) -> Parameters:
    await collecting.enter(SITE)
    return Parameters(collecting.database, collecting.registry, collecting.feed, zone)


async def test_wanted_beside_held(collecting: Any, parameters: Parameters) -> None:
    terminal = await parameters.device("terminal", TERMINAL)
    rows = {row.code: row for row in await parameters.rows(terminal)}
    assert list(rows) == ["F1", "F3", "F4", "F8", "F9", "F10.1", "F10.2", "F10.3", "F36"]
    assert rows["F10.1"].wanted["address"] == METER
    assert {row.state for row in rows.values()} == {"held", "unread"}
    with pytest.raises(LinkDown):
        await parameters.read(terminal, ["F3"])

    await parameters.want(terminal, "F3", {"main_port": " 7001 "}, "ann")
    await collecting.dial_in(SITE)
    await collecting.archive.save_meter(
        Meter(OLD, "", link=TERMINAL, protocol="dlt645-1997", point=2, port=3)
    )
    read = {row.code: row for row in await parameters.read(terminal)}
    assert read["F3"].held["main_ip"] == "10.0.0.1"
    assert (read["F3"].state, read["F3"].differences) == ("different", ["main_port"])
    assert read["F10.1"].state == "same"
    assert (read["F10.2"].state, read["F10.2"].differences) == ("different", ["port"])
    assert "password" not in read["F10.1"].held
    counts = await collecting.database.parameters.counts()
    assert (counts["different"], counts["same"]) == (2, 2)
    found, total = await collecting.database.parameters.list(state="different")
    assert (total, [each.code for each in found]) == (2, ["F10.2", "F3"])

    whole = await parameters.to_set(terminal, None, {})
    assert set(whole) == {"F3", "F10.2"}
    frames = parameters.frames(terminal, whole)
    assert [frame.codes for frame in frames] == [("F3",), ("F10.2",)]
    assert all(frame.raw[0] == 0x68 and frame.raw[12] == SET_PARAMETERS for frame in frames)


async def test_a_meter_of_1997_takes_parameters_and_gives_them_back(
    collecting: Any, parameters: Parameters
) -> None:
    await collecting.dial_in(SITE)
    meter = await parameters.device("meter", OLD)
    read = {row.code: row for row in await parameters.read(meter)}
    assert set(read) == set(METER_MAIN_1997)
    assert [row.problem for row in read.values() if row.problem] == []
    assert read["C32F"].held == {"value": "01-01 01"}
    wants = {"C111": "30", "C313": "2", "C32F": "01-01 01, 07-01 02", "C117": "05 00"}
    for code, text in wants.items():
        await parameters.want(meter, code, {"value": text}, "ann")
    with pytest.raises(InvalidValue, match="there is no parameter"):
        await parameters.want(meter, "04000103", {"value": "30"}, "ann")
    whole = await parameters.to_set(meter, None, {})
    frames = parameters.frames(meter, whole)
    assert [frame.codes for frame in frames] == [(code,) for code in sorted(wants)]
    line = parameters.line(meter)
    with pytest.raises(Refused):
        await line.write(whole, Authority(2, "999999"))
    await line.write(whole, Authority(2, "000000"))
    told = await line.read(whole)
    assert {code: each.values["value"] for code, each in told.items()} == wants


async def test_a_meter_tells_what_it_holds_and_what_it_refuses(
    collecting: Any, parameters: Parameters
) -> None:
    await collecting.dial_in(SITE)
    meter = await parameters.device("meter", METER)
    await parameters.want(meter, "04001001", {"value": "50"}, "ann")
    await parameters.want(meter, "04000103", {"value": "15"}, "ann")
    read = {row.code: row for row in await parameters.read(meter)}
    assert set(read) == set(METER_MAIN)
    assert (read["04000204"].held, read["04000204"].state) == ({"value": "4"}, "held")
    assert read["04000103"].state == "same"
    assert read["04001001"].wanted == {"value": "50.00"}
    with pytest.raises(MeterTimeout):
        await parameters.read(await parameters.device("meter", DEAD), ["04000103"])
