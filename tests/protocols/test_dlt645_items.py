"""Values out of identifiers and back, in both versions."""

import itertools
import json
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.protocols.dlt645 import formats, items1997, parameters
from station.protocols.dlt645.events import PASSWORD_CHANGES
from station.protocols.dlt645.formats import Bcd, SignedBcd, Timed
from station.protocols.dlt645.frame import Frame, Version
from station.protocols.dlt645.functions import data_id_of, version_of
from station.protocols.dlt645.items import TABLE_2007, ItemValue, decode, encode, find, values_of
from station.protocols.dlt645.items1997 import TABLE_1997
from station.protocols.dlt645.requests import payload

V2007, V1997 = Version.V2007, Version.V1997
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dlt645.json").read_text("utf-8"))
ANSWERS = [
    pytest.param(entry["decoded"], id=entry["id"])
    for entry in VECTORS["entries"]
    if {"values", "di"} <= entry.get("decoded", {}).keys()
]

# Version, identifier, data in wire order, and per value: code, value as text, unit.
CASES = [
    (V2007, 0x00000000, "34120080", [("energy_combined_total", "-12.34", "kWh")]),
    (V2007, 0x00010000, "34120080", [("energy_import_total", "800012.34", "kWh")]),
    (V2007, 0x00010000, "FFFFFFFF", [("energy_import_total", "None", "kWh")]),
    (V2007, 0x00010000, "EEEEEEEE", [("energy_import_total", "None", "kWh")]),
    (V2007, 0x00030000, "FFFFFFFF", [("energy_reactive_1_total", "None", "kvarh")]),
    (V2007, 0x00030000, "00000080", [("energy_reactive_1_total", "0.00", "kvarh")]),
    (V2007, 0x0001023F, "00000000", [("", "None", "")]),
    (V2007, 0x00010204, "99999999", [("energy_import_t2_settlement_4", "999999.99", "kWh")]),
    (V2007, 0x003F0000, "01000080", [("energy_reactive_1_c", "-0.01", "kvarh")]),
    (V2007, 0x00BC0000, "01000080", [("energy_associated_c", "-0.01", "kWh")]),
    (V2007, 0x000B0001, "56341200", [("energy_used_last_period", "1234.56", "kWh")]),
    (V2007, 0x00900100, "00010000", [("remaining_energy", "1.00", "kWh")]),
    (V2007, 0x00900200, "50000080", [("remaining_amount", "-0.50", "yuan")]),
    (
        V2007,
        0x000100FF,
        "01000000 02000000",
        [
            ("energy_import_total", "0.01", "kWh"),
            ("energy_import_total_settlement_1", "0.02", "kWh"),
        ],
    ),
    (V2007, 0x01010000, "563412 3008010124", [("demand_import", "12.3456", "kW")]),
    (V2007, 0x01030000, "563492300801 0124", [("demand_reactive_1", "-12.3456", "kvar")]),
    (
        V2007,
        0x0101FF00,
        "563412 3008010124 FFFFFFFFFFFFFFFF",
        [("demand_import", "12.3456", "kW"), ("demand_import_t1", "None", "kW")],
    ),
    (
        V2007,
        0x0201FF00,
        "0122 FFFF FFFF",
        [("voltage_a", "220.1", "V"), ("voltage_b", "None", "V"), ("voltage_c", "None", "V")],
    ),
    (V2007, 0x0201FF00, "0122 AA", [("voltage_a", "220.1", "V")]),
    (V2007, 0x0201FF00, "0122 DD", [("voltage_a", "220.1", "V")]),
    (V2007, 0x02020100, "015080", [("current_a", "-5.001", "A")]),
    (
        V2007,
        0x0203FF00,
        "000100 000180 000000 FFFFFF",
        [
            ("power_total", "0.0100", "kW"),
            ("power_a", "-0.0100", "kW"),
            ("power_b", "0.0000", "kW"),
            ("power_c", "None", "kW"),
        ],
    ),
    (V2007, 0x02060000, "0090", [("power_factor_total", "-1.000", "")]),
    (V2007, 0x02030000, "0000F0", [("power_total", "-70.0000", "kW")]),
    (V2007, 0x02030000, "999979", [("power_total", "79.9999", "kW")]),
    (V2007, 0x020A0215, "3412", [("voltage_harmonic_b_21", "12.34", "%")]),
    (V2007, 0x02800002, "9949", [("frequency", "49.99", "Hz")]),
    (V2007, 0x02800007, "5281", [("temperature", "-15.2", "°C")]),
    (V2007, 0x02800004, "345612", [("demand_present", "12.5634", "kW")]),
    (V2007, 0x04000101, "06291218", [("date", "2018-12-29", "")]),
    (V2007, 0x04000102, "325318", [("time", "18:53:32", "")]),
    (V2007, 0x0400010C, "32531806291218", [("clock", "2018-12-29 18:53:32", "")]),
    (V2007, 0x04000503, "1000", [("status_word_3", "16", "")]),
    (V2007, 0x040005FF, "0100" * 7, [(f"status_word_{n}", "1", "") for n in range(1, 8)]),
    (V2007, 0x04000B02, "0015", [("settlement_day_2", "15 00", "")]),
    (V2007, 0x04000C03, "02123456", [("password_2", "****", "")]),
    (V2007, 0x04010000, "010101 020107",
     [("zone_1_1", "01-01 01", ""), ("zone_1_2", "07-01 02", "")]),
    (V2007, 0x04020003, "010006", [("slot_table_2_3_1", "06:00 01", "")]),
    (V2007, 0x040300FE, "01011024", [("holiday_254", "24-10-01 01", "")]),
    (V2007, 0x04040102, "00000100", [("auto_screen_2_data_id", "00010000", "")]),
    (
        V2007,
        0x04040202,
        "0000010002",
        [("key_screen_2_data_id", "00010000", ""), ("key_screen_2_number", "2", "")],
    ),
    (
        V2007,
        0x040501FF,
        "50550000 45230100",
        [("price_1_t1", "0.5550", "yuan/kWh"), ("price_1_t2", "1.2345", "yuan/kWh")],
    ),
    (V2007, 0x04060101, "50550000", [("ladder_1_price_1", "0.5550", "yuan/kWh")]),
    (V2007, 0x03300003, "", []),
    (V2007, 0x03110002, "000000010124 FFFFFFFFFFFF", [
        ("power_off_2_start", "2024-01-01 00:00:00", ""), ("power_off_2_end", "None", ""),
    ]),
    (V2007, 0x03300D00, "020000", [("cover_open_count", "2", "")]),
    (V2007, 0x03330201, "0500", [("purchase_money_1_count", "5", "")]),
    (V2007, 0x03320303, "00100000", [("purchase_energy_3_bought", "10.00", "kWh")]),
    (V2007, 0x13020102, "010203040524", [("phase_loss_b_2_start", "2024-05-04 03:02:01", "")]),
    (V2007, 0x1D000101, "010203040524", [("trip_1_time", "2024-05-04 03:02:01", "")]),
    (V2007, 0x05060001, "0000020124", [("freeze_daily_1_time", "2024-01-02 00:00:00", "")]),
    (
        V2007,
        0x05060101,
        "01000000 02000000",
        [
            ("freeze_daily_1_energy_import_total", "0.01", "kWh"),
            ("freeze_daily_1_energy_import_t1", "0.02", "kWh"),
        ],
    ),
    (V2007, 0x050402FE, "01000000", [("freeze_hourly_254_energy_export_total", "0.01", "kWh")]),
    (V1997, 0xB611, "0001", [("voltage_a", "100", "V")]),
    (V1997, 0xB61F, "2002 FFFF FFFF", [
        ("voltage_a", "220", "V"), ("voltage_b", "None", "V"), ("voltage_c", "None", "V"),
    ]),
    (V1997, 0xB622, "3412", [("current_b", "12.34", "A")]),
    (V1997, 0xB630, "563412", [("power_total", "12.3456", "kW")]),
    (V1997, 0xB640, "3492", [("reactive_power_total", "-12.34", "kvar")]),
    (V1997, 0xB640, "563412", [("reactive_power_total", "12.3456", "kvar")]),
    (V1997, 0xB64F, "563412" * 4, [
        (f"reactive_power_{name}", "12.3456", "kvar") for name in ("total", "a", "b", "c")
    ]),
    (V1997, 0xB650, "0010", [("power_factor_total", "1.000", "")]),
    (V1997, 0x901F, "00000000" * 9 + "AA", [
        (f"energy_import_{name}", "0.00", "kWh")
        for name in ("total", *(f"t{n}" for n in range(1, 9)))
    ]),
    (V1997, 0x9421, "01000000", [("energy_export_t1_settlement_1", "0.01", "kWh")]),
    (V1997, 0x9150, "01000000", [("energy_q2_total", "0.01", "kvarh")]),
    (V1997, 0xA010, "563412", [("demand_import", "12.3456", "kW")]),
    (V1997, 0xB010, "30080124", [("demand_import_time", "24-01 08:30", "")]),
    (V1997, 0xB312, "0300", [("phase_loss_count_b", "3", "")]),
    (V1997, 0xB312, "030000", [("phase_loss_count_b", "3", "")]),
    (V1997, 0xC331, "010006", [("slot_table_1_slot_1", "06:00 01", "")]),
    (V1997, 0xC3AF, "010006 020008", [
        ("slot_table_8_slot_1", "06:00 01", ""), ("slot_table_8_slot_2", "08:00 02", ""),
    ]),
    (V1997, 0xC117, "0015", [("reading_day", "15 00", "")]),
]  # fmt: skip


