"""Putting one meter in another's place, and other transformers before a meter.

The old meter keeps its readings and is removed; the new one hangs where it hung, and is read by the
tasks that named it. What the registers showed at that moment is kept beside it: what is reckoned
over it later needs both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from station.collector.archive import Archive
from station.collector.archive_checks import checked_meter
from station.collector.items import ITEM_BY_CODE
from station.errors import Conflict, InvalidValue
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.exchanges import MeterExchange, RatioChange
from station.store.objects.stages import ACTIVE, REMOVED
from station.units import utc_now

# The registers that a person writes down: what is billed.
REGISTERS = tuple(
    code for code, item in ITEM_BY_CODE.items() if item.unit == "kWh" and code.startswith("energy_")
)
TOTAL = "energy_import_total"
REGISTER_END = 1_000_000  # kWh: registers have six digits before the point (dlt645.md section 4).
DECIMALS_MAX = 4  # What terminals and meters of DL/T 698.45 keep (dlt698_45.md section 14).
TASKS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class NewMeter:
    """What is put in the place of a meter; the rest it takes over from the old one."""

    address: str
    protocol: str
    tariffs: int
    ct: int
    pt: int


class MeterExchanging:
    """Exchanges meters and changes ratios. Methods raise InvalidValue, Conflict and NotFound."""

    def __init__(self, database: Database, archive: Archive) -> None:
        self._database = database
        self._archive = archive

    async def exchange(
        self, address: str, wanted: NewMeter, *, at: datetime | None,
        old_registers: Mapping[str, Decimal], new_registers: Mapping[str, Decimal],
        by: str, reason: str = "",
    ) -> MeterExchange:  # fmt: skip
        """Put a new meter in the place of one that is there, and return the record of it."""
        seen = await self._database.meters.get(address)
        if seen.stage == REMOVED:
            raise Conflict(f"{address} is removed: nothing is sent to it")
        at = await self._moment(address, at)
        known = await self._database.meters.find(wanted.address.upper())
        if known is not None and known.stage in (ACTIVE, "suspended"):
            raise Conflict(f"meter {known.address} is in use; it cannot replace another")
        new = checked_meter(
            replace(
                seen, address=wanted.address, protocol=wanted.protocol, tariffs=wanted.tariffs,
                ct=wanted.ct, pt=wanted.pt, stage=ACTIVE, stage_since=at,
                created_at=utc_now() if known is None else known.created_at,
            )
        )  # fmt: skip
        record = MeterExchange(
            new_id(), address, new.address, at=at,
            old_registers=checked_registers("old_registers", old_registers),
            new_registers=checked_registers("new_registers", new_registers),
            ct=seen.ct, pt=seen.pt, new_ct=new.ct, new_pt=new.pt, reason=reason, by=by,
        )  # fmt: skip
        old = replace(seen, stage=REMOVED, stage_since=at)
        await self._database.meter_exchanges.enter(record, seen=seen, old=old, new=new, known=known)
        await self._archive.imported("meters", [address, new.address])
        await self._follow(address, new.address)
        return record

    async def change_ratio(
        self, address: str, ct: int, pt: int, *, at: datetime | None,
        registers: Mapping[str, Decimal], by: str, reason: str = "",
    ) -> RatioChange:  # fmt: skip
        """Give a meter other transformers, and return the record of it."""
        seen = await self._database.meters.get(address)
        at = await self._moment(address, at)
        if (ct, pt) == (seen.ct, seen.pt):
            raise InvalidValue("ct", "these are its ratios already")
        new = checked_meter(replace(seen, ct=ct, pt=pt))
        record = RatioChange(
            new_id(), address, at=at, registers=checked_registers("registers", registers),
            ct=seen.ct, pt=seen.pt, new_ct=ct, new_pt=pt, reason=reason, by=by,
        )  # fmt: skip
        await self._database.ratio_changes.enter(record, seen=seen, new=new)
        await self._archive.imported("meters", [address])
        return record

    async def _moment(self, address: str, at: datetime | None) -> datetime:
        """Return the moment, which lies behind every earlier one of this meter."""
        now = utc_now()
        at = at or now
        if at > now:
            raise InvalidValue("at", "this moment has not come yet")
        earlier = [
            *(each.at for each in await self._database.meter_exchanges.of_meter(address)),
            *(each.at for each in await self._database.ratio_changes.of_meter(address)),
        ]
        if earlier and at <= max(earlier):
            raise InvalidValue("at", "something was exchanged at this meter later than that")
        return at

    async def _follow(self, old: str, new: str) -> None:
        """Have the tasks that name the old meter read the new one."""
        found, _ = await self._database.tasks.list(limit=TASKS_MAX)
        for task in found:
            if task.target_kind == "meters" and old in task.targets:
                targets = [new if each == old else each for each in task.targets]
                await self._archive.save_task(replace(task, targets=tuple(dict.fromkeys(targets))))


def checked_registers(field: str, registers: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return registers as they are kept: the total at least, none that no meter could show."""
    if TOTAL not in registers:
        raise InvalidValue(field, "the total register is needed")
    for item, value in registers.items():
        if item not in REGISTERS:
            raise InvalidValue(field, f"{item} is no register that is written down")
        if not 0 <= value < REGISTER_END:
            raise InvalidValue(field, f"a register shows 0 to 999999.99, not {value}")
        if value != round(value, DECIMALS_MAX):
            message = f"a register has at most {DECIMALS_MAX} decimals, not {value}"
            raise InvalidValue(field, message)
    return dict(registers)
