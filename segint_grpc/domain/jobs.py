"""A job: its states, the table of allowed transitions, and the facts that the store keeps of it.

The API's word for a job is SegmentationTask.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from segint_grpc import errors
from segint_grpc.domain.access import ANONYMOUS
from segint_grpc.domain.model_load import ModelLoad


class JobState(StrEnum):
    """Where a job is; the values are what the database holds."""

    RECEIVED = "received"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.RECEIVED: frozenset({JobState.QUEUED, JobState.FAILED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}
"""RECEIVED: the body is durable. QUEUED: its voxels are checked. RUNNING → QUEUED: a run was cut short."""

UNFINISHED = frozenset(state for state, following in TRANSITIONS.items() if following)


class Stage(StrEnum):
    """What is being done for a job, in order."""

    RECEIVE = "receive"
    QUEUE = "queue"
    LOAD = "load"
    PREPARE = "prepare"
    INFER = "infer"
    RESTORE = "restore"
    ENCODE = "encode"
    DONE = "done"


RUN_STAGES: tuple[Stage, ...] = (Stage.LOAD, Stage.PREPARE, Stage.INFER, Stage.RESTORE, Stage.ENCODE)
"""The stages of a run, in order; a run may leave some out."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the store holds it. Times are UTC.

    `owner` is the principal whose job it is (see domain/access.py), `caller` what the post said of itself.
    `body_kept` and `result_kept`: the scan as it was posted, and the masks, can still be fetched. `voxels`
    are those that its channels announce together; 0 where a release before this measure took the job in.
    `infer_share` is the share of the usual inference that is made: below 1 in the hurried setting of its
    version (see domain/hurry.py).
    """

    id: str
    model_id: str
    state: JobState
    percent: int
    stage: str
    error_code: str
    error_text: str
    caller: str
    body_sha256: str
    body_bytes: int
    submitted_at: datetime
    deadline_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    result_bytes: int | None
    result_sha256: str
    warnings: tuple[str, ...]
    request_id: str = ""
    client_version: str = ""
    body_kept: bool = False
    result_kept: bool = False
    owner: str = ANONYMOUS
    voxels: int = 0
    infer_share: float = 1.0

    @property
    def hurried(self) -> bool:
        """True where the job runs in its version's hurried setting."""
        return self.infer_share < 1

    @property
    def finished(self) -> bool:
        """True once nothing will change any more."""
        return self.state not in UNFINISHED


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is known of a job when its body has just become durable."""

    id: str
    model_id: str
    caller: str
    body_sha256: str
    body_bytes: int
    client_version: str
    request_id: str
    submitted_at: datetime
    deadline_at: datetime
    warnings: tuple[str, ...] = ()
    owner: str = ANONYMOUS
    voxels: int = 0
    infer_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a job, once: a finish that does not hold the current lease changes nothing."""

    job_id: str
    attempt: int
    token: str


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long each stage of a run took, s; one that it left out is absent.

    `cold`: the run had to load its model. `revision` is that of the runtime that it ran with, 0 if unknown.
    """

    seconds: Mapping[Stage, float] = field(default_factory=dict)
    cold: bool = False
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """A result file that is durable: its length and SHA-256 (lower-case hexadecimal).

    What was measured on the way: the run's memory, the voxels of all its channels together, each mask's
    volume in millilitres by StructureID, and how long the stages took; 0 and nothing where it was not.
    `load` is there where the run had to load its model.
    """

    size_bytes: int
    sha256: str
    peak_memory_bytes: int = 0
    warnings: tuple[str, ...] = ()
    voxels: int = 0
    volumes_ml: Mapping[str, float] = field(default_factory=dict)
    times: StageTimes = field(default_factory=StageTimes)
    load: ModelLoad | None = None


def new_job_id() -> str:
    """Return a SegmentationID: a lower-case UUID, version 4."""
    return str(uuid.uuid4())


def parse_job_id(text: str) -> str:
    """Return the canonical form of a SegmentationID in any case, with or without dashes.

    Raises:
        UnknownJob: `text` is no such id, so no job has it.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise errors.UnknownJob from None


def check_transition(before: JobState, after: JobState) -> None:
    """Raise ValueError unless `TRANSITIONS` allows a job to go from `before` to `after`."""
    if after not in TRANSITIONS[before]:
        raise ValueError(f"a job cannot go from {before} to {after}")