@pytest.mark.parametrize("entry", ANSWERS)
def test_vector_means_what_it_says_and_encodes_to_the_same_bytes(entry: dict) -> None:
    frame = Frame(entry["address"], int(entry["control"], 16), bytes.fromhex(entry["data_hex"]))
    version, data_id = version_of(frame), data_id_of(frame)
    assert data_id == int(entry["di"], 16)
    values = decode(version, data_id, payload(frame))
    assert len(values) == len(entry["values"])
    for value, stated in zip(values, entry["values"], strict=True):
        assert value.valid
        assert value.unit == stated.get("unit", "")
        text = stated["value"]
        text = text["ascii"] if isinstance(text, dict) else text.partition(" weekday")[0]
        assert str(value.value) == text
    assert encode(version, data_id, [value.value for value in values]) == payload(frame)


@pytest.mark.parametrize(("version", "data_id", "wire", "expected"), CASES)
def test_value(version: Version, data_id: int, wire: str, expected: list) -> None:
    values = decode(version, data_id, bytes.fromhex(wire))
    assert [(one.code, str(one.value), one.unit) for one in values] == expected


REWRITABLE = [
    case
    for case in CASES
    if case[3]
    and case[3][0][0]
    and "EE" not in case[2]  # Written back as FF.
    and case[2] != "00000080"  # Written back as zero without a sign.
    and case[3][0][1] != "****"
]


