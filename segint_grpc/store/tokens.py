"""Tokens. The core keeps them all in memory (see service/credentials.py); here they outlive it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from peewee import IntegrityError

from segint_grpc import errors
from segint_grpc.domain.access import Limits, Scope
from segint_grpc.domain.tokens import Token
from segint_grpc.store.database import Database, Row, Transaction
from segint_grpc.store.schema import TokenTable

_ALIKE = ("id", "name", "created_at", "expires_at", "used_at", "revoked_at")


class TokenStore:
    """Every token that was ever made, with its digest."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Keep them in `database`, with the time that `now` tells (aware, UTC)."""
        self._database = database
        self._now = now

    def add(self, token: Token, digest: bytes) -> None:
        """Keep a new token.

        Raises:
            AlreadyExists: there is a token of that id.
        """
        columns = {name: getattr(token, name) for name in _ALIKE}
        limits = {"jobs_max": token.limits.jobs_max, "posts_per_minute": token.limits.posts_per_minute}
        with self._database.write() as transaction:
            try:
                query = TokenTable.insert(**columns, **limits, scope=int(token.scope), digest=digest)
                transaction.change(query)
            except IntegrityError:
                raise errors.AlreadyExists(f"There is already a token {token.id}.") from None

    def all(self) -> list[tuple[Token, bytes]]:
        """Return every token with its digest, oldest first."""
        query = TokenTable.select().order_by(TokenTable.created_at, TokenTable.id)
        with self._database.read() as transaction:
            return [(_token(row), bytes(row["digest"])) for row in transaction.rows(query)]

    def revoke(self, token_id: str) -> Token:
        """End a token for good; one that was revoked before stays as it is. Raises UnknownToken."""
        with self._database.write() as transaction:
            token = _find(transaction, token_id)
            if token.revoked_at is None:
                query = TokenTable.update(revoked_at=self._now()).where(TokenTable.id == token_id)
                transaction.change(query)
            return _find(transaction, token_id)

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Write down when the tokens, by id, were last used."""
        with self._database.write(durable=False) as transaction:
            for token_id, used_at in uses.items():
                transaction.change(TokenTable.update(used_at=used_at).where(TokenTable.id == token_id))


def _find(transaction: Transaction, token_id: str) -> Token:
    row = transaction.row(TokenTable.select().where(TokenTable.id == token_id))
    if row is None:
        raise errors.UnknownToken(
            "There is no token of that id; `segint token list` names them all.", name=token_id
        )
    return _token(row)


def _token(row: Row) -> Token:
    limits = Limits(row["jobs_max"], row["posts_per_minute"])
    return Token(**{name: row[name] for name in _ALIKE}, scope=Scope(row["scope"]), limits=limits)
