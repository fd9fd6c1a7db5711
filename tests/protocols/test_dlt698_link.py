"""Login, heartbeat, logout and reports, and what confirms them."""

from datetime import datetime
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies698 import ANY, frames
from vectors698 import FRAMES, of_id, wire, wire_of

from station.protocols.dlt698 import link
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.association import NO_CAPACITY, LinkRequest, LinkResponse
from station.protocols.dlt698.frame import SCRAMBLED, Frame, ServerAddress
from station.protocols.dlt698.identifiers import Oad, Sid
from station.protocols.dlt698.link import LinkFunction
from station.protocols.dlt698.parser import Parser
from station.protocols.dlt698.report import (
    ReportNotificationList,
    ReportNotificationTransData,
    ReportResponseList,
    ReportResponseTransData,
)
from station.protocols.dlt698.security import (
    Ciphertext,
    Plain,
    SecurityRequest,
    SecurityResponse,
)
from station.protocols.faults import FrameError

local = datetime.fromisoformat

LOGIN = Frame.from_bytes(wire_of("link-login-annexD-2016"))
HEARTBEAT = Frame.from_bytes(wire_of("link-heartbeat-300s"))
REPORT = Frame.from_bytes(wire_of("report-recordlist"))
TERMINAL = ServerAddress("201605190907")
RECEIVED = local("2023-07-11T16:44:01.002")


def upward(apdu, control=0x83):
    return Frame(control, TERMINAL, 0xA0, apdu.to_bytes())


def test_the_annex_of_the_standard():
    """D.1: a login of 08:05:00.137, received 1.47 s later and answered after another 1.123 s."""
    login = link.login(TERMINAL, local("2016-05-19T08:05:00.137"), 180)
    confirmation = link.confirm(
        login, local("2016-05-19T08:05:01.607"), local("2016-05-19T08:05:02.730")
    )
    assert confirmation.apdu == bytes.fromhex(
        "81 00 80 07E00513040805000089 07E0051304080501025F 07E005130408050202DA"
    )
    assert (confirmation.control, confirmation.client) == (0x01, 0)
    assert confirmation.server == TERMINAL


def test_login_is_that_of_the_vector():
    made = link.login(TERMINAL, local("2016-05-19T08:05:00.164"), 180)
    assert made.to_bytes() == wire_of("link-login-annexD-2016")


def test_heartbeat_is_that_of_the_vector():
    address = ServerAddress("000000000001")
    made = link.heartbeat(address, local("2022-02-23T00:04:51.104"), 300)
    assert made.to_bytes() == wire_of("link-heartbeat-300s")


def test_confirmation_is_that_of_the_vector():
    asked = local("2023-07-11T16:43:59")
    login = link.login(ServerAddress("000000000322"), asked, 60)
    assert link.confirm(login, RECEIVED).to_bytes() == wire_of("link-login-response-trusted")


@pytest.mark.parametrize("entry", FRAMES, ids=of_id)
def test_what_a_frame_says_about_its_link(entry):
    expected = {
        "link-login-annexD-2016": LinkFunction.LOGIN,
        "link-login-2025": LinkFunction.LOGIN,
        "link-heartbeat-300s": LinkFunction.HEARTBEAT,
    }
    frame = Frame.from_bytes(wire(entry))
    function = expected.get(entry["id"])
    assert link.link_function(frame) is function
    assert link.wants_confirmation(frame) == (function is not None or frame == REPORT)
    assert link.is_confirmation(frame) == (
        entry["id"] in ("link-login-response-trusted", "report-response-recordlist")
    )


def test_logout():
    frame = link.logout(TERMINAL, RECEIVED, 60)
    assert link.link_function(frame) is LinkFunction.LOGOUT
    assert decode_apdu(frame.apdu).kind == 2
    assert link.is_confirmation(link.confirm(frame))


def test_heartbeat_cycle():
    assert link.heartbeat_s(LOGIN) == 180
    assert link.heartbeat_s(HEARTBEAT) == 300
    assert link.heartbeat_s(REPORT) is None


def test_without_a_clock_the_time_of_the_terminal_goes_back_and_is_not_trusted():
    apdu = decode_apdu(link.confirm(LOGIN).apdu)
    own = decode_apdu(LOGIN.apdu).time
    assert apdu == LinkResponse(0, 0x00, own, own, own)


def test_time_of_the_terminal_goes_back_byte_for_byte():
    """Whatever it holds: terminals check it, and a new one may have no time at all."""
    raw = bytearray(LOGIN.apdu)
    raw[5:15] = b"\xff" * 10
    frame = Frame(LOGIN.control, LOGIN.server, LOGIN.client, bytes(raw))
    assert link.confirm(frame, RECEIVED).apdu[3:13] == b"\xff" * 10


def test_number_and_priority_are_repeated_and_the_demand_is_not():
    raw = bytearray(LOGIN.apdu)
    raw[1] = 0xFF
    frame = Frame(LOGIN.control, LOGIN.server, LOGIN.client, bytes(raw))
    assert link.confirm(frame).apdu[1] == 0xBF