@pytest.mark.parametrize(("version", "data_id", "wire", "expected"), REWRITABLE)
def test_value_encodes_to_the_same_bytes(
    version: Version, data_id: int, wire: str, expected: list
) -> None:
    data = bytes.fromhex(wire)
    values = decode(version, data_id, data)
    has_times = data_id >> 24 == 0x01
    contents = [Timed(one.value, one.time) if has_times else one.value for one in values]
    encoded = encode(version, data_id, contents)
    assert [one.value for one in decode(version, data_id, encoded)] == [one.value for one in values]
    if len(find(version, data_id)) == 1:  # Otherwise the first of the lengths is written.
        assert encoded == b"".join(one.raw for one in values)


def test_demand_has_its_time() -> None:
    (value,) = decode(V2007, 0x01010000, bytes.fromhex("5634123008010124"))
    assert (value.value, value.time) == (
        Decimal("12.3456"),
        datetime.fromisoformat("2024-01-01T08:30"),
    )
    (value,) = decode(V2007, 0x01010000, bytes.fromhex("0000000000000000"))
    assert (value.value, value.time, value.valid) == (Decimal("0.0000"), None, True)
    (value,) = decode(V2007, 0x01010000, bytes.fromhex("563412 9999999999"))
    assert (value.value, value.time) == (Decimal("12.3456"), None)


@pytest.mark.parametrize(
    ("version", "data_id", "wire"),
    [
        (V2007, 0x00010000, "0A000000"),  # Not decimal.
        (V2007, 0x00010000, "0000E100"),  # Digits that Python would read as an exponent.
        (V2007, 0x00030000, "000000AA"),
        (V2007, 0x04000102, "612530"),
        (V2007, 0x04000101, "06321218"),
        (V2007, 0x04000404, "FE0000000000"),
        (V2007, 0x04000B02, "0A15"),
    ],
)
def test_digits_that_mean_nothing(version: Version, data_id: int, wire: str) -> None:
    (value,) = decode(version, data_id, bytes.fromhex(wire))
    assert (value.value, value.valid, value.raw) == (None, False, bytes.fromhex(wire))
    assert value.code


