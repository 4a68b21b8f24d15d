"""How many scans a token has posted within the last minute."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from segint_grpc import errors
from segint_grpc.domain.access import Caller

MINUTE_S = 60.0


class PostRate:
    """Holds tokens to their `posts_per_minute`; remembers no more than these."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing posted; `clock` gives seconds."""
        self._clock = clock
        self._posts: dict[str, deque[float]] = {}

    def count(self, caller: Caller) -> None:
        """Count a post of `caller`.

        Raises:
            TooOften: it would be one too many; it is not counted then.
        """
        limit = caller.limits.posts_per_minute
        if not limit:
            return
        now_s = self._clock()
        posts = self._posts.setdefault(caller.principal, deque())
        while posts and posts[0] <= now_s - MINUTE_S:
            posts.popleft()
        if len(posts) >= limit:
            raise errors.TooOften(
                f"This token may post {limit} scans a minute and has; try again later.",
                posts[0] + MINUTE_S - now_s,
            )
        posts.append(now_s)
