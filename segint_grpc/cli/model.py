"""`segint model`: the group of commands about models, asked of a running server."""

from __future__ import annotations

import click

from segint_grpc.cli import model_families, model_files, model_versions
from segint_grpc.cli.model_init import init
from segint_grpc.cli.model_package import pack
from segint_grpc.cli.model_transfer import check, pull, push


@click.group(short_help="Add, list and remove the models of this machine's server.")
def model() -> None:
    """Bring models to the server of a home, say what runs them, check them and offer them to clients."""


for _command in (
    *(init, check, pack, push, pull),
    *model_families.COMMANDS,
    *model_files.COMMANDS,
    *model_versions.COMMANDS,
):
    model.add_command(_command)
