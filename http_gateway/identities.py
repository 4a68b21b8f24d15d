"""Whom the core takes a token for, remembered while the core tells of every change of that.

A token is remembered by its SHA-256, so that no token lies about in the gateway's memory.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

NO_ERA = 0
IDENTITIES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the core takes somebody for."""

    principal: str
    sees_all: bool
    """Everybody's jobs exist for it, rather than its own alone."""
    expires_at_s: float | None = None
    """In seconds since 1970 (UTC); None where it does not expire."""


class Identities:
    """Keeps what the core said, for one era: until it says that something has changed, or can say no more.

    Lives on the event loop's thread.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Remember nothing until `begin`; `clock` gives seconds since 1970."""
        self.era = NO_ERA
        """The era that lasts now, or `NO_ERA`; to be noted before the core is asked."""
        self._eras = NO_ERA
        self._clock = clock
        self._known: OrderedDict[bytes, Identity] = OrderedDict()

    def begin(self) -> None:
        """Begin an era in which nothing is known yet."""
        self._eras += 1
        self.era = self._eras
        self._known.clear()

    def end(self) -> None:
        """Forget everything, and remember nothing until the next era."""
        self.era = NO_ERA
        self._known.clear()

    def find(self, authorization: str) -> Identity | None:
        """Return whom an authorization is for; None where the core has to be asked."""
        identity = self._known.get(_digest(authorization))
        if identity and identity.expires_at_s is not None and identity.expires_at_s <= self._clock():
            return None
        return identity

    def learn(self, authorization: str, identity: Identity, asked_in: int) -> None:
        """Remember what the core said when it was asked in the era `asked_in`, if that lasts still."""
        if not asked_in == self.era != NO_ERA:
            return
        self._known[_digest(authorization)] = identity
        while len(self._known) > IDENTITIES_MAX:
            self._known.popitem(last=False)


def _digest(authorization: str) -> bytes:
    return hashlib.sha256(authorization.encode("utf-8", "surrogateescape")).digest()
