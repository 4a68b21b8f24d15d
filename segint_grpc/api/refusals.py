"""How many refusals are recorded one by one: enough to see who tries what, too few to fill the disk."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MINUTE_S = 60.0
REMEMBERED_MAX = 10_000


@dataclass(slots=True)
class _Tally:
    began_s: float
    count: int = 0


class RefusalTally:
    """Counts refusals of one kind within a minute, and remembers no more than so many kinds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none; `clock` gives seconds."""
        self._clock = clock
        self._tallies: OrderedDict[Hashable, _Tally] = OrderedDict()  # the one that began longest ago first

    def count(self, kind: Hashable, most: int) -> int | None:
        """Count one; return None where `most` of this minute are recorded already.

        Else it is to be recorded, together with the number that is returned: how many were not, in the
        minute before.
        """
        tally, unrecorded = self._tallies.get(kind), 0
        if tally is None or tally.began_s <= self._clock() - MINUTE_S:
            unrecorded = max(tally.count - most, 0) if tally else 0
            tally = self._begin(kind)
        tally.count += 1
        return None if tally.count > most else unrecorded

    def _begin(self, kind: Hashable) -> _Tally:
        self._tallies[kind] = tally = _Tally(self._clock())
        self._tallies.move_to_end(kind)
        while len(self._tallies) > REMEMBERED_MAX:
            self._tallies.popitem(last=False)
        return tally
