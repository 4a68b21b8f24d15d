"""segint.v1.Jobs, asked over the unix socket of a whole core."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from generated.radiomics.Model_pb2 import (
    ClientInformation,
    SegmentationFeedback,
    SegmentationTelemetry,
    StructureComment,
)
from generated.radiomics.Primitives3D_pb2 import DoubleValue
from generated.segint.v1 import job_pb2, jobs_pb2, segmentation_pb2
from generated.segint.v1.jobs_pb2_grpc import JobsStub
from segint_grpc.domain.jobs import new_job_id
from tests.acceptance.velocity import channel, scan
from tests.fakes.cores import SAMPLE, RunningCore, running_core
from tests.fakes.stores import make_home

BODY = scan(channel(np.zeros((4, 8, 16), np.int16))).SerializeToString()
SUCCEEDED, FAILED, CANCELLED = (
    job_pb2.JOB_STATE_SUCCEEDED,
    job_pb2.JOB_STATE_FAILED,
    job_pb2.JOB_STATE_CANCELLED,
)


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    async with running_core(make_home(tmp_path)) as core:
        yield core


async def refusal_of(call: Any) -> tuple[str, str]:
    """Return the status that `call` ends with, by name, and its details."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (call if not hasattr(call, "read") else call.read())
    return caught.value.code().name, caught.value.details() or ""


async def story(core: RunningCore, job_id: str) -> jobs_pb2.GetJobResponse:
    return await core.jobs.GetJob(jobs_pb2.GetJobRequest(segmentation_id=job_id))


async def ids(core: RunningCore, **wanted: Any) -> list[str]:
    request = jobs_pb2.ListJobsRequest(filter=jobs_pb2.JobFilter(**wanted))
    return [line.job.segmentation_id for line in (await core.jobs.ListJobs(request)).jobs]


async def test_jobs_are_listed_a_page_at_a_time_newest_first(core: RunningCore) -> None:
    made = [core.add_waiting().id for _ in range(5)]
    token, told, lengths = "", list[str](), list[int]()
    while token or not told:
        request = jobs_pb2.ListJobsRequest(page_size=2, page_token=token)
        page = await core.jobs.ListJobs(request)
        lengths.append(len(page.jobs))
        told += [line.job.segmentation_id for line in page.jobs]
        assert [line.job.jobs_ahead for line in page.jobs] == [
            made.index(line.job.segmentation_id) for line in page.jobs
        ]
        token = page.next_page_token
    assert told == made[::-1]
    assert lengths == [2, 2, 1]


async def test_a_listed_job_tells_who_posted_what_and_how_it_went(core: RunningCore) -> None:
    job_id = await core.submit(BODY)
    await core.end(job_id)
    (line,) = (await core.jobs.ListJobs(jobs_pb2.ListJobsRequest())).jobs
    assert (line.caller, line.client_version, line.body_bytes) == ("192.0.2.7", "Velocity 4.1", len(BODY))
    assert line.result_bytes == core.store.media.result_path(job_id).stat().st_size
    assert line.job.state == SUCCEEDED
    assert line.deadline_at.ToDatetime(UTC) > line.job.submitted_at.ToDatetime(UTC)


async def test_filters_narrow_the_list(core: RunningCore) -> None:
    failed = core.add_failed(BODY)
    waiting = core.add_waiting(model_id="lung", caller="192.0.2.9", warnings=("Thick slices.",))
    assert await ids(core, states=[FAILED, CANCELLED]) == [failed.id]
    assert await ids(core, model_id="lung") == await ids(core, with_warnings=True) == [waiting.id]
    assert await ids(core, caller="192.0.2.9") == [waiting.id]
    moment = Timestamp()
    moment.FromDatetime(waiting.submitted_at)
    assert await ids(core, submitted_after=moment) == [waiting.id]
    assert await ids(core, submitted_before=moment) == [failed.id]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (jobs_pb2.ListJobsRequest(page_token="x"), "next_page_token"),
        (jobs_pb2.ListJobsRequest(page_token="MjAyNiBoZWxsbw=="), "next_page_token"),
        (jobs_pb2.ListJobsRequest(filter=jobs_pb2.JobFilter(states=[0])), "JOB_STATE_QUEUED"),
        (jobs_pb2.ListJobsRequest(filter=jobs_pb2.JobFilter(states=[99])), "no job state 99"),
        (
            jobs_pb2.ListJobsRequest(filter=jobs_pb2.JobFilter(submitted_after=Timestamp(seconds=2**62))),
            "submitted_after",
        ),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_so(
    core: RunningCore, request_: jobs_pb2.ListJobsRequest, words: str
) -> None:
    code, details = await refusal_of(core.jobs.ListJobs(request_))
    assert code == "INVALID_ARGUMENT"
    assert words in details


