"""Jobs in the store: acceptance, runs, ends, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import TRANSITIONS, UNFINISHED, Job, JobState, Lease, Stage, new_job_id
from segint_grpc.domain.timeline import EventKind, RunOutcome
from segint_grpc.home import Home
from segint_grpc.store import Store
from segint_grpc.store.store import utc_now
from tests.fakes.stores import (
    DEADLINE_S,
    LEASE_S,
    START,
    Clock,
    a_result,
    contradictions,
    job_in,
    make_home,
    new_job,
    queued_job,
    running_job,
)

STATES = list(JobState)
ENDS = [state for state in STATES if not TRANSITIONS[state]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def store(home: Home, clock: Clock) -> Iterator[Store]:
    with Store(home, clock) as store:
        yield store
    assert contradictions(home) == []


def texts(store: Store, job: Job, kind: str) -> list[str]:
    return [event.text for event in store.jobs.events(job.id) if event.kind == kind]


def test_a_received_job_is_what_was_posted(store: Store, clock: Clock) -> None:
    new = new_job(submitted_at=START + timedelta(microseconds=1))
    job, repeated = store.jobs.receive(new, 10)
    assert not repeated
    assert job == store.jobs.get(new.id)
    assert (job.id, job.model_id, job.caller) == (new.id, new.model_id, new.caller)
    assert (job.body_sha256, job.body_bytes, job.request_id) == (new.body_sha256, 34_000_000, new.request_id)
    assert (job.submitted_at, job.deadline_at) == (new.submitted_at, new.deadline_at)
    assert (job.state, job.percent, job.stage) == (JobState.RECEIVED, 0, Stage.RECEIVE)
    assert (job.attempt, job.started_at, job.finished_at) == (0, None, None)
    assert (job.result_bytes, job.result_sha256, job.warnings) == (None, "", ())
    assert (job.error_code, job.error_text, job.finished) == ("", "", False)


def test_a_job_survives_the_store_being_closed(home: Home, clock: Clock) -> None:
    with Store(home, clock) as store:
        job, _ = running_job(store)
    with Store(home, clock) as again:
        assert again.jobs.get(job.id) == job


def test_times_must_be_aware(store: Store) -> None:
    with pytest.raises(TypeError):
        store.jobs.receive(new_job(submitted_at=START.replace(tzinfo=None)), 10)


def test_the_clock_by_default_is_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_the_same_body_from_the_same_caller_for_the_same_model_is_the_same_job(store: Store) -> None:
    first, _ = store.jobs.receive(new_job(body_sha256="c" * 64), 10)
    assert store.jobs.receive(new_job(body_sha256="c" * 64), 10) == (first, True)
    assert len(store.jobs.unfinished()) == 1


@pytest.mark.parametrize("other", [{"model_id": "M"}, {"caller": "192.0.2.8"}, {"body_sha256": "d" * 64}])
def test_another_body_caller_or_model_is_another_job(store: Store, other: dict[str, str]) -> None:
    store.jobs.receive(new_job(body_sha256="c" * 64), 10)
    _, repeated = store.jobs.receive(new_job(**({"body_sha256": "c" * 64} | other)), 10)
    assert not repeated
    assert len(store.jobs.unfinished()) == 2


@pytest.mark.parametrize("state", STATES)
def test_a_body_is_posted_again_until_its_job_has_ended(store: Store, state: JobState) -> None:
    job, _ = job_in(store, state)
    again = new_job(body_sha256=job.body_sha256)
    assert store.jobs.receive(again, 10)[1] is (state in UNFINISHED)


def test_a_full_queue_takes_no_new_job_but_knows_a_repeated_one(store: Store) -> None:
    first, _ = store.jobs.receive(new_job(), 2)
    running_job(store)
    with pytest.raises(errors.QueueFull, match="2 segmentations are unfinished, the limit is 2"):
        store.jobs.receive(new_job(), 2)
    assert store.jobs.receive(new_job(body_sha256=first.body_sha256), 2) == (first, True)
    store.jobs.cancel(first.id)
    assert store.jobs.receive(new_job(), 2)[1] is False


def test_a_job_id_is_taken_once(store: Store) -> None:
    job, _ = job_in(store, JobState.SUCCEEDED)
    with pytest.raises(errors.AlreadyExists):
        store.jobs.receive(new_job(id=job.id), 10)
    assert store.jobs.get(job.id) == job


def test_a_job_is_found_in_any_spelling_of_its_id(store: Store) -> None:
    job, _ = job_in(store, JobState.QUEUED)
    for spelling in (job.id, job.id.upper(), job.id.replace("-", "")):
        assert store.jobs.get(spelling, job.model_id) == job


@pytest.mark.parametrize("job_id", [new_job_id(), "", "1", "../../etc/passwd", "é" * 36])
def test_an_unknown_id_is_no_job(store: Store, job_id: str) -> None:
    asked: list[Callable[[], object]] = [
        lambda: store.jobs.get(job_id),
        lambda: store.jobs.cancel(job_id),
        lambda: store.jobs.events(job_id),
        lambda: store.jobs.runs(job_id),
        lambda: store.jobs.note(job_id, "log", "text"),
    ]
    for question in asked:
        with pytest.raises(errors.UnknownJob):
            question()


def test_a_job_is_another_models_unless_the_id_is_exactly_its_models(store: Store) -> None:
    job, _ = job_in(store, JobState.QUEUED)
    for other in ("Another", job.model_id.lower(), job.model_id + " "):
        with pytest.raises(errors.UnknownJob):
            store.jobs.get(job.id, other)
        with pytest.raises(errors.UnknownJob):
            store.jobs.cancel(job.id, other)
    assert not store.jobs.get(job.id).finished


def test_a_queued_job_keeps_the_warnings_of_its_request_in_order(store: Store) -> None:
    job, _ = store.jobs.receive(new_job(), 10)
    queued = store.jobs.queue(job.id, ["first", "second"])
    assert (queued.state, queued.stage, queued.warnings) == (JobState.QUEUED, "queue", ("first", "second"))
    store.jobs.note(job.id, EventKind.WARNING, "third")
    store.jobs.note(job.id, "log", "no warning")
    assert store.jobs.get(job.id).warnings == ("first", "second", "third")
    assert store.jobs.unfinished()[0].warnings == ("first", "second", "third")


def test_a_claimed_job_runs_with_a_lease_and_a_run(store: Store, clock: Clock) -> None:
    queued = queued_job(store)
    began = clock.advance(5)
    claimed = store.jobs.claim("slot-1", LEASE_S)
    assert claimed
    job, lease = claimed
    assert (job.id, job.state, job.stage, job.attempt) == (queued.id, JobState.RUNNING, "load", 1)
    assert job.started_at == began
    assert (lease.job_id, lease.attempt) == (job.id, 1)
    assert len(lease.token) == 32
    run = store.jobs.runs(job.id)[0]
    assert (run.attempt, run.slot, run.started_at, run.ended_at, run.outcome) == (
        1,
        "slot-1",
        began,
        None,
        None,
    )


def test_the_oldest_job_is_claimed_first_and_each_once(store: Store) -> None:
    late = queued_job(store, START + timedelta(seconds=2))
    early = queued_job(store, START)
    middle = queued_job(store, START + timedelta(seconds=1))
    claims = [store.jobs.claim("slot-0", LEASE_S) for _ in range(4)]
    assert [claimed and claimed[0].id for claimed in claims] == [early.id, middle.id, late.id, None]


@pytest.mark.parametrize(("later_s", "first"), [(14, "warm"), (16, "cold")])
def test_a_loaded_model_goes_first_but_not_for_long(store: Store, later_s: float, first: str) -> None:
    queued_job(store, START, model_id="cold")
    queued_job(store, START + timedelta(seconds=later_s), model_id="warm")
    claimed = store.jobs.claim("slot-0", LEASE_S, prefer=["warm", "also warm"])
    assert claimed
    assert claimed[0].model_id == first


def test_a_received_job_and_one_past_its_deadline_are_not_claimed(store: Store, clock: Clock) -> None:
    job_in(store, JobState.RECEIVED)
    queued_job(store)
    clock.advance(DEADLINE_S)
    assert store.jobs.claim("slot-0", LEASE_S) is None


def test_progress_never_falls_nor_reaches_100_while_the_job_runs(store: Store) -> None:
    _, lease = running_job(store)
    shown = [store.jobs.report(lease, percent, "infer").percent for percent in (-5, 10, 7, 50, 100, 400, 3)]
    assert shown == [0, 10, 10, 50, 99, 99, 99]


def test_a_stage_is_noted_once_in_the_timeline(store: Store) -> None:
    job, lease = running_job(store)
    for percent, stage in ((2, "load"), (5, "prepare"), (20, "infer"), (30, "infer"), (95, "encode")):
        assert store.jobs.report(lease, percent, stage).stage == stage
    assert texts(store, job, EventKind.STAGE) == ["prepare", "infer", "encode"]


def test_a_job_that_succeeds_tells_of_its_result(store: Store, clock: Clock) -> None:
    _, lease = running_job(store)
    ended = clock.advance(9)
    result = a_result(size_bytes=1234, sha256="e" * 64, peak_memory_bytes=77, warnings=("empty mask",))
    job = store.jobs.succeed(lease, result)
    assert (job.state, job.percent, job.stage, job.finished_at) == (JobState.SUCCEEDED, 100, "done", ended)
    assert (job.result_bytes, job.result_sha256, job.warnings) == (1234, "e" * 64, ("empty mask",))
    run = store.jobs.runs(job.id)[0]
    assert (run.outcome, run.ended_at, run.peak_memory_bytes) == (RunOutcome.SUCCEEDED, ended, 77)


def test_a_job_that_fails_keeps_its_reason_and_how_far_it_was(store: Store, clock: Clock) -> None:
    _, lease = running_job(store)
    store.jobs.report(lease, 40, "infer")
    ended = clock.advance(1)
    job = store.jobs.fail(lease, "InternalError", "The worker died of SIGSEGV.")
    assert (job.state, job.error_code, job.error_text) == (
        JobState.FAILED,
        "InternalError",
        "The worker died of SIGSEGV.",
    )
    assert (job.percent, job.stage, job.finished_at) == (40, "infer", ended)
    run = store.jobs.runs(job.id)[0]
    assert (run.outcome, run.reason) == (RunOutcome.FAILED, "InternalError, The worker died of SIGSEGV.")


@pytest.mark.parametrize("state", [JobState.RECEIVED, JobState.QUEUED])
def test_a_job_that_no_slot_has_can_fail(store: Store, state: JobState) -> None:
    job, _ = job_in(store, state)
    failed = store.jobs.fail_unclaimed(job.id, "DecompressionError", "No gzip.")
    assert (failed.state, failed.error_code) == (JobState.FAILED, "DecompressionError")
    assert store.jobs.runs(job.id) == []


@pytest.mark.parametrize("state", [JobState.RECEIVED, JobState.QUEUED, JobState.RUNNING])
def test_an_unfinished_job_can_be_cancelled_and_its_run_ends(store: Store, state: JobState) -> None:
    job, lease = job_in(store, state)
    cancelled = store.jobs.cancel(job.id)
    assert (cancelled.state, cancelled.finished_at, cancelled.error_code) == (JobState.CANCELLED, START, "")
    assert [run.outcome for run in store.jobs.runs(job.id)] == (
        [RunOutcome.CANCELLED] if state is JobState.RUNNING else []
    )
    with pytest.raises(errors.StaleLease):
        store.jobs.succeed(lease, a_result())


@pytest.mark.parametrize("state", ENDS)
def test_cancelling_a_finished_job_changes_nothing(store: Store, clock: Clock, state: JobState) -> None:
    job, _ = job_in(store, state)
    events = store.jobs.events(job.id)
    clock.advance(1)
    assert store.jobs.cancel(job.id) == job
    assert store.jobs.events(job.id) == events


@pytest.mark.parametrize("state", STATES)
def test_every_change_that_the_table_does_not_allow_is_refused(store: Store, state: JobState) -> None:
    job, lease = job_in(store, state)
    before = store.jobs.events(job.id)
    owner = Lease(job.id, 1, "somebody else's")
    refused: list[Callable[[], object]] = [
        lambda: store.jobs.succeed(owner, a_result(warnings=("lost",))),
        lambda: store.jobs.fail(owner, "InternalError", "text"),
        lambda: store.jobs.report(owner, 50, "infer"),
        lambda: store.jobs.renew(owner, LEASE_S),
        lambda: store.jobs.cut_short(owner, "reason", 2),
        lambda: store.jobs.release(owner),
    ]
    if state is not JobState.RECEIVED:
        refused.append(lambda: store.jobs.queue(job.id, ["lost"]))
    if state not in (JobState.RECEIVED, JobState.QUEUED):
        refused.append(lambda: store.jobs.fail_unclaimed(job.id, "InternalError", "text"))
    if state is not JobState.RUNNING:
        refused.append(lambda: store.jobs.succeed(lease, a_result()))
    for change in refused:
        with pytest.raises(errors.StaleLease, match=job.id):
            change()
    assert store.jobs.get(job.id) == job
    assert store.jobs.events(job.id) == before


def test_a_change_to_a_job_that_never_was_is_refused(store: Store) -> None:
    with pytest.raises(errors.StaleLease):
        store.jobs.queue(new_job_id(), ["a warning"])


def test_jobs_ahead_are_those_that_run_and_those_submitted_earlier(store: Store) -> None:
    running, _ = running_job(store, START + timedelta(seconds=9))
    first = queued_job(store, START)
    second, _ = store.jobs.receive(new_job(START + timedelta(seconds=1)), 10)
    third = queued_job(store, START + timedelta(seconds=2))
    job_in(store, JobState.CANCELLED)
    assert [store.jobs.jobs_ahead(job) for job in (running, first, second, third)] == [0, 1, 2, 3]


def test_unfinished_jobs_come_oldest_first_and_by_model(store: Store) -> None:
    late = queued_job(store, START + timedelta(seconds=1), model_id="b")
    early = queued_job(store, START, model_id="a")
    job_in(store, JobState.CANCELLED)
    assert [job.id for job in store.jobs.unfinished()] == [early.id, late.id]
    assert [job.id for job in store.jobs.unfinished(["b", "c"])] == [late.id]
    assert store.jobs.unfinished([]) == []


def test_counts_are_by_model_and_state(store: Store) -> None:
    assert store.jobs.counts() == {}
    queued_job(store, model_id="a")
    queued_job(store, model_id="a")
    store.jobs.receive(new_job(model_id="a"), 10)
    store.jobs.cancel(queued_job(store, model_id="b").id)
    assert store.jobs.counts() == {
        ("a", JobState.QUEUED): 2,
        ("a", JobState.RECEIVED): 1,
        ("b", JobState.CANCELLED): 1,
    }


def test_the_timeline_tells_the_whole_story(store: Store, clock: Clock) -> None:
    job, _ = store.jobs.receive(new_job(), 10)
    clock.advance(1)
    store.jobs.queue(job.id, ["one channel renamed"])
    clock.advance(1)
    claimed = store.jobs.claim("slot-0", LEASE_S)
    assert claimed
    store.jobs.report(claimed[1], 30, "infer")
    store.jobs.cut_short(claimed[1], "It was killed.", 2)
    again = store.jobs.claim("slot-1", LEASE_S)
    assert again
    clock.advance(1)
    store.jobs.succeed(again[1], a_result(warnings=("empty mask",)))
    story = [((event.at - START).seconds, event.kind, event.text) for event in store.jobs.events(job.id)]
    assert story == [
        (0, "state", "received"),
        (1, "state", "queued"),
        (1, "warning", "one channel renamed"),
        (2, "state", "running: run 1 in slot-0"),
        (2, "stage", "infer"),
        (2, "state", "queued: It was killed."),
        (2, "state", "running: run 2 in slot-1"),
        (3, "state", "succeeded"),
        (3, "warning", "empty mask"),
    ]
