"""The session as a table: each kind of frame in each state."""

import pytest
from frontend_peers import TERMINAL

from station.frontend.dialects import Dialect1376
from station.frontend.session import TABLE, Heard, Row, Session, State, Step
from station.protocols.qgdw1376.frame import Address, Frame
from station.protocols.qgdw1376.link import heartbeat, login, logout

OWN = Address.from_text(TERMINAL)
OTHER = Address.from_text("02005678")


DIALECT = Dialect1376()


def handle(session: Session, frame: Frame) -> Row:
    return session.handle(DIALECT.heard(frame), DIALECT.address(frame))


def report(address: Address, seq: int = 0x61) -> Frame:
    return Frame(0xC4, address, 0x0C, seq, bytes.fromhex("01010103"))


def answer(address: Address) -> Frame:
    return Frame(0x88, address, 0x10, 0x61, bytes.fromhex("00000100"))


def from_station(address: Address) -> Frame:
    return Frame(0x4B, address, 0x0C, 0x61, bytes.fromhex("01010103"))


BEFORE_LOGIN = [
    (login(OWN, 1), State.ONLINE, {Step.ATTACH, Step.CONFIRM}),
    (heartbeat(OWN, 1, None), State.ONLINE, {Step.ATTACH, Step.CONFIRM}),
    (report(OWN), State.ONLINE, {Step.ATTACH, Step.REPORT}),
    (report(OWN, 0x71), State.ONLINE, {Step.ATTACH, Step.CONFIRM, Step.REPORT}),
    (answer(OWN), State.ONLINE, {Step.ATTACH}),
    (logout(OWN, 1), State.CLOSED, {Step.CONFIRM, Step.CLOSE}),
    (from_station(OWN), State.UNNAMED, set()),
    (login(Address("0200", 0), 1), State.UNNAMED, set()),
    (login(Address("0200", 0xFFFF), 1), State.UNNAMED, set()),
]

AFTER_LOGIN = [
    (login(OWN, 2), State.ONLINE, {Step.ATTACH, Step.CONFIRM}),
    (heartbeat(OWN, 2, None), State.ONLINE, {Step.CONFIRM}),
    (report(OWN), State.ONLINE, {Step.REPORT}),
    (report(OWN, 0x72), State.ONLINE, {Step.REPORT, Step.CONFIRM}),
    (answer(OWN), State.ONLINE, {Step.DELIVER}),
    (logout(OWN, 2), State.CLOSED, {Step.CONFIRM, Step.CLOSE}),
    (from_station(OWN), State.ONLINE, set()),
    (report(OTHER), State.ONLINE, set()),
    (report(OTHER, 0x72), State.ONLINE, {Step.CONFIRM}),
    (answer(OTHER), State.ONLINE, {Step.MISTAKE}),
    (logout(OTHER, 2), State.ONLINE, {Step.CONFIRM}),
]


@pytest.mark.parametrize(("frame", "state", "steps"), BEFORE_LOGIN)
def test_before_login(frame: Frame, state: State, steps: set[Step]) -> None:
    session = Session()
    assert set(handle(session, frame).steps) == steps
    assert session.state is state
    assert session.address == (TERMINAL if Step.ATTACH in steps else "")


@pytest.mark.parametrize(("frame", "state", "steps"), AFTER_LOGIN)
def test_after_login(frame: Frame, state: State, steps: set[Step]) -> None:
    session = Session()
    handle(session, login(OWN, 1))
    assert set(handle(session, frame).steps) == steps
    assert (session.state, session.address) == (state, TERMINAL)


@pytest.mark.parametrize("frame", [login(OTHER, 2), heartbeat(OTHER, 2, None)])
def test_another_terminal_takes_the_connection_over(frame: Frame) -> None:
    session = Session()
    handle(session, login(OWN, 1))
    row = handle(session, frame)
    assert set(row.steps) == {Step.ATTACH, Step.CONFIRM}
    assert session.address == OTHER.text


def test_silence_says_which_clock_ran_out() -> None:
    session = Session()
    assert session.silence().text == "no login"
    session = Session()
    handle(session, login(OWN, 1))
    assert session.silence().text == "silent"
    assert session.state is State.CLOSED


def test_every_pair_of_a_living_state_has_a_row() -> None:
    others = {heard for heard in Heard if heard.name.startswith("OTHER_")}
    expected = {(State.ONLINE, heard) for heard in Heard}
    expected |= {(State.UNNAMED, heard) for heard in set(Heard) - others}
    assert set(TABLE) == expected