@pytest.mark.parametrize(
    ("data_id", "wire"),
    [
        (0x00010000, "0000000000"),
        (0x00010000, "000000"),
        (0x0001FF00, "000000"),
        (0x02010100, "01"),
    ],
)
def test_length_that_does_not_fit_stays_raw(data_id: int, wire: str) -> None:
    (value,) = decode(V2007, data_id, bytes.fromhex(wire))
    assert (value.value, value.valid, value.raw) == (None, False, bytes.fromhex(wire))


@pytest.mark.parametrize("data_id", [0x0001FFFF, 0x00014000, 0x0001000D, 0xFFFFFFFF, 0x06010101])
def test_unknown_identifier_stays_raw(data_id: int) -> None:
    assert decode(V2007, data_id, b"\x01") == [
        ItemValue(data_id, "", decode(V2007, data_id, b"\x01")[0].name, None, "", b"\x01", False)
    ]
    assert decode(V2007, data_id, b"") == []
    with pytest.raises(ValueError, match=f"{data_id:08X}"):
        encode(V2007, data_id, [1])


def test_block_has_the_identifiers_of_its_items() -> None:
    assert [one.data_id for one in decode(V2007, 0x0201FF00, bytes(6))] == [
        0x02010100, 0x02010200, 0x02010300,
    ]  # fmt: skip
    assert [one.data_id for one in decode(V2007, 0x0001FF01, bytes(12))] == [
        0x00010001, 0x00010101, 0x00010201,
    ]  # fmt: skip
    assert [one.data_id for one in decode(V1997, 0x901F, bytes(8))] == [0x9010, 0x9011]
    assert [one.data_id for one in decode(V2007, 0x0206FF00, bytes(8))] == [
        0x02060000, 0x02060100, 0x02060200, 0x02060300,
    ]  # fmt: skip


def test_frozen_values_bear_the_identifier_of_their_quantity() -> None:
    assert [one.data_id for one in decode(V2007, 0x05060101, bytes(12))] == [
        0x00010000, 0x00010100, 0x00010200,
    ]  # fmt: skip
    assert [one.data_id for one in decode(V2007, 0x0506090A, bytes(16))] == [
        0x01010000, 0x01010100,
    ]  # fmt: skip
    assert [one.data_id for one in decode(V2007, 0x05061001, bytes(24))] == [
        0x02030000, 0x02030100, 0x02030200, 0x02030300,
        0x02040000, 0x02040100, 0x02040200, 0x02040300,
    ]  # fmt: skip


def test_everything_of_a_freeze_is_split_at_its_separators() -> None:
    moment = bytes.fromhex("0000020124")
    parts = [moment, *[bytes.fromhex("34120000")] * 8, bytes(8), bytes(8), bytes(24)]
    values = decode(V2007, 0x0506FF01, b"".join(part + b"\xaa" for part in parts))
    assert len(values) == 1 + 8 + 2 + 8
    assert values[0].value == datetime.fromisoformat("2024-01-02T00:00")
    assert (values[1].data_id, values[1].value) == (0x00010000, Decimal("12.34"))
    assert (values[-1].data_id, values[-1].value) == (0x02040300, Decimal("0.0000"))
    (raw,) = decode(V2007, 0x0506FF01, moment + b"\xaa")
    assert not raw.valid


def test_overrides_for_makers_that_differ() -> None:
    (plain,) = decode(V2007, 0x04060101, bytes(4))
    (other,) = decode(V2007, 0x04060101, bytes(4), parameters.LADDERS_VALUES_FIRST)
    assert (plain.code, other.code) == ("ladder_1_price_1", "ladder_2_value_1")
    (unknown,) = decode(V1997, 0xB661, bytes.fromhex("3412"))
    (power,) = decode(V1997, 0xB661, bytes.fromhex("3412"), items1997.B66_APPARENT_POWER)
    (angle,) = decode(V1997, 0xB661, bytes.fromhex("3412"), items1997.B66_PHASE_ANGLE)
    assert (unknown.value, str(power.value), str(angle.value)) == (None, "12.34", "123.4")
    changed = decode(V2007, 0x03320301, bytes.fromhex("010203040524 02123456"), PASSWORD_CHANGES)
    assert [str(one.value) for one in changed] == ["2024-05-04 03:02:01", "****"]


