"""How the jobs of a version went, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from segint_grpc.domain.model_load import ModelLoad

RUNS_REMEMBERED = 200
"""How many of a version's runs say what is usual for it: enough, and few enough to follow a change."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of measured durations, by nearest rank: values that did occur, never ones between two."""

    median_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What a run that succeeded took, for how many voxels of all its channels together."""

    voxels: int
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True)
class VersionStatistics:
    """The jobs of one version, those that are unfinished included.

    `failures` counts by the API's error codes. `queue_s` is the time from the post to the first run of the
    jobs that came so far, `run_s` that of the runs that succeeded; None where there is none yet.
    `peak_memory_bytes` is the most that a run took, 0 where nothing was measured. `load` is the last one,
    None where none is known.
    """

    version_id: str
    jobs: int = 0
    succeeded: int = 0
    cancelled: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    queue_s: Quantiles | None = None
    run_s: Quantiles | None = None
    peak_memory_bytes: int = 0
    load: ModelLoad | None = None
