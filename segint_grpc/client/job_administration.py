"""segint.v1.Jobs as an operator uses it."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from google.protobuf.timestamp_pb2 import Timestamp

from generated.segint.v1 import job_pb2, jobs_pb2, segmentation_pb2
from generated.segint.v1.jobs_pb2_grpc import JobsStub
from generated.segint.v1.segmentation_pb2_grpc import SegmentationStub
from segint_grpc import errors
from segint_grpc.client.connection import DEADLINE_S, Connection, Place

PAGE_SIZE = 200

Progress = Callable[[int], None]
"""Told of the bytes of each chunk that has come."""


class JobAdministration(Connection):
    """A connection to one server for its jobs; raises as `Connection` says."""

    def __init__(self, place: Place) -> None:
        """Prepare to talk to the server at `place`."""
        super().__init__(place)
        self._jobs = JobsStub(self._channel)
        self._segmentation = SegmentationStub(self._channel)

    def jobs(self, wanted: jobs_pb2.JobFilter) -> Iterator[jobs_pb2.JobSummary]:
        """Yield the jobs that `wanted` asks for, newest first, asking for a page when one is needed."""
        request = jobs_pb2.ListJobsRequest(filter=wanted, page_size=PAGE_SIZE)
        more = True
        while more:
            with self._told():
                page = self._jobs.ListJobs(request, timeout=DEADLINE_S)
            yield from page.jobs
            request.page_token = page.next_page_token
            more = bool(page.next_page_token)

    def job(self, job_id: str) -> jobs_pb2.GetJobResponse:
        """Return a job with its timeline and runs."""
        with self._told():
            return self._jobs.GetJob(jobs_pb2.GetJobRequest(segmentation_id=job_id), timeout=DEADLINE_S)

    def follow(self, wanted: jobs_pb2.JobFilter) -> Iterator[Sequence[job_pb2.JobProgress]]:
        """Yield the jobs that `wanted` asks for as they are, then what changes of them, without an end."""
        with self._told():
            for news in self._jobs.FollowJobs(jobs_pb2.FollowJobsRequest(filter=wanted)):
                yield news.jobs

    def follow_one(self, job_id: str) -> Iterator[job_pb2.JobProgress]:
        """Yield a job as it is, then every change of it up to and with its end."""
        request = segmentation_pb2.WatchProgressRequest(segmentation_id=job_id)
        with self._told():
            for news in self._segmentation.WatchProgress(request):
                yield news.job

    def cancel(self, job_id: str) -> job_pb2.JobProgress:
        """End a job; one that has ended stays as it is."""
        with self._told():
            return self._jobs.CancelJob(
                jobs_pb2.CancelJobRequest(segmentation_id=job_id), timeout=DEADLINE_S
            ).job

    def retry(self, job_id: str, model_id: str = "") -> job_pb2.JobProgress:
        """Run a job's stored input again, for the same version or for `model_id`; return the new job."""
        request = jobs_pb2.RetryJobRequest(segmentation_id=job_id, model_id=model_id)
        with self._told():
            # As long as it takes: the server checks a whole scan again before it answers.
            return self._jobs.RetryJob(request).job

    def delete(self, job_id: str) -> None:
        """Remove an ended job and all that belongs to it."""
        with self._told():
            self._jobs.DeleteJob(jobs_pb2.DeleteJobRequest(segmentation_id=job_id), timeout=DEADLINE_S)

    def save_input(self, job_id: str, path: Path, progress: Progress) -> jobs_pb2.InputHeader:
        """Write a job's posted ModelInput to `path`, private to the user, once it has arrived whole.

        Raises:
            Unwritable: there is such a file already, or it cannot be written.
        """
        if path.exists():
            raise errors.Unwritable(f"{path} is there already; choose another file with --out.")
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                header = self._receive_input(job_id, file, progress)
            temporary.replace(path)
        except OSError as error:
            raise errors.Unwritable(f"{path} cannot be written ({error.strerror}).") from None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        return header

    def feedback(self, model_id: str, since: datetime | None) -> Iterator[jobs_pb2.Feedback]:
        """Yield the feedback from `since` on, newest first, on the jobs of `model_id` or (empty) on all."""
        request = jobs_pb2.ListFeedbackRequest(
            model_id=model_id, received_after=timestamp(since), page_size=PAGE_SIZE
        )
        more = True
        while more:
            with self._told():
                page = self._jobs.ListFeedback(request, timeout=DEADLINE_S)
            yield from page.feedback
            request.page_token = page.next_page_token
            more = bool(page.next_page_token)

    def telemetry(self, model_id: str, since: datetime | None) -> Iterator[jobs_pb2.Telemetry]:
        """Yield the telemetry, as `feedback` does."""
        request = jobs_pb2.ListTelemetryRequest(
            model_id=model_id, received_after=timestamp(since), page_size=PAGE_SIZE
        )
        more = True
        while more:
            with self._told():
                page = self._jobs.ListTelemetry(request, timeout=DEADLINE_S)
            yield from page.telemetry
            request.page_token = page.next_page_token
            more = bool(page.next_page_token)

    def _receive_input(self, job_id: str, file: BinaryIO, progress: Progress) -> jobs_pb2.InputHeader:
        """Write the body to `file`; raises ServerUnreachable where it does not arrive whole."""
        header, digest = jobs_pb2.InputHeader(), hashlib.sha256()
        with self._told():
            for part in self._jobs.GetInput(jobs_pb2.GetInputRequest(segmentation_id=job_id)):
                if part.HasField("header"):
                    header = part.header
                file.write(part.chunk)
                digest.update(part.chunk)
                progress(len(part.chunk))
        if (file.tell(), digest.hexdigest()) != (header.size_bytes, header.sha256):
            raise errors.ServerUnreachable("The scan did not arrive as the server has it; fetch it again.")
        return header


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Return `moment` (aware) as protobuf's Timestamp, None for None."""
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment)
    return message
