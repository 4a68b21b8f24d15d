"""`segint job feedback` and `segint job telemetry`: what users and clients said, to read or to export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import click

from segint_grpc.cli.exports import Form, form_options, write_csv, write_json, write_lines
from segint_grpc.cli.job_filters import model_option, since_option
from segint_grpc.cli.job_records import Record, feedback_record, feedback_rows, telemetry_record
from segint_grpc.cli.options import chosen_place, home_option
from segint_grpc.cli.output import print_table
from segint_grpc.client.job_administration import JobAdministration

FEEDBACK_COLUMNS = (
    "received_at",
    "segmentation_id",
    "model_id",
    "family",
    "accepted",
    "general_score",
    "general_comments",
    "structure_id",
    "structure",
    "structure_score",
    "structure_comments",
    "client_version",
)
TELEMETRY_COLUMNS = (
    "received_at",
    "segmentation_id",
    "model_id",
    "job_known",
    "upload_ms",
    "wait_ms",
    "download_ms",
    "retries",
    "client_error",
    "client_error_information",
    "client_version",
)
FEEDBACK_TABLE = {
    "Received": "received_at",
    "Job": "segmentation_id",
    "Model": "model_id",
    "Score": "general_score",
    "Comments": "general_comments",
    "Structure": "structure",
    "Its score": "structure_score",
    "Its comments": "structure_comments",
}
TELEMETRY_TABLE = {
    "Received": "received_at",
    "Job": "segmentation_id",
    "Model": "model_id",
    "Upload ms": "upload_ms",
    "Wait ms": "wait_ms",
    "Download ms": "download_ms",
    "Retries": "retries",
    "Error": "client_error",
}
"""Heading → the record's field under it."""


@click.command(short_help="List what users said of the masks.")
@model_option
@since_option
@form_options
@home_option
def feedback(model_id: str, since: datetime | None, form: str | None, home: str | None) -> None:
    """List what users said of the masks, newest first, with the version and structures that it is on.

    In CSV and the table, each structure that somebody spoke of is a row. A score that nobody gave is
    empty (null in JSON), never 0. The comments may hold patient data.
    """
    with JobAdministration(chosen_place(home)) as server:
        told = server.feedback(model_id, since)
        if form in (Form.JSON, Form.JSONL):
            (write_json if form == Form.JSON else write_lines)(map(feedback_record, told))
            return
        rows = (row for item in told for row in feedback_rows(item))
        if form == Form.CSV:
            write_csv(FEEDBACK_COLUMNS, rows)
            return
        _print(FEEDBACK_TABLE, rows)


@click.command(short_help="List how jobs went on their clients' side.")
@model_option
@since_option
@form_options
@home_option
def telemetry(model_id: str, since: datetime | None, form: str | None, home: str | None) -> None:
    """List how jobs went from their clients' side, newest first: times in milliseconds, retries, errors."""
    with JobAdministration(chosen_place(home)) as server:
        records = map(telemetry_record, server.telemetry(model_id, since))
        if form == Form.CSV:
            write_csv(TELEMETRY_COLUMNS, records)
        elif form is not None:
            (write_json if form == Form.JSON else write_lines)(records)
        else:
            _print(TELEMETRY_TABLE, records)


def _print(columns: Mapping[str, str], records: Iterable[Record]) -> None:
    rows = [
        tuple("" if record[name] is None else str(record[name]) for name in columns.values())
        for record in records
    ]
    print_table(tuple(columns), rows)
