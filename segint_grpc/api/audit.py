"""segint.v1.Audit: converts, calls the service, converts back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from generated.segint.v1 import audit_pb2, audit_pb2_grpc
from segint_grpc import errors
from segint_grpc.api import paging
from segint_grpc.api.timestamps import moment_in, timestamp
from segint_grpc.domain.audit import AuditFilter, Head, Record
from segint_grpc.service.audit_reading import AuditReading, Verdict

Context = grpc.aio.ServicerContext[Any, Any]

_HASH = re.compile(r"[0-9a-f]{64}")


class AuditServicer(audit_pb2_grpc.AuditServicer):
    """The audit log, to read and to verify."""

    def __init__(self, audit: AuditReading) -> None:
        """Answer from the service."""
        self._audit = audit

    async def ListAudit(
        self, request: audit_pb2.ListAuditRequest, context: Context
    ) -> audit_pb2.ListAuditResponse:
        """List records."""
        size, before = paging.size_of(request.page_size), paging.number_of(request.page_token)
        records = await self._audit.page(_filter(request.filter), before, size + 1)
        page = paging.cut(records, size, _record, lambda record: paging.number_token(record.seq))
        return audit_pb2.ListAuditResponse(records=page.messages, next_page_token=page.next_token)

    async def VerifyAudit(
        self, request: audit_pb2.VerifyAuditRequest, context: Context
    ) -> AsyncIterator[audit_pb2.VerifyAuditResponse]:
        """Verify the chain."""
        noted = _noted(request.head) if request.HasField("head") else None
        async with aclosing(self._audit.verify(noted)) as looks:
            async for look in looks:
                answer = audit_pb2.VerifyAuditResponse(seen=look.seen, total=look.total)
                if look.verdict:
                    answer.verdict.CopyFrom(_verdict(look.verdict))
                yield answer


def _filter(message: audit_pb2.AuditFilter) -> AuditFilter:
    return AuditFilter(
        principal=message.principal,
        act=message.act,
        object_id=message.object_id,
        since=moment_in(message, "since"),
        before=moment_in(message, "before"),
    )


def _noted(message: audit_pb2.AuditHead) -> Head:
    if not message.seq or not _HASH.fullmatch(message.hash):
        raise errors.InvalidFields(
            {"head": "Give the number of a record, from 1 on, and its hash of 64 hexadecimal digits."}
        )
    return Head(message.seq, message.hash)


def _record(record: Record) -> audit_pb2.AuditRecord:
    entry = record.entry
    return audit_pb2.AuditRecord(
        seq=record.seq,
        at=timestamp(entry.at),
        principal=entry.principal,
        address=entry.address,
        door=entry.door,
        act=entry.act,
        kind=entry.kind,
        object_id=entry.object_id,
        outcome=entry.outcome,
        request_id=entry.request_id,
        details=entry.details,
        previous=record.previous,
        hash=record.hash,
    )


def _head(head: Head) -> audit_pb2.AuditHead:
    return audit_pb2.AuditHead(seq=head.seq, hash=head.hash)


def _verdict(verdict: Verdict) -> audit_pb2.AuditVerdict:
    return audit_pb2.AuditVerdict(
        whole=verdict.finding is None,
        broken_seq=verdict.finding.seq if verdict.finding else 0,
        problem=verdict.finding.problem if verdict.finding else "",
        head=_head(verdict.head),
        anchor=_head(verdict.anchor),
        forwarded=_head(verdict.forwarded),
        head_too_old=verdict.head_too_old,
    )
