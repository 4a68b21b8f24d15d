"""`segint model`: import, set, list, remove; over the unix socket of a home whose server runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from generated.segint.v1 import models_pb2
from segint_grpc import errors, settings
from segint_grpc.client.administration import Administration
from segint_grpc.home import Home

Command = Callable[..., None]
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

home_option = click.option("--home", metavar="DIR", help=settings.explanation("home"))
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@click.group(short_help="Add, list and remove the models of this machine's server.")
def model() -> None:
    """Add models to the server of a home, say what runs them, list and remove them."""


@model.command("import", short_help="Import a family from a .pb file.")
@click.argument("family", type=FILE)
@click.option(
    "--policy",
    type=click.Choice(["off", "warn", "enforce"]),
    default="warn",
    show_default=True,
    help="What is done about a scan that the family's constraints exclude.",
)
@home_option
def import_family(family: Path, policy: str, home: str | None) -> None:
    """Import a family from FAMILY, a serialized Radiomics.ModelFamily (.pb)."""
    with connect(home) as server:
        imported = server.import_family(family.read_bytes(), policy)
    click.echo(f"Imported {imported.family.CanonicalName}.")
    for version in imported.versions:
        click.echo(_sentence(version))


@model.command("set", short_help="Say what runs a version, and upload its files.")
@click.argument("version_id", metavar="VERSION")
@click.option(
    "--backend", required=True, metavar="NAME", help="What runs it: one of `segint model backends`."
)
@click.option("--model", "model_path", type=FILE, help="The weights.")
@click.option("--module", "module_path", type=FILE, help="The Python file that defines the model's class.")
@click.option(
    "--entry", default="", metavar="CLASS", help="The class to make, where the model file does not say it."
)
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="What the class is made with."
)
@home_option
def set_runtime(
    version_id: str,
    backend: str,
    model_path: Path | None,
    module_path: Path | None,
    entry: str,
    parameters: Sequence[str],
    home: str | None,
) -> None:
    """Say what runs VERSION (a version's ID), and upload the files that this takes."""
    runtime = models_pb2.Runtime(backend=backend, entry=entry)
    if parameters:
        runtime.parameters.update(dict(map(parse_parameter, parameters)))
    with connect(home) as server:
        if model_path:
            runtime.model_file.CopyFrom(upload(server, model_path))
        if module_path:
            runtime.module_file.CopyFrom(upload(server, module_path))
        click.echo(_sentence(server.set_runtime(version_id, runtime)))


@model.command("list", short_help="List every family, and what runs it.")
@json_option
@home_option
def list_families(as_json: bool, home: str | None) -> None:
    """List every family, what runs its versions, and what keeps one from being offered."""
    with connect(home) as server:
        families = server.families()
    if as_json:
        _print_json(families)
        return
    rows = [
        (family.family.CanonicalName, version.version_id, _runs_on(version), version.problem or "yes")
        for family in families
        for version in family.versions
    ]
    _print_table(("Family", "Version", "Runs on", "Offered"), rows)


@model.command("remove", short_help="Remove a family with its versions and files.")
@click.argument("name")
@click.option("--force", is_flag=True, help="Cancel its unfinished jobs.")
@home_option
def remove_family(name: str, force: bool, home: str | None) -> None:
    """Remove the family NAME (its canonical name), its versions, and the files that only these use."""
    with connect(home) as server:
        removed = server.remove(name, force)
    click.echo(
        f"Removed {name}; jobs cancelled: {removed.jobs_cancelled}, files removed: {removed.files_removed}."
    )


@model.command("backends")
@json_option
@home_option
def list_back_ends(as_json: bool, home: str | None) -> None:
    """List the back ends that are installed on the server."""
    with connect(home) as server:
        found = server.back_ends()
    if as_json:
        _print_json(found)
        return
    _print_table(("Back end", "About", "Usable"), [(b.name, b.summary, b.problem or "yes") for b in found])


def connect(home: str | None) -> Administration:
    """Return a connection to the server of the folder `home`, by default the one of the settings."""
    return Administration(Home(settings.load({"home": home}).home_path))


def parse_parameter(text: str) -> tuple[str, Any]:
    """Return name and value of `NAME=VALUE`; the value is JSON where it can be read so, else text.

    Raises:
        InvalidModel: there is no name or no equals sign.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise errors.InvalidModel(f"--parameter {text}: write it as NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def upload(server: Administration, path: Path) -> models_pb2.ModelFile:
    """Upload the file `path`, with a progress bar on stderr, while it lasts, where that is a terminal."""
    with _progress_bar(path) as progress:
        return server.upload(path, progress)


@contextmanager
def _progress_bar(path: Path) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    shown = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(path.name, total=path.stat().st_size)
        yield lambda sent: bar.advance(task, sent)


def _sentence(version: models_pb2.Version) -> str:
    if version.offered:
        return f"{version.version_id} runs on {_runs_on(version)} and is offered."
    return f"{version.version_id} is not offered: {version.problem}"


def _runs_on(version: models_pb2.Version) -> str:
    runtime = version.runtime
    names = (file.name for file in (runtime.model_file, runtime.module_file) if file.name)
    return " ".join((runtime.backend, *names))


def _print_json(messages: Sequence[Message]) -> None:
    shown = [json_format.MessageToDict(message, preserving_proto_field_name=True) for message in messages]
    click.echo(json.dumps(shown, indent=1, ensure_ascii=False))


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print `rows` for a person; where stdout is no terminal, one line each with tabs between."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        for row in rows:
            click.echo("\t".join(row))
        return
    table = Table(*headings)
    for row in rows:
        table.add_row(*row)
    console.print(table)
