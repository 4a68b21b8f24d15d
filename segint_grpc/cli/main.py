"""`segint`: the group of commands, each imported only when it is called."""

from __future__ import annotations

import importlib
from typing import Any

import click

from segint_grpc import __version__
from segint_grpc.cli.sentences import sentences

COMMANDS = {
    "audit": "segint_grpc.cli.audit:audit",
    "backup": "segint_grpc.cli.backup:backup",
    "certs": "segint_grpc.cli.certs:certs",
    "completion": "segint_grpc.cli.completion:completion",
    "config": "segint_grpc.cli.config:config",
    "doctor": "segint_grpc.cli.doctor:doctor",
    "import-original": "segint_grpc.cli.import_original:import_original",
    "job": "segint_grpc.cli.job:job",
    "model": "segint_grpc.cli.model:model",
    "models": "segint_grpc.cli.models:models",
    "restore": "segint_grpc.cli.backup:restore",
    "segment": "segint_grpc.cli.segment:segment",
    "serve": "segint_grpc.cli.serve:serve",
    "status": "segint_grpc.cli.status:status",
    "token": "segint_grpc.cli.tokens:token",
    "user": "segint_grpc.cli.users:user",
}


class LazyGroup(click.Group):
    """A group whose commands are named in `COMMANDS`, so that `segint models` does not load the server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong in the domain ends as a sentence."""
        with sentences():
            return super().invoke(ctx)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="segint")
def main() -> None:
    """SegInt: an auto-segmentation server for radiotherapy research. No medical device."""


if __name__ == "__main__":
    main()
