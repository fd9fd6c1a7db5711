"""Templates of parameters: what many devices of one kind are to hold alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from station.store.driver import Document
from station.store.objects.base import Many, Objects
from station.store.objects.parameters import DeviceKind, Values
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class ParameterTemplate:
    """A template; `values` are texts by parameter and field, some fields of each or all."""

    id: str
    name: str
    kind: DeviceKind
    values: Mapping[str, Values]
    by: str
    changed_at: datetime = field(default_factory=utc_now)


class ParameterTemplates(Objects[ParameterTemplate]):
    """All templates. Their names are unique."""

    shape = ParameterTemplate
    key = "id"
    word = "parameter template"

    async def all(self) -> Many[ParameterTemplate]:
        """Return every template, by name."""
        return await self._all({}, order=[("name", 1)])

    def _to_document(self, thing: ParameterTemplate) -> Document:
        kept = [{"code": code, "values": dict(texts)} for code, texts in thing.values.items()]
        return {**super()._to_document(thing), "values": kept}

    def _from_document(self, document: Document) -> ParameterTemplate:
        values = {each["code"]: each["values"] for each in document["values"]}
        return super()._from_document({**document, "values": values})
