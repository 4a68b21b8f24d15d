"""Which tokens count now: all of them in memory, so that a call costs no look into the database.

The core is the only process that changes tokens, so what is here is what counts; a token that is revoked
counts no more from that moment on.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from segint_grpc import errors
from segint_grpc.domain.access import NO_LIMITS, Limits, Scope
from segint_grpc.domain.tokens import NAME_MAX, Token, digest_of, id_of, matches, new_secret
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.hop import OUTAGES

log = logging.getLogger(__name__)

USES_EVERY = timedelta(seconds=60)
"""How exactly a token's last use is known, and how seldom it is written."""


class Credentials:
    """Makes, knows and ends tokens. Lives on the event loop's thread."""

    def __init__(self, context: ServiceContext) -> None:
        """Know no token until `load`."""
        self._store = context.store
        self._hop = context.hop
        self._board = context.board
        self._tokens: dict[str, tuple[Token, bytes]] = {}
        self._uses: dict[str, datetime] = {}

    async def load(self) -> None:
        """Read every token."""
        found = await self._hop.run(self._store.tokens.all)
        self._tokens = {token.id: (token, digest) for token, digest in found}

    def named(self, secret: str) -> Token | None:
        """Return the token that `secret` is, whether or not it counts; None where it is none."""
        token, digest = self._tokens.get(id_of(secret) or "", (None, b""))
        return token if token and matches(secret, digest, self._store.token_key) else None

    def token(self, secret: str) -> Token | None:
        """Return the token that `secret` is, None where it is none that counts."""
        token, now = self.named(secret), self._store.now()
        if token is None or not token.valid(now):
            return None
        self._uses[token.id] = now
        return token

    def counts(self, token_id: str) -> bool:
        """Tell whether the token of that id counts now."""
        token, _ = self._tokens.get(token_id, (None, b""))
        return token is not None and token.valid(self._store.now())

    def expiry(self, token_id: str) -> datetime | None:
        """Return when the token ends by itself, None where it does not."""
        token, _ = self._tokens.get(token_id, (None, b""))
        return token.expires_at if token else None

    async def create(
        self, name: str, scope: Scope, expires_at: datetime | None = None, limits: Limits = NO_LIMITS
    ) -> tuple[Token, str]:
        """Make a token; return it with its secret, which nobody can tell again.

        Raises:
            InvalidFields: the name is none, or the expiry is past.
        """
        now = self._store.now()
        _check(name, expires_at, now)
        secret = new_secret()
        token = Token(id_of(secret) or "", name, scope, now, expires_at, limits=limits)
        digest = digest_of(secret, self._store.token_key)
        await self._hop.complete(self._store.tokens.add, token, digest)
        self._tokens[token.id] = (token, digest)
        log.info("token made", extra={"token": token.id, "scope": scope.name})
        return token, secret

    async def all(self) -> list[Token]:
        """Return every token, oldest first, with its last use."""
        await self.write_uses()
        return [token for token, _ in await self._hop.run(self._store.tokens.all)]

    async def revoke(self, token_id: str) -> Token:
        """End a token at once and for good. Raises UnknownToken."""
        token = await self._hop.complete(self._store.tokens.revoke, token_id)
        _, digest = self._tokens[token.id]
        self._tokens[token.id] = (token, digest)
        self._board.publish_access()
        log.info("token revoked", extra={"token": token.id})
        return token

    async def write_uses(self) -> None:
        """Write down when tokens were last used; where that cannot be done now, it is done later."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._hop.complete(self._store.tokens.note_uses, uses)
        except OUTAGES as error:
            self._uses = uses | self._uses
            log.error("the tokens' last uses could not be written: %s", error.message)


def _check(name: str, expires_at: datetime | None, now: datetime) -> None:
    violations = {}
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        violations["name"] = f"It must have 1 to {NAME_MAX} printable characters."
    if expires_at is not None and expires_at <= now:
        violations["expires_at"] = "It is past; name a moment to come, or none."
    if violations:
        raise errors.InvalidFields(violations)
