"""What the gateway answers by itself: only what the core said, only while it is told of every change."""

from __future__ import annotations

import json
import uuid

import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway.mirror import CREDITS, KEPT_S, MODELS, NO_ROUND, PING, Mirror

MODEL = "Centered Orange Square"
JOB = "0b54a1c2-97cf-4a0e-8b0e-1f5a6d1c2b3f"
INTERNAL_ERROR = Model_pb2.SegmentationProgress.InternalError


def told(percent: int, error: str = "") -> Model_pb2.SegmentationProgress:
    code = INTERNAL_ERROR if error else Model_pb2.SegmentationProgress.ErrorCodes.Value("None")
    return Model_pb2.SegmentationProgress(Progress=percent, Errors=error, ErrorCode=code)


def news(percent: int, error: str = "", job_id: str = JOB, model_id: str = MODEL) -> pb.WatchJobsResponse:
    job = pb.JobNews(segmentation_id=job_id, model_id=model_id, progress=told(percent, error))
    return pb.WatchJobsResponse(jobs=[job])


def percent_of(mirror: Mirror, job_id: str = JOB, model_id: str = MODEL) -> int | None:
    prepared = mirror.job(job_id, model_id)
    return None if prepared is None else Model_pb2.SegmentationProgress.FromString(prepared.protobuf).Progress


def learned(mirror: Mirror, percent: int, asked_in: int, error: str = "") -> int:
    prepared = mirror.learn_job(JOB, MODEL, told(percent, error), asked_in)
    return Model_pb2.SegmentationProgress.FromString(prepared.protobuf).Progress


@pytest.fixture
def mirror() -> Mirror:
    """A mirror in its first round, which knows of no job."""
    mirror = Mirror()
    mirror.take(pb.WatchJobsResponse(models=Model_pb2.ModelsCollection()))
    return mirror


def test_before_the_first_message_nothing_is_known() -> None:
    mirror = Mirror()
    mirror.learn_job(JOB, MODEL, told(10), mirror.round)
    mirror.learn_word(PING, Model_pb2.ApiInformation(Version="2"), mirror.round)
    assert percent_of(mirror) is None
    assert mirror.word(PING) is None
    assert mirror.word(MODELS) is None


def test_a_job_is_as_the_stream_last_told(mirror: Mirror) -> None:
    for percent in (0, 10, 60, 100):
        mirror.take(news(percent))
        assert percent_of(mirror) == percent


def test_zero_values_are_no_bytes_as_protobuf_and_an_empty_object_as_json(mirror: Mirror) -> None:
    mirror.take(news(0))
    prepared = mirror.job(JOB, MODEL)
    assert prepared is not None
    assert (prepared.protobuf, prepared.json) == (b"", b"{}")


def test_both_ways_of_writing_an_answer_are_made_once(mirror: Mirror) -> None:
    mirror.take(news(30, "The model died."))
    first, second = mirror.job(JOB, MODEL), mirror.job(JOB, MODEL)
    assert first is not None
    assert first is second
    assert first.json is first.json
    assert json.loads(first.json) == {
        "Progress": 30,
        "Errors": "The model died.",
        "ErrorCode": "InternalError",
    }


@pytest.mark.parametrize("spelling", [JOB.upper(), JOB.replace("-", ""), JOB.replace("-", "").upper()])
def test_an_id_is_found_in_any_case_and_without_dashes(mirror: Mirror, spelling: str) -> None:
    mirror.take(news(5))
    assert percent_of(mirror, spelling) == 5


@pytest.mark.parametrize("job_id", ["", "nonsense", str(uuid.UUID(int=7))])
def test_the_core_is_asked_for_an_id_that_is_not_here(mirror: Mirror, job_id: str) -> None:
    mirror.take(news(5))
    assert percent_of(mirror, job_id) is None


@pytest.mark.parametrize("model_id", ["", "other", MODEL.lower(), f"{MODEL} "])
def test_the_core_is_asked_about_a_job_under_any_other_model_id(mirror: Mirror, model_id: str) -> None:
    mirror.take(news(5))
    assert percent_of(mirror, model_id=model_id) is None


def test_an_answer_of_the_core_fills_the_mirror(mirror: Mirror) -> None:
    assert learned(mirror, 20, mirror.round) == 20
    assert percent_of(mirror) == 20


def test_an_answer_that_is_behind_the_stream_is_not_passed_on(mirror: Mirror) -> None:
    asked_in = mirror.round
    mirror.take(news(60))
    assert learned(mirror, 50, asked_in) == 60
    assert percent_of(mirror) == 60