async def test_one_job_comes_with_timeline_runs_and_what_is_kept(core: RunningCore) -> None:
    job_id = await core.submit(BODY)
    await core.end(job_id)
    told = await story(core, job_id.upper().replace("-", ""))
    states = [event.text.partition(":")[0] for event in told.timeline if event.kind == "state"]
    assert states == ["received", "queued", "running", "succeeded"]
    (run,) = told.runs
    assert (run.attempt, run.slot, run.outcome) == (1, "slot-0", "succeeded")
    assert run.ended_at.ToDatetime() >= run.started_at.ToDatetime()
    assert told.result_kept
    code, _ = await refusal_of(story(core, new_job_id()))
    assert code == "NOT_FOUND"


async def test_a_follower_sees_the_jobs_that_fit_and_how_they_cease_to(core: RunningCore) -> None:
    ended, waiting = core.add_failed(BODY), core.add_waiting()
    unfinished = [job_pb2.JOB_STATE_RECEIVED, job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING]
    request = jobs_pb2.FollowJobsRequest(filter=jobs_pb2.JobFilter(states=unfinished))
    follower = core.jobs.FollowJobs(request)
    first = await follower.read()
    assert isinstance(first, jobs_pb2.FollowJobsResponse)
    assert [job.segmentation_id for job in first.jobs] == [waiting.id]
    job_id = await core.submit(BODY)
    states: list[int] = []
    async with asyncio.timeout(30):
        while SUCCEEDED not in states:
            news = await follower.read()
            assert isinstance(news, jobs_pb2.FollowJobsResponse)
            assert ended.id not in [job.segmentation_id for job in news.jobs]
            states += [job.state for job in news.jobs if job.segmentation_id == job_id]
    assert states == sorted(states)
    follower.cancel()


async def test_a_follower_of_one_model_hears_of_no_other(core: RunningCore) -> None:
    request = jobs_pb2.FollowJobsRequest(filter=jobs_pb2.JobFilter(model_id="lung"))
    mine = core.add_waiting(model_id="lung")
    follower = core.jobs.FollowJobs(request)
    await follower.read()
    await core.end(await core.submit(BODY))
    await core.jobs.CancelJob(jobs_pb2.CancelJobRequest(segmentation_id=mine.id))
    states: list[int] = []
    async with asyncio.timeout(30):
        while CANCELLED not in states:
            news = await follower.read()
            assert isinstance(news, jobs_pb2.FollowJobsResponse)
            assert {job.segmentation_id for job in news.jobs} == {mine.id}
            states += [job.state for job in news.jobs]
    follower.cancel()


async def test_cancelling_ends_a_job_once(core: RunningCore) -> None:
    request = jobs_pb2.CancelJobRequest(segmentation_id=core.add_waiting().id)
    first = (await core.jobs.CancelJob(request)).job
    assert first.state == CANCELLED
    assert (await core.jobs.CancelJob(request)).job == first


async def test_a_retry_runs_the_stored_input_as_a_new_job(core: RunningCore) -> None:
    old = core.add_failed(BODY)
    request = jobs_pb2.RetryJobRequest(segmentation_id=old.id)
    new = (await core.jobs.RetryJob(request)).job.segmentation_id
    assert new != old.id
    assert (await core.end(new)).state == SUCCEEDED
    assert core.store.jobs.get(new).body_sha256 == old.body_sha256
    assert core.store.jobs.get(new).caller == old.caller
    notes = [
        next(event.text for event in (await story(core, job_id)).timeline if event.kind == "retry")
        for job_id in (old.id, new)
    ]
    assert notes == [f"as {new}", f"of {old.id}"]
    assert core.store.jobs.get(old.id).state == "failed"


