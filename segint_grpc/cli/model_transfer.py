"""`segint model check|push|pull`: a package is tried here, brought to the server of a home, and back."""

from __future__ import annotations

import re
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import click

from generated.segint.v1 import models_pb2
from segint_grpc import errors, settings
from segint_grpc.cli.check_view import CheckView
from segint_grpc.cli.completions import family_names
from segint_grpc.cli.options import chosen_place, home_option, json_option
from segint_grpc.cli.output import print_json
from segint_grpc.cli.sentences import FAILED
from segint_grpc.cli.throwaway_core import throwaway_core
from segint_grpc.cli.transfer_bar import transfer_bar
from segint_grpc.cli.version_lines import sentence
from segint_grpc.client.administration import Progress
from segint_grpc.client.package_pull import PulledPackage
from segint_grpc.client.package_push import Push, PushOptions, failure
from segint_grpc.client.package_server import PackageServer
from segint_grpc.packaging.archive import SUFFIX, open_package, write_archive

PACKAGE = click.Path(exists=True, path_type=Path)


class Shown:
    """Shows on stderr how a push goes (`client.package_push.PushWatcher`)."""

    def __init__(self, view: CheckView, quiet: bool = False) -> None:
        """Show the steps of checks by `view`; with `quiet`, nothing else."""
        self._view = view
        self._quiet = quiet

    def said(self, sentence: str) -> None:
        """Show what was done."""
        if not self._quiet:
            click.echo(sentence, err=True)

    def transfer(self, name: str, size_bytes: int) -> AbstractContextManager[Progress]:
        """Show how a file is sent."""
        return transfer_bar(name, size_bytes)

    def step(self, step: models_pb2.CheckStep) -> None:
        """Show a step of a check."""
        self._view.step(step)


@click.command("push")
@click.argument("package", type=PACKAGE)
@click.option("--approve", is_flag=True, help="You have looked at the code in the package: it may run.")
@click.option("--check", is_flag=True, help="Have the server check its versions.")
@click.option("--activate", is_flag=True, help="Check its versions and offer them to clients.")
@click.option("--force", is_flag=True, help="Activate without a passed check, which is recorded.")
@click.option("--reason", default="segint model push", help="Why; recorded with the activation.")
@json_option
@home_option
def push(
    package: Path,
    approve: bool,
    check: bool,
    activate: bool,
    force: bool,
    reason: str,
    as_json: bool,
    home: str | None,
) -> None:
    """Bring PACKAGE, a model folder or a .segint.zip, to the server.

    Its family is made or changed; versions that only the server has are kept. Files that the server has are
    not sent again, and a version that runs as PACKAGE says already stays as it is.
    """
    options = PushOptions(approve, check, activate, force, reason)
    with open_package(package) as opened, PackageServer(chosen_place(home)) as server, CheckView() as view:
        versions = Push(server, opened, Shown(view)).run(options)
    if as_json:
        print_json(versions)
    else:
        for version in versions:
            click.echo(sentence(version))
    if activate and not all(version.offered for version in versions):
        sys.exit(FAILED)


@click.command("pull", short_help="Make one file of a family on the server.")
@click.argument("family", shell_complete=family_names)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help=f"By default FAMILY{SUFFIX}.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@home_option
def pull(family: str, out: Path | None, force: bool, home: str | None) -> None:
    """Make one file of FAMILY (its canonical name) as the server has it, with everything that it runs on."""
    target = out or Path(f"{_file_name(family)}{SUFFIX}")
    if target.exists() and not force:
        raise errors.AlreadyExists(f"{target} is there already; --force writes over it.")
    with PackageServer(chosen_place(home)) as server:
        package = PulledPackage(server, family)
        total = sum(map(package.size_bytes, package.names))
        with transfer_bar(target.name, total) as moved:
            write_archive(package, target, moved)
    click.echo(str(target.absolute()))


@click.command("check", short_help="Check a folder, a package or a version.")
@click.argument("target")
@click.option("--approve", is_flag=True, help="You have looked at the code in an archive: it may run here.")
@json_option
@home_option
def check(target: str, approve: bool, as_json: bool, home: str | None) -> None:
    """Check TARGET as the server checks it: a model folder or a .segint.zip here, or a version's ID there.

    A folder or an archive is checked on this machine, by a core of its own that is gone afterwards; no
    server has to run. Your own folder's code just runs, an archive's only with --approve.
    """
    path = Path(target)
    reports = _check_here(path, approve, home) if path.exists() else {target: _check_there(target, home)}
    if as_json:
        print_json(list(reports.values()))
    for version_id, report in reports.items():
        if not report.passed:
            raise errors.CheckFailed(failure(version_id, report))
        if not as_json:
            click.echo(f"{version_id} passed its check.")


def _check_here(path: Path, approve: bool, home: str | None) -> dict[str, models_pb2.CheckReport]:
    """Check the package at `path` by a core of its own; returns the reports by version ID.

    It knows the interpreters that the server in `home` knows.
    """
    with open_package(path) as package:
        if not package.manifest.runtimes:
            raise errors.InvalidModel(f"{path} says of no version what runs it, so nothing can be checked.")
        named = any(runtime.interpreter for runtime in package.manifest.runtimes.values())
        interpreters = settings.load({"home": home}).interpreters if named else ()
        with throwaway_core(interpreters) as own, PackageServer(own) as server, CheckView() as view:
            pushing = Push(server, package, Shown(view, quiet=True))
            pushing.run(PushOptions(approve=approve or path.is_dir()))
            if waiting := pushing.waiting_code():
                names = ", ".join(file.name for file in waiting)
                raise errors.NotApproved(
                    f"{path} brings code ({names}), which runs here only when you say that you have looked "
                    f"at it: segint model check {path} --approve"
                )
            return {
                version_id: _checked(server, version_id, view) for version_id in package.manifest.runtimes
            }


def _check_there(version_id: str, home: str | None) -> models_pb2.CheckReport:
    """Have the server check a version of its own."""
    with PackageServer(chosen_place(home)) as server, CheckView() as view:
        return _checked(server, version_id, view)


def _checked(server: PackageServer, version_id: str, view: CheckView) -> models_pb2.CheckReport:
    report = models_pb2.CheckReport()
    for answer in server.check(version_id):
        if answer.HasField("step"):
            view.step(answer.step)
        else:
            report = answer.report
    return report


def _file_name(family: str) -> str:
    return re.sub(r"[^\w.-]+", "_", family).strip("._") or "family"
