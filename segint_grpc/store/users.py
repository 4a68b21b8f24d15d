"""Users and the hashes of their passwords."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from peewee import IntegrityError

from segint_grpc import errors
from segint_grpc.domain.access import Scope
from segint_grpc.domain.users import User
from segint_grpc.store.database import Database, Row, Transaction
from segint_grpc.store.schema import UserTable

_ALIKE = ("name", "created_at", "password_set_at", "disabled_at")


class UserStore:
    """The users."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Keep them in `database`, with the time that `now` tells (aware, UTC)."""
        self._database = database
        self._now = now

    def add(self, name: str, scope: Scope, password: str) -> User:
        """Keep a new user; `password` is the hash.

        Raises:
            AlreadyExists: there is a user of that name.
        """
        now = self._now()
        query = UserTable.insert(
            name=name, scope=int(scope), password=password, created_at=now, password_set_at=now
        )
        with self._database.write() as transaction:
            try:
                transaction.change(query)
            except IntegrityError:
                raise errors.AlreadyExists(
                    f"There is already a user {name}; `segint user password {name}` changes the password."
                ) from None
            return _find(transaction, name)[0]

    def all(self) -> list[User]:
        """Return every user by name."""
        with self._database.read() as transaction:
            return [_user(row) for row in transaction.rows(UserTable.select().order_by(UserTable.name))]

    def get(self, name: str) -> tuple[User, str]:
        """Return a user and the hash of the password. Raises UnknownUser."""
        with self._database.read() as transaction:
            return _find(transaction, name)

    def set_password(self, name: str, password: str) -> User:
        """Give a user another hash. Raises UnknownUser."""
        return self._update(name, password=password, password_set_at=self._now())

    def set_disabled(self, name: str, disabled: bool) -> User:
        """Let a user in no more, or again. Raises UnknownUser."""
        return self._update(name, disabled_at=self._now() if disabled else None)

    def _update(self, name: str, **columns: object) -> User:
        with self._database.write() as transaction:
            _find(transaction, name)
            transaction.change(UserTable.update(**columns).where(UserTable.name == name))
            return _find(transaction, name)[0]


def _find(transaction: Transaction, name: str) -> tuple[User, str]:
    row = transaction.row(UserTable.select().where(UserTable.name == name))
    if row is None:
        raise errors.UnknownUser(
            "There is no user of that name; `segint user list` names them all.", name=name
        )
    return _user(row), str(row["password"])


def _user(row: Row) -> User:
    return User(**{name: row[name] for name in _ALIKE}, scope=Scope(row["scope"]))
