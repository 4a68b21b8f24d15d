"""Tokens: how one looks, and what is kept of it, which is never the token itself.

A token is `segint_`, an id of eight letters and digits by which it is found, and 43 characters that are
secret: 256 random bits, so that guessing is hopeless and a slow hash would add nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from segint_grpc.domain.access import NO_LIMITS, Limits, Scope

KEY_BYTES = 32
NAME_MAX = 64
ID_LENGTH = 8

_ALPHABET = string.ascii_lowercase + string.digits
_TOKEN = re.compile(r"segint_([a-z0-9]{8})_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; times are UTC."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    limits: Limits = NO_LIMITS

    @property
    def principal(self) -> str:
        """Whose jobs are those that were posted with it."""
        return f"token:{self.id}"

    def valid(self, now: datetime) -> bool:
        """Tell whether it counts at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_secret() -> str:
    """Return a new token."""
    public = "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))
    return f"segint_{public}_{secrets.token_urlsafe(32)}"


def id_of(secret: str) -> str | None:
    """Return the id in a token, None where `secret` has not the form of one."""
    match = _TOKEN.fullmatch(secret)
    return match[1] if match else None


def digest_of(secret: str, key: bytes) -> bytes:
    """Return what is kept of a token: its HMAC-SHA256 under the server's `key`."""
    return hmac.digest(key, secret.encode(), hashlib.sha256)


def matches(secret: str, digest: bytes, key: bytes) -> bool:
    """Tell, in a time that tells nothing of where they differ, whether `digest` is of `secret`."""
    return hmac.compare_digest(digest_of(secret, key), digest)
