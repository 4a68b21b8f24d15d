"""What monitoring is told: how long stages took, and how many bytes came and went, since the start."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1200.0)


@dataclass
class Histogram:
    """How often a duration was at most each of `BUCKETS_S` seconds (cumulative), the count and the sum."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS_S))
    count: int = 0
    sum_s: float = 0.0

    def observe(self, duration_s: float) -> None:
        """Count one duration."""
        self.count += 1
        self.sum_s += duration_s
        for index, upper_s in enumerate(BUCKETS_S):
            self.counts[index] += duration_s <= upper_s


class Figures:
    """The counters of one core. Lives on the event loop's thread."""

    def __init__(self) -> None:
        """Start at zero."""
        self.stages: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.bytes_received = 0
        self.bytes_sent = 0


class StageClock:
    """Times the stages of one run: each ends where the next begins."""

    def __init__(self, figures: Figures) -> None:
        """Count into `figures`."""
        self.seconds: dict[str, float] = {}
        """What each stage that has ended took."""
        self._figures = figures
        self._stage = ""
        self._since = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """How long the stage under way has taken."""
        return time.monotonic() - self._since

    def enter(self, stage: str) -> None:
        """Begin `stage`, unless it is the one that is under way; an empty one ends the last."""
        if stage == self._stage:
            return
        now = time.monotonic()
        if self._stage:
            self._figures.stages[self._stage].observe(now - self._since)
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now
