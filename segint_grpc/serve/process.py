"""One child process: started, awaited until ready, awaited until it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ChildCommand:
    """How to start a child: its name, its command line, and what it needs beside this process's environment.

    `--ready-fd N --die-with-parent` are added to the command. `pins` maps a fact that the child reports when
    it is ready to the environment variable that must hold it at the next start, so that a child which took a
    free port keeps it. `stop_s` is how long it may take to end after SIGTERM, `descriptors` what it inherits.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    stop_s: float = 5.0
    descriptors: tuple[int, ...] = ()


class ChildProcess:
    """A running child. Made and used on the event loop of a thread that lives as long as the child may."""

    def __init__(self, command: ChildCommand, pinned: Mapping[str, str]) -> None:
        """Start the child with `pinned` over its environment.

        It gets a process group of its own: Ctrl-C in a terminal then reaches the parent alone, which stops
        its children in the right order.

        Raises:
            OSError: there is no such program, or no more processes may be started.
        """
        self._reader, writer = os.pipe()
        arguments: Sequence[str] = (*command.command, "--ready-fd", str(writer), "--die-with-parent")
        try:
            self._popen = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **command.environment, **pinned},
                pass_fds=(writer, *command.descriptors),
                process_group=0,
            )
        except BaseException:
            os.close(self._reader)
            raise
        finally:
            os.close(writer)
        self._ended = asyncio.ensure_future(_wait(self._popen))

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._popen.pid

    async def ready(self) -> dict[str, str] | None:
        """Return the facts that the child reports, once; None when it ends without having done so.

        Raises:
            ValueError: what it reports is no JSON.
        """
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(self._reader, "rb", buffering=0)
        )
        try:
            line = await stream.readline()
        finally:
            transport.close()
        return {key: str(value) for key, value in json.loads(line).items()} if line else None

    async def ended(self) -> int:
        """Return the exit status when the child has ended, negative for a signal."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace_s: float) -> None:
        """End the child by SIGTERM, and by SIGKILL where that takes longer than `grace_s`."""
        if not self._ended.done():
            self._popen.send_signal(signal.SIGTERM)
            await asyncio.wait([self._ended], timeout=grace_s)
        await self.kill()

    async def kill(self) -> None:
        """End the child by SIGKILL, if it still runs, and reap it."""
        if not self._ended.done():
            self._popen.kill()
        await self.ended()


def describe(status: int) -> str:
    """Return an exit status (negative for a signal) in words."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"


async def _wait(popen: subprocess.Popen[bytes]) -> int:
    """Wait for the process's end by its pidfd (pidfd_open(2)): no thread, no SIGCHLD handler, no polling."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(popen.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return popen.wait()
