"""Approvals: what did a second person agree to? Given at the clerk's desk, by name and password."""

import contextlib
from typing import Any, Literal
from urllib.parse import urlencode

from pydantic import Field

from station.errors import InvalidValue, NotFound, StationError
from station.handlers.access.gate import TooManyAttempts
from station.handlers.access.identity import requires, status_of
from station.handlers.access.people import (
    PASSWORD_SIZE_MAX,
    Permission,
    permissions_of,
)
from station.handlers.access.totp import CODE_SIZE_MAX
from station.handlers.areas import check_account, check_order
from station.handlers.base import ListQuery, local_path
from station.handlers.contract import GUESSING, contract
from station.handlers.selling.limits import LimitsBase
from station.handlers.selling.money import Money, yuan_typed
from station.handlers.selling.shift_views import (
    APPROVAL_COLUMNS,
    LINE_NAMES,
    ApprovalList,
    ApprovalView,
    approval_view,
)
from station.prepaid.limits import REASON_SIZE_MAX

NAME_SIZE_MAX = 64  # Characters of a person's name, of an order's or an account's id.

ApprovalKind = Literal["reversal", "closing", "correction", "meter_change", "transfer"]


class Wanted(Money):
    """What is to be approved; `subject` is the order or account.

    `next` is a page of this station to go on to, which gets the approval's id as `approved_by`.
    """

    kind: ApprovalKind = "reversal"
    subject: str = Field("", max_length=NAME_SIZE_MAX)
    reason: str = Field("", max_length=REASON_SIZE_MAX)
    next: str = Field("", max_length=200)


class ApprovalBody(Wanted):
    """What is approved, with the second person's own name and password."""

    kind: ApprovalKind
    reason: str = Field(min_length=1, max_length=REASON_SIZE_MAX)
    approver: str = Field(min_length=1, max_length=NAME_SIZE_MAX)
    password: str = Field(min_length=1, max_length=PASSWORD_SIZE_MAX, repr=False)
    code: str = Field("", max_length=CODE_SIZE_MAX, repr=False)


class ApprovalsHandler(LimitsBase):
    """/approvals, /api/approvals"""

    @requires(Permission.APPROVE)
    @contract(ApprovalList, query=ListQuery, table=APPROVAL_COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ListQuery)
        skip, limit = self.span(query)
        store = self.parts.database.approvals
        approvals, total = await store.list(
            query.text,
            skip=skip,
            limit=limit,
            sort=query.sort,
            clerks=await self.people_in_sight(),
        )
        used = await store.used([approval.id for approval in approvals])
        rows = [approval_view(each, used.get(each.id)) for each in approvals]
        await self.show_list(
            "approvals.html",
            ApprovalList(items=rows, total=total),
            rows,
            APPROVAL_COLUMNS,
            filter=query,
            kind_names=LINE_NAMES,
        )

    @requires(Permission.SELL)
    @contract(ApprovalView, body=ApprovalBody, status=201, fails=GUESSING)
    async def post(self) -> None:
        assert self.user is not None, "a permission needs a person"
        try:
            body = self.parse_body(ApprovalBody)
            if body.fen is None:
                raise InvalidValue("amount", "is needed")
            if self.areas and not await self._is_subject_in(self.areas, body.subject):
                raise InvalidValue("subject", f"there is no order or account {body.subject}")
            await self._check_approver(body)
            approval = await self.limits.approve(
                self.user.name,
                body.kind,
                body.fen,
                approved_by=body.approver,
                subject=body.subject,
                reason=body.reason,
            )
        except (InvalidValue, TooManyAttempts) as error:
            if self.wants_json:
                raise
            self._refuse(error)
            return
        self.record(after=approval)
        view = approval_view(approval, None)
        if self.wants_json or not body.next:
            self.show("approval.html", view, status=201, kind_names=LINE_NAMES)
            return
        target = local_path(body.next)
        joint = "&" if "?" in target else "?"
        given = urlencode({"approved_by": approval.id, "reason": approval.reason})
        self.done(view, f"{target}{joint}{given}", self.language.say("It is approved."))

    def _refuse(self, error: StationError) -> None:
        """Show the form again with what was typed, but for the password."""
        self.set_status(status_of(error)[0])
        typed = {
            name: value for name, value in self.typed().items() if name not in ("password", "code")
        }
        typed["next"] = local_path(str(typed["next"])) if typed.get("next") else ""
        self.finish_page(
            "approval_form.html",
            typed=NOTHING_TYPED | typed,
            errors=self.problems_of(error),
            kind_names=LINE_NAMES,
        )

    async def _check_approver(self, body: ApprovalBody) -> None:
        """Raise InvalidValue unless this is another person who may approve."""
        name, password = body.approver, body.password
        user = await self.parts.database.users.find(name)
        right = await self.tools.gate.check(
            name,
            self.request.remote_ip or "",
            None if user is None else user.password_hash,
            password,
        )
        if user is None or user.is_disabled or user.one_time_until is not None or not right:
            raise InvalidValue("password", "the name or the password is not right")
        if user.has_totp and not await self.code_is_right(user, body.code):
            raise InvalidValue("code", "the code is not right, or was used already")
        changed = await self.parts.database.roles.find(user.role)
        if Permission.APPROVE not in permissions_of(user.role, changed):
            raise InvalidValue("approver", f"{name} may not approve; ask a supervisor")
        if user.areas and not await self._is_subject_in(user.areas, body.subject):
            raise InvalidValue("approver", f"{name} works in other areas; ask somebody of yours")

    async def _is_subject_in(self, areas: tuple[str, ...], subject: str) -> bool:
        """Tell whether what is to be approved, an order or an account, lies in somebody's areas."""
        for check in (check_order, check_account):
            with contextlib.suppress(NotFound):
                await check(self.parts, areas, subject)
                return True
        return False


NOTHING_TYPED: dict[str, Any] = {
    "kind": "reversal",
    "amount": "",
    "subject": "",
    "reason": "",
    "next": "",
    "approver": "",
}


class NewApprovalHandler(LimitsBase):
    """/approvals/new: what is to be approved stands in the address"""

    @requires(Permission.SELL)
    @contract(None, query=Wanted)
    async def get(self) -> None:
        wanted = self.parse_query(Wanted)
        amount_fen = wanted.fen
        typed = {
            "kind": wanted.kind,
            "amount": "" if amount_fen is None else yuan_typed(abs(amount_fen)),
            "subject": wanted.subject,
            "reason": wanted.reason,
            "next": local_path(wanted.next) if wanted.next else "",
        }
        self.finish_page(
            "approval_form.html", typed=NOTHING_TYPED | typed, errors={}, kind_names=LINE_NAMES
        )
