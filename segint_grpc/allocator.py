"""How the C library keeps memory in a process that passes large pieces between many threads (mallopt(3)).

For the core and the gateway: by default glibc keeps an arena for nearly every thread, and what eight uploads
freed stays in all of them.
"""

from __future__ import annotations

import contextlib
import ctypes

ARENAS_MAX = 2
MAPPED_FROM_BYTES = 1024 * 1024
"""Blocks of this size and more go back to the system as soon as they are freed. Far above a body's pieces and
the decoder's windows: with those mapped and unmapped each time, an upload takes twice as long."""

_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def give_back_memory() -> None:
    """Keep few arenas and no large freed block; without effect where the C library has no mallopt.

    To be called before threads exist. Setting the threshold also stops glibc from raising it by itself.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, ARENAS_MAX)
        mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
