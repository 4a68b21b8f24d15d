"""`segint model init`: a model folder is begun, of an example or of what a model says of itself."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from segint_grpc import errors
from segint_grpc.packaging.body_regions import regions
from segint_grpc.packaging.example import EXAMPLE_FILES, STRUCTURES, Answers, write_example
from segint_grpc.packaging.family_fields import BODY_PARTS, GENDERS, MODALITIES
from segint_grpc.packaging.fields import suggestion
from segint_grpc.packaging.manifest import MANIFEST
from segint_grpc.packaging.proposal import Proposal, with_notes
from segint_grpc.packaging.proposal_readers import proposed
from segint_grpc.packaging.proposed_model import Decisions, only, write_proposed
from segint_grpc.zips.folder import LEFT_OUT
from segint_grpc.zips.names import problem_with

_BODY_PART_ADVICE = "for instance Abdomen, Brain, Chest, HeadNeck, Pelvis, WholeBody"
_GUESSED = "body_parts: guessed from the names of the structures."


@click.command("init", short_help="Begin a model: a manifest and an example.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, path_type=Path),
    metavar="MODEL",
    help="A model that tells of itself, a folder or its zip: a MONAI bundle or an nnU-Net v2 model.",
)
@click.option("--name", help="The model's name; where it is not given, it is asked for.")
@click.option("--modality", help=f"One of {', '.join(MODALITIES.keys())}.")
@click.option("--body-part", "body_parts", multiple=True, help=f"{_BODY_PART_ADVICE}; can be repeated.")
@click.option("--gender", type=click.Choice(GENDERS.keys()), default="Any", show_default=True)
@click.option("--structure", "structures", multiple=True, metavar="NAME", help="Can be repeated.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def init(
    folder: Path,
    source: Path | None,
    name: str | None,
    modality: str | None,
    body_parts: Sequence[str],
    gender: str,
    structures: Sequence[str],
    force: bool,
) -> None:
    """Begin a model in FOLDER: a manifest that explains its keys, and an example that runs at once.

    With --from the manifest is proposed from what MODEL says of itself, and MODEL is copied into FOLDER
    unless it lies there already; --structure then names those of its structures that are wanted.

    What neither the model nor a flag says is asked for; where nobody can be asked, it must be a flag.
    """
    if source is not None:
        _begin_from(source, folder, (name, modality, body_parts, gender, structures), force)
        return
    _refuse_to_overwrite(folder, EXAMPLE_FILES, force)
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


Flags = tuple[str | None, str | None, Sequence[str], str, Sequence[str]]
"""Name, modality, body parts, gender and structures, as far as the command says them."""


def _begin_from(source: Path, folder: Path, flags: Flags, force: bool) -> None:
    name, modality, body_parts, gender, structures = flags
    proposal = only(proposed(source), structures)
    model_file = _file_name(source, folder)
    copied = () if _is_within(source, folder) else (model_file,)
    _refuse_to_overwrite(folder, (MANIFEST, *copied), force)
    guessed = () if body_parts else regions(proposal.structures)
    if guessed:
        proposal = with_notes(proposal, _GUESSED)
    decisions = Decisions(
        name=name or proposal.name or _ask("name", "What is the model called", folder.resolve().name),
        modality=modality or _missing_modality(proposal),
        body_parts=body_parts
        or guessed
        or _ask_several("body-part", "Which parts of the body", BODY_PARTS.keys()),
        gender=gender,
    )
    manifest = write_proposed(proposal, decisions, model_file)
    if copied:
        _copy(source, folder / model_file)
    _write_folder(folder, {MANIFEST: manifest})
    _tell_of(proposal, folder, copied)


def _tell_of(proposal: Proposal, folder: Path, copied: Sequence[str]) -> None:
    count = len(proposal.structures)
    drawn = f"{count} structure{'s' if count != 1 else ''} of {proposal.kind}"
    click.echo(f"Wrote {' and '.join((MANIFEST, *copied))} into {folder}: {drawn}.")
    if proposal.to_check:
        click.echo("Please look at:")
    for sentence in proposal.to_check:
        click.echo(f"  - {sentence}")
    click.echo(f"To run it here as the server will: segint model check {folder}")


def _missing_modality(proposal: Proposal) -> str:
    if all(channel.modalities for channel in proposal.channels):
        return ""
    return _ask("modality", "Which images does it take", "CT", MODALITIES.keys())


def _is_within(source: Path, folder: Path) -> bool:
    return source.resolve() != folder.resolve() and source.resolve().is_relative_to(folder.resolve())


def _file_name(source: Path, folder: Path) -> str:
    """Return what the manifest in `folder` calls the model `source`."""
    path = source.resolve()
    name = path.relative_to(folder.resolve()).as_posix() if _is_within(source, folder) else path.name
    if not problem_with(name) and name.casefold() != MANIFEST:
        return name
    if _is_within(source, folder):
        raise errors.InvalidModel(f"The name {name!r} {problem_with(name)}; call the model something else.")
    return "model" if path.is_dir() else f"model{path.suffix}"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise errors.Unwritable(f"{target} would lie within {source}; begin the model in another folder.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)
    except (OSError, shutil.Error) as error:
        raise errors.Unwritable(f"{source} cannot be copied to {target} ({error}).") from None


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


def _refuse_to_overwrite(folder: Path, names: Sequence[str], force: bool) -> None:
    there = [name for name in names if (folder / name).exists()]
    if there and not force:
        raise errors.AlreadyExists(f"{folder} has {' and '.join(there)} already; --force writes over them.")


def _write_folder(folder: Path, files: Mapping[str, str]) -> list[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    except OSError as error:
        raise errors.Unwritable(f"{folder} cannot be written ({error.strerror}).") from None
    return list(files)