async def test_a_retry_may_be_for_another_version_which_must_be_offered(core: RunningCore) -> None:
    old = core.add_failed(BODY, model_id="of a family that is gone")
    code, details = await refusal_of(core.jobs.RetryJob(jobs_pb2.RetryJobRequest(segmentation_id=old.id)))
    assert code == "NOT_FOUND"
    assert "of a family that is gone" in details
    request = jobs_pb2.RetryJobRequest(segmentation_id=old.id, model_id=SAMPLE)
    new = (await core.jobs.RetryJob(request)).job
    assert new.model_id == SAMPLE
    assert (await core.end(new.segmentation_id)).state == SUCCEEDED


async def test_a_job_that_is_unfinished_or_whose_input_is_gone_is_not_retried(core: RunningCore) -> None:
    waiting, failed = core.add_waiting(), core.add_failed(BODY)
    core.store.media.remove_body(failed.id)
    for job, words in ((waiting, "still processing"), (failed, "kept until the job ends")):
        request = jobs_pb2.RetryJobRequest(segmentation_id=job.id)
        code, details = await refusal_of(core.jobs.RetryJob(request))
        assert code == "FAILED_PRECONDITION"
        assert words in details
    assert len(await ids(core)) == 2


async def test_a_deleted_job_leaves_nothing(core: RunningCore) -> None:
    job_id = await core.submit(BODY)
    await core.end(job_id)
    feedback = SegmentationFeedback(SegmentationID=job_id)
    await core.segmentation.SendFeedback(segmentation_pb2.SendFeedbackRequest(feedback=feedback))
    request = jobs_pb2.DeleteJobRequest(segmentation_id=job_id)
    await core.jobs.DeleteJob(request)
    assert (await refusal_of(story(core, job_id)))[0] == "NOT_FOUND"
    assert (await refusal_of(core.jobs.DeleteJob(request)))[0] == "NOT_FOUND"
    assert not core.store.media.body_path(job_id).exists()
    assert not core.store.media.result_path(job_id).exists()
    assert not (await core.jobs.ListFeedback(jobs_pb2.ListFeedbackRequest())).feedback


async def test_an_unfinished_job_is_not_deleted(core: RunningCore) -> None:
    job = core.add_waiting()
    code, details = await refusal_of(core.jobs.DeleteJob(jobs_pb2.DeleteJobRequest(segmentation_id=job.id)))
    assert code == "FAILED_PRECONDITION"
    assert "cancel it first" in details
    assert await ids(core) == [job.id]


async def test_the_stored_input_comes_back_to_the_byte(core: RunningCore) -> None:
    noise = np.random.default_rng(4).integers(-1000, 1000, (40, 180, 200)).astype(np.int16)
    body = scan(channel(noise)).SerializeToString()
    job = core.add_failed(body)
    request = jobs_pb2.GetInputRequest(segmentation_id=job.id)
    parts = [part async for part in core.jobs.GetInput(request)]
    assert parts[0].header.model_id == SAMPLE
    assert parts[0].header.size_bytes == len(body)
    assert parts[0].header.sha256 == hashlib.sha256(body).hexdigest()
    assert len(parts) > 2
    assert b"".join(part.chunk for part in parts[1:]) == body


async def test_an_input_that_is_gone_is_told_with_how_long_it_is_kept(core: RunningCore) -> None:
    job_id = await core.submit(BODY)
    await core.end(job_id)
    core.store.media.remove_body(job_id)
    code, details = await refusal_of(core.jobs.GetInput(jobs_pb2.GetInputRequest(segmentation_id=job_id)))
    assert code == "FAILED_PRECONDITION"
    assert "24 h (setting failed_body_retention_s)" in details


