"""The audit log as administrators read it: in pages, and verified from end to end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

from segint_grpc.domain.audit import AuditFilter, Head, Record
from segint_grpc.domain.audit_check import Finding
from segint_grpc.service.context import ServiceContext
from segint_grpc.store.audit import Looked


@dataclass(frozen=True)
class Verdict:
    """What a verification has found."""

    finding: Finding | None
    head: Head
    anchor: Head
    forwarded: Head
    head_too_old: bool


@dataclass(frozen=True)
class Look:
    """How far a verification is; with its verdict at the end."""

    seen: int
    total: int
    verdict: Verdict | None = None


class AuditReading:
    """Reads and verifies."""

    def __init__(self, context: ServiceContext) -> None:
        """Ask the store of `context`."""
        self._audit = context.store.audit
        self._hop = context.hop

    async def page(self, wanted: AuditFilter, before_seq: int, limit: int) -> list[Record]:
        """Return up to `limit` records, newest first; under the number `before_seq`, where it is not 0."""
        return await self._hop.run(self._audit.page, wanted, before_seq, limit)

    async def verify(self, noted: Head | None) -> AsyncGenerator[Look, None]:
        """Look at every record, a batch at a time; the last word has the verdict.

        `noted` is a head that was written down elsewhere. The last record that was forwarded counts as one.
        """
        anchor, forwarded = await self._hop.run(self._audit.places)
        heads = [head for head in (noted, forwarded) if head and head.seq]
        looks = self._audit.check(*heads)
        looked = Looked(0, 0, anchor)
        while (following := await self._hop.run(_next, looks)) is not None:
            looked = following
            yield Look(looked.seen, looked.total)
        too_old = noted is not None and noted.seq in looked.unseen
        verdict = Verdict(looked.finding, looked.head, anchor, forwarded, too_old)
        yield Look(looked.seen, looked.total, verdict)


def _next(looks: Iterator[Looked]) -> Looked | None:
    return next(looks, None)
