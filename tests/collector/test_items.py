"""The item catalogue against the tables of the protocols: every identifier names that quantity."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from station.collector.items import DLT698, ITEM_BY_CODE, ITEMS, Item, has_item
from station.protocols.dlt645 import Version
from station.protocols.dlt645 import items as items645
from station.protocols.dlt698.data import DataType
from station.protocols.dlt698.identifiers import Oad
from station.protocols.dlt698.objects import shape_of
from station.protocols.dlt698.shapes import Structure, Value
from station.protocols.qgdw1376.frame import CLASS_1, CLASS_2
from station.protocols.qgdw1376.functions import layout_of

ZONE = ZoneInfo("Asia/Shanghai")
KILO = {"W": ("kW", 3), "var": ("kvar", 3)}
PLACES = [
    (item, afn, place)
    for item in ITEMS
    for afn, places in (
        (CLASS_1, item.fn_1376.now),
        (CLASS_2, item.fn_1376.day + item.fn_1376.curve),
    )
    for place in places
]


@pytest.mark.parametrize(
    "item", [item for item in ITEMS if item.id_698], ids=lambda item: item.code
)
def test_an_object_has_the_unit_and_the_digits_of_its_item(item: Item) -> None:
    shape = shape_of(Oad.from_text(item.id_698 or ""))
    if isinstance(shape, Structure):
        shape = shape.parts[0]
    assert isinstance(shape, Value)
    if item.kind in ("clock", "bits"):
        kinds = {"clock": DataType.DATE_TIME_S, "bits": DataType.BIT_STRING}
        assert shape.type is kinds[item.kind]
        return
    unit, exponent = KILO.get(shape.unit, (shape.unit, 0))
    assert (unit, shape.decimals + exponent) == (item.unit, item.decimals)


@pytest.mark.parametrize(("item", "afn", "place"), PLACES)
def test_a_place_is_a_field_of_its_function(item: Item, afn: int, place) -> None:
    parts = {
        part.key: part for part in layout_of(afn, place.fn, up=True).parts if hasattr(part, "key")
    }
    part = parts[place.key]
    if place.inner:
        part = next(inner for inner in part.layout.parts if inner.key == place.inner)
    unit = "%" if place.exponent else item.unit
    assert part.unit == unit
    if item.unit:
        assert part.layout.decimals >= item.decimals
    is_curve = "points" in parts
    assert is_curve == (place in item.fn_1376.curve)
    assert is_curve or place.index is None or hasattr(part, "count") or place.inner


@pytest.mark.parametrize("version", list(Version))
def test_a_data_identifier_is_in_its_table(version: Version) -> None:
    for item in ITEMS:
        data_id = item.id_2007 if version is Version.V2007 else item.id_1997
        assert data_id is None or items645.find(version, data_id), item.code


def test_who_knows_which_item() -> None:
    protocols = (Version.V2007.value, Version.V1997.value, DLT698)
    known = {
        code: [has_item(one, ITEM_BY_CODE[code]) for one in protocols] for code in ITEM_BY_CODE
    }
    assert known["energy_import_t4"] == [True, True, True]
    assert known["clock"] == [True, True, True]
    assert known["frequency"] == [True, False, True]
    assert known["remaining_energy"] == [True, False, False]


def test_a_terminal_keeps_more_digits_of_a_register_than_the_meter() -> None:
    item = ITEM_BY_CODE["energy_import_total"]
    assert item.to_value(Decimal("12.3499"), ZONE) == 1234
    assert item.to_value(Decimal("-12.3499"), ZONE) == -1234
    with pytest.raises(ValueError, match="decimals"):
        ITEM_BY_CODE["voltage_a"].to_value(Decimal("220.15"), ZONE)
