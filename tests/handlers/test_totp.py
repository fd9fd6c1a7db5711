"""Codes of a telephone: RFC 6238's own vectors, and the login in two steps."""

import base64
from datetime import datetime, timedelta

import pytest
from web_helpers import PASSWORD, PASSWORD_HASH, Office, Visitor, text_of, words_of

from station.handlers.access import (
    identity,
    totp,
)
from station.handlers.access.one_time_codes import (
    STEP_S,
    code_of,
    matching_step,
    new_recovery_codes,
    new_secret,
    setup_uri,
    step_of,
)
from station.units import utc_now

# RFC 6238, appendix B, SHA-1; the last six of its eight digits.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_VECTORS = (
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
)


@pytest.mark.parametrize(("seconds", "code"), RFC_VECTORS)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert code_of(RFC_SECRET, step_of(seconds)) == code
    assert matching_step(RFC_SECRET, f"{code[:3]} {code[3:]}", seconds) == step_of(seconds)
    for away_s in (-STEP_S, STEP_S):
        assert matching_step(RFC_SECRET, code, seconds + away_s) == step_of(seconds)
    for away_s in (-2 * STEP_S, 2 * STEP_S):
        assert matching_step(RFC_SECRET, code, seconds + away_s) is None
    assert matching_step(RFC_SECRET, "密码", seconds) is None


def test_secrets_are_long_and_new() -> None:
    assert len({new_secret() for _ in range(50)}) == 50
    assert len(base64.b32decode(new_secret())) == 20
    assert len(set(new_recovery_codes())) == 10
    assert setup_uri("Station 1", "a:b", "ABC").startswith("otpauth://totp/Station%201%3Aa%3Ab?")


class Telephone:
    """What makes the codes of somebody, at a moment that a test moves on."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now

    @property
    def code(self) -> str:
        return code_of(self.secret, step_of(self.now.timestamp()))

    def later(self) -> None:
        self.now += timedelta(seconds=STEP_S)


async def set_up(ann: Visitor, monkeypatch: pytest.MonkeyPatch) -> tuple[Telephone, list[str]]:
    """Turn codes on through the pages; return the telephone and the recovery codes."""
    page = await ann.post("/totp", password=PASSWORD)
    assert page.code == 200
    assert 'src="data:image/svg+xml' in text_of(page)
    name = (await ann.json("GET", "/api/sessions"))[1]["items"][0]["user"]
    user = await ann.office.database.users.get(name)
    assert user.totp_offered in text_of(page)
    assert not user.has_totp  # Nobody is asked before a code was right.
    telephone = Telephone(user.totp_offered)
    monkeypatch.setattr(identity, "utc_now", telephone)
    monkeypatch.setattr(totp, "utc_now", telephone)
    assert (await ann.post("/totp/confirm", code="000000")).code == 400
    status, answer = await ann.json("POST", "/api/totp/confirm", {"code": telephone.code})
    assert (status, len(answer["recovery_codes"])) == (200, 10)
    return telephone, answer["recovery_codes"]


async def test_the_login_asks_for_a_code_and_takes_each_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await office.somebody("reader")
    telephone, recovery = await set_up(ann, monkeypatch)
    other = office.visitor()
    asked = await other.log_in("reader0", next="/meters")
    assert (asked.code, asked.headers["Location"]) == (303, "/login/code?next=%2Fmeters")
    assert "session" not in other.cookies
    assert "Code of your telephone" in words_of(await other.get(asked.headers["Location"]))
    used = await other.post("/login/code", code=telephone.code, next="/meters")
    assert used.code == 401  # It turned the codes on, and is spent.
    assert "used already" in words_of(used)
    telephone.later()
    entered = await other.post("/login/code", code=telephone.code, next="/meters")
    assert (entered.code, entered.headers["Location"]) == (303, "/meters")
    assert (await other.get("/meters")).code == 200
    again = office.visitor()
    await again.log_in("reader0")
    assert (await again.post("/login/code", code=telephone.code)).code == 401
    assert (await again.post("/login/code", code=recovery[0].lower())).code == 303
    third = office.visitor()
    await third.log_in("reader0")
    assert (await third.post("/login/code", code=recovery[0])).code == 401
    assert "9 recovery codes are left" in words_of(await again.get("/totp"))


async def test_a_program_sends_the_code_with_the_password(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    telephone, _ = await set_up(await office.somebody("reader"), monkeypatch)
    telephone.later()
    program, login = office.visitor(), {"username": "reader0", "password": PASSWORD}
    status, answer = await program.json("POST", "/api/login", login)
    assert (status, answer["error"]["code"]) == (401, "code_needed")
    status, answer = await program.json("POST", "/api/login", {**login, "code": "1"})
    assert (status, answer["error"]["code"]) == (401, "login_needed")
    assert (await program.json("POST", "/api/login", {**login, "code": telephone.code}))[0] == 200


async def test_codes_cannot_be_guessed_and_the_second_step_needs_the_first(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    telephone, _ = await set_up(await office.somebody("reader"), monkeypatch)
    telephone.later()
    stranger = office.visitor()
    await stranger.get("/login")
    for _ in range(2):
        turned_away = await stranger.post("/login/code", code=telephone.code)
        assert turned_away.headers["Location"].startswith("/login?")
        stranger.cookies["entering"] = '["reader0", "forged"]'
    thief = office.visitor()  # Knows the password.
    await thief.log_in("reader0")
    answers = [await thief.post("/login/code", code=f"{number:06}") for number in range(8)]
    assert [answer.code for answer in answers] == [401] * 6 + [429] * 2
    assert (await thief.post("/login/code", code=telephone.code)).code == 429
    users = office.database.users
    await users.set_password("reader0", PASSWORD_HASH + "x")  # Changed meanwhile.
    assert (await thief.post("/login/code", code=telephone.code)).code == 303
    assert "session" not in thief.cookies


async def test_codes_are_turned_off_with_the_password_or_by_an_administrator(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, boss = await office.somebody("reader"), await office.somebody()
    await set_up(ann, monkeypatch)
    assert (await ann.post("/totp", password=PASSWORD)).code == 409
    assert (await ann.post("/totp/off", password="wrong password")).code == 400
    assert (await office.database.users.get("reader0")).has_totp
    assert (await ann.post("/totp/off", password=PASSWORD)).code == 303
    assert (await office.visitor().log_in("reader0")).headers["Location"] == "/"
    await set_up(ann, monkeypatch)
    assert "asked for" in words_of(await boss.get("/users/reader0"))
    assert (await boss.json("DELETE", "/api/users/reader0/totp"))[0] == 200
    assert not (await office.database.users.get("reader0")).has_totp


async def test_who_was_guessed_at_is_told_at_the_next_login(office: Office) -> None:
    ann = await office.somebody("reader")
    for _ in range(2):
        assert (await office.visitor().log_in("reader0", "wrong password")).code == 401
    assert (await ann.post("/logout")).code == 303
    assert (await ann.log_in("reader0")).code == 303
    assert "Wrong passwords for your name since the last login: 2." in words_of(await ann.get("/"))
