"""`segint import-original`: brings over what the original research server held."""

from __future__ import annotations

from pathlib import Path

import click

from segint_grpc.cli.options import chosen_home, home_option
from segint_grpc.cli.output import one_line
from segint_grpc.client.original import read_original
from segint_grpc.client.original_import import OriginalImport


@click.command("import-original", short_help="Bring over the original research server.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@home_option
def import_original(folder: Path, home: str | None) -> None:
    """Bring over families, versions, files, feedback and telemetry of the original research server.

    DIR holds its db.sqlite3 and its media folder; nothing in it is changed. Every version is a draft
    afterwards: look at its files, approve, check and activate it. A family that is here already stays as it
    is. A score of 0 comes as none, since the original wrote 0 where nobody gave one. What could not come is
    listed. Call this once: feedback and telemetry would come again.
    """
    original = read_original(folder)
    with OriginalImport(chosen_home(home)) as server:
        notes = [*original.notes, *server.bring(original)]
    counts = (len(original.families), len(original.feedback), len(original.telemetry))
    click.echo("Read: {} families, {} feedback, {} telemetry.".format(*counts))
    for note in notes:
        click.echo(f"- {one_line(note)}")
    click.echo("Next: segint model list")
