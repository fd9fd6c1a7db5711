"""What each person chooses for the pages: language, theme, and the columns of tables."""

from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import BaseModel, Field

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import COOKIE_DAYS, Handler, local_path
from station.handlers.contract import contract


class Preferences(BaseModel):
    """A choice; what is absent stays as it is."""

    language: Literal["en", "zh"] | None = None
    theme: Literal["light", "dark"] | None = None
    next: str = "/"


ColumnName = Annotated[str, Field(pattern="^[a-z0-9_]{1,60}$")]


class ColumnChoice(BaseModel):
    """The columns of a table, which is named by its page's address with stars; none: the usual."""

    table: str = Field(pattern="^(/[a-z_*]+){1,6}$", max_length=100)
    columns: tuple[ColumnName, ...] = Field((), max_length=100)
    usual: bool = False
    next: str = "/"


class LanguageHandler(Handler):
    """/language: choose a language before logging in, too."""

    open_to_all = True
    is_act = False

    @contract(Preferences, body=Preferences)
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
    @contract(Preferences, body=Preferences)
    async def post(self) -> None:
        choice = self.parse_body(Preferences)
        if choice.theme is not None:
            self.set_cookie(
                "theme", choice.theme, expires_days=COOKIE_DAYS, httponly=True, samesite="Lax"
            )
        self.done(choice, local_path(choice.next))


class ColumnsHandler(Handler):
    """/columns, /api/columns: choose the columns of a table"""

    is_act = False

    @requires(Permission.VIEW)
    @contract(ColumnChoice, body=ColumnChoice)
    async def post(self) -> None:
        """Remember the columns, and go on to the page with them in its address."""
        choice = self.parse_body(ColumnChoice)
        columns = () if choice.usual else choice.columns
        assert self.user is not None, "a permission needs a person"
        choices = self.parts.database.table_choices
        await choices.remember(self.user.name, choice.table, columns)
        self.done(choice, _with_columns(local_path(choice.next), columns))


def _with_columns(address: str, columns: tuple[str, ...]) -> str:
    """Return an address of this site with these columns in its query, or with none."""
    path, query = urlsplit(address).path, urlsplit(address).query
    pairs = [(name, value) for name, value in parse_qsl(query) if name != "columns"]
    if columns:
        pairs.append(("columns", ",".join(columns)))
    return path + (f"?{urlencode(pairs)}" if pairs else "")
