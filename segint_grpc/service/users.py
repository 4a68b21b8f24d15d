"""Users with passwords: made, changed, disabled. Nobody logs in over the network with these."""

from __future__ import annotations

import logging

from segint_grpc import errors
from segint_grpc.domain.access import Scope
from segint_grpc.domain.users import NAME, User, weakness
from segint_grpc.service import passwords
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.hop import Hop

log = logging.getLogger(__name__)


class Users:
    """Every use case around users; a context manager that waits for what has begun."""

    def __init__(self, context: ServiceContext) -> None:
        """Work on the store; passwords are hashed one at a time, each takes 32 MiB."""
        self._store = context.store
        self._hop = context.hop
        self._board = context.board
        self._slow = Hop("segint-password", threads=1)

    async def create(self, name: str, scope: Scope, password: str) -> User:
        """Make a user.

        Raises:
            InvalidFields: the name is none, or the password is weak.
            AlreadyExists: there is a user of that name.
        """
        violations = {} if NAME.fullmatch(name) else {"name": _NAME_RULE}
        _check(violations, password, name)
        kept = await self._slow.run(passwords.hashed, password)
        user = await self._hop.complete(self._store.users.add, name, scope, kept)
        log.info("user made", extra={"user": name, "scope": scope.name})
        return user

    async def all(self) -> list[User]:
        """Return every user by name."""
        return await self._hop.run(self._store.users.all)

    async def set_password(self, name: str, password: str) -> User:
        """Give a user another password.

        Raises:
            UnknownUser: there is no such user.
            InvalidFields: the password is weak.
        """
        await self._hop.run(self._store.users.get, name)
        _check({}, password, name)
        kept = await self._slow.run(passwords.hashed, password)
        user = await self._hop.complete(self._store.users.set_password, name, kept)
        self._board.publish_access()
        log.info("password set", extra={"user": name})
        return user

    async def set_disabled(self, name: str, disabled: bool) -> User:
        """Let a user in no more, or again. Raises UnknownUser."""
        user = await self._hop.complete(self._store.users.set_disabled, name, disabled)
        self._board.publish_access()
        log.info("user disabled" if disabled else "user enabled", extra={"user": name})
        return user

    async def verify(self, name: str, password: str) -> User | None:
        """Return the user whose password this is; None where nobody is let in with it, whatever the reason.

        An unknown name takes as long as a known one.
        """
        try:
            user, kept = await self._hop.run(self._store.users.get, name)
        except errors.UnknownUser:
            user, kept = None, _NOBODY
        right = await self._slow.run(passwords.verified, password, kept)
        return user if right and user and user.disabled_at is None else None

    def close(self) -> None:
        """Wait for what has begun."""
        self._slow.__exit__(None, None, None)


def _check(violations: dict[str, str], password: str, name: str) -> None:
    weak = weakness(password, name)
    if weak:
        violations["password"] = weak
    if violations:
        raise errors.InvalidFields(violations)


_NAME_RULE = "It must have 1 to 32 of a-z, 0-9, dot, dash and underscore, and begin with a letter."
_NOBODY = f"scrypt${passwords.N}${passwords.R}${passwords.P}$AAAAAAAAAAAAAAAAAAAAAA==${'A' * 43}="
"""A hash that no password has."""
