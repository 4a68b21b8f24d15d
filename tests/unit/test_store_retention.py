"""The two lifetimes, opinions, and the sweep at start-up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from segint_grpc.domain.jobs import Job, Lease, new_job_id
from segint_grpc.domain.models import FileRecord
from segint_grpc.home import Home
from segint_grpc.store import Store
from segint_grpc.store.media import MediaKind
from segint_grpc.store.opinions import OpinionKind
from segint_grpc.store.retention import Due, Retention
from tests.fakes.stores import (
    START,
    Clock,
    a_result,
    ask,
    contradictions,
    make_home,
    new_job,
    queued_job,
    running_job,
)

HOUR_S = 3600
DAY_S = 24 * HOUR_S
RETENTION = Retention(failed_body_s=DAY_S, result_s=7 * DAY_S, row_s=30 * DAY_S)
NOTHING = Due((), (), ())


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


def succeeded(store: Store) -> Job:
    return store.jobs.succeed(running_job(store)[1], a_result())


def failed(store: Store) -> Job:
    return store.jobs.fail(running_job(store)[1], "InternalError", "The model failed.")


def test_an_unfinished_job_loses_nothing_however_old(store: Store, clock: Clock) -> None:
    running, _ = running_job(store)
    queued = queued_job(store)
    store.jobs.receive(new_job(), 10)
    clock.advance(1000 * DAY_S)
    assert store.retention.due(RETENTION) == NOTHING
    store.retention.forget_bodies([running.id, queued.id])
    assert store.retention.delete_rows([running.id, queued.id]) == 0
    assert len(store.retention.kept().bodies) == 3


def test_the_body_of_a_job_that_succeeded_or_was_cancelled_goes_at_once(store: Store) -> None:
    done = succeeded(store)
    cancelled = store.jobs.cancel(queued_job(store).id)
    assert set(store.retention.due(RETENTION).bodies) == {done.id, cancelled.id}


def test_the_body_of_a_failed_job_stays_for_its_time(store: Store, clock: Clock) -> None:
    job = failed(store)
    clock.advance(DAY_S - 1)
    assert store.retention.due(RETENTION) == NOTHING
    clock.advance(1)
    assert store.retention.due(RETENTION) == Due((job.id,), (), ())


def test_a_result_stays_for_its_time_and_is_due_until_it_is_forgotten(store: Store, clock: Clock) -> None:
    job = succeeded(store)
    store.retention.forget_bodies([job.id])
    clock.advance(7 * DAY_S - 1)
    assert store.retention.due(RETENTION) == NOTHING
    clock.advance(1)
    for _ in range(2):
        assert store.retention.due(RETENTION) == Due((), (job.id,), ())
    store.retention.forget_results([job.id])
    assert store.retention.due(RETENTION) == NOTHING
    assert store.jobs.get(job.id) == replace(job, body_kept=False, result_kept=False)


def test_a_row_goes_last_with_everything_that_hangs_on_it(store: Store, home: Home, clock: Clock) -> None:
    job, kept = succeeded(store), failed(store)
    store.opinions.add(OpinionKind.FEEDBACK, job.id, b"good")
    clock.advance(30 * DAY_S)
    assert store.retention.due(RETENTION).rows == ()
    assert store.retention.delete_rows([job.id]) == 0
    store.retention.forget_bodies([job.id])
    store.retention.forget_results([job.id])
    assert store.retention.due(RETENTION).rows == (job.id,)
    assert store.retention.delete_rows([job.id]) == 1
    tables = ("run", "event", "opinion")
    assert {ask(home, f"SELECT COUNT(*) FROM {table} WHERE job_id = ?", job.id)[0] for table in tables} == {
        (0,)
    }
    assert store.jobs.counts() == {(kept.model_id, kept.state): 1}


def test_rows_stay_for_ever_by_default(store: Store, clock: Clock) -> None:
    job = succeeded(store)
    store.retention.forget_bodies([job.id])
    store.retention.forget_results([job.id])
    store.opinions.add(OpinionKind.FEEDBACK, "unknown", b"text")
    clock.advance(10_000 * DAY_S)
    assert store.retention.due(Retention(0, 0, 0)) == NOTHING
    assert store.retention.delete_unlinked_opinions(0) == 0


def test_what_is_due_comes_longest_first(store: Store, clock: Clock) -> None:
    first = failed(store)
    clock.advance(1)
    second = failed(store)
    clock.advance(DAY_S)
    assert store.retention.due(RETENTION).bodies == (first.id, second.id)


def test_nothing_to_forget_is_nothing(store: Store) -> None:
    store.retention.forget_bodies([])
    store.retention.forget_results([])
    assert store.retention.delete_rows([]) == 0


@pytest.mark.parametrize("kind", list(OpinionKind))
def test_an_opinion_on_a_known_job_is_linked_to_it(store: Store, kind: OpinionKind) -> None:
    job = succeeded(store)
    assert store.opinions.add(kind, job.id, b"first\x00")
    assert store.opinions.add(kind, job.id.upper().replace("-", ""), b"second")
    other = next(other for other in OpinionKind if other is not kind)
    assert store.opinions.bodies(kind, job.id) == [b"first\x00", b"second"]
    assert store.opinions.bodies(other, job.id) == []


@pytest.mark.parametrize("segmentation_id", ["", "not an id", new_job_id()])
def test_an_opinion_on_an_unknown_job_is_kept_and_linked_to_none(
    store: Store, home: Home, segmentation_id: str
) -> None:
    assert not store.opinions.add(OpinionKind.TELEMETRY, segmentation_id, b"body")
    assert ask(home, "SELECT segmentation_id, body, job_id FROM opinion") == [
        (segmentation_id, b"body", None)
    ]
    assert store.opinions.bodies(OpinionKind.TELEMETRY, segmentation_id) == []


def test_opinions_on_unknown_jobs_go_with_the_rows_lifetime(store: Store, clock: Clock) -> None:
    job = succeeded(store)
    store.opinions.add(OpinionKind.FEEDBACK, job.id, b"linked")
    store.opinions.add(OpinionKind.FEEDBACK, "unknown", b"old")
    clock.advance(DAY_S)
    store.opinions.add(OpinionKind.FEEDBACK, "unknown", b"young")
    assert store.retention.delete_unlinked_opinions(DAY_S) == 1
    assert store.opinions.bodies(OpinionKind.FEEDBACK, job.id) == [b"linked"]


def write_files(store: Store, job_id: str) -> list[Path]:
    paths = [
        store.media.body_path(job_id),
        store.media.result_path(job_id),
        store.media.voxel_path(job_id, 0),
    ]
    for path in paths:
        path.write_bytes(b"x")
    return paths


def test_the_sweep_keeps_what_a_row_knows_and_removes_the_rest(store: Store) -> None:
    done, waiting = succeeded(store), queued_job(store, START + timedelta(seconds=1))
    of_done, of_waiting, of_nobody = (write_files(store, x) for x in (done.id, waiting.id, new_job_id()))
    known, unknown = FileRecord("1" * 64, "w.pt", 1), FileRecord("1" * 64, "old.pt", 1)
    forgotten = FileRecord("2" * 64, "w.pt", 1)
    store.model_files.add(known)
    model_files = [store.media.model_file_path(file) for file in (known, unknown, forgotten)]
    for path in model_files:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    half_written = [store.media.temporary(kind) for kind in MediaKind]
    for path in half_written:
        path.write_bytes(b"x")
    left_there = store.media.body_path("notes")
    left_there.write_text("not ours")
    assert store.sweep() == 1 + 2 + 3 + 2 + len(half_written)
    everything = {*of_done, *of_waiting, *of_nobody, *model_files, *half_written, left_there}
    assert {path for path in everything if path.exists()} == {
        *of_done[:2],
        of_waiting[0],
        model_files[0],
        left_there,
    }
    assert not model_files[2].parent.exists()
    assert store.sweep() == 0


def test_the_sweep_follows_what_was_forgotten(store: Store) -> None:
    job = succeeded(store)
    body, result, _ = write_files(store, job.id)
    store.retention.forget_bodies([job.id])
    store.sweep()
    assert (body.exists(), result.exists()) == (False, True)
    store.retention.forget_results([job.id])
    store.sweep()
    assert not result.exists()


def test_a_result_whose_run_was_lost_before_it_was_told_is_swept(store: Store) -> None:
    job, lease = running_job(store)
    result = write_files(store, job.id)[1]
    assert store.jobs.recover(2)[0].id == job.id
    store.sweep()
    assert not result.exists()
    assert store.media.body_path(job.id).exists()
    assert isinstance(lease, Lease)
