"""What users and clients say of a segmentation: kept as it was sent, and treated as patient data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from segint_grpc import errors
from segint_grpc.domain.jobs import parse_job_id
from segint_grpc.store.database import Database, Transaction
from segint_grpc.store.schema import JobTable, OpinionTable


class OpinionKind(StrEnum):
    """Which message it is: Radiomics.SegmentationFeedback or Radiomics.SegmentationTelemetry."""

    FEEDBACK = "feedback"
    TELEMETRY = "telemetry"


class OpinionStore:
    """Feedback and telemetry."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Keep them in `database`, with the time that `now` tells (aware, UTC)."""
        self._database = database
        self._now = now

    def add(self, kind: OpinionKind, segmentation_id: str, body: bytes) -> bool:
        """Keep the serialized message `body`; return whether `segmentation_id` is a job here."""
        with self._database.write() as transaction:
            job_id = _known_job(transaction, segmentation_id)
            transaction.change(
                OpinionTable.insert(
                    kind=kind, job=job_id, segmentation_id=segmentation_id, body=body, received_at=self._now()
                )
            )
        return job_id is not None

    def bodies(self, kind: OpinionKind, job_id: str) -> list[bytes]:
        """Return the messages of `kind` on a job, oldest first; none where the job is unknown."""
        with self._database.read() as transaction:
            known = _known_job(transaction, job_id)
            if known is None:
                return []
            query = OpinionTable.select().where(OpinionTable.kind == kind, OpinionTable.job == known)
            return [bytes(row["body"]) for row in transaction.rows(query.order_by(OpinionTable.id))]


def _known_job(transaction: Transaction, segmentation_id: str) -> str | None:
    try:
        job_id = parse_job_id(segmentation_id)
    except errors.UnknownJob:
        return None
    row = transaction.row(JobTable.select(JobTable.id).where(JobTable.id == job_id))
    return str(row["id"]) if row else None
