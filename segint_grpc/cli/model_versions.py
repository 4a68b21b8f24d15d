"""`segint model set|activate|retire|default|warm|unload|stats`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from generated.segint.v1 import models_pb2
from segint_grpc import errors
from segint_grpc.cli.check_view import CheckView
from segint_grpc.cli.completions import version_ids
from segint_grpc.cli.model_families import FILE, connect
from segint_grpc.cli.model_files import FILE_OR_FOLDER, send
from segint_grpc.cli.options import chosen_place, home_option, json_option
from segint_grpc.cli.output import print_json, print_table
from segint_grpc.cli.version_lines import tell
from segint_grpc.client.check_scan import check_scan_from
from segint_grpc.client.package_push import failure
from segint_grpc.client.package_server import PackageServer

MIB = 1024 * 1024
LOAD = ("Load s", "Held MiB")

reason_option = click.option("--reason", default="", help="Why; recorded.")


@click.command("set", short_help="Say what runs a version; send its files.")
@click.argument("version_id", metavar="VERSION", shell_complete=version_ids)
@click.option("--backend", required=True, help="What runs it: one of `segint model backends`.")
@click.option("--model", "model_path", type=FILE_OR_FOLDER, help="The weights: a file, or a whole folder.")
@click.option("--module", "module_path", type=FILE, help="The Python file that defines the model's class.")
@click.option("--entry", default="", help="The class to make, where the model file does not say it.")
@click.option("--interpreter", default="", metavar="NAME", help="Its Python; see the setting interpreters.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Can be repeated.")
@click.option(
    "--check-scan",
    type=FILE_OR_FOLDER,
    metavar="SCAN",
    help="A scan on which it finds its structures: NIfTI, a DICOM folder or a serialized ModelInput.",
)
@click.option("--as-sent", is_flag=True, help="Drop what its manifest said of its scans and masks.")
@click.option("--approve", is_flag=True, help="You have looked at the files: their code may run.")
@click.option("--activate", is_flag=True, help="Check it and, if it passes, offer it to clients.")
@click.option("--force", is_flag=True, help="Activate it without a check, which is recorded.")
@json_option
@home_option
def set_runtime(
    version_id: str,
    backend: str,
    model_path: Path | None,
    module_path: Path | None,
    entry: str,
    interpreter: str,
    parameters: Sequence[str],
    check_scan: Path | None,
    as_sent: bool,
    approve: bool,
    activate: bool,
    force: bool,
    as_json: bool,
    home: str | None,
) -> None:
    """Say what runs VERSION (a version's ID), and upload the files that this takes.

    VERSION is a draft then. With --approve --activate it is checked and offered in the same step. How it
    wants its scans, which a manifest said (docs/geometry.md), stays as it is unless --as-sent is given.
    """
    runtime = models_pb2.Runtime(backend=backend, entry=entry, interpreter=interpreter)
    if parameters:
        runtime.parameters.update(dict(map(parse_parameter, parameters)))
    files = {"model_file": model_path, "module_file": module_path}
    with PackageServer(chosen_place(home)) as server:
        for field, path in files.items():
            if path:
                getattr(runtime, field).CopyFrom(send(server, path))
        if check_scan:
            runtime.check_scan.CopyFrom(_send_scan(server, version_id, check_scan))
        if not as_sent and (before := _version(server, version_id)) and before.runtime.HasField("handling"):
            runtime.handling.CopyFrom(before.runtime.handling)
        version = server.set_runtime(version_id, runtime)
        if approve:
            version = _approve(server, version)
        if activate:
            if not force:
                _check(server, version_id)
            version = server.activate(version_id, force, "segint model set")
    tell(version, as_json)


@click.command("activate")
@click.argument("version_id", metavar="VERSION", shell_complete=version_ids)
@click.option("--force", is_flag=True, help="Even without a passed check, which is recorded.")
@reason_option
@json_option
@home_option
def activate(version_id: str, force: bool, reason: str, as_json: bool, home: str | None) -> None:
    """Offer VERSION to clients."""
    with connect(home) as server:
        tell(server.activate(version_id, force, reason), as_json)


@click.command("retire")
@click.argument("version_id", metavar="VERSION", shell_complete=version_ids)
@reason_option
@json_option
@home_option
def retire(version_id: str, reason: str, as_json: bool, home: str | None) -> None:
    """Offer VERSION no more; its jobs that are under way go on."""
    with connect(home) as server:
        tell(server.retire(version_id, reason), as_json)


@click.command("default")
@click.argument("version_id", metavar="VERSION", default="", shell_complete=version_ids)
@click.option("--back", metavar="FAMILY", default="", help="Go back to the default before, of this family.")
@json_option
@home_option
def default(version_id: str, back: str, as_json: bool, home: str | None) -> None:
    """Offer VERSION before the other versions of its family."""
    if bool(version_id) == bool(back):
        raise errors.InvalidRequest("Name either a version, or with --back a family.")
    with connect(home) as server:
        family = server.set_default(version_id, back)
    if as_json:
        print_json(family)
    else:
        click.echo(f"{family.default_version_id} is the default of {family.family.CanonicalName}.")


@click.command("warm")
@click.argument("version_id", metavar="VERSION", shell_complete=version_ids)
@json_option
@home_option
def warm(version_id: str, as_json: bool, home: str | None) -> None:
    """Load VERSION now, so that its first job need not wait for it."""
    with connect(home) as server:
        answer = server.warm_up(version_id)
    if as_json:
        print_json(answer)
    else:
        held = f"{answer.memory_bytes / MIB:.0f} MiB{_on_gpu(answer.load)}"
        click.echo(f"{version_id} is loaded: {answer.seconds:.1f} s, {held}.")


@click.command("unload")
@click.argument("version_id", metavar="VERSION", shell_complete=version_ids)
@json_option
@home_option
def unload(version_id: str, as_json: bool, home: str | None) -> None:
    """Free the memory that VERSION holds while it is idle."""
    with connect(home) as server:
        ended = server.unload(version_id)
    click.echo(
        json.dumps({"processes_ended": ended}) if as_json else f"Processes of {version_id} ended: {ended}."
    )


@click.command("stats")
@click.argument("version_id", metavar="[VERSION]", default="", shell_complete=version_ids)
@json_option
@home_option
def stats(version_id: str, as_json: bool, home: str | None) -> None:
    """Show how the jobs of VERSION, or of every version, went. Times: median and 95th percentile.

    "Load s" and "Held MiB" are of its last load: how long it took, and what its process held then.
    """
    with connect(home) as server:
        found = server.statistics(version_id)
    if as_json:
        print_json(found)
        return
    headings = ("Version", "Jobs", "Succeeded", "Failed", "Cancelled", "Queue s", "Run s", "Peak MiB", *LOAD)
    print_table(headings, [_row(statistics) for statistics in found])


COMMANDS = (set_runtime, activate, retire, default, warm, unload, stats)


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


def _approve(server: PackageServer, version: models_pb2.Version) -> models_pb2.Version:
    """Approve the code of `version`; return it as it is then."""
    for file in (version.runtime.model_file, version.runtime.module_file):
        if file.sha256:
            server.approve(file.sha256)
    return _version(server, version.version_id) or version


def _send_scan(server: PackageServer, version_id: str, path: Path) -> models_pb2.ModelFile:
    """Upload the scan for a version's check, as the ModelInput that a job would bring."""
    channels = {
        version.version_id: family.family.FamilyDescription.InputChannels
        for family in server.families()
        for version in family.versions
    }
    if version_id not in channels:
        known = ", ".join(map(repr, channels))
        raise errors.UnknownModel(f"No model {version_id!r} is here; there is {known}.", version_id, channels)
    scan = check_scan_from(path, [channel.ChannelID for channel in channels[version_id]])
    return server.send(scan, scan.sha256()) if scan else send(server, path)


def _version(server: PackageServer, version_id: str) -> models_pb2.Version | None:
    versions = (version for family in server.families() for version in family.versions)
    return next((version for version in versions if version.version_id == version_id), None)


def _check(server: PackageServer, version_id: str) -> None:
    """Have a version checked, showing the steps on stderr; raises CheckFailed."""
    with CheckView() as view:
        for answer in server.check(version_id):
            if answer.HasField("step"):
                view.step(answer.step)
            elif not answer.report.passed:
                raise errors.CheckFailed(failure(version_id, answer.report))


def _row(found: models_pb2.VersionStatistics) -> tuple[str, ...]:
    failures = ", ".join(f"{code} {count}" for code, count in sorted(found.failures.items()))
    return (
        found.version_id,
        str(found.jobs),
        str(found.succeeded),
        failures or "0",
        str(found.cancelled),
        _times(found.queue_s) if found.HasField("queue_s") else "",
        _times(found.run_s) if found.HasField("run_s") else "",
        f"{found.peak_memory_bytes / MIB:.0f}" if found.peak_memory_bytes else "",
        f"{found.load.seconds:.2f}" if found.HasField("load") else "",
        f"{found.load.memory_bytes / MIB:.0f}{_on_gpu(found.load)}" if found.HasField("load") else "",
    )


def _on_gpu(load: models_pb2.ModelLoad) -> str:
    """Return what a load has taken of a GPU, to go after what it took otherwise."""
    held = f"{load.gpu_memory_bytes / MIB:.0f} MiB " if load.gpu_memory_bytes else ""
    return f", {held}on {load.device}" if load.device.startswith("cuda") else ""


def _times(found: models_pb2.Quantiles) -> str:
    return f"{found.median:.2f} / {found.p95:.2f}"