# Lengths that the digest states (sections 4 to 12), single items and records alike.
LENGTHS = [
    (V2007, 4, "00010000"), (V2007, 4, "00150000"), (V2007, 4, "00900200"),
    (V2007, 8, "01010000"),
    (V2007, 18, "03010000"), (V2007, 18, "03020000"), (V2007, 18, "03030000"),
    (V2007, 18, "03040000"), (V2007, 131, "03010101"), (V2007, 131, "0304030A"),
    (V2007, 6, "03050000"), (V2007, 15, "03050001"), (V2007, 6, "03060000"),
    (V2007, 12, "03060001"), (V2007, 6, "03070000"), (V2007, 76, "03070001"),
    (V2007, 6, "03080000"), (V2007, 76, "03080001"), (V2007, 6, "03090000"),
    (V2007, 78, "03090001"), (V2007, 6, "030A0000"), (V2007, 78, "030A0001"),
    (V2007, 18, "030B0000"), (V2007, 115, "030B0101"), (V2007, 18, "030C0000"),
    (V2007, 115, "030C0101"), (V2007, 18, "030D0000"), (V2007, 115, "030D0101"),
    (V2007, 18, "030E0000"), (V2007, 76, "030E0101"), (V2007, 18, "030F0000"),
    (V2007, 76, "030F0101"), (V2007, 27, "03100000"), (V2007, 27, "0310030C"),
    (V2007, 3, "03110000"), (V2007, 12, "03110001"), (V2007, 18, "03120000"),
    (V2007, 20, "03120601"), (V2007, 3, "03300000"), (V2007, 50, "03300001"),
    (V2007, 3, "03300100"), (V2007, 106, "03300101"), (V2007, 3, "03300200"),
    (V2007, 202, "03300201"), (V2007, 3, "03300300"), (V2007, 14, "03300301"),
    (V2007, 3, "03300400"), (V2007, 16, "03300401"), (V2007, 3, "03300500"),
    (V2007, 3, "03300D00"), (V2007, 60, "03300D01"), (V2007, 60, "03300E0A"),
    (V2007, 3, "03350000"), (V2007, 28, "03350001"), (V2007, 3, "1D000001"),
    (V2007, 34, "1D00FF01"), (V2007, 6, "1D000101"), (V2007, 34, "1E00FF0A"),
    (V2007, 3, "13010001"), (V2007, 3, "13010002"), (V2007, 6, "13010101"),
    (V2007, 6, "1303250A"), (V2007, 5, "03330101"), (V2007, 2, "03330201"),
    (V2007, 4, "03330301"), (V2007, 23, "0333FF01"), (V2007, 23, "0332FF0A"),
    (V2007, 4, "04000101"), (V2007, 3, "04000102"), (V2007, 7, "0400010C"),
    (V2007, 1, "04000103"), (V2007, 2, "04000105"), (V2007, 5, "04000106"),
    (V2007, 1, "04000204"), (V2007, 2, "04000205"), (V2007, 3, "04000306"),
    (V2007, 6, "04000401"), (V2007, 32, "04000403"), (V2007, 6, "04000404"),
    (V2007, 4, "04000407"), (V2007, 3, "04000409"), (V2007, 10, "0400040B"),
    (V2007, 10, "0400040C"), (V2007, 16, "0400040D"), (V2007, 6, "0400040E"),
    (V2007, 2, "04000501"), (V2007, 1, "04000601"), (V2007, 1, "04000701"),
    (V2007, 1, "04000801"), (V2007, 1, "04000901"), (V2007, 4, "04000A01"),
    (V2007, 2, "04000A07"), (V2007, 2, "04000B03"), (V2007, 4, "04000C0A"),
    (V2007, 3, "04000E01"), (V2007, 2, "04000E04"), (V2007, 4, "04000F04"),
    (V2007, 4, "04001006"), (V2007, 1, "04001101"), (V2007, 32, "04800003"),
    (V2007, 4, "040300FE"), (V2007, 4, "04050104"), (V2007, 4, "04060301"),
    (V2007, 2, "02010100"), (V2007, 3, "02020100"), (V2007, 3, "02030000"),
    (V2007, 3, "02050000"), (V2007, 2, "02060000"), (V2007, 2, "02070100"),
    (V2007, 2, "020A0101"), (V2007, 3, "02800001"), (V2007, 2, "02800002"),
    (V2007, 3, "02800003"), (V2007, 2, "02800007"), (V2007, 4, "0280000A"),
    (V2007, 4, "02800020"), (V2007, 5, "05000001"), (V2007, 24, "05061001"),
    (V1997, 4, "9010"), (V1997, 4, "9016"), (V1997, 4, "9070"), (V1997, 4, "9082"),
    (V1997, 4, "9000"), (V1997, 3, "A010"), (V1997, 3, "A820"), (V1997, 4, "B010"),
    (V1997, 4, "B210"), (V1997, 2, "B212"), (V1997, 3, "B214"), (V1997, 2, "B310"),
    (V1997, 3, "B320"), (V1997, 4, "B330"), (V1997, 4, "B343"), (V1997, 2, "B611"),
    (V1997, 2, "B623"), (V1997, 3, "B630"), (V1997, 2, "B640"), (V1997, 2, "B650"),
    (V1997, 4, "C010"), (V1997, 3, "C011"), (V1997, 1, "C020"), (V1997, 3, "C030"),
    (V1997, 6, "C032"), (V1997, 6, "C034"), (V1997, 1, "C111"), (V1997, 2, "C117"),
    (V1997, 1, "C314"), (V1997, 3, "C321"), (V1997, 3, "C3AE"),
]  # fmt: skip


