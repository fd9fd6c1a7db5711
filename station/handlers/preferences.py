"""What each person chooses for the pages: language and theme."""

from typing import Literal

from pydantic import BaseModel

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import COOKIE_DAYS, Handler, local_path


class Preferences(BaseModel):
    """A choice; what is absent stays as it is."""

    language: Literal["en", "zh"] | None = None
    theme: Literal["light", "dark"] | None = None
    next: str = "/"


class LanguageHandler(Handler):
    """/language: choose a language before logging in, too."""

    open_to_all = True
    is_act = False

    async def post(self) -> None:
        """Keep the language in a cookie, and in the user's record when somebody is logged in."""
        choice = self.parse_body(Preferences)
        if choice.language is not None:
            self.set_cookie(
                "language", choice.language, expires_days=COOKIE_DAYS, httponly=True, samesite="Lax"
            )
            if self.user is not None and self.user.language != choice.language:
                await self.parts.database.users.set_language(self.user.name, choice.language)
        self.done(choice, local_path(choice.next))


class ThemeHandler(Handler):
    """/theme: choose light or dark."""

    serves_newcomers = True
    is_act = False

    @requires(Permission.VIEW)
    async def post(self) -> None:
        choice = self.parse_body(Preferences)
        if choice.theme is not None:
            self.set_cookie(
                "theme", choice.theme, expires_days=COOKIE_DAYS, httponly=True, samesite="Lax"
            )
        self.done(choice, local_path(choice.next))
