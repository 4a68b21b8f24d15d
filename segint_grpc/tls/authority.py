"""A local authority and what it signs: certificates of servers and of clients (RFC 5280), ECDSA on P-256.

Lifetimes: ten years for the authority, which clients are given once; two for what it signs.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from segint_grpc import errors

GATEWAY_URI = "urn:segint:gateway"
"""The name (subjectAltName, URI) that makes a client's certificate that of a gateway."""
AUTHORITY_LIFE = timedelta(days=3652)
SIGNED_LIFE = timedelta(days=730)
_CLOCKS_APART = timedelta(hours=1)
"""A certificate begins this much before it is made: the other machine's clock may be slow."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def fingerprint(self) -> str:
        """The certificate's SHA-256, as `openssl x509 -fingerprint -sha256` prints it."""
        return fingerprint(self.certificate)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return SHA-256 over the certificate, in hexadecimal pairs."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def make_authority(name: str) -> Pair:
    """Return a new authority; `name` is what people see in lists of authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, key.public_key(), AUTHORITY_LIFE).issuer_name(_name(name))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return Pair(builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256()), key)


def make_server(authority: Pair, names: Sequence[str]) -> Pair:
    """Return a server's certificate for `names`: host names (the first part may be *) and addresses."""
    return _signed(
        authority, names[0], [_general_name(name) for name in names], ExtendedKeyUsageOID.SERVER_AUTH
    )


def make_client(authority: Pair, name: str, gateway: bool = False) -> Pair:
    """Return a client's certificate for `name`, a person or machine; a gateway's carries `GATEWAY_URI`."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(GATEWAY_URI)] if gateway else []
    return _signed(authority, name, names, ExtendedKeyUsageOID.CLIENT_AUTH)


def _signed(
    authority: Pair, name: str, names: Sequence[x509.GeneralName], purpose: x509.ObjectIdentifier
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    life = min(SIGNED_LIFE, issuer.not_valid_after_utc - datetime.now(UTC))
    builder = _builder(name, key.public_key(), life).issuer_name(issuer.subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(name: str, key: ec.EllipticCurvePublicKey, life: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_name(name)).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _CLOCKS_APART).not_valid_after(now + life)


def _name(name: str) -> x509.Name:
    # A common name holds 64 characters at most (RFC 5280, appendix A.1); what counts is subjectAltName.
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SegInt"),
            x509.NameAttribute(NameOID.COMMON_NAME, name[:64]),
        ]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(_host_name(name))


def _host_name(name: str) -> str:
    parts = name.split(".")
    try:
        if "" in parts:
            raise UnicodeError
        return ".".join(part.encode("idna").decode() if part != "*" else part for part in parts)
    except UnicodeError:
        raise errors.InvalidRequest(f"{name!r} is neither a host name nor an IP address.") from None


def read_pair(certificate: Path, key: Path) -> Pair:
    """Return the pair in two files.

    Raises:
        NotFound: one is missing.
        InvalidRequest: they are no certificate with a key made here.
    """
    try:
        made = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except FileNotFoundError as error:
        raise errors.NotFound(
            f"There is no {error.filename}; make an authority with: segint certs init"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise errors.InvalidRequest(f"{certificate} and {key} cannot be used: {error}") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise errors.InvalidRequest(f"{key} holds no key on an elliptic curve.")
    return Pair(made, private)


def write_pair(pair: Pair, certificate: Path, key: Path) -> None:
    """Write `pair` into two files, the key for this user alone (0600), each at once or not at all, key first.

    A server that sees the new key beside the old certificate goes on with what it has.

    Raises:
        Unwritable: a file cannot be written.
    """
    secret = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = pair.certificate.public_bytes(serialization.Encoding.PEM)
    for path, content, mode in ((key, secret, 0o600), (certificate, public, 0o644)):
        try:
            _write(path, content, mode)
        except OSError as error:
            raise errors.Unwritable(f"{path} cannot be written ({error.strerror}).") from None


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