@pytest.mark.parametrize(("version", "size", "data_id"), LENGTHS)
def test_length_is_the_digests(version: Version, size: int, data_id: str) -> None:
    layout = find(version, int(data_id, 16))[0].layout
    assert layout.fields_of(bytes(size)) == layout.fields
    assert sum(one.size for one in layout.fields) == size


BLOCKS = [
    (0x0001FF00, 20, 5), (0x0101FF00, 40, 5), (0x0201FF00, 6, 3), (0x0202FF00, 9, 3),
    (0x0203FF00, 12, 4), (0x0204FF00, 12, 4), (0x0205FF00, 12, 4), (0x0206FF00, 8, 4),
    (0x0207FF00, 6, 3), (0x020A01FF, 42, 21), (0x040005FF, 14, 7), (0x04010000, 42, 14),
    (0x04020008, 42, 14), (0x05060101, 20, 5), (0x05060901, 40, 5), (0x0001FF00, 256, 64),
]  # fmt: skip


@pytest.mark.parametrize(("data_id", "size", "count"), BLOCKS)
def test_block_length(data_id: int, size: int, count: int) -> None:
    assert len(decode(V2007, data_id, bytes(size))) == count


@pytest.mark.parametrize("size", [64, 68, 70])
def test_ladder_tables_of_different_lengths(size: int) -> None:
    values = decode(V2007, 0x040604FF, bytes(size))
    assert len(values) == 14
    assert len(values[-1].raw) == size - 52


@pytest.mark.parametrize("size", [94, 682])
def test_programming_records_are_read_by_length(size: int) -> None:
    values = decode(V2007, 0x03300501, bytes(size))
    assert [len(one.raw) for one in values] == [6, 4, size - 10]


def test_shorter_event_record_of_an_old_meter() -> None:
    values = decode(V2007, 0x03010101, bytes.fromhex("010203040524 0102"))
    assert [one.valid for one in values] == [False]
    values = decode(V2007, 0x03010101, bytes.fromhex("010203040524 010203040525"))
    assert [one.code for one in values] == ["voltage_loss_a_1_start", "voltage_loss_a_1_end"]


@pytest.mark.parametrize("table", [TABLE_2007, TABLE_1997])
def test_rows_of_one_identifier_differ_in_length(table) -> None:
    """Each row is found by its own identifier, and two rows meet only where lengths tell them."""
    for row in table.rows:
        sample = row.pattern
        for letter in set(filter(str.islower, row.pattern)):
            axis = table.axis(row, letter)
            width = row.pattern.count(letter)
            sample = sample.replace(letter * width, f"{next(reversed(axis.labels)):0{width}X}")
        found = table.find(int(sample, 16))
        assert found, sample
        sizes = [sum(one.size for one in each.layout.fields) for each in found if each.layout]
        assert len(set(sizes)) == len(sizes), sample
        assert len({each.code for each in found}) == 1, sample