def test_news_that_are_behind_an_answer_change_nothing(mirror: Mirror) -> None:
    learned(mirror, 60, mirror.round)
    mirror.take(news(50))
    assert percent_of(mirror) == 60


@pytest.mark.parametrize(("percent", "error"), [(100, ""), (40, "The model died.")])
def test_a_job_that_has_ended_stays_so(mirror: Mirror, percent: int, error: str) -> None:
    mirror.take(news(percent, error))
    mirror.take(news(99))
    mirror.take(news(100, "Something else."))
    prepared = mirror.job(JOB, MODEL)
    assert prepared is not None
    assert Model_pb2.SegmentationProgress.FromString(prepared.protobuf) == told(percent, error)


def test_a_job_may_fail_at_a_lower_percentage_than_was_told_before(mirror: Mirror) -> None:
    mirror.take(news(60))
    mirror.take(news(0, "The model died."))
    assert percent_of(mirror) == 0


def test_without_the_stream_the_core_is_asked_for_everything(mirror: Mirror) -> None:
    mirror.take(news(60))
    mirror.learn_word(PING, Model_pb2.ApiInformation(Version="2"), mirror.round)
    mirror.lose()
    assert percent_of(mirror) is None
    assert mirror.word(PING) is None
    assert mirror.word(MODELS) is None


def test_progress_does_not_fall_because_a_stream_was_lost(mirror: Mirror) -> None:
    mirror.take(news(60))
    mirror.lose()
    assert learned(mirror, 50, mirror.round) == 60
    mirror.take(news(55))
    assert percent_of(mirror) == 60


def test_a_job_that_ended_between_two_streams_is_asked_for(mirror: Mirror) -> None:
    mirror.take(news(60))
    mirror.lose()
    mirror.take(pb.WatchJobsResponse())
    assert percent_of(mirror) is None
    assert learned(mirror, 100, mirror.round) == 100
    assert percent_of(mirror) == 100


@pytest.mark.parametrize("lost_before", [False, True])
def test_an_answer_to_a_question_from_before_the_round_is_passed_on_but_does_not_count(
    lost_before: bool,
) -> None:
    mirror = Mirror()
    if lost_before:
        mirror.take(pb.WatchJobsResponse())
    asked_in = mirror.round
    mirror.lose()
    mirror.take(pb.WatchJobsResponse())
    assert learned(mirror, 20, asked_in) == 20
    assert percent_of(mirror) is None
    mirror.learn_word(CREDITS, Model_pb2.Credits(), asked_in)
    assert mirror.word(CREDITS) is None


def test_a_word_of_the_core_is_kept_while_the_round_lasts(mirror: Mirror) -> None:
    mirror.learn_word(PING, Model_pb2.ApiInformation(Version="2"), mirror.round)
    prepared = mirror.word(PING)
    assert prepared is not None
    assert json.loads(prepared.json) == {"Version": "2"}


def test_models_are_replaced_when_they_change_and_only_then(mirror: Mirror) -> None:
    family = Model_pb2.ModelFamily(CanonicalName="liver")
    mirror.take(pb.WatchJobsResponse(models=Model_pb2.ModelsCollection(Models=[family])))
    mirror.take(news(5))
    prepared = mirror.word(MODELS)
    assert prepared is not None
    assert Model_pb2.ModelsCollection.FromString(prepared.protobuf).Models == [family]


def test_the_jobs_that_changed_longest_ago_go_first() -> None:
    mirror = Mirror(jobs_max=2)
    first, second, third = (str(uuid.UUID(int=number)) for number in range(3))
    mirror.take(news(1, job_id=first))
    mirror.take(news(1, job_id=second))
    mirror.take(news(2, job_id=first))
    mirror.take(news(1, job_id=third))
    assert [percent_of(mirror, job_id) for job_id in (first, second, third)] == [2, None, 1]


def test_a_job_that_has_not_changed_for_an_hour_is_forgotten() -> None:
    now_s = [0.0]
    mirror = Mirror(clock=lambda: now_s[0])
    old, young = (str(uuid.UUID(int=number)) for number in range(2))
    mirror.take(news(100, job_id=old))
    now_s[0] = KEPT_S + 1
    mirror.take(news(1, job_id=young))
    assert [percent_of(mirror, job_id) for job_id in (old, young)] == [None, 1]


def test_there_is_no_round_before_the_first_and_after_the_last_message(mirror: Mirror) -> None:
    first = mirror.round
    mirror.lose()
    assert mirror.round == NO_ROUND
    mirror.take(pb.WatchJobsResponse())
    assert mirror.round not in (NO_ROUND, first)
