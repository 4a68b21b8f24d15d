"""How long a job still takes, for the progress bar: told by the server now and then, counted down between."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.progress import ProgressColumn, Task
from rich.text import Text

from segint_grpc.domain.spans import about


class TimeLeft:
    """What the server told last, and when."""

    def __init__(
        self,
        told_s: tuple[float, float, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Count down from `told_s` (low, expected, high), or know nothing."""
        self._told_s = told_s
        self._clock = clock
        self._told_at = clock()

    @property
    def words(self) -> str:
        """How long it takes yet, or nothing where nobody knows or the time is over."""
        if self._told_s is None:
            return ""
        passed_s = self._clock() - self._told_at
        low_s, expected_s, high_s = (max(part - passed_s, 0.0) for part in self._told_s)
        return f"{about(low_s, expected_s, high_s)} left" if expected_s else ""


class TimeLeftColumn(ProgressColumn):
    """Shows the TimeLeft in a task's field `left`."""

    def render(self, task: Task) -> Text:
        """Return the words."""
        left = task.fields.get("left")
        return Text(left.words if isinstance(left, TimeLeft) and not task.finished else "")
