"""`segint import-original`: brings over what the original research server held."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from segint_grpc.cli.options import chosen_place, home_option, json_option
from segint_grpc.cli.output import one_line
from segint_grpc.cli.transfer_bar import transfer_bar
from segint_grpc.client.job_administration import JobAdministration
from segint_grpc.client.original import read_original
from segint_grpc.client.original_import import Brought, OriginalImport


@click.command("import-original", short_help="Bring over the original research server.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@home_option
@json_option
def import_original(folder: Path, home: str | None, as_json: bool) -> None:
    """Bring over families, versions, files, feedback and telemetry of the original research server.

    DIR holds its db.sqlite3 and its media folder; nothing in it is changed. Every version is a draft
    afterwards: look at its files, approve, check and activate it. A score of 0 comes as none, since the
    original wrote 0 where nobody gave one. What could not come is listed by name. What is here already stays
    as it is and does not come twice, so that an import that was cut short can be called again.
    """
    original, place = read_original(folder), chosen_place(home)
    with JobAdministration(place) as jobs, OriginalImport(place, jobs) as server:
        brought = server.bring(original, transfer_bar)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(brought), indent=1, ensure_ascii=False))
    else:
        _tell(brought)


def _tell(brought: Brought) -> None:
    families = ", ".join(map(one_line, brought.families)) or "none"
    click.echo(f"Families: {families}.")
    click.echo(f"Files: {brought.files}. Feedback: {brought.feedback}. Telemetry: {brought.telemetry}.")
    for note in brought.notes:
        click.echo(f"- {one_line(note)}")
    click.echo("Next: segint model list")
