"""What a person wants to know of a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from segint_grpc import errors
from segint_grpc.tls.authority import fingerprint
from segint_grpc.tls.folder import names_in


@dataclass(frozen=True)
class View:
    """One certificate of a file."""

    path: Path
    subject: str
    issuer: str
    names: list[str]
    ends_at: datetime
    fingerprint: str


def view_of(path: Path) -> list[View]:
    """Return every certificate in the PEM file `path`, in their order.

    Raises:
        NotFound: there is no such file.
        InvalidRequest: it cannot be read, or holds no certificate.
    """
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except FileNotFoundError:
        raise errors.NotFound(f"There is no file {path}.") from None
    except OSError as error:
        raise errors.InvalidRequest(f"{path} cannot be read ({error.strerror}).") from None
    except ValueError:
        raise errors.InvalidRequest(f"{path} holds no certificate in PEM form.") from None
    return [
        View(
            path,
            one.subject.rfc4514_string(),
            one.issuer.rfc4514_string(),
            names_in(one),
            one.not_valid_after_utc,
            fingerprint(one),
        )
        for one in found
    ]
