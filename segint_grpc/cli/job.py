"""`segint job`: what was posted, how it went and what users said of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click

from generated.segint.v1 import job_pb2, jobs_pb2
from segint_grpc.cli.completions import job_ids, version_ids
from segint_grpc.cli.exports import Form, form_options, write_csv, write_json, write_lines
from segint_grpc.cli.job_filters import filter_options, job_filter
from segint_grpc.cli.job_opinions import feedback, telemetry
from segint_grpc.cli.job_records import job_record, moment_of, progress_record, state_name
from segint_grpc.cli.job_watch import state_words, watch
from segint_grpc.cli.options import chosen_place, home_option, json_option
from segint_grpc.cli.output import one_line, print_json, print_table
from segint_grpc.cli.transfer_bar import transfer_bar
from segint_grpc.client.job_administration import JobAdministration

JOB_COLUMNS = (
    "segmentation_id",
    "model_id",
    "state",
    "percent",
    "error_code",
    "error",
    "caller",
    "owner",
    "client_version",
    "submitted_at",
    "started_at",
    "finished_at",
    "waited_s",
    "took_s",
    "attempt",
    "body_bytes",
    "result_bytes",
    "warnings",
)


@click.group(short_help="Look after the jobs of this machine's server.")
def job() -> None:
    """Look after the jobs of a home's server: list, watch, cancel, retry, delete, and export feedback."""


job.add_command(watch)
job.add_command(feedback)
job.add_command(telemetry)


@job.command("list")
@filter_options
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, help="At most so many; 0: all."
)
@form_options
@home_option
def list_jobs(limit: int, form: str | None, home: str | None, **wanted: Any) -> None:
    """List jobs, newest first.

    \b
    Examples:
      segint job list --state failed --since 7d
      segint job list --model "Thorax 2" --warnings
      segint job list --limit 0 --csv > jobs.csv
    """  # noqa: D301 (click's mark for lines that are not to be wrapped)
    with JobAdministration(chosen_place(home)) as server:
        found = islice(server.jobs(job_filter(**wanted)), limit or None)
        if form is None:
            headings = ("Job", "Model", "State", "Posted", "Took", "From", "Warnings")
            print_table(headings, [_row(line) for line in found])
            return
        records = map(job_record, found)
        if form == Form.CSV:
            write_csv(JOB_COLUMNS, records)
        else:
            (write_json if form == Form.JSON else write_lines)(records)


@job.command("show", short_help="Tell everything that is known of a job.")
@click.argument("job_id", metavar="JOB", shell_complete=job_ids)
@json_option
@home_option
def show(job_id: str, as_json: bool, home: str | None) -> None:
    """Tell everything that is known of JOB: its facts, its runs and its timeline."""
    with JobAdministration(chosen_place(home)) as server:
        told = server.job(job_id)
    if as_json:
        print_json(told)
        return
    for name, value in _facts(told):
        click.echo(f"{name:<10} {one_line(value)}")
    for run in told.runs:
        memory = f", {run.peak_memory_bytes / 2**20:,.0f} MiB" if run.peak_memory_bytes else ""
        took = _took(run.started_at.ToDatetime(), run.ended_at.ToDatetime() if run.outcome else None)
        click.echo(f"{f'Run {run.attempt}':<10} {run.outcome or 'goes on'} in {run.slot}{took}{memory}")
    click.echo("\nTimeline")
    for event in told.timeline:
        click.echo(f"  {local(moment_of(event, 'at'))}  {event.kind:<8} {one_line(event.text)}")


@job.command()
@click.argument("job_ids", metavar="JOB...", nargs=-1, required=True, shell_complete=job_ids)
@json_option
@home_option
def cancel(job_ids: Sequence[str], as_json: bool, home: str | None) -> None:
    """End jobs. One that has already ended stays as it is."""
    with JobAdministration(chosen_place(home)) as server:
        ended = (server.cancel(job_id) for job_id in job_ids)
        if as_json:
            write_json(map(progress_record, ended))
            return
        for job in ended:
            click.echo(f"{job.segmentation_id} is {state_words(job).rstrip('.')}.")


