"""Every measurement by its name, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scripts.bench import end_to_end, footprint, polls, start, throughput
from scripts.bench.lab import Lab
from scripts.bench.rows import Row

Measurement = Callable[[Lab], Iterator[Row]]

MEASUREMENTS: dict[str, Measurement] = {
    "phantom": end_to_end.phantom,
    "threshold": end_to_end.threshold,
    "structures": end_to_end.structures,
    "small-jobs": throughput.small_jobs,
    "questions": throughput.questions,
    "polls": polls.polls,
    "start": start.start,
    "second-job": start.second_jobs,
    "upload-memory": footprint.upload,
    "worker-memory": footprint.worker,
    "eight-clients": footprint.eight_clients,
    "small-machine": footprint.small_machine,
}
SLOW = frozenset({"eight-clients", "small-machine"})
"""Left out by --quick."""
