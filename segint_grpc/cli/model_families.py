"""`segint model create|import|get|update|list|remove|backends`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from google.protobuf import json_format, text_format

from generated.radiomics.Model_pb2 import ModelFamily
from generated.segint.v1 import models_pb2
from segint_grpc import errors
from segint_grpc.cli.completions import family_names
from segint_grpc.cli.options import chosen_place, home_option, json_option
from segint_grpc.cli.output import print_json, print_table
from segint_grpc.cli.version_lines import runs_on, sentence, state
from segint_grpc.client.administration import Administration
from segint_grpc.packaging.manifest_text import handling_text

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
JSON_SUFFIX = ".json"
TEXT_SUFFIXES = (".txt", ".textproto", ".pbtxt")
POLICIES = ("off", "warn", "enforce")


Command = Callable[..., None]


def _policy_option(default: str | None) -> Callable[[Command], Command]:
    return click.option(
        "--policy",
        type=click.Choice(POLICIES),
        default=default,
        show_default=True,
        help="What is done about a scan that the family's constraints exclude.",
    )


@click.command("create", short_help="Make a family from a JSON, text or .pb file.")
@click.argument("family", type=FILE)
@click.option("--modality", "modalities", multiple=True, help="CT, MR_T1 …, where the family says none.")
@click.option("--body-part", "body_parts", multiple=True, help="Chest, WholeBody …, where it says none.")
@click.option("--gender", default="", help="Male, Female or Any, where it says none.  [default: Any]")
@click.option("--status", default="", help="Of regulatory frameworks.  [default: Investigational]")
@click.option("--external", "externals", multiple=True, metavar="ID", help="A structure that is the outline.")
@_policy_option("enforce")
@json_option
@home_option
def create(
    family: Path,
    modalities: Sequence[str],
    body_parts: Sequence[str],
    gender: str,
    status: str,
    externals: Sequence[str],
    policy: str,
    as_json: bool,
    home: str | None,
) -> None:
    """Make a family of FAMILY: JSON (.json), text format (.txt, .textproto) or binary of a ModelFamily.

    What it leaves open is filled in sensibly; modality and body part have to be said, there or here.
    """
    request = models_pb2.CreateFamilyRequest(
        modalities=modalities,
        body_parts=body_parts,
        gender=gender,
        regulatory_status=status,
        external_structures=externals,
        constraint_policy=_policy(policy),
    )
    if family.suffix == JSON_SUFFIX:
        request.json = _text(family)
    elif family.suffix in TEXT_SUFFIXES:
        request.text = _text(family)
    else:
        request.binary = family.read_bytes()
    with connect(home) as server:
        _tell("Made", server.create_family(request), as_json)


@click.command("import", short_help="Import a family from a .pb file.")
@click.argument("family", type=FILE)
@_policy_option("warn")
@json_option
@home_option
def import_family(family: Path, policy: str, as_json: bool, home: str | None) -> None:
    """Take a family over from FAMILY, a serialized Radiomics.ModelFamily (.pb), as it is."""
    with connect(home) as server:
        _tell("Imported", server.import_family(family.read_bytes(), policy), as_json)


@click.command("get", short_help="Show a family, or write it to a file.")
@click.argument("name", shell_complete=family_names)
@click.option("--out", type=NEW_FILE, help="Write the family: as JSON where FILE ends so, else in binary.")
@json_option
@home_option
def get(name: str, out: Path | None, as_json: bool, home: str | None) -> None:
    """Show the family NAME (its canonical name), or write it to a file in order to change it."""
    with connect(home) as server:
        found = server.stored_family(name)
    if out:
        _write(out, found)
        revision = found.family.revision
        click.echo(f"Wrote {out}. To bring it back: segint model update {out} --revision {revision}")
    elif as_json:
        print_json(found.family)
    else:
        _show(found.family)


@click.command("update", short_help="Replace a family by a changed one.")
@click.argument("family", type=FILE)
@click.option("--revision", type=int, required=True, help="The one that FAMILY was, from `segint model get`.")
@_policy_option(None)
@json_option
@home_option
def update(family: Path, revision: int, policy: str | None, as_json: bool, home: str | None) -> None:
    """Replace a family by FAMILY (JSON, text format or binary), unless somebody else has changed it since.

    Its CanonicalName says which one is meant.
    """
    request = models_pb2.UpdateFamilyRequest(revision=revision)
    if policy:
        request.constraint_policy = _policy(policy)
    if family.suffix == JSON_SUFFIX or family.suffix in TEXT_SUFFIXES:
        request.family.CopyFrom(_parsed(family))
    else:
        request.binary = family.read_bytes()
    with connect(home) as server:
        _tell("Updated", server.update_family(request), as_json)


@click.command("list", short_help="List every family, and what runs it.")
@json_option
@home_option
def list_families(as_json: bool, home: str | None) -> None:
    """List every family, what runs its versions, and what keeps one from being offered."""
    with connect(home) as server:
        families = server.families()
    if as_json:
        print_json(families)
        return
    rows = [
        (family.family.CanonicalName, version.version_id, runs_on(version), version.problem or "yes")
        for family in families
        for version in family.versions
    ]
    print_table(("Family", "Version", "Runs on", "Offered"), rows)


@click.command("remove", short_help="Remove a family, its versions and files.")
@click.argument("name", shell_complete=family_names)
@click.option("--force", is_flag=True, help="Cancel its unfinished jobs.")
@json_option
@home_option
def remove_family(name: str, force: bool, as_json: bool, home: str | None) -> None:
    """Remove the family NAME (its canonical name), its versions, and the files that only these use."""
    with connect(home) as server:
        removed = server.remove(name, force)
    if as_json:
        print_json(removed)
        return
    click.echo(
        f"Removed {name}; jobs cancelled: {removed.jobs_cancelled}, files removed: {removed.files_removed}."
    )


@click.command("backends")
@json_option
@home_option
def list_back_ends(as_json: bool, home: str | None) -> None:
    """List the back ends that are installed on the server."""
    with connect(home) as server:
        found = server.back_ends()
    if as_json:
        print_json(found)
        return
    print_table(("Back end", "About", "Usable"), [(b.name, b.summary, b.problem or "yes") for b in found])


COMMANDS = (create, import_family, get, update, list_families, remove_family, list_back_ends)


def connect(home: str | None) -> Administration:
    """Return a connection to the server of the folder `home`, by default the one of the settings."""
    return Administration(chosen_place(home))


def _policy(name: str) -> Any:
    return models_pb2.ConstraintPolicy.Value(f"CONSTRAINT_POLICY_{name.upper()}")


def _tell(what: str, family: models_pb2.Family, as_json: bool) -> None:
    if as_json:
        print_json(family)
        return
    click.echo(f"{what} {family.family.CanonicalName}.")
    for version in family.versions:
        click.echo(sentence(version))
    for warning in family.warnings:
        click.echo(f"Warning: {warning}", err=True)


def _show(family: models_pb2.Family) -> None:
    policy = models_pb2.ConstraintPolicy.Name(family.constraint_policy).rpartition("_")[2].lower()
    click.echo(f"{family.family.CanonicalName}, revision {family.revision}, constraints: {policy}")
    rows = [
        (
            version.version_id,
            state(version) + (" (default)" if version.version_id == family.default_version_id else ""),
            runs_on(version),
            version.problem or "yes",
        )
        for version in family.versions
    ]
    print_table(("Version", "State", "Runs on", "Offered"), rows)
    for version in family.versions:
        if version.runtime.HasField("handling"):
            click.echo(f"\n{version.version_id} gets its scans so (docs/geometry.md):\n")
            click.echo(handling_text(version.runtime.handling).rstrip())
    for warning in family.warnings:
        click.echo(f"Warning: {warning}", err=True)


def _write(path: Path, found: models_pb2.GetFamilyResponse) -> None:
    body = found.binary
    if path.suffix == JSON_SUFFIX:
        message = found.family.family
        body = json_format.MessageToJson(message, preserving_proto_field_name=True).encode()
    try:
        path.write_bytes(body)
    except OSError as error:
        raise errors.Unwritable(f"{path} cannot be written ({error.strerror}).") from None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        raise errors.UnparsableMessage(f"{path} is no text.") from None


def _parsed(path: Path) -> ModelFamily:
    try:
        if path.suffix == JSON_SUFFIX:
            return json_format.Parse(_text(path), ModelFamily())
        return text_format.Parse(_text(path), ModelFamily())
    except (json_format.ParseError, text_format.ParseError) as error:
        raise errors.UnparsableMessage(f"{path} is no ModelFamily: {error}") from None
