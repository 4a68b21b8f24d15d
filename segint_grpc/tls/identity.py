"""A certificate with its key, and the authority that the other side must be of: read from PEM files, checked.

What cannot be used is refused with the setting's name, before a port is opened.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from segint_grpc import errors
from segint_grpc.settings import Settings

WARNED_BEFORE = timedelta(days=30)
"""How long before its end a certificate is warned of."""


@dataclass(frozen=True)
class Files:
    """The PEM files of one side of a connection; `None` where there is none.

    `names` are what certificate, key and authority are called in sentences: settings, or options.
    """

    certificate: Path | None
    key: Path | None
    authority: Path | None
    names: tuple[str, str, str]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Those that are named."""
        return tuple(path for path in (self.certificate, self.key, self.authority) if path is not None)


@dataclass(frozen=True)
class Identity:
    """What the files held, checked; `certificate` is the first of the chain, whose key this is."""

    chain_pem: bytes
    key_pem: bytes
    authority_pem: bytes | None
    certificate: x509.Certificate | None

    @property
    def ends_at(self) -> datetime:
        """When the certificate ends; far away where there is none."""
        if self.certificate is None:
            return datetime.max.replace(tzinfo=UTC)
        return self.certificate.not_valid_after_utc


def server_files(settings: Settings) -> Files | None:
    """Return the files by which the server is known, or None where TLS is off.

    Raises:
        InvalidSetting: one of certificate and key is set without the other, or https without them.
    """
    names = ("tls_certificate", "tls_key", "tls_client_ca")
    files = _files(settings, names)
    if files.certificate is not None:
        return files
    if files.authority is not None:
        raise errors.InvalidSetting(
            "tls_client_ca is set without tls_certificate, so there is no TLS at all."
        )
    if settings.https:
        raise errors.InvalidSetting(
            "https asks for tls_certificate and tls_key; `segint certs init` makes both."
        )
    return None


def core_files(settings: Settings) -> Files | None:
    """Return the files by which the gateway and a core on another machine know each other, or None.

    Raises:
        InvalidSetting: a certificate without its key, or without the authority that the core is of.
    """
    files = _files(settings, ("core_certificate", "core_key", "core_ca"))
    if files.certificate is not None and files.authority is None:
        raise errors.InvalidSetting("core_certificate is set without core_ca, by which the core is known.")
    return files if files.authority is not None else None


def _files(settings: Settings, names: tuple[str, str, str]) -> Files:
    certificate, key, authority = (_path(settings, name) for name in names)
    if (certificate is None) != (key is None):
        raise errors.InvalidSetting(f"{names[0]} and {names[1]} are of use together; set both or neither.")
    return Files(certificate, key, authority, names)


def _path(settings: Settings, name: str) -> Path | None:
    """Return the file that the setting names; a relative path is looked for in the home."""
    text = str(getattr(settings, name))
    return settings.home_path / Path(text).expanduser() if text else None


def read(files: Files, now: datetime | None = None) -> Identity:
    """Return what the files hold.

    Raises:
        InvalidSetting: a file is missing, unreadable or no PEM, the key is another's, open to others or
            locked with a passphrase, or the certificate has ended.
    """
    authority = None
    if files.authority is not None:
        authority = _content(files.authority, files.names[2])
        _certificates(authority, files.authority, files.names[2])
    if files.certificate is None and files.key is None:
        return Identity(b"", b"", authority, None)
    if files.certificate is None or files.key is None:
        raise errors.InvalidSetting(f"{files.names[0]} and {files.names[1]} are of use together only.")
    chain = _content(files.certificate, files.names[0])
    certificate = _certificates(chain, files.certificate, files.names[0])[0]
    key_pem = _content(files.key, files.names[1])
    key = _key(key_pem, files)
    _check_private(files.key, files.names[1])
    _check_key(certificate, key, files)
    _check_dates(certificate, files, now or datetime.now(UTC))
    return Identity(chain, key_pem, authority, certificate)


def _content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise errors.InvalidSetting(f"{name}: there is no file {path}.") from None
    except OSError as error:
        raise errors.InvalidSetting(f"{name}: {path} cannot be read ({error.strerror}).") from None


def _certificates(pem: bytes, path: Path, name: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise errors.InvalidSetting(
            f"{name}: {path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)."
        ) from None


def _check_private(path: Path, name: str) -> None:
    if stat.S_IMODE(path.stat().st_mode) & 0o007:
        raise errors.InvalidSetting(
            f"{name}: every user of this machine may open the key {path}; mend it with: chmod 600 {path}"
        )


def _key(pem: bytes, files: Files) -> PrivateKeyTypes:
    name, path = files.names[1], files.key
    try:
        return serialization.load_pem_private_key(pem, None)
    except TypeError:
        raise errors.InvalidSetting(
            f"{name}: the key {path} is locked with a passphrase, which a server that starts by itself "
            f"cannot type; unlock it with: openssl pkey -in {path} -out NEW.key"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise errors.InvalidSetting(f"{name}: {path} holds no private key in PEM form.") from None


def _check_key(certificate: x509.Certificate, key: PrivateKeyTypes, files: Files) -> None:
    wanted, found = (
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for public in (certificate.public_key(), key.public_key())
    )
    if wanted != found:
        raise errors.InvalidSetting(
            f"{files.names[1]}: the key {files.key} is not that of the first certificate in "
            f"{files.certificate} ({files.names[0]}); the server's own must come first there."
        )


def _check_dates(certificate: x509.Certificate, files: Files, now: datetime) -> None:
    where = f"{files.names[0]}: the certificate {files.certificate}"
    if now >= certificate.not_valid_after_utc:
        ended = certificate.not_valid_after_utc
        raise errors.InvalidSetting(
            f"{where} ended on {ended:%Y-%m-%d}; `segint certs renew` renews one of the local authority."
        )
    if now < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc
        raise errors.InvalidSetting(f"{where} begins on {begins:%Y-%m-%d %H:%M} UTC; is the clock right?")
