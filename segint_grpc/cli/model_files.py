"""`segint model upload|adopt|approve|files`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from generated.segint.v1 import models_pb2
from segint_grpc.cli.model_families import connect
from segint_grpc.cli.options import home_option, json_option
from segint_grpc.cli.output import print_json, print_table
from segint_grpc.cli.transfer_bar import transfer_bar
from segint_grpc.client.administration import Administration
from segint_grpc.zips.folder import write_folder_zip

FILE_OR_FOLDER = click.Path(exists=True, path_type=Path)

DIGITS = 12
"""So much of a SHA-256 is shown, and enough to name a file by."""


@click.command("upload", short_help="Store a file or a folder on the server.")
@click.argument("file", type=FILE_OR_FOLDER)
@json_option
@home_option
def upload(file: Path, as_json: bool, home: str | None) -> None:
    """Store FILE on the server, for a version to use; a folder is stored as a zip of it."""
    with connect(home) as server:
        _tell(send(server, file), as_json)


@click.command("adopt", short_help="Store a file from the inbox of the home.")
@click.argument("name")
@json_option
@home_option
def adopt(name: str, as_json: bool, home: str | None) -> None:
    """Store the file NAME that lies in the folder `inbox` of the server's home, and take it out of there."""
    with connect(home) as server:
        _tell(server.adopt(name), as_json)


@click.command("approve", short_help="Say that a file with code may run.")
@click.argument("sha256")
@json_option
@home_option
def approve(sha256: str, as_json: bool, home: str | None) -> None:
    """Say that you have looked at the file whose SHA-256 begins with SHA256, and that its code may run."""
    with connect(home) as server:
        stored = server.approve(sha256)
    if as_json:
        print_json(stored)
        return
    click.echo(f"Approved {_line(stored.file)}")
    for version_id in stored.used_by:
        click.echo(f"It is used by {version_id}.")


@click.command("files", short_help="List the stored files and who uses them.")
@json_option
@home_option
def list_files(as_json: bool, home: str | None) -> None:
    """List the stored files, who uses them, whether their code may run, and what lies in the inbox."""
    with connect(home) as server:
        found = server.files()
    if as_json:
        print_json(found)
        return
    rows = [_row(stored) for stored in found.files]
    rows += [(name, "", "", "", "in the inbox") for name in found.inbox]
    print_table(("File", "SHA-256", "Bytes", "Code", "Used by"), rows)


COMMANDS = (upload, adopt, approve, list_files)


def send(server: Administration, path: Path) -> models_pb2.ModelFile:
    """Upload the file `path`, with a progress bar on stderr where that is a terminal.

    A folder is sent as a zip that is called as the folder is.
    """
    if not path.is_dir():
        return _send(server, path)
    with tempfile.TemporaryDirectory(prefix="segint-") as folder:
        zipped = Path(folder) / path.resolve().name
        write_folder_zip(path, zipped)
        return _send(server, zipped)


def _send(server: Administration, path: Path) -> models_pb2.ModelFile:
    with transfer_bar(path.name, path.stat().st_size) as moved:
        return server.upload(path, moved)


def _tell(file: models_pb2.ModelFile, as_json: bool) -> None:
    if as_json:
        print_json(file)
    else:
        click.echo(_line(file))


def _line(file: models_pb2.ModelFile) -> str:
    return f"{file.name} {file.sha256} ({file.size_bytes} bytes)"


def _row(stored: models_pb2.StoredFile) -> tuple[str, ...]:
    file, users = stored.file, ", ".join(stored.used_by) or "nothing"
    return file.name, file.sha256[:DIGITS], str(file.size_bytes), _code(stored), users


def _code(stored: models_pb2.StoredFile) -> str:
    if not stored.carries_code:
        return "none"
    return "approved" if stored.HasField("approved_at") else "to be approved"
