"""`segint doctor`: looks at everything that a job needs, and says what to type where something is amiss."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator

import click

from segint_grpc import settings as settings_of
from segint_grpc.cli.completions import version_ids
from segint_grpc.cli.doctor_interpreters import check_interpreters
from segint_grpc.cli.doctor_server import check_server
from segint_grpc.cli.options import json_option, only_home_option
from segint_grpc.cli.output import one_line
from segint_grpc.client.findings import Finding, Level
from segint_grpc.client.machine_checks import check_disk, check_home
from segint_grpc.client.software_checks import check_gpu, check_versions
from segint_grpc.client.tls_check import check_tls
from segint_grpc.home import Home

UNWELL = 1
COLORS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@click.command(short_help="Check everything that a job needs.")
@click.option(
    "--model",
    "model_id",
    default="",
    metavar="ID",
    shell_complete=version_ids,
    help="The model for the trial job.",
)
@only_home_option
@json_option
def doctor(model_id: str, home: str | None, as_json: bool) -> None:
    """Check disk, home, versions, GPU, certificate, ports, core and gateway, and run a trial job over HTTP.

    The interpreters of that setting are looked at, too. Each line says what was found and, after an arrow,
    what to type next. The trial job's scan is a box of water; the job is deleted afterwards. The exit code
    is 1 if there is a problem, else 0.
    """
    findings = []
    for finding in _findings(model_id, home):
        findings.append(finding)
        if not as_json:
            _print(finding)
    well = all(finding.level is not Level.PROBLEM for finding in findings)
    if as_json:
        checks = [dataclasses.asdict(finding) for finding in findings]
        click.echo(json.dumps({"ok": well, "checks": checks}, indent=1, ensure_ascii=False))
    if not well:
        sys.exit(UNWELL)


def _findings(model_id: str, home: str | None) -> Iterator[Finding]:
    settings = settings_of.load({"home": home})
    place = Home(settings.home_path)
    yield check_disk(settings, place)
    yield check_home(place)
    yield from check_versions()
    yield check_gpu()
    yield from check_interpreters(settings)
    yield check_tls(settings)
    yield from check_server(settings, place, model_id)


def _print(finding: Finding) -> None:
    level = click.style(f"{finding.level:<8}", fg=COLORS[finding.level])
    click.echo(f"{level} {finding.name:<9} {one_line(finding.text)}")
    if finding.next:
        click.echo(f"{'':<18} → {finding.next}")
