"""How many connections there are, in all and of each address, and who makes room for a new one.

A connection beyond a limit takes the place of the one that has been idle longest, of the same address where
that address has too many. So idle connections, however many, keep nobody out. Where none is idle, the new one
is turned away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from http_gateway.metrics import Metrics
from segint_grpc.networks import origin_of


class Guest(Protocol):
    """A connection as the census sees it."""

    address: str
    """Of the client, without the port."""

    def idle_since(self) -> float | None:
        """Return since when (seconds of the loop's clock) it asks for nothing; None while it does."""

    def leave(self) -> None:
        """End at once."""


class Census:
    """Counts the connections of one gateway, over both its ports."""

    def __init__(self, most: int, most_per_address: int, metrics: Metrics) -> None:
        """Let in `most` in all and `most_per_address` of one address."""
        self._most = most
        self._most_per_address = most_per_address
        self._metrics = metrics
        self._guests: dict[str, set[Guest]] = {}
        self._count = 0

    def admit(self, guest: Guest) -> bool:
        """Count `guest` in, if need be in the place of an idle one; False where there is no room."""
        neighbours = self._guests.get(origin_of(guest.address), set())
        if len(neighbours) >= self._most_per_address and not self._make_room(neighbours, "address"):
            return False
        if self._count >= self._most and not self._make_room(self._everybody(), "all"):
            return False
        self._guests.setdefault(origin_of(guest.address), set()).add(guest)
        self._note(1)
        return True

    def forget(self, guest: Guest) -> None:
        """Count `guest` out, if it is in."""
        neighbours = self._guests.get(origin_of(guest.address), set())
        if guest not in neighbours:
            return
        neighbours.remove(guest)
        if not neighbours:
            del self._guests[origin_of(guest.address)]
        self._note(-1)

    def replace(self, guest: Guest, successor: Guest) -> None:
        """Let `successor`, of the same address, have the place of `guest`."""
        neighbours = self._guests[origin_of(guest.address)]
        neighbours.remove(guest)
        neighbours.add(successor)

    def _make_room(self, among: Iterable[Guest], limit: str) -> bool:
        idle = [(since, guest) for guest in among if (since := guest.idle_since()) is not None]
        if not idle:
            self._metrics.turned_away.labels(limit, "refused").inc()
            return False
        _, longest = min(idle, key=lambda entry: entry[0])
        self.forget(longest)
        longest.leave()
        self._metrics.turned_away.labels(limit, "idle closed").inc()
        return True

    def _everybody(self) -> Iterable[Guest]:
        return (guest for guests in self._guests.values() for guest in guests)

    def _note(self, change: int) -> None:
        self._count += change
        self._metrics.connections.set(self._count)