def test_codes_of_quantities_and_parameters_are_unique() -> None:
    seen: dict[str, int] = {}
    letters = str.maketrans(dict.fromkeys("tudpqhwkszl", "0"))
    rows = [row for row in TABLE_2007.rows if row.pattern[:2] in ("00", "01", "02", "04")]
    for row, step in itertools.product(rows, (0, 1, 0x100, 0x10100)):
        data_id = int(row.pattern.translate(letters), 16) + step
        for found in find(V2007, data_id):
            for one in found.layout.fields:
                assert seen.setdefault(one.code, one.data_id) == one.data_id
    assert len(seen) > 500


# Formats.


@given(st.integers(0, 99_999_999), st.integers(0, 6))
def test_bcd_round_trip(number: int, decimals: int) -> None:
    layout = Bcd("X" * (8 - decimals) + "." * bool(decimals) + "X" * decimals)
    value = Decimal(number).scaleb(-decimals)
    assert layout.size == 4
    assert layout.decode(layout.encode(value)) == value
    assert str(layout.decode(layout.encode(value))) == f"{value:.{decimals}f}"


@given(st.integers(-79_999_999, 79_999_999))
def test_signed_bcd_round_trip(number: int) -> None:
    layout = SignedBcd("XXXXXX.XX")
    value = Decimal(number).scaleb(-2)
    assert layout.decode(layout.encode(value)) == value


EARLIEST = datetime.fromisoformat("2000-01-01")
LATEST = datetime.fromisoformat("2099-12-31")


@given(st.datetimes(EARLIEST, LATEST))
def test_times_round_trip(moment: datetime) -> None:
    seconds = moment.replace(microsecond=0)
    minutes = seconds.replace(second=0)
    for fields, value in (("YYMMDDhhmmss", seconds), ("YYMMDDWWhhmmss", seconds),
                          ("YYMMDDhhmm", minutes)):  # fmt: skip
        layout = formats.LocalTime(fields)
        assert layout.decode(layout.encode(value)) == value
    assert formats.Day("YYMMDDWW").decode(formats.Day("YYMMDDWW").encode(moment)) == moment.date()
    layout = formats.TimeOfDay("hhmmss")
    assert layout.decode(layout.encode(seconds.time())) == seconds.time()


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=10))
def test_ascii_round_trip(text: str) -> None:
    layout = formats.Ascii(10)
    assert layout.decode(layout.encode(text)) == text


@given(st.integers(0, 0xFFFE).filter(lambda bits: bits != 0xEEEE))
def test_bits_round_trip(bits: int) -> None:
    assert formats.Bits(2).decode(formats.Bits(2).encode(bits)) == bits


@pytest.mark.parametrize(
    ("layout", "value"),
    [
        (Bcd("XXX.X"), Decimal("1000")),
        (Bcd("XXX.X"), Decimal("1.23")),
        (Bcd("XXX.X"), Decimal("-1")),
        (Bcd("XXX.X"), "1.0"),
        (SignedBcd("XXX.X"), Decimal("800")),
        (SignedBcd("XXX.X"), Decimal("-800")),
        (formats.Binary(4, 2), Decimal("-0.01")),
        (formats.Binary(4, 2), Decimal("0.001")),
        (formats.Binary(4, 2), None),
        (formats.Bits(1), 256),
        (formats.Bits(1), "1"),
        (formats.Digits(6), "12345"),
        (formats.Digits(6), 161),
        (formats.Ascii(4), "12345"),
        (formats.Ascii(4), "é"),
        (formats.Raw(4), "0102"),
        (formats.LocalTime("YYMMDDhhmm"), "2024"),
        (formats.LocalTime("YYMMDDhhmm"), datetime.fromisoformat("1999-01-01")),
        (formats.Day("YYMMDDWW"), time(1)),
        (formats.TimeOfDay("hhmmss"), date(2024, 1, 1)),
        (formats.Written("MM-DD hh:mm"), "01-01"),
        (formats.Written("MM-DD hh:mm"), "0101 00:00"),
        (formats.WithTime(Bcd("XX.XXXX"), formats.LocalTime("YYMMDDhhmm")), Decimal(1)),
    ],
)
def test_value_that_does_not_fit_is_refused(layout, value) -> None:
    with pytest.raises(ValueError):
        layout.encode(value)


