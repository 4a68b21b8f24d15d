"""`segint audit`: who did what to what; and whether the log of it is still as it was written."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from generated.segint.v1 import audit_pb2
from segint_grpc.cli.exports import Form, form_options, write_csv, write_json, write_lines
from segint_grpc.cli.job_filters import Moment, since_option
from segint_grpc.cli.job_records import moment_of
from segint_grpc.cli.options import chosen_place, home_option, json_option
from segint_grpc.cli.output import print_json, print_table
from segint_grpc.client.audit import AuditTrail
from segint_grpc.client.job_administration import timestamp

COLUMNS = (
    "seq",
    "at",
    "principal",
    "address",
    "door",
    "act",
    "kind",
    "object_id",
    "outcome",
    "request_id",
    "details",
    "previous",
    "hash",
)
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


class HeadType(click.ParamType[audit_pb2.AuditHead]):
    """The number and the hash of a record, as `verify` tells them."""

    name = "head"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> audit_pb2.AuditHead:
        """Return the head that `value` means."""
        match = _HEAD.fullmatch(value.strip().lower())
        if not match or not int(match[1]):
            self.fail(
                "write it as verify told it: the record's number, a colon and 64 hexadecimal digits.",
                param,
                ctx,
            )
        return audit_pb2.AuditHead(seq=int(match[1]), hash=match[2])


@click.group(short_help="Read and verify the audit log.")
def audit() -> None:
    """Read the audit log of a home's server, and verify that nobody has changed it."""


@audit.command("list", short_help="List records, newest first.")
@click.option("--who", default="", metavar="NAME", help="By this one: owner, server, token:ID, user:NAME.")
@click.option("--act", default="", metavar="ACT", help="This act, or every one that begins so: job.*")
@click.option("--object", "object_id", default="", metavar="ID", help="On this job, version, family or file.")
@since_option
@click.option("--until", type=Moment(), help="Before then.")
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, help="At most so many; 0: all."
)
@form_options
@home_option
def list_records(
    who: str,
    act: str,
    object_id: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    form: str | None,
    home: str | None,
) -> None:
    """List records, newest first.

    \b
    Examples:
      segint audit list --act result.read --since 7d
      segint audit list --act access.refused
      segint audit list --object 5b0c5d1e-…  --json
      segint audit list --limit 0 --csv > audit.csv
    """  # noqa: D301 (click's mark for lines that are not to be wrapped)
    wanted = audit_pb2.AuditFilter(
        principal=who, act=act, object_id=object_id, since=timestamp(since), before=timestamp(until)
    )
    with AuditTrail(chosen_place(home)) as server:
        found = islice(server.records(wanted), limit or None)
        if form is None:
            headings = ("Record", "When", "Who", "From", "Act", "On", "Outcome")
            print_table(headings, [_row(record) for record in found])
            return
        records = map(_as_record, found)
        if form == Form.CSV:
            write_csv(COLUMNS, records)
        else:
            (write_json if form == Form.JSON else write_lines)(records)


@audit.command("verify", short_help="Tell whether the log is as it was written.")
@click.option(
    "--head", type=HeadType(), metavar="SEQ:HASH", help="Must be in the log; as verify told it earlier."
)
@json_option
@home_option
def verify(head: audit_pb2.AuditHead | None, as_json: bool, home: str | None) -> None:
    """Compute every hash of the log anew, and tell the first record that is not as it was written.

    Whoever can write the database can also write a new chain in which everything fits. That shows only by a
    head that was noted elsewhere: verify tells the present one, and takes an earlier one as --head.

    The exit code is 0 where the log is whole, and 1 where it is not.
    """
    with AuditTrail(chosen_place(home)) as server, _bar() as progress:
        verdict = server.verify(head, progress)
    if as_json:
        print_json(verdict)
    else:
        click.echo("\n".join(_sentences(verdict, head)))
    sys.exit(0 if verdict.whole else 1)


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """Show on stderr, where that is a terminal, how many records of how many have been looked at."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Verifying", total=None)
        yield lambda seen, total: bar.update(task, completed=seen, total=total)


def _sentences(verdict: audit_pb2.AuditVerdict, head: audit_pb2.AuditHead | None) -> Iterator[str]:
    if not verdict.whole:
        yield f"The audit log is BROKEN at record {verdict.broken_seq}. {verdict.problem}"
        yield f"Right up to  {verdict.head.seq}:{verdict.head.hash}"
        return
    count = verdict.head.seq - verdict.anchor.seq
    yield f"The audit log is whole: {count} records, every one as it was written."
    if verdict.anchor.seq:
        yield f"Pruned up to {verdict.anchor.seq}:{verdict.anchor.hash} (setting audit_retention_s)"
    if verdict.forwarded.seq:
        yield f"Forwarded to {verdict.forwarded.seq}:{verdict.forwarded.hash}"
    if verdict.head_too_old and head:
        yield f"Record {head.seq} has been pruned, so nothing can be said of that head any more."
    elif head:
        yield f"Holds        {head.seq}:{head.hash}"
    yield f"Head         {verdict.head.seq}:{verdict.head.hash}"
    yield "Note the head elsewhere, and give it as --head next time."


def _row(record: audit_pb2.AuditRecord) -> tuple[str, ...]:
    moment = moment_of(record, "at")
    return (
        str(record.seq),
        moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else "-",
        record.principal,
        record.address or record.door,
        record.act,
        record.object_id or record.kind,
        record.outcome,
    )


def _as_record(record: audit_pb2.AuditRecord) -> dict[str, Any]:
    moment = moment_of(record, "at")
    told: dict[str, Any] = {name: getattr(record, name) for name in COLUMNS}
    return told | {"at": moment.isoformat() if moment else None, "details": json.loads(record.details)}
