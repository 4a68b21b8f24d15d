"""segint.v1.Audit as an administrator uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generated.segint.v1 import audit_pb2
from generated.segint.v1.audit_pb2_grpc import AuditStub
from segint_grpc import errors
from segint_grpc.client.connection import DEADLINE_S, Connection, Place

PAGE_SIZE = 200


class AuditTrail(Connection):
    """A connection to the server at one place for its audit log; raises as `Connection` says."""

    def __init__(self, place: Place) -> None:
        """Prepare to talk to the server at `place`."""
        super().__init__(place)
        self._audit = AuditStub(self._channel)

    def records(self, wanted: audit_pb2.AuditFilter) -> Iterator[audit_pb2.AuditRecord]:
        """Yield the records that `wanted` asks for, newest first, asking for a page when one is needed."""
        request = audit_pb2.ListAuditRequest(filter=wanted, page_size=PAGE_SIZE)
        more = True
        while more:
            with self._told():
                page = self._audit.ListAudit(request, timeout=DEADLINE_S)
            yield from page.records
            request.page_token = page.next_page_token
            more = bool(page.next_page_token)

    def verify(
        self, noted: audit_pb2.AuditHead | None, progress: Callable[[int, int], None]
    ) -> audit_pb2.AuditVerdict:
        """Return what a verification of the whole chain finds; `progress` is told how many of how many."""
        with self._told():
            for answer in self._audit.VerifyAudit(audit_pb2.VerifyAuditRequest(head=noted)):
                progress(answer.seen, answer.total)
                if answer.HasField("verdict"):
                    return answer.verdict
        raise errors.ServerUnreachable("The server ended before it had looked at the whole log; try again.")
