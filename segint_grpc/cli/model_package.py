"""`segint model pack`: a model folder is made into one file."""

from __future__ import annotations

from pathlib import Path

import click

from segint_grpc.cli.transfer_bar import transfer_bar
from segint_grpc.packaging.archive import SUFFIX, open_package, write_archive

PACKAGE = click.Path(exists=True, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("pack", short_help="Make one file of a model folder.")
@click.argument("folder", type=PACKAGE)
@click.option("--out", type=NEW_FILE, help=f"By default FOLDER{SUFFIX}, beside the folder.")
def pack(folder: Path, out: Path | None) -> None:
    """Check the manifest in FOLDER and make one file of it and the files that it names."""
    target = out or folder.resolve().with_name(f"{folder.resolve().name}{SUFFIX}")
    with open_package(folder) as package:
        total = sum(map(package.size_bytes, package.names))
        with transfer_bar(target.name, total) as moved:
            write_archive(package, target, moved)
        versions = ", ".join(version.ID for version in package.manifest.family.ModelVersions)
    click.echo(f"Packed {versions} into {target}.")
    click.echo(f"To bring it to a server: segint model push {target} --approve --activate")
