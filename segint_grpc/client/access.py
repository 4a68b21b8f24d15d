"""segint.v1.Access as an administrator uses it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from generated.segint.v1 import access_pb2
from generated.segint.v1.access_pb2_grpc import AccessStub
from segint_grpc.client.connection import DEADLINE_S, Connection, Place
from segint_grpc.client.job_administration import timestamp


class Access(Connection):
    """A connection to a server for its tokens and users; raises as `Connection` says."""

    def __init__(self, place: Place) -> None:
        """Prepare to talk to the server at `place`."""
        super().__init__(place)
        self._access = AccessStub(self._channel)

    def create_token(
        self,
        name: str,
        scope: str,
        expires_at: datetime | None = None,
        limits: access_pb2.TokenLimits | None = None,
    ) -> access_pb2.CreateTokenResponse:
        """Make a token of `scope` (client, operator or admin); the answer alone has its secret."""
        request = access_pb2.CreateTokenRequest(
            name=name, scope=_scope(scope), expires_at=timestamp(expires_at), limits=limits
        )
        with self._told():
            return self._access.CreateToken(request, timeout=DEADLINE_S)

    def tokens(self) -> Sequence[access_pb2.Token]:
        """Return every token, oldest first."""
        with self._told():
            return self._access.ListTokens(access_pb2.ListTokensRequest(), timeout=DEADLINE_S).tokens

    def revoke_token(self, token_id: str) -> access_pb2.Token:
        """End a token at once."""
        with self._told():
            return self._access.RevokeToken(
                access_pb2.RevokeTokenRequest(id=token_id), timeout=DEADLINE_S
            ).token

    def create_user(self, name: str, scope: str, password: str) -> access_pb2.User:
        """Make a user."""
        request = access_pb2.CreateUserRequest(name=name, scope=_scope(scope), password=password)
        with self._told():
            return self._access.CreateUser(request, timeout=DEADLINE_S).user

    def users(self) -> Sequence[access_pb2.User]:
        """Return every user by name."""
        with self._told():
            return self._access.ListUsers(access_pb2.ListUsersRequest(), timeout=DEADLINE_S).users

    def set_password(self, name: str, password: str) -> access_pb2.User:
        """Give a user another password."""
        request = access_pb2.SetPasswordRequest(name=name, password=password)
        with self._told():
            return self._access.SetPassword(request, timeout=DEADLINE_S).user

    def disable_user(self, name: str) -> access_pb2.User:
        """Let a user in no more."""
        with self._told():
            return self._access.DisableUser(access_pb2.DisableUserRequest(name=name), timeout=DEADLINE_S).user

    def enable_user(self, name: str) -> access_pb2.User:
        """Let a disabled user in again."""
        with self._told():
            return self._access.EnableUser(access_pb2.EnableUserRequest(name=name), timeout=DEADLINE_S).user


def _scope(name: str) -> str:
    return f"SCOPE_{name.upper()}"
