"""Security functions (03H): request bodies, replies, and lengths of the digest (section 9)."""

from decimal import Decimal

import pytest

from station.protocols.dlt645 import prepayment, requests
from station.protocols.dlt645.frame import Version
from station.protocols.dlt645.items import decode, values_of
from station.protocols.dlt645.prepayment import decode_request, encode_request

METER = "000000000161"
SALE = [Decimal("100.00"), Decimal(5), "A1A2A3A4", "123456789012", "B1B2B3B4"]

# Identifier, values of the request, L of the whole request.
BODIES = [
    (0x070000FF, ["11" * 8, "22" * 8, "33" * 8], 32),
    (0x070001FF, [Decimal(30), "A1A2A3A4"], 14),
    (0x070002FF, [], 8),
    (0x07000201, [], 8),
    (0x070101FF, SALE, 30),
    (0x070102FF, SALE, 30),
    (0x070103FF, [Decimal("0.00"), Decimal(0), "A1A2A3A4B1B2B3B4"], 24),
    (0x070201FF, ["01020304", "A1A2A3A4", "44" * 32], 48),
    (0x070202FF, ["01020304", "A1A2A3A4", "44" * 32], 48),
    (0x070203FF, ["01020304", "A1A2A3A4", "44" * 32], 48),
    (0x070204FF, ["01020304", "A1A2A3A4", "44" * 32], 48),
    (0x070301FF, ["44" * 60], 68),
    (0x070003FF, ["44" * 8], 16),
    (0x078003FF, ["44" * 8], 16),
    (0x078001FF, ["0001", "0002", "0003", "0004"], 16),
    (0x078102FF, [], 8),
    (0x07810201, [], 8),
]


@pytest.mark.parametrize(("data_id", "values", "size"), BODIES)
def test_request_body(data_id: int, values: list, size: int) -> None:
    body = encode_request(data_id, values)
    frame = requests.security(METER, data_id, "00000012", body)
    assert len(frame.data) == size
    assert [one.value for one in decode_request(data_id, body)] == values


def test_amount_and_count_are_binary_with_the_lowest_byte_first() -> None:
    body = encode_request(0x070102FF, SALE)
    assert body.hex().upper() == "1027000005000000A1A2A3A4129078563412B1B2B3B4"


@pytest.mark.parametrize(
    ("data_id", "values"),
    [
        (0x070102FF, SALE[:4]),
        (0x070102FF, [Decimal("-1"), *SALE[1:]]),
        (0x070102FF, [Decimal("0.001"), *SALE[1:]]),
        (0x070102FF, [*SALE[:4], "B1B2"]),
        (0x070999FF, []),
    ],
)
def test_request_that_cannot_be(data_id: int, values: list) -> None:
    with pytest.raises(ValueError):
        encode_request(data_id, values)


REPLIES = [
    (0x070000FF, "01020304" "1112131415161718", ["01020304", "1112131415161718"]),
    (0x070002FF, "129078563412" "10270000" "05000000" "01020304",
     ["123456789012", "10270000", "05000000", "01020304"]),
    (0x078001FF, "0001 0002 0003 0004 AABBCC A1A2A3A4",
     ["0001", "0002", "0003", "0004", "AABBCC", "A1A2A3A4"]),
    (0x078102FF, "10270000 A1A2A3A4 05000000 B1B2B3B4 129078563412 01020304",
     ["10270000", "A1A2A3A4", "05000000", "B1B2B3B4", "123456789012", "01020304"]),
    (0x070102FF, "", []),
]  # fmt: skip


@pytest.mark.parametrize(("data_id", "wire", "values"), REPLIES)
def test_reply(data_id: int, wire: str, values: list) -> None:
    data = bytes.fromhex(wire)
    request = requests.security(METER, data_id, "00000012", b"")
    reply = requests.answer(request, data)
    assert requests.is_answer(request, reply)
    assert [one.value for one in values_of(reply)] == values
    assert [one.value for one in decode(Version.V2007, data_id, data)] == values


def test_every_function_has_a_request_and_a_reply() -> None:
    replies = {row.pattern for row in prepayment.SECURITY_REPLIES}
    assert replies == {f"{data_id:08X}" for data_id, _, _ in BODIES}
