"""What a whole core writes into its audit log, and when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1 import access_pb2, audit_pb2, jobs_pb2, models_pb2, segmentation_pb2
from generated.segint.v1.access_pb2_grpc import AccessStub
from generated.segint.v1.audit_pb2_grpc import AuditStub
from generated.segint.v1.models_pb2_grpc import ModelsStub
from segint_grpc.api.auditing import REFUSALS_MAX
from segint_grpc.domain.audit import AuditFilter, Record
from segint_grpc.domain.jobs import new_job_id
from segint_grpc.home import unix_target
from tests.acceptance.velocity import channel, scan
from tests.fakes.cores import SAMPLE, RunningCore, running_core
from tests.fakes.stores import ask, make_home
from tests.leaks import leaks

BODY = scan(channel(np.zeros((4, 8, 16), np.int16))).SerializeToString()


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    async with running_core(make_home(tmp_path)) as core:
        yield core


@pytest.fixture
async def models(core: RunningCore) -> AsyncIterator[ModelsStub]:
    async with grpc.aio.insecure_channel(unix_target(core.home.admin_socket)) as line:
        yield ModelsStub(line)


@pytest.fixture
async def over_tcp(core: RunningCore) -> AsyncIterator[AuditStub]:
    async with grpc.aio.insecure_channel(core.tcp) as line:
        yield AuditStub(line)


def records(core: RunningCore, act: str = "", **wanted: Any) -> list[Record]:
    """The records so far, oldest first."""
    return core.store.audit.page(AuditFilter(act=act, **wanted), 0, 1000)[::-1]


async def eventually(core: RunningCore, act: str, count: int) -> list[Record]:
    """The records of `act`, once there are `count`: an outcome is written after its answer."""
    async with asyncio.timeout(10):
        while True:
            found = records(core, act)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)


def outcomes(found: list[Record]) -> list[str]:
    return [record.entry.outcome for record in found]


async def read_result(core: RunningCore, job_id: str) -> None:
    async for _ in core.segmentation.GetResult(segmentation_pb2.GetResultRequest(segmentation_id=job_id)):
        pass


async def test_a_scan_from_its_posting_to_its_masks(core: RunningCore) -> None:
    job_id = await core.submit(BODY)
    await core.end(job_id)
    await read_result(core, job_id.upper().replace("-", ""))
    submitted, *_ = records(core, "scan.submit")
    assert (submitted.entry.object_id, submitted.entry.outcome) == (job_id, "ok")
    assert json.loads(submitted.entry.details) == {"model": SAMPLE}
    (read,) = records(core, "result.read")
    assert (read.entry.object_id, read.entry.outcome) == (job_id, "ok")
    assert read.entry.request_id
    assert records(core, "*Progress*") == []


async def test_a_read_is_recorded_before_its_first_byte_is_out(core: RunningCore) -> None:
    job_id = await core.submit(BODY)
    await core.end(job_id)
    stream = core.segmentation.GetResult(segmentation_pb2.GetResultRequest(segmentation_id=job_id))
    async for _ in stream:
        assert len(records(core, "result.read")) == 1
        break
    stream.cancel()


async def test_a_read_that_is_refused_is_recorded_with_its_status(core: RunningCore) -> None:
    unknown = new_job_id()
    for name in (unknown, "Doe, Jane 1970-01-01"):
        with pytest.raises(grpc.aio.AioRpcError):
            await read_result(core, name)
    found = await eventually(core, "result.read", 2)
    assert outcomes(found) == ["NOT_FOUND", "NOT_FOUND"]
    assert [record.entry.object_id for record in found] == [unknown, ""]
    assert "Jane" not in str(ask(core.home, "SELECT * FROM audit"))


async def test_what_is_posted_twice_is_recorded_twice_on_one_job(core: RunningCore) -> None:
    job = core.add_waiting()
    first = await core.submit(BODY)
    again = await core.submit(BODY)
    assert job.id != first
    assert len(records(core, "scan.submit", object_id=again)) >= 1
    assert len(records(core, "scan.submit")) == 2


async def test_a_scan_that_is_refused_is_recorded(core: RunningCore) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await core.submit(b"no scan")
    (refused,) = await eventually(core, "scan.submit", 1)
    assert refused.entry.outcome == "INVALID_ARGUMENT"


async def test_a_change_is_recorded_before_it_is_made_and_with_its_outcome(
    core: RunningCore, models: ModelsStub
) -> None:
    await models.RetireVersion(models_pb2.RetireVersionRequest(version_id=SAMPLE, reason="a private reason"))
    begun, done = await eventually(core, "version.retire", 2)
    assert (begun.entry.outcome, done.entry.outcome) == ("begun", "ok")
    assert begun.entry.request_id == done.entry.request_id != ""
    assert begun.entry.object_id == SAMPLE
    assert "private" not in str(ask(core.home, "SELECT * FROM audit"))


async def test_a_change_that_fails_is_recorded_with_its_status(core: RunningCore, models: ModelsStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await models.ActivateVersion(models_pb2.ActivateVersionRequest(version_id="nothing", force=True))
    found = await eventually(core, "version.activate", 2)
    assert outcomes(found) == ["begun", "NOT_FOUND"]
    assert json.loads(found[0].entry.details) == {"force": "yes"}


async def test_an_upload_names_its_file(core: RunningCore, models: ModelsStub) -> None:
    header = models_pb2.UploadFileHeader(name="w.bin", sha256="0" * 64, size_bytes=3)
    parts = [models_pb2.UploadFileRequest(header=header), models_pb2.UploadFileRequest(chunk=b"abc")]
    with pytest.raises(grpc.aio.AioRpcError):
        await models.UploadFile(iter(parts))
    found = await eventually(core, "file.upload", 2)
    assert outcomes(found) == ["begun", "INVALID_ARGUMENT"]
    assert found[0].entry.object_id == "0" * 64


async def test_views_that_are_looked_at_again_and_again_are_recorded_once_a_minute(core: RunningCore) -> None:
    for _ in range(3):
        await core.jobs.ListJobs(jobs_pb2.ListJobsRequest())
    assert len(records(core, "jobs.view")) == 1


async def test_feedback_and_its_reading_are_recorded(core: RunningCore) -> None:
    job = core.add_waiting()
    feedback = Model_pb2.SegmentationFeedback(SegmentationID=job.id, GeneralComments="Mister Smith is fine")
    await core.segmentation.SendFeedback(segmentation_pb2.SendFeedbackRequest(feedback=feedback))
    await core.jobs.ListFeedback(jobs_pb2.ListFeedbackRequest())
    (sent,) = records(core, "feedback.send")
    assert sent.entry.object_id == job.id
    assert len(records(core, "feedback.read")) == 1
    assert "Smith" not in str(ask(core.home, "SELECT * FROM audit"))


async def test_what_the_server_removes_by_itself_is_recorded(tmp_path: Path) -> None:
    async with running_core(make_home(tmp_path), result_retention_s=0) as core:
        job_id = await core.submit(BODY)
        await core.end(job_id)
        (removed,) = await eventually(core, "result.remove", 1)
        assert (removed.entry.principal, removed.entry.object_id) == ("server", job_id)
        assert [r.entry.object_id for r in await eventually(core, "scan.remove", 1)] == [job_id]


async def test_administration_that_is_tried_over_tcp_is_recorded_as_refused(core: RunningCore) -> None:
    async with grpc.aio.insecure_channel(core.tcp) as line:
        with pytest.raises(grpc.aio.AioRpcError):
            await AuditStub(line).ListAudit(audit_pb2.ListAuditRequest())
    (refused,) = records(core, "access.refused")
    assert refused.entry.object_id == "segint.v1.Audit/ListAudit"
    assert refused.entry.address.startswith("127.0.0.1")
    assert refused.entry.outcome == "refused"


async def test_a_refused_token_is_recorded_by_its_name_also_once_it_is_revoked(
    core: RunningCore, over_tcp: AuditStub
) -> None:
    async with grpc.aio.insecure_channel(unix_target(core.home.admin_socket)) as line:
        access = AccessStub(line)
        made = await access.CreateToken(access_pb2.CreateTokenRequest(name="small"))
        shown = [("authorization", f"Bearer {made.secret}")]
        for revoke in (True, False):
            with pytest.raises(grpc.aio.AioRpcError):
                await over_tcp.ListAudit(audit_pb2.ListAuditRequest(), metadata=shown)
            if revoke:
                await access.RevokeToken(access_pb2.RevokeTokenRequest(id=made.token.id))
    forged = made.secret[:-1] + ("a" if made.secret[-1] != "a" else "b")
    with pytest.raises(grpc.aio.AioRpcError):
        await over_tcp.ListAudit(
            audit_pb2.ListAuditRequest(), metadata=[("authorization", f"Bearer {forged}")]
        )
    found = [(r.entry.principal, json.loads(r.entry.details)) for r in records(core, "access.refused")]
    assert found == [
        (f"token:{made.token.id}", {"reason": "PERMISSION_DENIED"}),
        (f"token:{made.token.id}", {"reason": "UNAUTHENTICATED", "token": "bad"}),
        ("anonymous", {"reason": "UNAUTHENTICATED", "token": "bad"}),
    ]


async def test_a_flood_of_calls_without_a_token_does_not_fill_the_log(
    core: RunningCore, over_tcp: AuditStub
) -> None:
    flood = (over_tcp.ListAudit(audit_pb2.ListAuditRequest()) for _ in range(100))
    answers = await asyncio.gather(*flood, return_exceptions=True)
    assert {answer.code() for answer in answers if isinstance(answer, grpc.aio.AioRpcError)} == {
        grpc.StatusCode.UNAUTHENTICATED
    }
    assert len(records(core, "access.refused")) == REFUSALS_MAX


async def test_a_view_that_could_not_be_recorded_is_recorded_when_it_is_tried_again(
    core: RunningCore,
) -> None:
    with core.store._database.write() as transaction:
        transaction._database.execute_sql(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with pytest.raises(grpc.aio.AioRpcError):
        await core.jobs.ListJobs(jobs_pb2.ListJobsRequest())
    with core.store._database.write() as transaction:
        transaction._database.execute_sql("DROP TRIGGER full")
    await core.jobs.ListJobs(jobs_pb2.ListJobsRequest())
    assert "ok" in outcomes(records(core, "jobs.view"))


async def test_reads_that_come_together_share_transactions(core: RunningCore) -> None:
    unknown = [new_job_id() for _ in range(40)]
    await asyncio.gather(*(read_result(core, job_id) for job_id in unknown), return_exceptions=True)
    found = await eventually(core, "result.read", 40)
    assert {record.entry.object_id for record in found} == set(unknown)
    assert list(core.store.audit.check())[-1].finding is None


async def test_what_cannot_be_recorded_does_not_happen(core: RunningCore, models: ModelsStub) -> None:
    with core.store._database.write() as transaction:
        transaction._database.execute_sql(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await models.RetireVersion(models_pb2.RetireVersionRequest(version_id=SAMPLE))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert core.store.models.version(SAMPLE)[1].state == "active"
    with pytest.raises(grpc.aio.AioRpcError):
        await core.submit(BODY)
    assert core.store.jobs.unfinished() == []


async def test_what_was_said_of_a_deleted_job_is_in_no_file_of_the_home(core: RunningCore) -> None:
    job = core.add_failed(BODY)
    feedback = Model_pb2.SegmentationFeedback(SegmentationID=job.id, GeneralComments="Doe^Jane-19700101")
    await core.segmentation.SendFeedback(segmentation_pb2.SendFeedbackRequest(feedback=feedback))
    assert leaks([core.home.path], [b"Doe^Jane-19700101"]) != []
    await core.jobs.DeleteJob(jobs_pb2.DeleteJobRequest(segmentation_id=job.id))
    assert leaks([core.home.path], [b"Doe^Jane-19700101"]) == []
    found = await eventually(core, "job.delete", 2)
    assert [(r.entry.object_id, r.entry.outcome) for r in found] == [(job.id, "begun"), (job.id, "ok")]
