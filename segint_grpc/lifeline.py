"""What ties a child process to the one that started it: it reports when it is ready, and never outlives it.

For the server's own processes only (core, gateway, fork server, slots); imports nothing beyond the
standard library, so that it may run before anything else in a process.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import select
import signal
from collections.abc import Mapping

_PR_SET_PDEATHSIG = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the two flags by which `segint serve` starts a child."""
    parser.add_argument(
        "--ready-fd", type=int, metavar="N", help="write a JSON line to this descriptor when ready"
    )
    parser.add_argument(
        "--die-with-parent", action="store_true", help="end (SIGKILL) when the parent process ends"
    )


def die_with_parent(ready_fd: int | None = None, parent_pid: int | None = None) -> None:
    """Have the kernel kill this process when the thread that created it ends (prctl(2), PR_SET_PDEATHSIG).

    The setting survives exec, not fork: every process asks for itself. A parent that ended before the call
    is noticed by `ready_fd`, a pipe that nobody reads any more, or by `parent_pid`, which a forked child
    knows from before the fork; then this process ends at once.

    Raises:
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    orphaned = parent_pid is not None and os.getppid() != parent_pid
    if orphaned or (ready_fd is not None and _unread(ready_fd)):
        os.kill(os.getpid(), signal.SIGKILL)


def announce_ready(ready_fd: int | None, facts: Mapping[str, str]) -> None:
    """Write `facts` as one JSON line to `ready_fd` and close it; without a descriptor do nothing.

    Raises:
        BrokenPipeError: the process that waited for it is gone.
    """
    if ready_fd is None:
        return
    with os.fdopen(ready_fd, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(dict(facts)) + "\n")


def _unread(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
