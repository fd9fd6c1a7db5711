"""The pages over TLS: with a certificate of their own or a given one; cookies that stay there."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from web_helpers import CONFIG, open_office, text_of

from station import config
from station.config import Config
from station.errors import ConfigError, StartError
from station.handlers import tls
from station.handlers.tls import OWN_FILE, own_certificate, server_context
from station.store.database import Database


def config_with(folder: Path, **web: object) -> Config:
    """Return a configuration whose data lies in a folder."""
    return CONFIG.model_copy(
        update={
            "web": CONFIG.web.model_copy(update=web),
            "database": CONFIG.database.model_copy(update={"data": folder}),
        }
    )


async def test_pages_with_a_certificate_of_their_own(database: Database, tmp_path: Path) -> None:
    wanted = config_with(tmp_path, tls="own", hsts_days=30)
    async with open_office(database, wanted) as office:
        assert office.url.startswith("https://")
        ann = await office.somebody()  # Whose client checks certificate and address.
        assert text_of(await ann.get("/terminals"))
        stranger = office.visitor()
        page = await stranger.get("/login")
        assert page.headers["Strict-Transport-Security"] == f"max-age={30 * 86_400}"
        answer = await stranger.log_in("administrator0")
        for one in (page, answer, await ann.post("/theme", theme="dark")):
            cookies = one.headers.get_list("Set-Cookie")
            assert cookies
            assert all("; Secure" in each and "; HttpOnly" in each for each in cookies), cookies


async def test_without_tls_no_page_asks_for_it(database: Database, tmp_path: Path) -> None:
    async with open_office(database, config_with(tmp_path)) as office:
        page = await office.visitor().get("/login")
        assert "Strict-Transport-Security" not in page.headers
        assert all("Secure" not in each for each in page.headers.get_list("Set-Cookie"))
        assert not (tmp_path / OWN_FILE).exists()


def test_the_own_certificate_is_kept_until_it_grows_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, file = config_with(tmp_path, tls="own"), tmp_path / OWN_FILE
    context = server_context(wanted)
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    first = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    server_context(wanted)
    assert file.read_bytes() == first
    held = x509.load_pem_x509_certificate(first)
    names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert "127.0.0.1" in [str(each) for each in names.get_values_for_type(x509.IPAddress)]

    near_its_end = tls.utc_now() + tls.OWN_LASTS - timedelta(days=30)
    monkeypatch.setattr(tls, "utc_now", lambda: near_its_end)
    server_context(wanted)
    assert file.read_bytes() != first
    file.write_text("spoilt")
    with pytest.raises(StartError, match="cannot be read"):
        server_context(wanted)


def test_a_given_certificate_is_used_or_refused_in_words(tmp_path: Path) -> None:
    file, key = tmp_path / "a.pem", tmp_path / "a.key"
    certificate, mark, secret = own_certificate(["pages.example"]).partition(b"-----BEGIN PRIV")
    file.write_bytes(certificate)
    key.write_bytes(mark + secret)
    wanted = config_with(tmp_path, tls="given", certificate=file, key=key)
    assert server_context(wanted) is not None

    key.write_bytes(own_certificate(["other.example"]))  # With another key.
    with pytest.raises(StartError, match=r"web\.certificate"):
        server_context(wanted)
    locked = serialization.load_pem_private_key(mark + secret, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a password"),
    )
    key.write_bytes(locked)  # Nobody is there to type it.
    with pytest.raises(StartError, match=r"web\.certificate"):
        server_context(wanted)
    key.unlink()
    with pytest.raises(StartError, match=r"web\.certificate"):
        server_context(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "web: {tls: given}",
        "web: {tls: given, certificate: a.pem}",
        "web: {tls: own, certificate: a.pem, key: a.key}",
        "web: {certificate: a.pem, key: a.key}",
        "web: {hsts_days: 3}",
        "web: {redirect_port: 80}",
        "web: {tls: own, port: 81, redirect_port: 81}",
        "web: {proxies: [everybody]}",
        "web: {tls: on}",
    ],
)
def test_a_configuration_that_cannot_be_meant(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"1: web"):
        config.load(file)
