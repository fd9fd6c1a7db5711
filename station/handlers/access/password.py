"""One's own password."""

import asyncio

from pydantic import BaseModel, Field

from station.errors import InvalidValue
from station.handlers.access.gate import TooManyAttempts
from station.handlers.access.identity import requires
from station.handlers.access.people import (
    PASSWORD_SIZE_MAX,
    Permission,
    hash_password,
)
from station.handlers.base import Handler, Nothing
from station.handlers.contract import GUESSING, contract


class PasswordBody(BaseModel):
    """The old password, and the new one twice."""

    password: str = Field(min_length=1, max_length=PASSWORD_SIZE_MAX)
    new_password: str = Field(min_length=1, max_length=PASSWORD_SIZE_MAX)
    again: str = Field(min_length=1, max_length=PASSWORD_SIZE_MAX)


class PasswordHandler(Handler):
    """/password, /api/password: ends every other login of the person"""

    serves_newcomers = True
    serves_tokens = False

    @requires(Permission.VIEW)
    @contract(None)
    async def get(self) -> None:
        self.finish_page("password.html", typed={})

    @requires(Permission.VIEW)
    @contract(Nothing, body=PasswordBody, fails=GUESSING)
    async def post(self) -> None:
        try:
            await self._change(self.parse_body(PasswordBody))
        except (InvalidValue, TooManyAttempts) as error:
            self.refuse_form("password.html", error)
            return
        self.done(Nothing(), "/", self.language.say("The password is changed."))

    async def _change(self, body: PasswordBody) -> None:
        assert self.user is not None, "a permission needs a user"
        user, database = self.user, self.parts.database
        right = await self.tools.gate.check(
            user.name, self.request.remote_ip or "", user.password_hash, body.password
        )
        if not right:
            raise InvalidValue("password", self.language.say("this is not the password"))
        if body.new_password != body.again:
            raise InvalidValue("again", self.language.say("the two are not the same"))
        if body.new_password == body.password:
            raise InvalidValue("new_password", self.language.say("this is the old one"))
        loop = asyncio.get_running_loop()
        try:
            password_hash = await loop.run_in_executor(None, hash_password, body.new_password)
        except InvalidValue as error:
            raise InvalidValue("new_password", str(error)) from None
        await database.users.set_password(user.name, password_hash)
        await database.sessions.remove_of_user(user.name, kind="browser")
        self.set_session_cookie(await self.open_session(user))
