"""What frames are to the session, in either protocol of terminals."""

import pytest
from frontend_peers import TERMINAL
from object_peers import CLOCK, OBJECT_TERMINAL, energy_reply, get_energy, report

from station.frontend.dialects import Dialect698, Dialect1376
from station.frontend.session import Heard
from station.protocols.dlt698 import link as link698
from station.protocols.dlt698.frame import UP, USER_DATA, ServerAddress
from station.protocols.dlt698.frame import Frame as ObjectFrame
from station.protocols.dlt698.identifiers import WILDCARD
from station.protocols.qgdw1376.frame import Address, Frame
from station.protocols.qgdw1376.link import heartbeat, login, logout

OWN = Address.from_text(TERMINAL)
SERVER = ServerAddress(OBJECT_TERMINAL)


@pytest.mark.parametrize(
    ("frame", "heard"),
    [
        (login(OWN, 1), Heard.LOGIN),
        (heartbeat(OWN, 1), Heard.HEARTBEAT),
        (logout(OWN, 1), Heard.LOGOUT),
        (Frame(0xC4, OWN, 0x0C, 0x61, bytes(4)), Heard.REPORT),
        (Frame(0xC4, OWN, 0x0C, 0x71, bytes(4)), Heard.REPORT_TO_CONFIRM),
        (Frame(0x88, OWN, 0x0C, 0x61, bytes(4)), Heard.ANSWER),
        (Frame(0x88, OWN, 0x0C, 0x71, bytes(4)), Heard.ANSWER_TO_CONFIRM),
        (Frame(0x80, OWN, 0x00, 0x71, bytes(4)), Heard.ANSWER),
        (Frame(0x4B, OWN, 0x0C, 0x61, bytes(4)), Heard.STRAY),
        (login(Address("0200", 0xFFFF), 1), Heard.STRAY),
    ],
)
def test_frames_of_1376(frame: Frame, heard: Heard) -> None:
    assert Dialect1376().heard(frame) is heard
    assert Dialect1376().address(frame) == frame.address.text


@pytest.mark.parametrize(
    ("frame", "heard"),
    [
        (link698.login(SERVER, CLOCK, 60), Heard.LOGIN),
        (link698.heartbeat(SERVER, CLOCK, 60), Heard.HEARTBEAT),
        (link698.logout(SERVER, CLOCK, 60), Heard.LOGOUT),
        (report(), Heard.REPORT_TO_CONFIRM),
        (ObjectFrame(UP | USER_DATA, SERVER, 0, b"\x99"), Heard.REPORT),
        (energy_reply(), Heard.ANSWER),
        (get_energy(), Heard.STRAY),
        (link698.login(ServerAddress(OBJECT_TERMINAL, WILDCARD), CLOCK, 60), Heard.STRAY),
        (link698.login(ServerAddress("AAAA"), CLOCK, 60), Heard.STRAY),
    ],
)
def test_frames_of_698(frame: ObjectFrame, heard: Heard) -> None:
    assert Dialect698().heard(frame) is heard
    assert Dialect698().address(frame) == frame.server.digits


@pytest.mark.parametrize("apdu", ["88 01 07", "10 01 02 AB CD 03 01"])
def test_what_cannot_be_decoded_is_not_confirmed(apdu: str) -> None:
    frame = ObjectFrame(UP | USER_DATA, SERVER, 0, bytes.fromhex(apdu))
    assert Dialect698().heard(frame) is Heard.REPORT_TO_CONFIRM
    assert Dialect698().confirmation(frame) is None
