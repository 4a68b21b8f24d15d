"""Slows down whoever shows bad tokens again and again, by address and within bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from segint_grpc import errors
from segint_grpc.networks import origin_of

ADDRESSES_MAX = 4096
FORGOTTEN_S = 900.0
"""An address that showed no bad token for this long begins anew."""


@dataclass(slots=True)
class _Record:
    failures: int = 0
    last_s: float = 0.0
    free_at_s: float = 0.0


class Throttle:
    """Counts bad tokens. A good token is never asked here, so nobody is locked out by a neighbour."""

    def __init__(self, free: int, pause_max_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Let `free` bad tokens in a row pass, then ask for pauses that double up to `pause_max_s`."""
        self._free = free
        self._pause_max_s = pause_max_s
        self._clock = clock
        self._records: OrderedDict[str, _Record] = (
            OrderedDict()
        )  # the one that failed longest ago comes first

    def failed(self, address: str) -> None:
        """Count a bad token from `address`.

        Raises:
            TooOften: there were too many of late. One that comes during a pause does not lengthen it.
        """
        now_s, network = self._clock(), origin_of(address)
        record = self._records.get(network)
        if record is None or record.last_s < now_s - FORGOTTEN_S:
            record = self._records[network] = _Record()
        if now_s < record.free_at_s:
            raise _too_often(record.free_at_s - now_s)
        record.failures += 1
        record.last_s = now_s
        if record.failures >= self._free:
            doublings = min(record.failures - self._free, 20)
            record.free_at_s = now_s + min(2.0**doublings, self._pause_max_s)
        self._records.move_to_end(network)
        while len(self._records) > ADDRESSES_MAX:
            self._records.popitem(last=False)


def _too_often(retry_s: float) -> errors.TooOften:
    return errors.TooOften(
        f"Too many bad tokens came from this address; try again in {max(1, round(retry_s))} s, with a token "
        "that `segint token list` shows as valid.",
        retry_s,
    )