@pytest.mark.parametrize(
    "layout",
    [
        Bcd("XX.XX"),
        SignedBcd("XX.XX"),
        formats.Bits(2),
        formats.Digits(2),
        formats.Ascii(2),
        formats.LocalTime("YYMMDDhhmm"),
        formats.Day("YYMMDDWW"),
        formats.TimeOfDay("hhmmss"),
        formats.Written("DD hh"),
    ],
)
def test_absent_round_trip(layout) -> None:
    assert layout.encode(None) == b"\xff" * layout.size
    assert layout.decode(b"\xff" * layout.size) is None
    assert layout.decode(b"\xee" * layout.size) is None


def test_binary_is_not_bcd() -> None:
    layout = formats.Binary(4, 2)
    assert layout.encode(Decimal("123.45")) == bytes.fromhex("39300000")
    assert layout.decode(bytes.fromhex("39300000")) == Decimal("123.45")


@given(st.sampled_from([V2007, V1997]), st.integers(0, 0xFFFFFFFF), st.binary(max_size=140))
def test_any_bytes_decode_to_something(version: Version, data_id: int, data: bytes) -> None:
    values = decode(version, data_id & (0xFFFFFFFF if version is V2007 else 0xFFFF), data)
    assert bool(values) == bool(data)


ROWS = list(itertools.chain(TABLE_2007.rows, TABLE_1997.rows))


@given(st.sampled_from(ROWS), st.integers(0, 3), st.binary(min_size=1, max_size=140))
def test_any_bytes_under_a_known_identifier(row, step: int, data: bytes) -> None:
    version = V2007 if len(row.pattern) == 8 else V1997
    fixed = "".join("0" if one.islower() else one for one in row.pattern)
    values = decode(version, int(fixed, 16) + step, data)
    assert values
    total = b"".join(one.raw for one in values)
    assert total == data or data.startswith(total) or b"\xaa" in data


def test_value_too_fine_for_one_length_is_written_in_the_other() -> None:
    assert encode(V1997, 0xB640, [Decimal("12.34")]) == bytes.fromhex("3412")
    assert encode(V1997, 0xB640, [Decimal("12.3456")]) == bytes.fromhex("563412")
    with pytest.raises(ValueError, match="decimals"):
        encode(V1997, 0xB640, [Decimal("12.34567")])


def test_values_of_an_answer() -> None:
    data = bytes.fromhex("00FF0102 0122 0222 FFFF")
    reply = Frame("000000000161", 0x91, data)
    assert values_of(reply) == decode(V2007, 0x0201FF00, data[4:])
    following = Frame("000000000161", 0x92, bytes.fromhex("00000100 34120000 01"))
    assert [str(one.value) for one in values_of(following)] == ["12.34"]
    (old,) = values_of(Frame("000000000161", 0x81, bytes.fromhex("11B60001")))
    assert str(old.value) == "100"
    assert values_of(Frame("000000000161", 0xD1, b"\x02")) == []
    assert values_of(Frame("000000000161", 0x93, bytes(6))) == []
    (raw,) = values_of(Frame("000000000161", 0x91, bytes.fromhex("00000100 3412")))
    assert (raw.valid, raw.raw) == (False, b"\x34\x12")


def test_both_versions_call_the_same_quantity_the_same() -> None:
    same = [
        (0x901F, 0x0001FF00), (0x902F, 0x0002FF00), (0x9130, 0x00050000), (0x9140, 0x00080000),
        (0x9150, 0x00060000), (0x9160, 0x00070000), (0x9410, 0x00010001), (0x9810, 0x00010002),
        (0x9071, 0x00290000), (0x9000, 0x00000000), (0xA010, 0x01010000), (0xB61F, 0x0201FF00),
        (0xB62F, 0x0202FF00), (0xB63F, 0x0203FF00), (0xB64F, 0x0204FF00), (0xB65F, 0x0206FF00),
        (0xC010, 0x04000101), (0xC011, 0x04000102), (0xC030, 0x04000409), (0xC031, 0x0400040A),
        (0xC032, 0x04000402), (0xC033, 0x0400040E), (0xC111, 0x04000103), (0xC112, 0x04000104),
        (0xC310, 0x04000201), (0xC313, 0x04000204), (0xC314, 0x04000205),
    ]  # fmt: skip
    for old, new in same:
        codes_1997 = [one.code for one in find(V1997, old)[0].layout.fields]
        codes_2007 = [one.code for one in find(V2007, new)[0].layout.fields]
        assert codes_1997 == codes_2007[: len(codes_1997)]
