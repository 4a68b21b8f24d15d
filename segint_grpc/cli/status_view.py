"""How `segint status` shows a server: panels for a person, lines for a pipe, a record for a program."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from generated.segint.v1 import job_pb2
from segint_grpc.cli.job_records import progress_record
from segint_grpc.cli.job_watch import state_words
from segint_grpc.cli.output import one_line
from segint_grpc.client.overview import Overview, Rates
from segint_grpc.settings import MIB

GIB = 1024 * MIB
SHOWN_MAX = 8
"""Waiting jobs on a screen."""


def as_record(seen: Overview) -> dict[str, Any]:
    """Return everything, ready for JSON."""
    figures = seen.figures
    return {
        "slots": figures.slots,
        "slots_busy": figures.slots_busy,
        "running": [{"slot": slot, **progress_record(job)} for slot, job in seen.running.items()],
        "queue_length": figures.queue_length,
        "waiting": [progress_record(job) for job in seen.waiting],
        "loaded": [
            {"model_id": model.model_id, "memory_bytes": model.memory_bytes, "busy": model.busy}
            for model in figures.loaded
        ],
        "last_hour": dataclasses.asdict(seen.rates),
        "bytes_received": figures.bytes_received,
        "bytes_sent": figures.bytes_sent,
        "disk_free_bytes": seen.disk_free_bytes,
        "disk_bytes": seen.disk_bytes,
    }


def as_lines(seen: Overview) -> Iterator[str]:
    """Yield what there is to say, a line each, with tabs between the parts."""
    yield f"slots\t{_slots(seen)}"
    for slot, job in seen.running.items():
        yield "\t".join(("running", slot, job.segmentation_id, one_line(job.model_id), state_words(job)))
    yield f"queue\t{seen.figures.queue_length} waiting"
    for job in seen.waiting:
        yield "\t".join(("waiting", job.segmentation_id, one_line(job.model_id), state_words(job)))
    for model in seen.figures.loaded:
        yield f"loaded\t{one_line(model.model_id)}\t{_mib(model.memory_bytes)}\t{_use(model.busy)}"
    yield f"last hour\t{_rates(seen.rates)}"
    yield f"disk\t{_disk(seen)}"


def as_picture(seen: Overview) -> RenderableType:
    """Return the view for a terminal."""
    title = Text(f"Slots: {_slots(seen)} · {seen.figures.queue_length} waiting", "bold")
    rates = Text(f"Last hour: {_rates(seen.rates)}")
    disk = Text(f"Disk: {_disk(seen)}")
    return Group(title, _jobs(seen), _models(seen), rates, disk, Text("Ctrl-C ends this view.", "dim"))


def _jobs(seen: Overview) -> RenderableType:
    table = Table("Slot", "Job", "Model", "State")
    for slot, job in seen.running.items():
        _add(table, slot, job, "cyan")
    for job in seen.waiting[:SHOWN_MAX]:
        _add(table, "", job, "")
    hidden = seen.figures.queue_length - SHOWN_MAX
    table.caption = f"and {hidden} more" if hidden > 0 else None
    return table if table.row_count else Text("No job runs or waits.")


def _add(table: Table, slot: str, job: job_pb2.JobProgress, color: str) -> None:
    state = Text(state_words(job), color)
    table.add_row(slot, job.segmentation_id, Text(one_line(job.model_id)), state)


def _models(seen: Overview) -> RenderableType:
    table = Table("Loaded model", "Memory", "")
    table.columns[1].justify = "right"
    for model in seen.figures.loaded:
        table.add_row(Text(one_line(model.model_id)), _mib(model.memory_bytes), _use(model.busy))
    return table if table.row_count else Text("No model is loaded.")


def _slots(seen: Overview) -> str:
    return f"{seen.figures.slots_busy} of {seen.figures.slots} busy"


def _rates(rates: Rates) -> str:
    text = f"{rates.succeeded} succeeded, {rates.failed} failed, {rates.cancelled} cancelled"
    return text if rates.median_s is None else f"{text}; median {rates.median_s:.1f} s from post to masks"


def _disk(seen: Overview) -> str:
    return f"{seen.disk_free_bytes / GIB:.1f} of {seen.disk_bytes / GIB:.1f} GiB free"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / MIB:,.0f} MiB"


def _use(busy: bool) -> str:
    return "runs a job" if busy else "waits"
