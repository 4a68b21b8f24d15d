"""Whether a body comes fast enough: silence ends it, and so does a trickle that is never silent for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class TooSlow(Exception):
    """The sender is given up; the text says why."""


class Pace:
    """Measures one body. Only the time spent waiting for the sender counts, not what the receiver takes."""

    def __init__(
        self, silence_s: float, rate_min_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Bear `silence_s` without a piece, and over as long an average of `rate_min_bytes` a second."""
        self._silence_s = silence_s
        self._rate_min_bytes = rate_min_bytes
        self._clock = clock
        self._waited_s = 0.0
        self._came_bytes = 0

    async def wait(self, piece: Awaitable[bytes]) -> bytes:
        """Return the next piece, empty at the end; raises TooSlow."""
        began = self._clock()
        try:
            async with asyncio.timeout(self._silence_s):
                came = await piece
        except TimeoutError:
            raise TooSlow(
                f"Nothing came for {self._silence_s:g} s, though the body is not complete."
            ) from None
        if came:
            self._note(self._clock() - began, len(came))
        return came

    def _note(self, waited_s: float, came_bytes: int) -> None:
        self._waited_s += waited_s
        self._came_bytes += came_bytes
        if self._waited_s < self._silence_s:
            return
        rate_bytes = self._came_bytes / self._waited_s
        if rate_bytes < self._rate_min_bytes:
            raise TooSlow(
                f"The body comes with {rate_bytes:.0f} bytes a second; "
                f"at least {self._rate_min_bytes} are asked for (setting body_rate_min_bytes)."
            )
        self._waited_s, self._came_bytes = 0.0, 0
