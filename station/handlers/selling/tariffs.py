"""Tariffs: what a kWh costs, in dated versions that a second person approves."""

import secrets
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import Forbidden, requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.marking import N_
from station.handlers.selling.tariff_forms import (
    ROWS_OF_SETS,
    SampleBody,
    SetName,
    TariffBody,
    check_gaps,
    fields_of,
)
from station.handlers.selling.tariff_views import (
    COLUMNS,
    PERIOD_NAMES,
    RATE_NAMES,
    SET_NAMES,
    STATE_COLOURS,
    STATE_NAMES,
    DraftView,
    PreviewView,
    TariffList,
    TariffView,
    joined,
    limits_of,
    local_text,
    preview_view,
    prices_view,
    tariff_view,
    warning_views,
)
from station.prepaid.price_rules import (
    WITHOUT_LADDER,
    check_begins,
    check_version,
    has_ladder,
    plan_warnings,
)
from station.prepaid.tariffs import Warned, amount_for, preview
from station.store.objects.base import new_id
from station.store.objects.tariffs import PriceSet, TariffState, TariffVersion
from station.units import local_day, utc_now

REQUEST_ID_SIZE = 16  # Bytes of randomness: no two forms share one.
SAMPLE_FEN = 100_00  # What is tried before anybody types an amount.
UNNAMED = "unnamed"  # Stands for what is not typed yet, where only prices are looked at.
REASON_SIZE_MAX = 200  # Characters; a sentence or two.


class TariffsQuery(ListQuery):
    """Which versions to show."""

    state: TariffState | None = None


class NewQuery(BaseModel):
    """What a new version begins with: a copy of another one."""

    copy_of: str | None = Field(None, max_length=64)


class DraftBody(TariffBody, SampleBody):
    """A version that is being entered, and a purchase to try; it may lack its names yet."""

    tariff: str = Field("", max_length=16)
    name: str = Field("", max_length=64)


class SampleQuery(SampleBody):
    """A purchase to try at one of the sets of a version."""

    prices: SetName = "main"


class ReasonBody(BaseModel):
    """Why a version is withdrawn."""

    reason: str = Field(
        min_length=1, max_length=REASON_SIZE_MAX, description=N_("a reason of 1 to 200 characters")
    )


class TariffHandler(Handler):
    """What the handlers of tariffs share."""

    def today(self) -> date:
        """Return the day of the site."""
        return local_day(utc_now(), self.parts.config.site.zone_info)

    def person(self) -> str:
        """Return who asks."""
        assert self.user is not None, "a permission needs a person"
        return self.user.name

    async def view_of(self, version: TariffVersion) -> TariffView:
        """Return a version with the accounts it touches and what to think of."""
        view = (await self.views_of([version]))[0]
        view.warnings = self.said(await self.warnings(version))
        return view

    async def views_of(self, versions: Sequence[TariffVersion]) -> list[TariffView]:
        """Return versions as a list shows them."""
        codes = {version.tariff for version in versions}
        today, accounts = self.today(), self.parts.database.accounts
        holding = {code: await self.holding(code, today) for code in codes}
        counts = {code: await accounts.count_on(code) for code in codes}
        return [
            tariff_view(version, counts[version.tariff], holding[version.tariff] == version)
            for version in versions
        ]

    async def holding(self, tariff: str, on: date) -> TariffVersion | None:
        """Return the version whose prices hold on a day, or None."""
        try:
            return await self.parts.database.tariffs.current(tariff, on)
        except NotFound:
            return None

    async def warnings(self, version: TariffVersion) -> tuple[Warned, ...]:
        """Return what to think of, beside what holds on the day before a version begins."""
        before = await self.holding(version.tariff, version.effective_on - timedelta(days=1))
        return plan_warnings(version, before)

    def said(self, warnings: tuple[Warned, ...]) -> list[Any]:
        """Return warnings in the reader's language."""
        return warning_views(warnings, self.language.sentence)

    def entered(self, body: TariffBody) -> TariffVersion:
        """Return the version that was entered, checked. Raises InvalidValue."""
        if not self.is_json_body:
            for name in (f"{each}_{part}" for each in SET_NAMES for part in ROWS_OF_SETS):
                check_gaps(name, self.get_body_arguments(name))
        version = body.to_version(body.request_id or new_id(), self.person(), utc_now())
        try:
            check_version(version)
        except InvalidValue as error:
            if self.is_json_body:
                raise
            # A form has its amounts in yuan, in fields named without the unit.
            raise InvalidValue(error.field.removesuffix("_fen"), str(error)) from None
        check_begins(version, self.today())
        return version

    def tried(self, prices: PriceSet, version: TariffVersion, sample: SampleBody) -> PreviewView:
        """Return what a purchase would give. Raises InvalidValue."""
        amount_fen = sample.fen
        if amount_fen is None and sample.energy is not None:
            amount_fen = amount_for(prices, sample.energy, used=sample.used, shares=sample.shares)
        if amount_fen is None:
            amount_fen = SAMPLE_FEN
        found = preview(
            prices,
            amount_fen,
            used=sample.used,
            shares=sample.shares,
            balance_fen=sample.balance_fen,
            limits=limits_of(version),
        )
        return preview_view(found, amount_fen, self.said(found.warnings))

    def words(self) -> dict[str, Any]:
        """Return the words that the pages of tariffs share."""
        return {
            "state_names": STATE_NAMES,
            "state_colours": STATE_COLOURS,
            "set_names": SET_NAMES,
            "period_names": PERIOD_NAMES,
            "rate_names": RATE_NAMES,
            "joined": joined,
            "local_text": local_text,
        }


