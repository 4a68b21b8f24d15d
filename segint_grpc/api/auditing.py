"""What the interceptor tells the audit log of each RPC: the request, the first answer, and how it ended."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import reduce
from typing import Any

from segint_grpc import errors
from segint_grpc.api.audit_rows import Row, When, row_of
from segint_grpc.api.refusals import RefusalTally
from segint_grpc.api.status import status_of
from segint_grpc.domain.access import Caller, current
from segint_grpc.domain.audit import BEGUN, LEFT, OK, Entry
from segint_grpc.domain.jobs import parse_job_id
from segint_grpc.networks import origin_of
from segint_grpc.service.audit_log import AuditLog

REPEATED_S = 60.0
REFUSED = "access.refused"
REFUSALS_MAX = 20
"""Refusals of one kind that one address gets recorded one by one within a minute: more than bad tokens it
can show, unless `bad_tokens_max` lets it show more, so that each of those is recorded."""

_VIEWS_MAX = 10_000


class Trace:
    """One RPC, of which nothing is recorded; `RecordedTrace` is one of which something is."""

    async def asked(self, request: Any) -> None:
        """Be told of a request, before the handler sees it. Raises what `AuditLog.write` does."""

    async def answered(self, answer: Any) -> None:
        """Be told of an answer, before it goes out. Raises what `AuditLog.write` does."""

    async def failed(self, status: str) -> None:
        """Be told that the RPC ends with a gRPC status, by its name."""

    async def ended(self) -> None:
        """Be told that the RPC ends well."""

    def left(self) -> None:
        """Be told that the caller went away, or the server stops, in the middle."""


class Auditor:
    """Gives each RPC its trace, and records refused credentials. Lives on the event loop's thread."""

    def __init__(self, log: AuditLog) -> None:
        """Record in `log`."""
        self._log = log
        self._viewed: dict[tuple[str, ...], float] = {}
        self._refusals = RefusalTally()

    def trace(self, method: str) -> Trace:
        """Return the trace of an RPC of `method`, `/package.Service/Method`, by the caller that is set."""
        row = row_of(method.strip("/"))
        return Trace() if row is None else RecordedTrace(self, self._log, row)

    async def refused(self, method: str, caller: Caller, error: errors.SegIntError) -> None:
        """Record that `caller` was turned away with `error`; never what the caller showed.

        Of those that come faster than so many a minute, the rest is counted, and told in the next record;
        who is slowed down for showing bad tokens again and again is recorded once a minute.
        """
        kind = (type(error), caller.principal, origin_of(caller.address), caller.door)
        slowed = isinstance(error, errors.TooOften)
        unrecorded = self._refusals.count(kind, 1 if slowed else REFUSALS_MAX)
        if unrecorded is None:
            return
        facts = {"reason": status_of(error).name, "unrecorded": unrecorded or None}
        facts["token"] = "bad" if slowed or isinstance(error, errors.BadToken) else None
        entry = self._log.entry(caller, REFUSED, "rpc", method.strip("/"), **facts)
        await self._log.write(replace(entry, outcome="refused"))

    async def viewed(self, entry: Entry) -> None:
        """Record a view, unless the same one was recorded a minute ago or less."""
        key = (entry.act, entry.object_id, entry.principal, entry.address, entry.door)
        now = time.monotonic()
        if now - self._viewed.get(key, -REPEATED_S) < REPEATED_S:
            return
        await self._log.write(entry)
        if len(self._viewed) >= _VIEWS_MAX:
            self._viewed.clear()
        self._viewed[key] = now


class RecordedTrace(Trace):
    """One RPC that the table has a row for."""

    def __init__(self, auditor: Auditor, log: AuditLog, row: Row) -> None:
        """Record into `log` what `row` says."""
        self._auditor = auditor
        self._log = log
        self._row = row
        self._caller = current.get()
        self._object_id = ""
        self._details: dict[str, str] = {}
        self._asked = self._told = False

    async def asked(self, request: Any) -> None:
        """Take the object's id from the first request; record a change before it is made."""
        if self._asked:
            return
        self._asked = True
        self._object_id = self._id_at(request, self._row.request)
        self._details = {name: text_at(request, path) for name, path in self._row.facts.items()}
        if self._row.when is When.CHANGE:
            await self._log.write(self._entry(BEGUN))

    async def answered(self, answer: Any) -> None:
        """Take the object's id from the first answer; record a read before it goes out."""
        self._object_id = self._object_id or self._id_at(answer, self._row.answer)
        if self._row.when is When.READ and not self._told:
            self._told = True
            await self._read()

    async def failed(self, status: str) -> None:
        """Record what was refused, or broke off."""
        self._told = True
        await self._log.post(self._entry(status))

    async def ended(self) -> None:
        """Record the outcome of a change, and a read that gave nothing."""
        if self._row.when is When.CHANGE:
            await self._log.post(self._entry(OK))
        elif not self._told:
            await self.answered(None)

    def left(self) -> None:
        """Record that the caller went away from a change; what it read is recorded, or did not go out."""
        if self._asked and self._row.when is not When.READ:
            self._log.post_soon(self._entry(LEFT))

    async def _read(self) -> None:
        record = self._auditor.viewed if self._row.repeats else self._log.write
        await record(self._entry(OK))

    def _entry(self, outcome: str) -> Entry:
        row, details = self._row, self._details
        entry = self._log.entry(self._caller, row.act, row.kind, self._object_id, **details)
        return replace(entry, outcome=outcome)

    def _id_at(self, message: Any, path: str) -> str:
        """Return the id at `path`; of a job only what is one, so that nothing else gets into the log."""
        text = text_at(message, path)
        if self._row.kind != "job" or not text:
            return text
        try:
            return parse_job_id(text)
        except errors.UnknownJob:
            return "(no job's id)"


def text_at(message: Any, path: str) -> str:
    """Return the field at `path` (`a.b`) as text; an empty one, or one that is false or 0, as nothing."""
    if not path or message is None:
        return ""
    *parents, name = path.split(".")
    owner = reduce(lambda found, parent: getattr(found, parent, None), parents, message)
    value = getattr(owner, name, "")
    if value in (False, 0):
        return ""
    return "yes" if value is True else _name_of(owner, name, value)


def _name_of(owner: Any, name: str, value: Any) -> str:
    """Return the value of a field as text, one of an enum by its name."""
    descriptor = getattr(owner, "DESCRIPTOR", None)
    field = descriptor.fields_by_name.get(name) if descriptor else None
    enum = field.enum_type if field else None
    named = enum.values_by_number.get(value) if enum else None
    return named.name if named else str(value)
