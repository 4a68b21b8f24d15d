from __future__ import annotations

import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway.identities import NO_ERA, Identities, Identity
from http_gateway.mirror import Mirror

ADA = Identity("token:ada", sees_all=False)
MODEL, JOB = "A model", "0b54a1c2-97cf-4a0e-8b0e-1f5a6d1c2b3f"


@pytest.fixture
def identities() -> Identities:
    identities = Identities(lambda: 1000.0)
    identities.begin()
    return identities


def test_what_the_core_said_is_remembered_without_the_token(identities: Identities) -> None:
    identities.learn("Bearer ada", ADA, identities.era)
    assert identities.find("Bearer ada") == ADA
    assert identities.find("Bearer bob") is None
    assert "Bearer ada" not in repr(vars(identities))


def test_a_change_of_access_forgets_it_and_what_was_asked_before(identities: Identities) -> None:
    identities.learn("Bearer ada", ADA, identities.era)
    asked_in = identities.era
    identities.begin()
    assert identities.find("Bearer ada") is None
    identities.learn("Bearer ada", ADA, asked_in)
    assert identities.find("Bearer ada") is None


def test_an_identity_ends_with_its_token(identities: Identities) -> None:
    for name, expires_at_s in (("over", 1000.0), ("left", 1000.5)):
        identities.learn(name, Identity("token:x", sees_all=False, expires_at_s=expires_at_s), identities.era)
    assert identities.find("over") is None
    assert identities.find("left") is not None


def test_without_the_cores_stream_nothing_is_remembered() -> None:
    mirror = Mirror()
    assert mirror.identities.era == NO_ERA
    mirror.identities.learn("Bearer ada", ADA, NO_ERA)
    assert mirror.identities.find("Bearer ada") is None
    mirror.take(pb.WatchJobsResponse())
    mirror.identities.learn("Bearer ada", ADA, mirror.identities.era)
    assert mirror.identities.find("Bearer ada") == ADA
    mirror.take(pb.WatchJobsResponse(access_changed=True))
    assert mirror.identities.find("Bearer ada") is None
    mirror.identities.learn("Bearer ada", ADA, mirror.identities.era)
    mirror.lose()
    assert mirror.identities.find("Bearer ada") is None


def news(owner: str) -> pb.WatchJobsResponse:
    progress = Model_pb2.SegmentationProgress(Progress=10)
    job = pb.JobNews(segmentation_id=JOB, model_id=MODEL, progress=progress, owner=owner)
    return pb.WatchJobsResponse(jobs=[job])


def test_a_job_is_told_to_its_owner_alone_where_jobs_have_owners() -> None:
    mirror = Mirror()
    mirror.take(news("token:ada"))
    assert mirror.job(JOB, MODEL, "token:ada") is not None
    assert mirror.job(JOB, MODEL, "token:bob") is None
    assert mirror.job(JOB, MODEL) is not None


def test_a_job_whose_owner_was_not_heard_is_told_to_no_single_owner() -> None:
    mirror = Mirror()
    mirror.take(pb.WatchJobsResponse())
    told = Model_pb2.SegmentationProgress(Progress=10)
    mirror.learn_job(JOB, MODEL, told, mirror.round)
    assert mirror.job(JOB, MODEL, "token:ada") is None
    assert mirror.job(JOB, MODEL) is not None
    mirror.learn_job(JOB, MODEL, told, mirror.round, "token:ada")
    assert mirror.job(JOB, MODEL, "token:ada") is not None
