"""TLS of the pages: with a certificate that is given, or one that Station makes for itself.

The own one is signed by nobody: a browser asks once whether to trust it, and shows the fingerprint
that the system's log tells. It and its key lie in one file that only the station's user can read.
"""

import contextlib
import datetime
import ipaddress
import logging
import os
import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from station.config import Config
from station.errors import StartError
from station.units import utc_now

log = logging.getLogger(__name__)

OWN_FILE = "tls/station.pem"  # In the folder of the station's data.
OWN_LASTS = datetime.timedelta(days=825)  # The longest that all browsers accept.
RENEWED_BEFORE = datetime.timedelta(days=60)  # At a start; a station is started more often.
CLOCK_SLACK = datetime.timedelta(days=1)  # A browser's clock may be behind.
NAME_SIZE_MAX = 64  # Characters of a common name (RFC 5280).
ELSEWHERE = ("192.0.2.1", 9)  # Nobody's address (RFC 5737): asked for the way there, never sent to.


def server_context(config: Config) -> ssl.SSLContext | None:
    """Return what the pages are encrypted with; None when the configuration wants no TLS.

    Raises StartError when the certificate or its key is not to be used.
    """
    web = config.web
    if web.tls == "none":
        return None
    certificate, key = web.certificate, web.key
    if web.tls == "own":
        certificate = config.database.data / OWN_FILE
        key = None
        _make_if_needed(certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key that needs a password is refused; the server must not wait for one to be typed.
        context.load_cert_chain(str(certificate), key and str(key), password=lambda: "")
        held = x509.load_pem_x509_certificate(Path(str(certificate)).read_bytes())
    except (OSError, ValueError) as error:  # An SSLError is an OSError.
        raise StartError(f"web.certificate {certificate}: {error}") from None
    print_of = held.fingerprint(hashes.SHA256()).hex(":").upper()
    until = held.not_valid_after_utc
    log.info("TLS certificate %s: good until %s, SHA-256 %s", certificate, until.date(), print_of)
    if until <= utc_now():
        log.warning("TLS certificate %s has expired", certificate)
    return context


def _make_if_needed(file: Path) -> None:
    try:
        held = x509.load_pem_x509_certificate(file.read_bytes())
        if held.not_valid_after_utc - utc_now() > RENEWED_BEFORE:
            return
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise StartError(f"the certificate {file} cannot be read: {error}") from None
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as written:
            written.write(own_certificate(_names()))
            written.flush()
            os.fsync(written.fileno())
        new.replace(file)
    except OSError as error:
        raise StartError(f"the certificate {file} cannot be written: {error.strerror}") from None


def own_certificate(names: list[str]) -> bytes:
    """Return a new key and a certificate of it for these host names and addresses, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:NAME_SIZE_MAX])])
    now = utc_now()
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=False, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now - CLOCK_SLACK + OWN_LASTS)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(usage, True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + secret


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names() -> list[str]:
    """Return by what names and addresses this box may be called."""
    host = socket.gethostname()
    host = host if host.isascii() and host else "station"
    found = [host, "localhost", "127.0.0.1", "::1"]
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with probe, contextlib.suppress(OSError):  # There may be no way out of this box.
        probe.connect(ELSEWHERE)
        found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):  # Its own name may not be known to it.
        found += [str(each[4][0]) for each in socket.getaddrinfo(host, None, socket.AF_INET)]
    return [*dict.fromkeys(found)]
