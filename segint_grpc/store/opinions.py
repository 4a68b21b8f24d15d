"""What users and clients say of a segmentation: kept as it was sent, and treated as patient data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from peewee import JOIN

from segint_grpc import errors
from segint_grpc.domain.audit import Entry
from segint_grpc.domain.jobs import parse_job_id
from segint_grpc.domain.opinions import Opinion
from segint_grpc.store import audit_chain
from segint_grpc.store.database import Database, Row, Transaction
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

    def add(
        self,
        kind: OpinionKind,
        segmentation_id: str,
        body: bytes,
        owner: str | None = None,
        entry: Entry | None = None,
    ) -> bool:
        """Keep the serialized message `body`; return whether `segmentation_id` is a job here.

        Where `owner` is given, only a job of that principal is known. It is recorded as `entry` in the same
        transaction.
        """
        with self._database.write() as transaction:
            job_id = _known_job(transaction, segmentation_id, owner)
            transaction.change(
                OpinionTable.insert(
                    kind=kind, job=job_id, segmentation_id=segmentation_id, body=body, received_at=self._now()
                )
            )
            if entry:
                audit_chain.append(transaction, [replace(entry, object_id=job_id or "")])
        return job_id is not None

    def page(
        self, kind: OpinionKind, model_id: str, received_from: datetime | None, after: int, limit: int
    ) -> list[Opinion]:
        """Return up to `limit` messages of `kind`, newest first, those on unknown jobs included.

        Where they are given: of one model's jobs, received from a moment on, and from behind the number
        `after` on.
        """
        conditions = [OpinionTable.kind == kind]
        if model_id:
            conditions.append(JobTable.model_id == model_id)
        if received_from:
            conditions.append(OpinionTable.received_at >= received_from)
        if after:
            conditions.append(OpinionTable.id < after)
        query = OpinionTable.select(OpinionTable, JobTable.model_id).join(JobTable, JOIN.LEFT_OUTER)
        query = query.where(*conditions).order_by(OpinionTable.id.desc()).limit(limit)
        with self._database.read() as transaction:
            return [_opinion(row) for row in transaction.rows(query)]

    def bodies(self, kind: OpinionKind, job_id: str) -> list[bytes]:
        """Return the messages of `kind` on a job, oldest first; none where the job is unknown."""
        with self._database.read() as transaction:
            known = _known_job(transaction, job_id)
            if known is None:
                return []
            query = OpinionTable.select().where(OpinionTable.kind == kind, OpinionTable.job == known)
            return [bytes(row["body"]) for row in transaction.rows(query.order_by(OpinionTable.id))]


def _opinion(row: Row) -> Opinion:
    return Opinion(
        number=row["id"],
        received_at=row["received_at"],
        segmentation_id=row["segmentation_id"],
        model_id=row["model_id"] or "",
        body=bytes(row["body"]),
    )


def _known_job(transaction: Transaction, segmentation_id: str, owner: str | None = None) -> str | None:
    try:
        job_id = parse_job_id(segmentation_id)
    except errors.UnknownJob:
        return None
    row = transaction.row(JobTable.select(JobTable.id, JobTable.owner).where(JobTable.id == job_id))
    return str(row["id"]) if row and owner in (None, row["owner"]) else None
