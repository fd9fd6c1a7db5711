"""What a clerk may do alone, and what a second person agreed to."""

from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from station.store.driver import Collection
from station.store.objects.base import Many, Objects, Page, among, matching, new_id
from station.units import utc_now

APPROVAL = "approval-"  # Opens the id of every approval, so that an index can tell them.
APPROVAL_IDS = {"$gte": APPROVAL, "$lt": "approval."}  # What sorts after the hyphen is a dot.


@dataclass(frozen=True, slots=True)
class ClerkLimits:
    """One clerk's own limits in fen; None stands for the site's."""

    clerk: str
    sale_max_fen: int | None = None
    shift_max_fen: int | None = None
    approval_above_fen: int | None = None
    changed_by: str = ""
    changed_at: datetime = field(default_factory=utc_now)


class Limits(Objects[ClerkLimits]):
    """The limits of the clerks that have their own."""

    shape = ClerkLimits
    key = "clerk"
    word = "limits of"

    async def set(self, limits: ClerkLimits) -> None:
        """Replace a clerk's limits."""
        document = self._to_document(limits)
        await self._collection.replace({"_id": limits.clerk}, document, upsert=True)

    async def list(self) -> Many[ClerkLimits]:
        """Return everybody's own limits, by name."""
        return await self._all({})


@dataclass(frozen=True, slots=True)
class Approval:
    """A second person's word for one act of a clerk, up to an amount in fen, usable once.

    `subject` is the order or account that it is about, `by` the clerk, `approved_by` the other.
    """

    id: str
    by: str
    kind: str
    amount_fen: int
    approved_by: str
    at: datetime
    expires_at: datetime
    _: KW_ONLY
    subject: str = ""
    reason: str = ""


def new_approval_id() -> str:
    """Return the id of a new approval."""
    return APPROVAL + new_id()


class Approvals(Objects[Approval]):
    """What was agreed to; an approval is never changed, an order that used it bears its id."""

    shape = Approval
    key = "id"
    word = "approval"

    def __init__(self, collection: Collection, orders: Collection) -> None:
        super().__init__(collection)
        self._orders = orders

    async def used(self, approval_ids: Sequence[str]) -> dict[str, str]:
        """Return the order that used each of these approvals; the unused ones are left out."""
        found = await self._orders.find(
            {"approved_by": {"$in": [*approval_ids]}}, fields={"approved_by": 1}
        )
        return {each["approved_by"]: each["_id"] for each in found}

    async def list(
        self,
        text: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        sort: str = "",
        clerks: Ids[str] | None = None,
    ) -> Page[Approval]:
        """Return a page of approvals, the newest first, and how many there are.

        Of `clerks` only.
        """
        query = matching(text, "by", "approved_by", "subject", "reason")
        query.update(among("by", clerks))
        return await self._page(query, skip, limit, order=self._order(sort, [("_id", -1)]))