class TariffsHandler(TariffHandler):
    """/tariffs, /api/tariffs"""

    @requires(Permission.VIEW)
    @contract(TariffList, query=TariffsQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(TariffsQuery)
        skip, limit = self.span(query)
        versions, total = await self.parts.database.tariffs.list(
            query.text, query.state, skip=skip, limit=limit, sort=query.sort
        )
        items = await self.views_of(versions)
        view = TariffList(items=items, total=total)
        await self.show_list("tariffs.html", view, items, COLUMNS, filter=query, **self.words())

    @requires(Permission.CONFIGURE)
    @contract(TariffView, body=TariffBody, status=201)
    async def post(self) -> None:
        try:
            version = self.entered(self.parse_body(TariffBody))
            kept = await self.parts.database.tariffs.add_version(version)
        except (InvalidValue, Conflict) as error:
            self.refuse_form("tariff_form.html", error, copied=None, **self.words())
            return
        notice = self.language.say(
            "Version %(number)s of %(tariff)s is kept as a draft.",
            number=kept.number,
            tariff=kept.tariff,
        )
        self.done(await self.view_of(kept), f"/tariffs/{kept.id}", notice, status=201)


class NewTariffHandler(TariffHandler):
    """/tariffs/new"""

    @requires(Permission.CONFIGURE)
    @contract(None, query=NewQuery)
    async def get(self) -> None:
        query = self.parse_query(NewQuery)
        copied = None
        typed: dict[str, Any] = {}
        if query.copy_of is not None:
            copied = await self.parts.database.tariffs.get(query.copy_of)
            typed = fields_of(copied)
        typed |= {
            "request_id": secrets.token_hex(REQUEST_ID_SIZE),
            "effective_on": (self.today() + timedelta(days=1)).isoformat(),
        }
        self.finish_page("tariff_form.html", typed=typed, copied=copied, **self.words())


class DraftHandler(TariffHandler):
    """/tariffs/preview, /api/tariffs/preview: what a version would do, before it is kept"""

    is_act = False

    @requires(Permission.CONFIGURE)
    @contract(DraftView, body=DraftBody)
    async def post(self) -> None:
        try:
            body = self.parse_body(DraftBody)
            if not self.is_json_body and not body.main_rates:
                raise InvalidValue("", N_("type the prices, and what they give is shown here"))
            version = self.entered(
                body.model_copy(update={"tariff": body.tariff or UNNAMED, "name": UNNAMED})
            )
            view = await self._view(version, body)
        except InvalidValue as error:
            if self.wants_json:
                raise
            problem = next(iter(self.problems_of(error).values()))
            self.finish_page("tariff_preview.html", view=None, problem=problem, **self.words())
            return
        self.show("tariff_preview.html", view, problem=None, **self.words())

    async def _view(self, version: TariffVersion, sample: DraftBody) -> DraftView:
        backup = version.backup
        return DraftView(
            accounts=await self.parts.database.accounts.count_on(sample.tariff),
            warnings=self.said(await self.warnings(version)),
            main=prices_view(version.main),
            main_preview=self.tried(version.main, version, sample),
            backup=None if backup is None else prices_view(backup),
            backup_preview=None if backup is None else self.tried(backup, version, sample),
        )


class OneTariffHandler(TariffHandler):
    """/tariffs/ID, /api/tariffs/ID"""

    @requires(Permission.VIEW)
    @contract(TariffView)
    async def get(self, version_id: str) -> None:
        version = await self.parts.database.tariffs.get(version_id)
        view = await self.view_of(version)
        if self.wants_json:
            self.write_json(view)
            return
        self.show_version(version, view, {})

    def show_version(
        self, version: TariffVersion, view: TariffView, errors: dict[str, str]
    ) -> None:
        """Write the page of a version."""
        is_own = self.person() in (version.created_by, version.submitted_by)
        self.finish_page(
            "tariff.html",
            view=view,
            sample=self.tried(version.main, version, SampleBody()),
            is_own=is_own,
            errors=errors,
            **self.words(),
        )


class TariffPreviewHandler(TariffHandler):
    """/tariffs/ID/preview, /api/tariffs/ID/preview: what a purchase gives at a version"""

    @requires(Permission.VIEW)
    @contract(PreviewView, query=SampleQuery)
    async def get(self, version_id: str) -> None:
        version = await self.parts.database.tariffs.get(version_id)
        try:
            query = self.parse_query(SampleQuery)
            prices = version.main if query.prices == "main" else version.backup
            if prices is None:
                raise InvalidValue("prices", "this version has no backup set")
            view = self.tried(prices, version, query)
        except InvalidValue as error:
            if self.wants_json:
                raise
            problem = next(iter(self.problems_of(error).values()))
            self.finish_page("tariff_sample.html", view=None, problem=problem, **self.words())
            return
        self.show("tariff_sample.html", view, problem=None, **self.words())


class ForwardHandler(OneTariffHandler):
    """What the handlers share that bring a version into its next state."""

    async def answer(self, version: TariffVersion, notice: str) -> None:
        """Answer a change with the version as it stands."""
        self.done(await self.view_of(version), f"/tariffs/{version.id}", notice)

    async def check_cards(self, version: TariffVersion) -> None:
        """Refuse a ladder for accounts whose cards carry none. Raises Conflict."""
        if not has_ladder(version):
            return
        for profile in WITHOUT_LADDER:
            accounts = await self.parts.database.accounts.count_on(version.tariff, profile)
            if accounts:
                raise Conflict(
                    f"{profile} cards carry no ladder, and this tariff is on such cards"
                    f" (accounts: {accounts}): enter it as a tariff of its own"
                )

    async def refuse(self, version_id: str, error: StationError) -> None:
        """Show the version again, and why not; for JSON the error goes on."""
        if self.wants_json:
            raise error
        version = await self.parts.database.tariffs.get(version_id)
        self.set_status(400 if isinstance(error, InvalidValue) else 409)
        self.show_version(version, await self.view_of(version), self.problems_of(error))


class SubmitTariffHandler(ForwardHandler):
    """/tariffs/ID/submit, /api/tariffs/ID/submit"""

    @requires(Permission.CONFIGURE)
    @contract(TariffView)
    async def post(self, version_id: str) -> None:
        try:
            await self.check_cards(await self.parts.database.tariffs.get(version_id))
            version = await self.parts.database.tariffs.submit(version_id, self.person(), utc_now())
        except Conflict as error:
            await self.refuse(version_id, error)
            return
        await self.answer(version, self.language.say("It waits for a second person's approval."))


class ApproveTariffHandler(ForwardHandler):
    """/tariffs/ID/approve, /api/tariffs/ID/approve"""

    @requires(Permission.APPROVE)
    @contract(TariffView)
    async def post(self, version_id: str) -> None:
        try:
            version = await self.parts.database.tariffs.get(version_id)
            if version.state == "submitted":
                check_begins(version, self.today())
                await self.check_cards(version)
            approved = await self.parts.database.tariffs.approve(
                version_id, self.person(), utc_now()
            )
        except (InvalidValue, Conflict) as error:
            await self.refuse(version_id, error)
            return
        notice = self.language.say(
            "Approved. It holds from %(day)s on.", day=approved.effective_on.isoformat()
        )
        await self.answer(approved, notice)


class WithdrawTariffHandler(ForwardHandler):
    """/tariffs/ID/withdraw, /api/tariffs/ID/withdraw; who writes may, and who approves"""

    @requires(Permission.COLLECT)
    @contract(TariffView, body=ReasonBody)
    async def post(self, version_id: str) -> None:
        if not (self.can(Permission.CONFIGURE) or self.can(Permission.APPROVE)):
            role = self.user.role if self.user else ""
            raise Forbidden(self.language.say("the role %(role)s does not allow this", role=role))
        try:
            reason = " ".join(self.parse_body(ReasonBody).reason.split())
            version = await self.parts.database.tariffs.withdraw(
                version_id, self.person(), utc_now(), reason
            )
        except (InvalidValue, Conflict) as error:
            await self.refuse(version_id, error)
            return
        await self.answer(version, self.language.say("The version is withdrawn."))