@job.command()
@click.argument("job_id", metavar="JOB", shell_complete=job_ids)
@click.option(
    "--model",
    "model_id",
    default="",
    metavar="ID",
    shell_complete=version_ids,
    help="With this version instead of its own.",
)
@json_option
@home_option
def retry(job_id: str, model_id: str, as_json: bool, home: str | None) -> None:
    """Run the stored scan of an ended JOB again, as a new job.

    A scan is kept until its job ends, and after a failure for as long as the setting
    failed_body_retention_s says.
    """
    with JobAdministration(chosen_place(home)) as server:
        new = server.retry(job_id, model_id)
    if as_json:
        click.echo(json.dumps(progress_record(new), indent=1, ensure_ascii=False))
        return
    click.echo(new.segmentation_id)
    click.echo(f"Posted again; see how it goes with: segint job watch {new.segmentation_id}", err=True)


@job.command("delete", short_help="Remove ended jobs with all that is kept of them.")
@click.argument("job_ids", metavar="JOB...", nargs=-1, required=True, shell_complete=job_ids)
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def delete(job_ids: Sequence[str], yes: bool, home: str | None) -> None:
    """Remove ended jobs: their scans, their masks, and all that is known and was said of them."""
    if not yes:
        _ask(f"Remove {len(job_ids)} jobs with their scans, masks and feedback?")
    with JobAdministration(chosen_place(home)) as server:
        for job_id in job_ids:
            server.delete(job_id)
            click.echo(f"Removed {job_id}.")


@job.command("input", short_help="Fetch the scan of a job as it was posted.")
@click.argument("job_id", metavar="JOB", shell_complete=job_ids)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; default: JOB.pb, here. It holds patient data.",
)
@home_option
def fetch_input(job_id: str, out: Path | None, home: str | None) -> None:
    """Fetch the scan of JOB as it was posted, a serialized Radiomics.ModelInput, to post it elsewhere."""
    with JobAdministration(chosen_place(home)) as server:
        told = server.job(job_id).job
        path = out or Path(f"{told.job.segmentation_id}.pb")
        with transfer_bar(path.name, told.body_bytes) as progress:
            header = server.save_input(job_id, path, progress)
    click.echo(path)
    click.echo(f"{header.size_bytes} bytes, posted for {header.model_id}.", err=True)


def local(moment: datetime | None) -> str:
    """Return `moment` by this machine's clock, to the second; a dash where there is none."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else "-"


def _row(line: jobs_pb2.JobSummary) -> tuple[str, ...]:
    told = line.job
    return (
        told.segmentation_id,
        told.model_id,
        state_words(told),
        local(moment_of(told, "submitted_at")),
        _seconds_text(told),
        line.caller,
        str(len(told.warnings) or ""),
    )


def _seconds_text(told: job_pb2.JobProgress) -> str:
    submitted, finished = moment_of(told, "submitted_at"), moment_of(told, "finished_at")
    return f"{(finished - submitted).total_seconds():,.1f} s" if submitted and finished else ""


def _facts(told: jobs_pb2.GetJobResponse) -> list[tuple[str, str]]:
    line, progress = told.job, told.job.job
    kept = " and ".join(
        name for name, there in (("scan", told.input_kept), ("masks", told.result_kept)) if there
    )
    return [
        ("Job", progress.segmentation_id),
        ("Model", progress.model_id),
        ("State", state_words(progress)),
        *([("Error", progress.progress.Errors)] if state_name(progress.state) == "failed" else []),
        ("Posted", f"{local(moment_of(progress, 'submitted_at'))} by {line.caller} ({line.client_version})"),
        ("Owner", line.owner),
        ("Took", _seconds_text(progress) or "-"),
        ("Scan", f"{line.body_bytes / 2**20:,.1f} MiB"),
        ("Kept", kept or "neither scan nor masks"),
        *[("Warning", warning) for warning in progress.warnings],
    ]


def _took(begin: datetime, end: datetime | None) -> str:
    return f", {(end - begin).total_seconds():,.1f} s" if end else ""


def _ask(question: str) -> None:
    """Ask a person; a program has to say --yes."""
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here; say --yes to remove without a question.")
    click.confirm(question, abort=True)
