"""Somebody at a door who lets everybody in, for tests of what comes after that."""

from __future__ import annotations

from typing import Any

from segint_grpc.domain.access import SERVER, Caller


class Everybody:
    """Admits whoever comes, as the server itself."""

    def admit(self, method: str, context: Any) -> Caller:
        return SERVER

    def recheck(self, caller: Caller) -> None:
        pass

    def stranger(self, context: Any) -> Caller:
        return SERVER
