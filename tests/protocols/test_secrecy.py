"""No password in what is kept of a frame, and everything else as it was."""

from datetime import datetime
from typing import Any

import pytest

from station.protocols.describe import describe
from station.protocols.dlt645 import Frame, Version, requests
from station.protocols.dlt645.frame import PREAMBLE
from station.protocols.dlt645.requests import Authority, Command
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698.identifiers import Comdcb, Oad
from station.protocols.dlt698.proxy import ProxyRequestTransCommand
from station.protocols.line import LineSettings
from station.protocols.qgdw1376.forward import forward_request
from station.protocols.qgdw1376.frame import (
    CONTROL,
    QUERY_PARAMETERS,
    SET_PARAMETERS,
    Address,
)
from station.protocols.qgdw1376.frame import Frame as TerminalFrame
from station.protocols.qgdw1376.functions import make_unit, units_of, values_of
from station.protocols.qgdw1376.requests import answer, ask
from station.protocols.qgdw1376.units import DataUnit
from station.protocols.secrecy import HIDDEN, without_passwords

METER = "000000000161"
SECRET = Authority(4, "123456", "00000099")
OTHER = Authority(4, "987654", "00000099")
UNTIL = datetime.fromisoformat("2026-03-02 10:20:30")
LINE = LineSettings.parse("2400 8E1")

REQUESTS = {
    "write": lambda who: requests.write(Version.V2007, METER, 0x04000103, b"\x15", who),
    "write 1997": lambda who: requests.write(Version.V1997, METER, 0xC111, b"\x15", who),
    "control": lambda who: requests.control(METER, Command.TRIP, UNTIL, who),
    "reset": lambda who: requests.reset_demand(METER, who),
    "clear": lambda who: requests.clear_meter(METER, who),
    "clear events": lambda who: requests.clear_events(METER, who),
    "passwords": lambda who: requests.change_password(METER, 0x04000C03, who, who),
    "passwords 1997": lambda who: requests.change_password_1997(METER, who, who),
}


def alone(request: Frame) -> bytes:
    return PREAMBLE + request.to_bytes()


def in_1376(request: Frame) -> bytes:
    terminal = Address.from_text("02001234")
    return forward_request(
        terminal,
        2,
        LINE,
        alone(request),
        frame_timeout_s=5,
        byte_timeout_ms=500,
        sequence=1,
        master=1,
    ).to_bytes()


def in_698(request: Frame) -> bytes:
    apdu = ProxyRequestTransCommand(1, Oad.of(0xF201, 2, 1), Comdcb.of(LINE), 5, 50, alone(request))
    server = dlt698.ServerAddress.from_text("02001234")
    return PREAMBLE + dlt698.Frame(0x43, server, 1, apdu.to_bytes()).to_bytes()


def told_of(raw: bytes) -> dict[str, Any]:
    """What a frame says, but for the bytes that a terminal is to forward."""
    told = describe(raw)
    assert told.get("protocol"), told
    return {name: value for name, value in told.items() if name != "units"}


@pytest.mark.parametrize("carried", [alone, in_1376, in_698])
@pytest.mark.parametrize("name", REQUESTS)
def test_the_password_is_gone_and_nothing_else(carried, name: str) -> None:
    make = REQUESTS[name]
    raw = carried(make(SECRET))
    kept = without_passwords(raw)
    assert kept != raw
    assert kept == without_passwords(carried(make(OTHER))), "the password leaves no trace"
    assert len(kept) == len(raw)
    assert told_of(kept) == told_of(raw), "what is told of a frame holds no password anyway"


def list_of_meters(password: str, *, up: bool) -> bytes:
    """F10 with two meters: set by the station, or told by the terminal."""
    entry = {
        "index": 1, "point": 1, "port": 2, "speed": 3, "protocol": 30, "address": METER,
        "password": password, "tariffs": 4, "decimals_less_1": 1, "integer_digits_less_4": 2,
        "collector": "0" * 12, "small_class": 0, "big_class": 0,
    }  # fmt: skip
    values = {"meters": [entry, {**entry, "index": 2, "point": 2}]}
    set_up = make_unit(SET_PARAMETERS, 0, 3, dict.fromkeys(("main_ip", "spare_ip"), "10.0.0.1")
                       | {"main_port": 1, "spare_port": 2, "apn": "x"})  # fmt: skip
    terminal = Address.from_text("02001234")
    units = [set_up, make_unit(SET_PARAMETERS, 0, 10, values)]
    if not up:
        return ask(SET_PARAMETERS, terminal, units, sequence=1, master=1).to_bytes()
    request = ask(QUERY_PARAMETERS, terminal, [], sequence=1, master=1)
    return answer(request, units).to_bytes()


@pytest.mark.parametrize("up", [False, True])
def test_passwords_of_meters_in_a_terminals_list(up: bool) -> None:
    raw = list_of_meters("123456789012", up=up)
    kept = without_passwords(raw)
    assert kept == without_passwords(list_of_meters("987654321098", up=up))
    assert kept != raw
    assert kept.count(bytes((HIDDEN,)) * 6) == 2
    frame, before = TerminalFrame.from_bytes(kept), TerminalFrame.from_bytes(raw)
    one, other = (
        [values_of(each, unit) for unit in units_of(each).units] for each in (frame, before)
    )
    assert one[0] == other[0]
    for entry, held in zip(one[1]["meters"], other[1]["meters"], strict=True):
        assert {**entry, "password": ""} == {**held, "password": ""}


def test_the_password_of_the_protocol_and_of_the_network() -> None:
    terminal, clock = Address.from_text("02001234"), [DataUnit(1, 2)]
    raw = ask(CONTROL, terminal, clock, sequence=1, master=1, password=b"\x12" * 16).to_bytes()
    assert without_passwords(raw).count(bytes((HIDDEN,)) * 16) == 1
    plain = ask(CONTROL, terminal, clock, sequence=1, master=1).to_bytes()
    assert without_passwords(plain) == plain, "all zero says that there is none"
    network = DataUnit(0, 16, b"user".ljust(32, b"\0") + b"secret".ljust(32, b"\0"))
    raw = ask(SET_PARAMETERS, terminal, [network], sequence=1, master=1).to_bytes()
    assert b"secret" not in without_passwords(raw)
    assert b"user" in without_passwords(raw)
    asked = ask(QUERY_PARAMETERS, terminal, [network], sequence=1, master=1).to_bytes()
    assert without_passwords(asked) == asked, "a question tells nothing"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x68" * 30,
        alone(requests.read(Version.V2007, METER, 0x00010000)),
        alone(requests.answer(REQUESTS["write"](SECRET))),
        alone(REQUESTS["control"](Authority(0x98, "123456"))),
        alone(REQUESTS["write"](SECRET))[:-3],
        in_1376(requests.read(Version.V2007, METER, 0x00010000)),
    ],
)
def test_what_has_no_password_stays_as_it_is(raw: bytes) -> None:
    assert without_passwords(raw) == raw
