"""The main of `segint serve`: settings and lock, then core and gateway until a signal comes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from segint_grpc import errors, lifeline, logs, settings
from segint_grpc.home import Home, private_umask
from segint_grpc.serve import record
from segint_grpc.serve.addresses import check_listening
from segint_grpc.serve.encryption import check_certificate, security_notes
from segint_grpc.serve.lock import HomeLock
from segint_grpc.serve.process import ChildCommand
from segint_grpc.serve.record import Running
from segint_grpc.serve.supervisor import Supervisor

CORE = (sys.executable, "-m", "segint_grpc")
GATEWAY = (sys.executable, "-m", "http_gateway")

_GATEWAY_SHARE = 2 / 3
_KILL_AFTER_S = 1.5
"""What a child gets beyond its share of `stop_grace_s` before SIGKILL: 9 s in all with the default of 6 s."""


def run(
    overrides: Mapping[str, Any],
    on_ready: Callable[[Running], None],
    ready_fd: int | None = None,
    core: tuple[str, ...] = CORE,
    gateway: tuple[str, ...] = GATEWAY,
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; `overrides` are settings from the command line.

    `on_ready` is called once, when both children are ready; then the addresses go to `ready_fd` too.

    Raises:
        InvalidSetting: a setting cannot be used.
        StartRefused: the home or a port is in use, the server would listen to everybody, or a child refused.
    """
    private_umask()
    wanted = settings.load(overrides)
    home = Home(wanted.home_path)
    home.create()
    logs.configure("serve", home.logs, wanted.log_level, wanted.log_max_bytes, wanted.log_files)
    with HomeLock(home) as lock:
        check_listening(wanted)
        check_certificate(wanted)
        commands = child_commands(wanted, overrides, lock.descriptor, core, gateway)

        def ready(facts: Mapping[str, str]) -> None:
            found = record.of(os.getpid(), home, facts)
            notes = security_notes(wanted, found)
            running = replace(found, allow=tuple(wanted.allow), client_mode=wanted.mode, notes=notes)
            record.write(record.serve_file(home), running)
            _announce(ready_fd, facts)
            on_ready(running)

        try:
            asyncio.run(_supervise(Supervisor(commands), ready))
        finally:
            record.serve_file(home).unlink(missing_ok=True)


def child_commands(
    wanted: settings.Settings,
    overrides: Mapping[str, Any],
    lock: int,
    core: tuple[str, ...],
    gateway: tuple[str, ...],
) -> list[ChildCommand]:
    """Return core and gateway, in the order of their start; both inherit the descriptor `lock`.

    What the command line set goes to them by environment; the rest they read for themselves, from the same
    file and environment. The time to stop is divided, since one is stopped after the other.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    shared = {settings.variable(name): _as_text(value) for name, value in given.items()}
    shared[settings.variable("home")] = str(wanted.home_path)
    grace = settings.variable("stop_grace_s")

    def child(name: str, command: tuple[str, ...], doors: tuple[str, ...], share: float) -> ChildCommand:
        return ChildCommand(
            name=name,
            command=command,
            environment={**shared, grace: str(wanted.stop_grace_s * share)},
            pins={door: settings.variable(door) for door in doors},
            stop_s=wanted.stop_grace_s * share + _KILL_AFTER_S,
            descriptors=(lock,),
        )

    return [
        child("core", core, ("grpc",), 1 - _GATEWAY_SHARE),
        child("gateway", gateway, ("http", "https"), _GATEWAY_SHARE),
    ]


async def _supervise(supervisor: Supervisor, ready: Callable[[Mapping[str, str]], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    await supervisor.run(stop, ready)


def _announce(ready_fd: int | None, facts: Mapping[str, str]) -> None:
    try:
        lifeline.announce_ready(ready_fd, facts)
    except BrokenPipeError:
        raise errors.StartRefused("Whoever started this server is gone.") from None


def _as_text(value: Any) -> str:
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)
