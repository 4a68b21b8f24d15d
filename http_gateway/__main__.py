"""`python -m http_gateway`: run the gateway until SIGTERM or SIGINT. Exit code 2: it could not start."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields

from http_gateway.server import serve
from segint_grpc import allocator, errors, lifeline, logs
from segint_grpc.home import Home, private_umask
from segint_grpc.settings import Settings, explanation, load

log = logging.getLogger(__name__)

FILES_BESIDE = 200
"""Files and connections to the core that are open beside clients' connections."""

_OPTIONS = ("home", "http", "https", "core", "allow", "client_mode", "public_url", "log_level")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line; what is not given comes from the environment and segint.toml."""
    parser = argparse.ArgumentParser(prog="python -m http_gateway", description=__doc__)
    for name in (f.name for f in fields(Settings) if f.name in _OPTIONS):
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, help=explanation(name))
    lifeline.add_arguments(parser)
    return parser.parse_args(arguments)


async def run(settings: Settings, ready_fd: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT, and say on `ready_fd` when it listens; raises as `serve`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve(settings) as gateway:
        log.info("listening", extra=gateway.facts)
        with contextlib.suppress(BrokenPipeError):
            # Whoever waited has gone, and stops this process next.
            lifeline.announce_ready(ready_fd, gateway.facts)
        await stop.wait()
        log.info("stopping")


def allow_connections(most: int) -> None:
    """Raise this process's limit of open files (getrlimit(2)) to what `most` connections need, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < wanted:
        log.warning("only %d files may be open, too few for connections_max = %d", possible, most)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gateway; return the exit code."""
    options = parse_arguments(arguments)
    if options.die_with_parent:
        lifeline.die_with_parent(options.ready_fd)
    private_umask()
    allocator.give_back_memory()
    try:
        settings = load({name: getattr(options, name) for name in _OPTIONS})
        home = Home(settings.home_path)
        home.create()
        logs.configure("gateway", home.logs, settings.log_level, settings.log_max_bytes, settings.log_files)
        allow_connections(settings.connections_max)
        asyncio.run(run(settings, options.ready_fd))
    except (errors.InvalidSetting, errors.StartRefused) as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
