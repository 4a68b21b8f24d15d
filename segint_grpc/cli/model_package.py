"""`segint model init|pack`: a model folder is begun, and made into one file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from segint_grpc import errors
from segint_grpc.cli.transfer_bar import transfer_bar
from segint_grpc.packaging.archive import SUFFIX, open_package, write_archive
from segint_grpc.packaging.example import EXAMPLE_FILES, STRUCTURES, Answers, write_example
from segint_grpc.packaging.family_fields import BODY_PARTS, GENDERS, MODALITIES
from segint_grpc.packaging.fields import suggestion

PACKAGE = click.Path(exists=True, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)

_BODY_PART_ADVICE = "for instance Abdomen, Brain, Chest, HeadNeck, Pelvis, WholeBody"


@click.command("init", short_help="Begin a model: a manifest and an example.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", help="The model's name; where it is not given, it is asked for.")
@click.option("--modality", help=f"One of {', '.join(MODALITIES.keys())}.")
@click.option("--body-part", "body_parts", multiple=True, help=f"{_BODY_PART_ADVICE}; can be repeated.")
@click.option("--gender", type=click.Choice(GENDERS.keys()), default="Any", show_default=True)
@click.option("--structure", "structures", multiple=True, metavar="NAME", help="Can be repeated.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def init(
    folder: Path,
    name: str | None,
    modality: str | None,
    body_parts: Sequence[str],
    gender: str,
    structures: Sequence[str],
    force: bool,
) -> None:
    """Begin a model in FOLDER: a manifest that explains its keys, and an example that runs at once.

    What no flag says is asked for; where nobody can be asked, it must be a flag.
    """
    _refuse_to_overwrite(folder, force)
    answers = Answers(
        name=name or _ask("name", "What is the model called", folder.resolve().name),
        modality=modality or _ask("modality", "Which images does it take", "CT", MODALITIES.keys()),
        body_parts=body_parts or _ask_several("body-part", "Which parts of the body", BODY_PARTS.keys()),
        structures=structures or _ask_several("structure", "What does it draw", (), STRUCTURES),
        gender=gender,
    )
    written = _write_folder(folder, write_example(answers))
    click.echo(f"Wrote {' and '.join(written)} into {folder}.")
    click.echo(f"Change them to your model. To run it here as the server will: segint model check {folder}")


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


def _ask(flag: str, question: str, default: str, names: Sequence[str] = ()) -> str:
    """Return the answer to `question`, one of `names` where there are any, from whoever types."""
    _refuse_without_terminal(flag)
    while True:
        answer = str(click.prompt(question, default=default, err=True)).strip()
        if not names or answer in names:
            return answer
        click.echo(f"{answer!r} is unknown. {suggestion(answer, names)}", err=True)


def _ask_several(
    flag: str, question: str, names: Sequence[str], default: Sequence[str] = ()
) -> Sequence[str]:
    """Return the answers to `question`, which are typed with commas between."""
    _refuse_without_terminal(flag)
    shown = f"{question} (commas between)"
    while True:
        typed = str(click.prompt(shown, default=", ".join(default) or None, err=True))
        answers = [part.strip() for part in typed.split(",") if part.strip()]
        unknown = [answer for answer in answers if names and answer not in names]
        if answers and not unknown:
            return answers
        for answer in unknown:
            click.echo(f"{answer!r} is unknown. {suggestion(answer, names)}", err=True)


def _refuse_without_terminal(flag: str) -> None:
    if not sys.stdin.isatty():
        raise errors.InvalidModel(f"There is nobody to ask; say --{flag}.")


def _refuse_to_overwrite(folder: Path, force: bool) -> None:
    there = [name for name in EXAMPLE_FILES if (folder / name).exists()]
    if there and not force:
        raise errors.AlreadyExists(f"{folder} has {' and '.join(there)} already; --force writes over them.")


def _write_folder(folder: Path, files: dict[str, str]) -> list[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    except OSError as error:
        raise errors.Unwritable(f"{folder} cannot be written ({error.strerror}).") from None
    return list(files)
