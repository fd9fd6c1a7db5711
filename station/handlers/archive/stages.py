"""Taking a terminal or a meter to another stage of its life."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.meters import MeterHandler, MeterView
from station.handlers.archive.place_views import check_in_sight, moment_of, person_of
from station.handlers.archive.terminals import TerminalHandler, TerminalView
from station.handlers.contract import contract


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


class StageBody(BaseModel):
    """Which stage, since when, and why; a moment without a zone is a time at the site."""

    stage: Literal["planned", "installed", "active", "suspended", "removed"]
    at: Annotated[datetime | None, BeforeValidator(_blank_is_none)] = None
    reason: str = Field("", max_length=200)


class TerminalStageHandler(TerminalHandler):
    """/terminals/ADDRESS/stage, /api/terminals/ADDRESS/stage"""

    @requires(Permission.CONFIGURE)
    @contract(TerminalView, body=StageBody)
    async def post(self, address: str) -> None:
        body = self.parse_body(StageBody)
        await check_in_sight(self, terminal=address)
        terminal = await self.parts.archive.set_terminal_stage(
            address,
            body.stage,
            at=moment_of(self, body.at),
            by=person_of(self),
            reason=body.reason,
        )
        notice = self.language.say("Terminal %(address)s is saved.", address=address)
        self.done(await self.view_of(terminal), f"/terminals/{address}", notice)


class MeterStageHandler(MeterHandler):
    """/meters/ADDRESS/stage, /api/meters/ADDRESS/stage"""

    @requires(Permission.CONFIGURE)
    @contract(MeterView, body=StageBody)
    async def post(self, address: str) -> None:
        body = self.parse_body(StageBody)
        await check_in_sight(self, meter=address)
        meter = await self.parts.archive.set_meter_stage(
            address,
            body.stage,
            at=moment_of(self, body.at),
            by=person_of(self),
            reason=body.reason,
        )
        notice = self.language.say("Meter %(address)s is saved.", address=address)
        self.done(await self.view_of(meter), f"/meters/{address}", notice)
