"""What a clerk may do alone: the most for one sale and for one shift, and the second person.

Money that goes back to a customer, and a correction whichever way it goes, needs a second person
when it is above the clerk's limit. The second person's approval names the clerk, the kind of act,
the amount up to which it holds, and is spent by the one order that bears it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from station.errors import InvalidValue, LimitReached, NeedsApproval
from station.store.objects.limits import Approval, Approvals, ClerkLimits, new_approval_id
from station.store.objects.limits import Limits as LimitsStore
from station.store.objects.orders import UNLIMITED
from station.store.objects.shifts import check_room
from station.units import utc_now

APPROVAL_VALID = timedelta(minutes=15)  # The second person stands at the counter.
REASON_SIZE_MAX = 200  # Characters; a sentence or two.
AMOUNT_MAX_FEN = 99_999_999  # What a meter can show (999,999.99 yuan) bounds any amount.
SHIFT_MAX_FEN = 50_000_000  # With the float it stays below what can be counted.
LIMITS = {
    "sale_max_fen": AMOUNT_MAX_FEN,
    "shift_max_fen": SHIFT_MAX_FEN,
    "approval_above_fen": AMOUNT_MAX_FEN,
}
CORRECTING = frozenset(UNLIMITED)  # Kinds that need a second person in both directions.


@dataclass(frozen=True, slots=True)
class Allowed:
    """What holds for one clerk, in fen."""

    sale_max_fen: int
    shift_max_fen: int
    approval_above_fen: int


class Limits:
    """Knows each clerk's limits and what was approved."""

    def __init__(self, limits: LimitsStore, approvals: Approvals, site: Allowed) -> None:
        self._limits = limits
        self._approvals = approvals
        self.site = site

    async def of(self, clerk: str) -> Allowed:
        """Return what holds for a clerk: the own limit where there is one, else the site's."""
        own = await self._limits.find(clerk) or ClerkLimits(clerk)
        site = self.site
        return Allowed(
            site.sale_max_fen if own.sale_max_fen is None else own.sale_max_fen,
            site.shift_max_fen if own.shift_max_fen is None else own.shift_max_fen,
            site.approval_above_fen if own.approval_above_fen is None else own.approval_above_fen,
        )

    async def set(self, limits: ClerkLimits) -> None:
        """Give a clerk own limits. Raises InvalidValue for one that cannot be."""
        for field, highest in LIMITS.items():
            value = getattr(limits, field)
            if value is not None and not 0 <= value <= highest:
                raise InvalidValue(field, f"expected 0 to {yuan(highest)} yuan")
        await self._limits.set(limits)

    async def check(
        self,
        by: str,
        kind: str,
        amount_fen: int,
        approved_by: str | None,
        taken_fen: int,
        subject: str = "",
    ) -> None:
        """Check an order before it is inserted; `taken_fen` is what the shift has taken so far.

        Where a subject is named, the order or account, the approval has to be for it. Raises
        LimitReached, or NeedsApproval when there is none that holds.
        """
        allowed = await self.of(by)
        if needs_approval(kind, amount_fen, allowed):
            await self._check_approval(by, kind, abs(amount_fen), approved_by, subject)
        if amount_fen <= 0 or kind in CORRECTING:
            return
        if amount_fen > allowed.sale_max_fen:
            raise LimitReached(
                f"{yuan(amount_fen)} is more than {by} may sell at once"
                f" ({yuan(allowed.sale_max_fen)}); ask a supervisor to sell it"
            )
        check_room(by, taken_fen, amount_fen, allowed.shift_max_fen)

    async def approve(
        self, by: str, kind: str, amount_fen: int, *, approved_by: str, subject: str, reason: str
    ) -> Approval:
        """Record a second person's approval; who that is has been checked by the password.

        Raises InvalidValue for an approval of one's own act.
        """
        if approved_by == by:
            raise InvalidValue("approver", "another person has to approve this, not the same one")
        if not 0 < abs(amount_fen) <= AMOUNT_MAX_FEN:
            raise InvalidValue("amount_fen", f"expected 0.01 to {yuan(AMOUNT_MAX_FEN)} yuan")
        now = utc_now()
        approval = Approval(
            new_approval_id(), by, kind, abs(amount_fen), approved_by, now, now + APPROVAL_VALID,
            subject=subject, reason=" ".join(reason.split())[:REASON_SIZE_MAX],
        )  # fmt: skip
        await self._approvals.add(approval)
        return approval

    async def _check_approval(
        self, by: str, kind: str, amount_fen: int, approval_id: str | None, subject: str
    ) -> None:
        if approval_id is None:
            raise NeedsApproval(f"{yuan(amount_fen)} needs a second person's approval")
        approval = await self._approvals.find(approval_id)
        problem = unfit(approval, by, kind, amount_fen, utc_now(), subject)
        if problem is not None:
            raise NeedsApproval(problem)
        if approval_id in await self._approvals.used([approval_id]):
            raise NeedsApproval("this approval was used for another order; ask for another")


def needs_approval(kind: str, amount_fen: int, allowed: Allowed) -> bool:
    """Tell whether an order of this amount (negative: given to the customer) needs a second one."""
    is_delicate = amount_fen < 0 or kind in CORRECTING
    return is_delicate and abs(amount_fen) > allowed.approval_above_fen


def unfit(
    approval: Approval | None,
    by: str,
    kind: str,
    amount_fen: int,
    now: datetime,
    subject: str = "",
) -> str | None:
    """Return why an approval does not hold for an act, or None when it does."""
    if approval is None:
        return "there is no such approval; ask for one"
    is_about_it = not subject or approval.subject == subject
    if (approval.by, approval.kind) != (by, kind) or not is_about_it:
        return "this approval is for something else; ask for another"
    if amount_fen > approval.amount_fen:
        return f"the approval holds up to {yuan(approval.amount_fen)}; ask for another"
    if now > approval.expires_at:
        return "the approval is too old; ask for another"
    return None


def yuan(amount_fen: int) -> str:
    """Return an amount of fen as yuan: -1234 is -12.34."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{abs(amount_fen) // 100}.{abs(amount_fen) % 100:02d}"