async def test_feedback_comes_with_its_version_and_structures_and_a_missing_score_stays_missing(
    core: RunningCore,
) -> None:
    job = core.add_failed(BODY)
    sent = SegmentationFeedback(
        ClientInformation=ClientInformation(SoftwareVersion="4.1"),
        SegmentationID=job.id.upper(),
        GeneralScore=DoubleValue(Value=0),
        StructureComments=[
            StructureComment(StructureID="1", Comments="too large"),
            StructureComment(StructureID="2", Score=DoubleValue(Value=4.5)),
        ],
    )
    stray = SegmentationFeedback(SegmentationID="unknown", GeneralComments="Where was this?")
    for feedback in (sent, stray):
        await core.segmentation.SendFeedback(segmentation_pb2.SendFeedbackRequest(feedback=feedback))
    unknown, known = (await core.jobs.ListFeedback(jobs_pb2.ListFeedbackRequest())).feedback
    assert known.feedback == sent
    assert known.feedback.HasField("GeneralScore")
    assert not known.feedback.StructureComments[0].HasField("Score")
    assert (known.model_id, known.canonical_name) == (SAMPLE, "Centered Square")
    assert [(s.StructureID, s.Name) for s in known.structures] == [("1", "liver")]
    assert unknown.feedback == stray
    assert (unknown.model_id, unknown.canonical_name, len(unknown.structures)) == ("", "", 0)
    of_sample = await core.jobs.ListFeedback(jobs_pb2.ListFeedbackRequest(model_id=SAMPLE))
    assert list(of_sample.feedback) == [known]


async def test_telemetry_is_listed_a_page_at_a_time_and_from_a_moment_on(core: RunningCore) -> None:
    job = core.add_failed(BODY)
    for retries in range(3):
        telemetry = SegmentationTelemetry(SegmentationID=job.id, NumberOfRetries=retries)
        await core.segmentation.SendTelemetry(segmentation_pb2.SendTelemetryRequest(telemetry=telemetry))
    first = await core.jobs.ListTelemetry(jobs_pb2.ListTelemetryRequest(page_size=2))
    assert [line.telemetry.NumberOfRetries for line in first.telemetry] == [2, 1]
    assert {line.model_id for line in first.telemetry} == {SAMPLE}
    request = jobs_pb2.ListTelemetryRequest(page_size=2, page_token=first.next_page_token)
    rest = await core.jobs.ListTelemetry(request)
    assert [line.telemetry.NumberOfRetries for line in rest.telemetry] == [0]
    assert not rest.next_page_token
    later = Timestamp()
    later.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    assert not (await core.jobs.ListTelemetry(jobs_pb2.ListTelemetryRequest(received_after=later))).telemetry


async def test_a_page_of_long_comments_stays_within_what_clients_take(core: RunningCore) -> None:
    text = "x" * 900_000
    for _ in range(7):
        feedback = SegmentationFeedback(GeneralComments=text)
        await core.segmentation.SendFeedback(segmentation_pb2.SendFeedbackRequest(feedback=feedback))
    token, told = "", 0
    while token or not told:
        page = await core.jobs.ListFeedback(jobs_pb2.ListFeedbackRequest(page_token=token))
        told, token = told + len(page.feedback), page.next_page_token
    assert told == 7


async def test_over_tcp_the_jobs_of_others_are_told_to_nobody_without_a_token(core: RunningCore) -> None:
    async with grpc.aio.insecure_channel(core.tcp) as tcp:
        code, details = await refusal_of(JobsStub(tcp).ListJobs(jobs_pb2.ListJobsRequest()))
    assert code == "UNAUTHENTICATED"
    assert "segint token create" in details


async def test_what_is_said_of_jobs_does_not_fill_the_disk(tmp_path: Path) -> None:
    async with running_core(make_home(tmp_path), free_disk_min_bytes=2**60) as core:
        feedback = SegmentationFeedback(SegmentationID="unknown", GeneralComments="x")
        request = segmentation_pb2.SendFeedbackRequest(feedback=feedback)
        code, details = await refusal_of(core.segmentation.SendFeedback(request))
        assert (code, "Too little disk" in details) == ("RESOURCE_EXHAUSTED", True)
        assert not (await core.jobs.ListFeedback(jobs_pb2.ListFeedbackRequest())).feedback
