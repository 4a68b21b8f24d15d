"""segint.v1.Access: tokens and users. Secrets pass through here and are never logged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import grpc

from generated.segint.v1 import access_pb2, access_pb2_grpc
from segint_grpc import errors
from segint_grpc.api.timestamps import optional_timestamp, timestamp
from segint_grpc.domain.access import Limits, Scope
from segint_grpc.domain.tokens import Token
from segint_grpc.domain.users import User
from segint_grpc.service.credentials import Credentials
from segint_grpc.service.users import Users

SCOPES = {
    Scope.CLIENT: access_pb2.SCOPE_CLIENT,
    Scope.OPERATOR: access_pb2.SCOPE_OPERATOR,
    Scope.ADMIN: access_pb2.SCOPE_ADMIN,
}
_SCOPES_BY_MESSAGE = {access_pb2.SCOPE_UNSPECIFIED: Scope.CLIENT} | {
    message: scope for scope, message in SCOPES.items()
}

Context = grpc.aio.ServicerContext[Any, Any]


class AccessServicer(access_pb2_grpc.AccessServicer):
    """What an administrator does about who may do what."""

    def __init__(self, credentials: Credentials, users: Users, now: Callable[[], datetime]) -> None:
        """Answer from the services, at the time that `now` tells (aware, UTC)."""
        self._credentials = credentials
        self._users = users
        self._now = now

    async def CreateToken(
        self, request: access_pb2.CreateTokenRequest, context: Context
    ) -> access_pb2.CreateTokenResponse:
        """Make a token."""
        limits = Limits(request.limits.jobs_max, request.limits.posts_per_minute)
        expires_at = request.expires_at.ToDatetime(UTC) if request.HasField("expires_at") else None
        token, secret = await self._credentials.create(
            request.name, _scope_of(request.scope), expires_at, limits
        )
        return access_pb2.CreateTokenResponse(token=self._token(token), secret=secret)

    async def ListTokens(
        self, request: access_pb2.ListTokensRequest, context: Context
    ) -> access_pb2.ListTokensResponse:
        """Every token."""
        return access_pb2.ListTokensResponse(tokens=map(self._token, await self._credentials.all()))

    async def RevokeToken(
        self, request: access_pb2.RevokeTokenRequest, context: Context
    ) -> access_pb2.RevokeTokenResponse:
        """End a token."""
        return access_pb2.RevokeTokenResponse(token=self._token(await self._credentials.revoke(request.id)))

    async def CreateUser(
        self, request: access_pb2.CreateUserRequest, context: Context
    ) -> access_pb2.CreateUserResponse:
        """Make a user."""
        user = await self._users.create(request.name, _scope_of(request.scope), request.password)
        return access_pb2.CreateUserResponse(user=_user(user))

    async def ListUsers(
        self, request: access_pb2.ListUsersRequest, context: Context
    ) -> access_pb2.ListUsersResponse:
        """Every user."""
        return access_pb2.ListUsersResponse(users=map(_user, await self._users.all()))

    async def SetPassword(
        self, request: access_pb2.SetPasswordRequest, context: Context
    ) -> access_pb2.SetPasswordResponse:
        """Give a user another password."""
        user = await self._users.set_password(request.name, request.password)
        return access_pb2.SetPasswordResponse(user=_user(user))

    async def DisableUser(
        self, request: access_pb2.DisableUserRequest, context: Context
    ) -> access_pb2.DisableUserResponse:
        """Let a user in no more."""
        return access_pb2.DisableUserResponse(
            user=_user(await self._users.set_disabled(request.name, disabled=True))
        )

    async def EnableUser(
        self, request: access_pb2.EnableUserRequest, context: Context
    ) -> access_pb2.EnableUserResponse:
        """Let a user in again."""
        return access_pb2.EnableUserResponse(
            user=_user(await self._users.set_disabled(request.name, disabled=False))
        )

    def _token(self, token: Token) -> access_pb2.Token:
        limits = access_pb2.TokenLimits(
            jobs_max=token.limits.jobs_max, posts_per_minute=token.limits.posts_per_minute
        )
        return access_pb2.Token(
            id=token.id,
            name=token.name,
            scope=SCOPES[token.scope],
            created_at=timestamp(token.created_at),
            expires_at=optional_timestamp(token.expires_at),
            used_at=optional_timestamp(token.used_at),
            revoked_at=optional_timestamp(token.revoked_at),
            limits=limits,
            valid=token.valid(self._now()),
        )


def _scope_of(message: access_pb2.Scope) -> Scope:
    try:
        return _SCOPES_BY_MESSAGE[message]
    except KeyError:
        raise errors.InvalidFields(
            {"scope": "It must be SCOPE_CLIENT, SCOPE_OPERATOR or SCOPE_ADMIN."}
        ) from None


def _user(user: User) -> access_pb2.User:
    return access_pb2.User(
        name=user.name,
        scope=SCOPES[user.scope],
        created_at=timestamp(user.created_at),
        password_set_at=timestamp(user.password_set_at),
        disabled_at=optional_timestamp(user.disabled_at),
    )
