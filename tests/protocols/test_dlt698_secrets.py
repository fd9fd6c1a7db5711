"""No password in what is kept of a frame of DL/T 698.45, and everything else as it was."""

from datetime import datetime

import pytest

from station.protocols.describe import describe
from station.protocols.dlt698 import action, get, requests
from station.protocols.dlt698 import set as writing
from station.protocols.dlt698.data import BitString, Data, DataType
from station.protocols.dlt698.envelope import Apdu, AttributeResult
from station.protocols.dlt698.frame import NO_CLIENT, PREAMBLE, Frame, ServerAddress
from station.protocols.dlt698.identifiers import Oad, Omd, Tsa
from station.protocols.dlt698.moments import DateTimeS
from station.protocols.dlt698.segments import split
from station.protocols.secrecy import without_passwords

SERVER = ServerAddress.from_text("202601000001")
SECRET = "open sesame"


def letters(text: str = "") -> Data:
    return Data(DataType.VISIBLE_STRING, text)


def octets(data: bytes = b"") -> Data:
    return Data(DataType.OCTET_STRING, data)


def number(kind: DataType, value: int = 1) -> Data:
    return Data(kind, value)


def structure(*parts: Data) -> Data:
    return Data(DataType.STRUCTURE, parts)


ENUM, LONG, SMALL = DataType.ENUM, DataType.LONG_UNSIGNED, DataType.UNSIGNED
MOBILE = structure(
    *(number(ENUM, 0),) * 4, Data(DataType.ARRAY, ()), letters("CMIOT"), letters("user"),
    letters(SECRET), octets(), number(LONG, 0),
    Data(DataType.BIT_STRING, BitString(8, b"\x7b")), number(LONG, 300),
)  # fmt: skip
NETWORK = structure(
    number(ENUM, 2), octets(bytes(4)), octets(bytes(4)), octets(bytes(4)), letters("user"),
    letters(SECRET),
)  # fmt: skip
METER = structure(
    number(LONG),
    structure(
        Data(DataType.TSA, Tsa.of("202601000002")), number(ENUM, 3), number(ENUM, 2),
        Data(DataType.OAD, Oad(0xF2010201)), octets(SECRET.encode()), number(SMALL, 4),
        number(SMALL, 0), number(ENUM, 1), number(LONG, 2200), number(LONG, 50),
    ),
    structure(Data(DataType.TSA, Tsa.of("00" * 6)), octets(), number(LONG), number(LONG)),
    Data(DataType.ARRAY, ()),
)  # fmt: skip
METERS = Data(DataType.ARRAY, (METER, METER))


def told(oad: Oad, data: Data) -> Apdu:
    return get.GetResponseNormal(3, AttributeResult(oad, data))


CARRYING = {
    "set": writing.SetRequestNormal(3, writing.SetItem(Oad.of(0x4500), MOBILE)),
    "set several": writing.SetRequestNormalList(3, (writing.SetItem(Oad.of(0x4501), MOBILE),)),
    "set network": writing.SetRequestNormal(3, writing.SetItem(Oad.of(0x4510, 4), NETWORK)),
    "add meters": action.ActionRequestNormal(3, action.ActionItem(Omd.of(0x6000, 128), METERS)),
    "add a meter": action.ActionRequestNormal(3, action.ActionItem(Omd.of(0x6000, 127), METER)),
    "told": told(Oad.of(0x4500), MOBILE),
    "told meters": told(Oad.of(0x6000), METERS),
    "told several": get.GetResponseNormalList(3, (AttributeResult(Oad.of(0x4500), MOBILE),)),
    "association": writing.SetRequestNormal(3, writing.SetItem(Oad.of(0x4401), letters(SECRET))),
}


def frame(apdu: Apdu) -> Frame:
    return requests.request(SERVER, NO_CLIENT, apdu)


@pytest.mark.parametrize("name", CARRYING)
@pytest.mark.parametrize("preamble", [b"", bytes((PREAMBLE,)) * 4])
def test_no_password_is_left(name: str, preamble: bytes) -> None:
    raw = preamble + frame(CARRYING[name]).to_bytes()
    assert SECRET.encode() in raw
    hidden = without_passwords(raw)
    assert SECRET.encode() not in hidden
    assert len(hidden) == len(raw)
    Frame.from_bytes(hidden[len(preamble) :])  # Its checksums are right.
    assert describe(hidden) == describe(raw)
    assert without_passwords(hidden) == hidden


@pytest.mark.parametrize(
    "apdu",
    [
        told(Oad.of(0x4500, 3), Data(DataType.ARRAY, (structure(octets(bytes(4)), number(LONG)),))),
        told(Oad.of(0x4000), Data(DataType.DATE_TIME_S, DateTimeS.of(datetime(2026, 1, 1)))),  # noqa: DTZ001  It has no zone.
        get.GetRequestNormal(3, Oad.of(0x4500)),
    ],
)
def test_what_holds_none_is_left_alone(apdu: Apdu) -> None:
    raw = frame(apdu).to_bytes()
    assert without_passwords(raw) is raw


def test_pieces_and_broken_frames_are_left_alone() -> None:
    whole = frame(CARRYING["told meters"])
    raw = bytearray(whole.to_bytes())
    raw[-2] ^= 1
    assert without_passwords(bytes(raw)) == bytes(raw)
    pieces = split(whole, length_max=60)
    assert len(pieces) > 1
    assert all(without_passwords(piece.to_bytes()) == piece.to_bytes() for piece in pieces)
