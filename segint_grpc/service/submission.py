"""A scan is posted: admitted, spooled, made durable, acknowledged; then its voxels are checked.

The acknowledgement means that the body is on disk under its job's name and the job is in the database,
in that order, so a server that dies between the two leaves an orphan file and never a job without a body.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from generated.radiomics import Model_pb2
from segint_grpc import errors, logs
from segint_grpc.domain import access
from segint_grpc.domain.handling import shapes_the_input
from segint_grpc.domain.jobs import Job, NewJob, new_job_id
from segint_grpc.domain.memory_need import MemoryModel
from segint_grpc.pace import Pace, TooSlow
from segint_grpc.service.audit_log import entry_now
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.hop import Hop
from segint_grpc.service.intake import Intake, body_too_large
from segint_grpc.service.memory_fit import MemoryFit
from segint_grpc.service.models import Models, ResolvedModel
from segint_grpc.service.post_rate import PostRate
from segint_grpc.service.suitability import check_constraints, check_geometry, match_channels, policies
from segint_grpc.service.time_fit import Allowance, TimeFit
from segint_grpc.service.unpacking import Unpacking

log = logging.getLogger(__name__)

CLIENT_VERSION_MAX = 64
CALLER_MAX = 128


@dataclass(frozen=True)
class Posting:
    """Who posts a scan for which version, and how long the body will be, where that is known."""

    model_id: str
    caller: str
    size_bytes: int | None = None
    owner: str = ""
    """The principal whose job it will be; empty: of whoever posts it, whose limits then count."""


@dataclass(frozen=True)
class _Arrival:
    """A posting on its way to becoming the job `job_id` of `model`."""

    posting: Posting
    model: ResolvedModel
    job_id: str
    submitted_at: datetime
    allowance: Allowance
    memory: MemoryModel | None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)


class Submissions:
    """Takes scans in."""

    def __init__(
        self,
        context: ServiceContext,
        models: Models,
        unpacking: Unpacking,
        memory: MemoryFit,
        time: TimeFit,
    ) -> None:
        """Work on the store; `unpacking` takes over each accepted job, `memory` and `time` refuse others."""
        self._store = context.store
        self._figures = context.figures
        self._history = context.history
        self._settings = context.settings
        self._models = models
        self._unpacking = unpacking
        self._memory = memory
        self._time = time
        self._hop = Hop("segint-intake", threads=8)
        self._unfinished_at_most = context.settings.queue_max
        self._arriving = 0
        self._rate = PostRate()

    async def submit(self, posting: Posting, chunks: AsyncIterator[bytes]) -> tuple[Job, bool]:
        """Return the job for the body in `chunks`, and whether the same post was already under way.

        Raises:
            UnknownModel: no such version is offered.
            TooLarge, Exhausted: a limit is reached, or would be by the job's end; nothing is kept.
            UnparsableMessage, UnusableInput: the body is no scan for this model; nothing is kept.
            InvalidRequest: the body took longer than its job may.
        """
        model = await self._models.resolve(posting.model_id)
        if not posting.owner:
            self._rate.count(access.current.get())
        submitted_at = datetime.now(UTC)
        job_id = new_job_id()
        logs.job_id.set(job_id)
        async with self._intake(posting, job_id) as intake:
            last = await self._take(posting, intake, chunks)
            allowance = await self._time.allowance(posting.model_id)
            memory = await self._history.memory(posting.model_id)
            arrival = _Arrival(posting, model, job_id, submitted_at, allowance, memory)
            job, repeated, message = await self._hop.complete(self._conclude, arrival, intake, last)
            if not repeated:
                self._unfinished_at_most += 1
                self._time.reckon_with(job, allowance)
                self._unpacking.begin(job, message, intake.decoder)
        facts = {"accepted_as": job.id, "repeated": repeated, "bytes": job.body_bytes}
        log.info("scan accepted", extra=facts)
        return job, repeated

    @asynccontextmanager
    async def _intake(self, posting: Posting, job_id: str) -> AsyncIterator[Intake]:
        """Open an intake for what is admitted; whatever ends it early leaves no file behind."""
        self._arriving += 1
        try:
            intake = await self._hop.complete(self._open, posting, job_id)
            try:
                yield intake
            except BaseException:
                await self._hop.complete(intake.discard)
                raise
        finally:
            self._arriving -= 1

    async def _take(self, posting: Posting, intake: Intake, chunks: AsyncIterator[bytes]) -> bytes:
        """Take the body in, all but the chunk that makes it as long as announced, which is returned.

        What comes after the last chunk then takes one hop with it. The time that a body may take is the
        job's: it counts from the first byte.
        """
        limit_s = self._settings.job_deadline_s
        arrived_bytes, held = 0, b""
        try:
            async with asyncio.timeout(limit_s):
                async for chunk in chunks if _is_paced() else self._paced(chunks):
                    arrived_bytes += len(chunk)
                    self._figures.bytes_received += len(chunk)
                    if arrived_bytes == posting.size_bytes:
                        held += chunk
                        continue
                    await self._hop.run(intake.take, held + chunk)
                    held = b""
        except TimeoutError:
            raise errors.InvalidRequest(f"The body did not arrive within {limit_s:.0f} s.") from None
        except TooSlow as slow:
            raise errors.InvalidRequest(str(slow)) from None
        return held

    def _conclude(
        self, arrival: _Arrival, intake: Intake, last: bytes
    ) -> tuple[Job, bool, Model_pb2.ModelInput]:
        """Take the body's last chunk, check the whole and keep it: what follows the last byte, in one hop."""
        posting = arrival.posting
        if last:
            intake.take(last)
        if posting.size_bytes not in (None, intake.size_bytes):
            # A caller that goes away looks like one that is done.
            raise errors.UnparsableMessage(
                f"The body ended after {intake.size_bytes} of the {posting.size_bytes} bytes announced."
            )
        message, warnings = self._check(intake, arrival)
        new = NewJob(
            id=arrival.job_id,
            model_id=posting.model_id,
            caller=posting.caller[:CALLER_MAX],
            body_sha256=intake.sha256,
            body_bytes=intake.size_bytes,
            client_version=message.ClientInformation.SoftwareVersion[:CLIENT_VERSION_MAX],
            request_id=logs.request_id.get(),
            submitted_at=arrival.submitted_at,
            deadline_at=arrival.submitted_at + timedelta(seconds=self._deadline_s(arrival.model)),
            warnings=warnings,
            owner=posting.owner or access.current.get().principal,
            voxels=self._memory.voxels(message),
        )
        return *self._keep(intake, self._in_time(new, arrival)), message

    async def _paced(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield `chunks` as long as they come fast enough."""
        pace = Pace(self._settings.silence_s, self._settings.body_rate_min_bytes)
        with suppress(StopAsyncIteration):
            while True:
                yield await pace.wait(anext(chunks))

    def _check(self, intake: Intake, arrival: _Arrival) -> tuple[Model_pb2.ModelInput, tuple[str, ...]]:
        """Return what was posted, and what is worth a warning about it; raises what `submit` does of both."""
        message = intake.message()
        warnings = tuple(fit(message, arrival.model))
        own_limit_bytes = arrival.model.handling.limits.memory_bytes
        self._memory.check(message, arrival.posting.model_id, arrival.memory, own_limit_bytes)
        return message, warnings

    def _open(self, posting: Posting, job_id: str) -> Intake:
        """Open an intake unless the body could not be kept, which is told before it is read."""
        self._admit(posting)
        return Intake(job_id, self._store, self._settings)

    def _in_time(self, new: NewJob, arrival: _Arrival) -> NewJob:
        """Return the job in the setting in which it ends in time.

        One that cannot is refused, unless it is one that was taken before, posted again.
        """
        if arrival.allowance.permits(new):
            return new
        try:
            # Rare, and worth a second look at the queue, which only the event loop can take.
            checked = self._time.check(new, arrival.model.handling)
            return asyncio.run_coroutine_threadsafe(checked, arrival.loop).result()
        except (errors.TakesTooLong, errors.QueueTooLong):
            if not self._store.jobs.posted_before(new):
                raise
            return new

    def _deadline_s(self, model: ResolvedModel) -> float:
        """Return how long a job may take: what the model's manifest says, never more than the server."""
        own_s = model.handling.limits.deadline_s
        return min(own_s or self._settings.job_deadline_s, self._settings.job_deadline_s)

    def _admit(self, posting: Posting) -> None:
        """Refuse what could not be kept; `posting` counts as arriving."""
        settings = self._settings
        size_bytes = posting.size_bytes or 0
        if size_bytes > settings.upload_max_bytes:
            raise body_too_large(settings.upload_max_bytes)
        if self._unfinished() + self._arriving > settings.queue_max:
            raise errors.QueueFull(
                f"{settings.queue_max} jobs are unfinished or arriving, the most allowed; try again later."
            )
        free_bytes = self._store.media.free_bytes()
        if free_bytes < settings.free_disk_min_bytes + size_bytes:
            raise errors.DiskFull("Too little disk is free for another scan; the operator must make room.")

    def _unfinished(self) -> int:
        """Return how many jobs are unfinished at most: those last counted, and those that came since.

        They are counted anew where that is too many, so hardly any post asks the database.
        """
        if self._unfinished_at_most + self._arriving > self._settings.queue_max:
            self._unfinished_at_most = self._store.jobs.unfinished_count()
        return self._unfinished_at_most

    def _keep(self, intake: Intake, new: NewJob) -> tuple[Job, bool]:
        """Make the body durable, then the job; take the body back where there is no new job."""
        kept = False
        try:
            intake.keep()
            caller = access.current.get()
            owner_max = caller.limits.jobs_max if caller.principal == new.owner else 0
            entry = entry_now(self._store, "scan.submit", "job", new.id, model=new.model_id)
            job, repeated = self._store.jobs.receive(new, self._settings.queue_max, owner_max, entry)
            kept = not repeated
        finally:
            if not kept:
                self._store.media.remove_body(new.id)
                intake.discard()
        return job, repeated

    def close(self) -> None:
        """Wait for what has begun."""
        self._hop.__exit__(None, None, None)


def _is_paced() -> bool:
    """Return whether the gateway sends the body: by the same settings it has judged it already."""
    return access.current.get().door is access.Door.GATEWAY_SOCKET


def fit(message: Model_pb2.ModelInput, model: ResolvedModel) -> list[str]:
    """Return what is worth a warning about `message` as an input of `model`.

    Raises:
        UnusableInput: the scan's channels or geometry are not what the model takes.
    """
    expected = model.family.FamilyDescription.InputChannels
    sent_ids = [channel.ChannelID for channel in message.Channels]
    order, warnings = match_channels(sent_ids, [channel.ChannelID for channel in expected])
    sent = [message.Channels[index] for index in order]
    handling = model.handling
    expected_ids = [channel.ChannelID for channel in expected]
    warnings += check_geometry(sent, expected_ids, needed=shapes_the_input(handling))
    return warnings + check_constraints(sent, expected, policies(model.policy, handling.limits))
