"""What can be counted and measured of the jobs, by version. The database does the work: jobs may be many."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from peewee import Select, fn

from segint_grpc.domain.job_statistics import RUNS_REMEMBERED, MemoryUse, Quantiles, VersionStatistics
from segint_grpc.domain.jobs import JobState
from segint_grpc.domain.run_times import RUNS_REMEMBERED as TIMES_REMEMBERED
from segint_grpc.domain.run_times import RunTimes
from segint_grpc.domain.timeline import RunOutcome
from segint_grpc.store.database import Database, Row, Transaction
from segint_grpc.store.job_rows import times_of
from segint_grpc.store.moments import MICROSECOND
from segint_grpc.store.prepared import Prepared, slot
from segint_grpc.store.schema import JobTable, RunTable, RuntimeTable, VolumeTable

MEDIAN, P95 = 50, 95


class StatisticsStore:
    """Answers for one version, or for every version that ever had a job where `version_id` is empty."""

    def __init__(self, database: Database) -> None:
        """Ask `database`."""
        self._database = database

    def versions(self, version_id: str = "") -> dict[str, VersionStatistics]:
        """Return the statistics by version id; a version without jobs is left out."""
        wanted = JobTable.model_id == version_id if version_id else JobTable.model_id.is_null(False)
        waited = JobTable.started_at - JobTable.submitted_at
        ran = RunTable.ended_at - RunTable.started_at
        runs = RunTable.select().join(JobTable)
        with self._database.read() as transaction:
            counts = _counts(transaction, wanted)
            started = wanted & JobTable.started_at.is_null(False)
            queue = _quantiles(transaction, _ranked(JobTable.select(), waited).where(started))
            succeeded = wanted & (RunTable.outcome == RunOutcome.SUCCEEDED)
            run = _quantiles(transaction, _ranked(runs, ran).where(succeeded))
            peaks = _peaks(transaction, wanted)
        return {
            name: replace(
                _counted(name, rows),
                queue_s=queue.get(name),
                run_s=run.get(name),
                peak_memory_bytes=peaks.get(name, 0),
            )
            for name, rows in counts.items()
        }

    def volumes_ml(self, version_id: str) -> dict[str, list[float]]:
        """Return the volumes of each structure's masks, by StructureID, in the newest runs that succeeded."""
        with self._database.read() as transaction:
            rows = transaction.ask(_VOLUMES, model_id=version_id)
        volumes = defaultdict(list)
        for row in rows:
            volumes[row["structure_id"]].append(row["volume_ml"])
        return dict(volumes)

    def memory(self, version_id: str) -> list[MemoryUse]:
        """Return what the newest runs that succeeded took, leaving out where it was not measured."""
        with self._database.read() as transaction:
            return [MemoryUse(**row) for row in transaction.ask(_MEMORY, model_id=version_id)]

    def run_times(self, version_id: str) -> list[RunTimes]:
        """Return how long the newest good runs with a version's present runtime took, newest first.

        Those of jobs in a hurried setting are left out: they were shorter than usual.
        """
        with self._database.read() as transaction:
            rows = transaction.ask(_TIMES, model_id=version_id, version=version_id)
        return [RunTimes(row["voxels"], times_of(row)) for row in rows]


def _newest_runs(*columns: Any) -> Any:
    """Return the select of the newest runs that succeeded, of the version in the slot `model_id`."""
    ended = RunTable.select(*columns).join(JobTable).where(JobTable.model_id == slot(JobTable.model_id))
    succeeded = ended.where(RunTable.outcome == RunOutcome.SUCCEEDED)
    return succeeded.order_by(RunTable.id.desc()).limit(RUNS_REMEMBERED)


_MEMORY = Prepared(
    _newest_runs(RunTable.voxels, RunTable.peak_memory_bytes).where(
        RunTable.voxels > 0, RunTable.peak_memory_bytes > 0
    )
)
_TIMES = Prepared(
    _newest_runs(RunTable)
    .where(
        RunTable.voxels > 0,
        RunTable.infer_s > 0,
        JobTable.infer_share >= 1,
        RunTable.runtime_revision
        == RuntimeTable.select(RuntimeTable.revision).where(
            RuntimeTable.version == slot(RuntimeTable.version)
        ),
    )
    .limit(TIMES_REMEMBERED)
)
_VOLUMES = Prepared(
    VolumeTable.select(VolumeTable.structure_id, VolumeTable.volume_ml)
    .where(VolumeTable.run.in_(_newest_runs(RunTable.id)))
    .order_by(VolumeTable.id.desc())
)


def _counts(transaction: Transaction, wanted: Any) -> dict[str, list[Row]]:
    columns = (JobTable.model_id, JobTable.state, JobTable.error_code)
    query = JobTable.select(*columns, fn.COUNT(JobTable.id).alias("jobs")).group_by(*columns)
    counts = defaultdict(list)
    for row in transaction.rows(query.where(wanted)):
        counts[row["model_id"]].append(row)
    return counts


def _counted(version_id: str, rows: list[Row]) -> VersionStatistics:
    return VersionStatistics(
        version_id,
        jobs=sum(row["jobs"] for row in rows),
        succeeded=_of_state(rows, JobState.SUCCEEDED),
        cancelled=_of_state(rows, JobState.CANCELLED),
        failures={row["error_code"]: row["jobs"] for row in rows if row["state"] == JobState.FAILED},
    )


def _of_state(rows: list[Row], state: JobState) -> int:
    return sum(row["jobs"] for row in rows if row["state"] == state)


def _ranked(source: Any, duration: Any) -> Any:
    """Return each duration, in microseconds, with its place among its version's and how many these are."""
    apart = {"partition_by": [JobTable.model_id]}
    columns = (
        JobTable.model_id.alias("version_id"),
        duration.alias("duration"),
        fn.ROW_NUMBER().over(**apart, order_by=[duration]).alias("place"),
        fn.COUNT(JobTable.id).over(**apart).alias("total"),
    )
    return source.select(*columns)


def _quantiles(transaction: Transaction, ranked: Any) -> dict[str, Quantiles]:
    """Return the quantiles of `ranked` by version, by nearest rank: the first place that p percent reach."""
    found = {}
    for percent in (MEDIAN, P95):
        reached = (ranked.c.place * 100 >= percent * ranked.c.total) & (
            (ranked.c.place - 1) * 100 < percent * ranked.c.total
        )
        query = Select([ranked], [ranked.c.version_id, ranked.c.duration]).where(reached)
        found[percent] = {row["version_id"]: row["duration"] for row in transaction.rows(query)}
    return {
        version_id: Quantiles(_seconds(median), _seconds(found[P95][version_id]))
        for version_id, median in found[MEDIAN].items()
    }


def _peaks(transaction: Transaction, wanted: Any) -> dict[str, int]:
    peak = fn.MAX(RunTable.peak_memory_bytes).alias("peak")
    query = RunTable.select(JobTable.model_id, peak).join(JobTable).group_by(JobTable.model_id)
    return {row["model_id"]: row["peak"] for row in transaction.rows(query.where(wanted))}


def _seconds(microseconds: int) -> float:
    return (microseconds * MICROSECOND).total_seconds()