def test_a_login_can_be_refused():
    confirmation = link.confirm(LOGIN, RECEIVED, refusal=NO_CAPACITY)
    assert decode_apdu(confirmation.apdu).result == 0x83
    assert not link.is_confirmation(confirmation)


def test_a_terminal_can_be_given_another_client_address():
    assert link.confirm(LOGIN, client=0xA0).client == 0xA0
    assert link.confirm(REPORT).client == 0xA0


def test_scrambling_is_answered_with_scrambling():
    frame = Frame(LOGIN.control | SCRAMBLED, LOGIN.server, LOGIN.client, LOGIN.apdu)
    assert link.confirm(frame).control == 0x09
    scrambled = Frame(REPORT.control | SCRAMBLED, REPORT.server, REPORT.client, REPORT.apdu)
    assert link.confirm(scrambled).control == 0x0B


def test_report_of_records_is_confirmed_with_their_stores():
    confirmation = link.confirm(REPORT)
    assert confirmation.apdu == bytes.fromhex("08 02 09 01 31060200 00")
    assert confirmation.control == 0x03
    assert confirmation.server == REPORT.server
    assert link.is_confirmation(confirmation)


@given(ANY.of(ReportNotificationList, 1))
def test_report_of_objects_is_confirmed_with_them(report):
    answer = decode_apdu(link.confirm(upward(report)).apdu)
    assert answer == ReportResponseList(
        report.piid & 0xBF, tuple(result.oad for result in report.results)
    )


def test_report_of_a_port_is_confirmed():
    report = ReportNotificationTransData(5, Oad(0xF2010201), (b"\x01",))
    assert decode_apdu(link.confirm(upward(report)).apdu) == ReportResponseTransData(5)


def test_report_in_a_wrapper_is_confirmed_in_one():
    report = upward(SecurityRequest(Plain(REPORT.apdu), Sid(1, b"")))
    assert link.wants_confirmation(report)
    answer = decode_apdu(link.confirm(report).apdu)
    assert answer == SecurityResponse(Plain(link.confirm(REPORT).apdu))


@pytest.mark.parametrize(
    "apdu",
    [
        SecurityRequest(Ciphertext(b"\x01\x02"), Sid(1, b"")),
        SecurityRequest(Plain(b""), Sid(1, b"")),
        SecurityRequest(
            Plain(SecurityRequest(Plain(REPORT.apdu), Sid(1, b"")).to_bytes()), Sid(1, b"")
        ),
        ReportResponseList(0, ()),
    ],
)
def test_what_cannot_be_confirmed_is_a_value_error(apdu):
    with pytest.raises(ValueError):
        link.confirm(upward(apdu))


def test_report_that_cannot_be_decoded_is_a_frame_error():
    with pytest.raises(FrameError, match="data type 61H is unknown"):
        link.confirm(Frame(0x83, TERMINAL, 0, bytes.fromhex("88 01 00 01 20000200 01 61 00 00")))


@pytest.mark.parametrize("size", [0, 1, 2, 5, 14, 16])
def test_a_login_of_the_wrong_size_is_none(size):
    frame = Frame(0x81, TERMINAL, 0, (LOGIN.apdu + b"\x00")[:size])
    assert link.link_function(frame) is None
    with pytest.raises(ValueError):
        link.confirm(frame)


def test_a_login_of_an_unknown_kind_or_from_a_master_is_none():
    assert link.link_function(upward(LinkRequest(0, 3, 60, decode_apdu(LOGIN.apdu).time))) is None
    assert link.link_function(Frame(0x01, TERMINAL, 0, LOGIN.apdu)) is None


@given(frames())
def test_any_frame_is_sorted_and_confirmed_or_refused(frame):
    link.link_function(frame)
    link.is_confirmation(frame)
    if link.wants_confirmation(frame):
        try:
            confirmation = link.confirm(frame, RECEIVED)
        except ValueError:
            return
        assert confirmation.server == frame.server


@given(
    st.integers(0, 255),
    st.integers(0, 2),
    st.integers(0, 0xFFFF),
    st.binary(min_size=10, max_size=10),
)
def test_any_login_is_confirmed(piid, kind, heartbeat, time):
    apdu = bytes((1, piid, kind)) + heartbeat.to_bytes(2, "big") + time
    answer = decode_apdu(link.confirm(Frame(0x81, TERMINAL, 0, apdu), RECEIVED).apdu)
    assert answer.request_time.to_bytes() == time
    assert answer.received_time.local == RECEIVED


def test_a_heartbeat_takes_some_tens_of_microseconds():
    """Bytes in, confirmation out; the bound is loose because test machines are shared."""
    raw = HEARTBEAT.to_bytes()
    parser = Parser()

    def seconds(count):
        started = perf_counter()
        for _ in range(count):
            parser.receive_data(raw)
            frame = parser.next_event()
            link.confirm(frame, RECEIVED, RECEIVED).to_bytes()
        return (perf_counter() - started) / count

    assert min(seconds(200) for _ in range(5)) < 200e-6
