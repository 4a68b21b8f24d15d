"""A child process for tests of `segint serve`: reports being ready, waits for SIGTERM, tells what it does.

Every line of its journal (a named pipe) is `NAME EVENT PID ENVIRONMENT-VALUE`.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys

from segint_grpc import lifeline


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--journal", required=True)
    parser.add_argument("--echo", default="HOME", help="environment variable to write into the journal")
    parser.add_argument("--listen", default="", help="environment variable with the address to listen on")
    parser.add_argument("--refuse", action="store_true")
    parser.add_argument("--fall", action="store_true", help="end at once, never ready")
    parser.add_argument("--deaf", action="store_true", help="ignore SIGTERM")
    parser.add_argument("--mute", action="store_true", help="never report being ready")
    parser.add_argument("--babble", action="store_true", help="report something that is no JSON")
    lifeline.add_arguments(parser)
    options = parser.parse_args()
    if options.die_with_parent:
        lifeline.die_with_parent(options.ready_fd)
    stopped = {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopped)

    journal = os.open(options.journal, os.O_WRONLY)

    def note(event: str) -> None:
        line = f"{options.name} {event} {os.getpid()} {os.environ.get(options.echo, '-')}\n"
        os.write(journal, line.encode())

    note("starts")
    if options.refuse:
        sys.stderr.write(f"segint: the {options.name} will not.\n")
        return 2
    if options.fall:
        return 3
    door = listen(os.environ[options.listen]) if options.listen else None
    address = "{}:{}".format(*door.getsockname()) if door else "-"
    if options.babble:
        os.write(options.ready_fd, b"hello\n")
    elif not options.mute:
        lifeline.announce_ready(options.ready_fd, {options.listen.removeprefix("SEGINT_").lower(): address})
        note("ready")
    while True:
        signal.sigwait(stopped)
        note("told")
        if not options.deaf:
            return 0


def listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_server((host, int(port)))


if __name__ == "__main__":
    sys.exit(main())
