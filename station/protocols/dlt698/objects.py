"""The object table: what an OAD or an OMD is called, and what its value looks like (digest 14)."""

from station.words import Text

from .identifiers import Oad, Omd
from .quantities import DEMANDS, ENERGIES, VARIABLES
from .settings import SETTINGS
from .shapes import Array, Axis, ObjectRow, Shape, Structure
from .stores import STORES

OBJECTS = ENERGIES + DEMANDS + VARIABLES + STORES + SETTINGS
OBJECT_BY_OI = {row.oi: row for row in OBJECTS}
assert len(OBJECT_BY_OI) == len(OBJECTS), "duplicate object identifier"

LOGICAL_NAME = 1
VALUE = 2  # The attribute that most objects are read for; it goes without saying.

UNKNOWN = Text("Unknown object", "未知对象")

# Of every class, unless an object has a method of its own under the number.
_METHODS = {
    1: Text("reset", "复位"),
    2: Text("run", "执行"),
    3: Text("trigger", "触发"),
    4: Text("add", "添加"),
    5: Text("delete", "删除"),
}

_TOTAL = Text("total", "总")
_PHASES = (Text("phase A", "A相"), Text("phase B", "B相"), Text("phase C", "C相"))
_ELEMENTS = {
    Axis.PHASES: _PHASES,
    Axis.TOTAL_AND_PHASES: (_TOTAL, *_PHASES),
    Axis.TARIFFS: (_TOTAL,),
}
_FURTHER_ELEMENTS = {
    Axis.TARIFFS: Text("tariff {}", "费率{}"),
    Axis.RECORDS: Text("last record no. {}", "上{}次记录"),
    Axis.PORTS: Text("no. {}", "{}号"),
}
_ELEMENT = Text("element {}", "第{}个")


def name_of(oad: Oad) -> Text:
    """Return what an attribute of an object, or one element of it, is called."""
    row = OBJECT_BY_OI.get(oad.oi)
    if row is None:
        return UNKNOWN
    parts = [row.name]
    if oad.attribute != VALUE or VALUE in row.attributes:
        parts.append(_attribute_name(row, oad.attribute))
    if oad.index:
        parts.append(_element_name(row.axis if _has_elements(row, oad) else Axis.NONE, oad.index))
    return _joined(parts)


def method_name(omd: Omd) -> Text:
    """Return what a method of an object is called."""
    row = OBJECT_BY_OI.get(omd.oi)
    number = omd.method
    method = (row.methods if row else {}).get(number) or _METHODS.get(number)
    method = method or Text(f"method {number}", f"方法{number}")
    return _joined([row.name if row else UNKNOWN, method])


def shape_of(oad: Oad) -> Shape | None:
    """Return what an attribute of an object, or one element of it, holds; None if unknown."""
    row = OBJECT_BY_OI.get(oad.oi)
    shape = row.shapes.get(oad.attribute) if row else None
    if not oad.index:
        return shape
    if isinstance(shape, Array):
        return shape.item
    if isinstance(shape, Structure) and oad.index <= len(shape.parts):
        return shape.parts[oad.index - 1]
    return None


def argument_shape_of(omd: Omd) -> Shape | None:
    """Return what the parameter of a method holds, or None if that is not known."""
    row = OBJECT_BY_OI.get(omd.oi)
    return row.arguments.get(omd.method) if row else None


def _has_elements(row: ObjectRow, oad: Oad) -> bool:
    """Tell whether the elements of an attribute are those of the object's axis."""
    if row.axis in (Axis.RECORDS, Axis.PORTS):
        return oad.attribute == VALUE
    return isinstance(row.shapes.get(oad.attribute), Array)


def _attribute_name(row: ObjectRow, number: int) -> Text:
    if number == 0:
        return Text("all attributes", "全部属性")
    if number == LOGICAL_NAME:
        return Text("logical name", "逻辑名")
    return row.attributes.get(number) or Text(f"attribute {number}", f"属性{number}")


def _element_name(axis: Axis, index: int) -> Text:
    names = _ELEMENTS.get(axis, ())
    if index <= len(names):
        return names[index - 1]
    pattern = _FURTHER_ELEMENTS.get(axis, _ELEMENT)
    number = index - len(names)
    return Text(pattern.en.format(number), pattern.zh.format(number))


def _joined(parts: list[Text]) -> Text:
    english = ", ".join(part.en for part in parts)
    return Text(english[0].upper() + english[1:], " ".join(part.zh for part in parts))
