"""A bounded way from one thread to another that either side can close without leaving the other stuck."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class HandoverClosedError(Exception):
    """The handover was closed: nothing will come, and nothing is taken any more."""


class Handover(Generic[T]):
    """At most `items_max` items between one giver and one taker (queue.Queue can be closed from 3.13 on)."""

    def __init__(self, items_max: int) -> None:
        """Begin empty."""
        self._items: deque[T] = deque()
        self._items_max = items_max
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Add `item`; waits while the handover is full.

        Raises:
            HandoverClosedError: it has been closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._items_max)
            if self._closed:
                raise HandoverClosedError
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> T:
        """Take the oldest item; waits while there is none.

        Raises:
            HandoverClosedError: it has been closed; what was in it is dropped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) > 0)
            if self._closed:
                raise HandoverClosedError
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Drop what is in it and wake whoever waits."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
