"""A past for a version: runs that went well and took as long as the test says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from segint_grpc.domain.jobs import Lease, Stage, StageTimes
from segint_grpc.store import Store
from tests.fakes.stores import LEASE_S, START, a_result, queued_job


def add_runs(
    store: Store,
    model_id: str,
    runs: Iterable[tuple[int, float]],
    at: datetime = START,
    revision: int | None = None,
) -> None:
    """Have `store` remember a run of `model_id` for each (voxels, seconds of inference), loaded before.

    No other job may wait.
    """
    if revision is None:
        runtime = store.models.version(model_id)[1].runtime
        assert runtime
        revision = runtime.revision
    for voxels, infer_s in runs:
        seconds = {Stage.LOAD: 0.001, Stage.PREPARE: 0.01, Stage.INFER: infer_s, Stage.ENCODE: 0.01}
        lease = _running(store, model_id, at)
        result = a_result(voxels=voxels, times=StageTimes(seconds, False, revision))
        store.jobs.succeed(lease, result)


def _running(store: Store, model_id: str, at: datetime) -> Lease:
    queued_job(store, at, model_id=model_id, deadline_at=datetime.max.replace(tzinfo=at.tzinfo))
    claimed = store.jobs.claim("slot-0", LEASE_S)
    assert claimed
    assert claimed[0].model_id == model_id
    return claimed[1]
