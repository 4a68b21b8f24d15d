"""Who calls: the door that a request came through, where from, and what the caller may do."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Scope(IntEnum):
    """What a caller may do; each scope includes those below it."""

    NOBODY = 0
    """Nothing that asks for a credential."""
    CLIENT = 1
    """Post scans, and follow, fetch and cancel jobs of its own."""
    OPERATOR = 2
    """See every job, its results and what was said of them; run, retry and delete jobs."""
    ADMIN = 3
    """Change models, tokens, users; read the audit log."""


class Door(StrEnum):
    """Where a request came in."""

    ADMIN_SOCKET = "admin socket"
    GATEWAY_SOCKET = "gateway socket"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may take of the server; 0 is no limit but the server's own."""

    jobs_max: int = 0
    """Unfinished jobs at a time."""
    posts_per_minute: int = 0
    """Scans posted within a minute."""


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Caller:
    """One caller of one request."""

    door: Door
    principal: str = "anonymous"
    """Who it is, for ownership and the audit log: `anonymous`, `owner` (of the home, through the admin
    socket), `token:ID` or `user:NAME`."""
    scope: Scope = Scope.NOBODY
    address: str = ""
    """The network address that the request came from, forwarded by the gateway where it came over HTTP;
    empty for one that came over a unix socket from this machine."""
    limits: Limits = field(default=NO_LIMITS)

    def sees(self, owner: str) -> bool:
        """Tell whether a job of the principal `owner` exists for this caller, where jobs have owners."""
        return self.scope >= Scope.OPERATOR or self.principal == owner


ANONYMOUS = "anonymous"
"""The principal of whoever needs no credential and sends none."""

SERVER = Caller(Door.ADMIN_SOCKET, "server", Scope.ADMIN)
"""Whatever the server does by itself."""

current: ContextVar[Caller] = ContextVar("segint_caller", default=SERVER)
"""The caller of the request that is being answered, set by the interceptor alone."""
