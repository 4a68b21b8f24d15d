"""How a caller's identity travels: the token as it was given, and from where the gateway got it."""

from __future__ import annotations

AUTHORIZATION = "authorization"
"""Metadata, and the HTTP header, with `Bearer TOKEN` (RFC 6750)."""

FORWARDED_FOR = "segint-forwarded-for"
"""Metadata with the network address of the client that a gateway speaks for; believed of a gateway alone."""


def bearer_of(authorization: str) -> str | None:
    """Return the token in an authorization, None where that is of another scheme: no credential of ours."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
