"""`segint serve` with stand-ins for core and gateway: JOURNAL SETTING=VALUE … --ready-fd N."""

from __future__ import annotations

import sys

import click

from segint_grpc.cli.sentences import sentences
from segint_grpc.serve import run as server


def main() -> None:
    journal, *settings, _, ready_fd = sys.argv[1:]
    overrides = dict(setting.split("=", 1) for setting in settings)

    def stand_in(name: str, listen: str) -> tuple[str, ...]:
        command = ("tests.fakes.stand_in", name, "--journal", journal, "--listen", listen)
        return (sys.executable, "-m", *command)

    with sentences():
        server.run(
            overrides,
            lambda running: click.echo(f"banner {running.http}"),
            int(ready_fd),
            core=stand_in("core", "SEGINT_GRPC"),
            gateway=stand_in("gateway", "SEGINT_HTTP"),
        )


if __name__ == "__main__":
    main()
