"""Jobs and opinions as lists, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.job_lists import JobFilter, Place
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.domain.timeline import EventKind, RunOutcome
from segint_grpc.home import Home
from segint_grpc.store import Store
from segint_grpc.store.opinions import OpinionKind
from tests.fakes.stores import (
    LEASE_S,
    START,
    Clock,
    a_result,
    ask,
    contradictions,
    job_in,
    make_home,
    new_job,
    queued_job,
    running_job,
)

EVERYTHING = JobFilter()
HOUR = timedelta(hours=1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Home, clock: Clock) -> Iterator[Store]:
    with Store(home, clock) as store:
        yield store
    assert contradictions(home) == []


def pages(store: Store, wanted: JobFilter, limit: int) -> Iterator[list[Job]]:
    after = None
    while jobs := store.jobs.page(wanted, after, limit):
        yield jobs
        after = Place.of(jobs[-1])


def test_pages_hold_every_job_once_and_newest_first_even_of_the_same_moment(store: Store) -> None:
    ids = [queued_job(store, START + timedelta(seconds=number // 4)).id for number in range(23)]
    found = list(pages(store, EVERYTHING, 5))
    assert [len(page) for page in found] == [5, 5, 5, 5, 3]
    jobs = [job for page in found for job in page]
    assert {job.id for job in jobs} == set(ids)
    places = [(job.submitted_at, job.id) for job in jobs]
    assert places == sorted(places, reverse=True)


def test_jobs_that_come_and_go_between_two_pages_neither_repeat_nor_hide_another(store: Store) -> None:
    jobs = [queued_job(store, START + timedelta(seconds=number)) for number in range(6)]
    first = store.jobs.page(EVERYTHING, None, 3)
    queued_job(store, START + HOUR)
    store.jobs.delete(store.jobs.cancel(first[-1].id).id)
    rest = store.jobs.page(EVERYTHING, Place.of(first[-1]), 10)
    assert [job.id for job in rest] == [job.id for job in reversed(jobs[:3])]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (JobFilter(), {"old", "lung", "warned", "failed"}),
        (JobFilter(model_id="lung"), {"lung"}),
        (JobFilter(caller="192.0.2.9"), {"lung"}),
        (JobFilter(states=frozenset({JobState.FAILED, JobState.CANCELLED})), {"failed"}),
        (JobFilter(submitted_from=START), {"lung", "warned", "failed"}),
        (JobFilter(submitted_before=START), {"old"}),
        (JobFilter(with_warnings=True), {"warned"}),
        (JobFilter(model_id="liver", states=frozenset({JobState.QUEUED})), {"warned", "old"}),
        (JobFilter(model_id="lung", with_warnings=True), set()),
    ],
)
def test_a_filter_means_the_same_to_the_database_and_to_whoever_watches(
    store: Store, wanted: JobFilter, expected: set[str]
) -> None:
    failed, lease = running_job(store, model_id="liver")
    store.jobs.fail(lease, "InternalError", "The model failed.")
    names = {
        queued_job(store, START - HOUR, model_id="liver").id: "old",
        queued_job(store, model_id="lung", caller="192.0.2.9").id: "lung",
        queued_job(store, model_id="liver", warnings=("Thick slices.",)).id: "warned",
        failed.id: "failed",
    }
    assert {names[job.id] for job in store.jobs.page(wanted, None, 10)} == expected
    everything = store.jobs.page(EVERYTHING, None, 10)
    assert {names[job.id] for job in everything if wanted.fits(job)} == expected


def test_a_story_tells_timeline_runs_and_what_is_kept(store: Store, clock: Clock) -> None:
    job, lease = running_job(store)
    clock.advance(5)
    store.jobs.cut_short(lease, "Killed.", attempts_max=3)
    claimed = store.jobs.claim("slot-1", LEASE_S)
    assert claimed
    clock.advance(7)
    store.jobs.succeed(claimed[1], a_result(peak_memory_bytes=77, warnings=("Empty mask.",)))
    story = store.jobs.story(job.id.upper())
    assert [(run.attempt, run.slot, run.outcome) for run in story.runs] == [
        (1, "slot-0", RunOutcome.CUT_SHORT),
        (2, "slot-1", RunOutcome.SUCCEEDED),
    ]
    assert story.runs[1].peak_memory_bytes == 77
    assert [event.kind for event in story.timeline].count(EventKind.WARNING) == 1
    assert (story.job.body_kept, story.job.result_kept) == (True, True)
    assert story.job.client_version == "Velocity 4.1"


def test_the_places_in_the_queue_are_those_that_each_job_is_told(store: Store) -> None:
    running_job(store)
    waiting = [queued_job(store, START + timedelta(seconds=number)) for number in range(3)]
    received, _ = store.jobs.receive(new_job(START + HOUR), 100)
    places = store.jobs.queue_places()
    assert places == {job.id: store.jobs.jobs_ahead(job) for job in (*waiting, received)}
    assert list(places.values()) == [1, 2, 3, 4]


def test_a_deleted_job_is_gone_with_its_runs_timeline_and_opinions(store: Store, home: Home) -> None:
    job, _ = job_in(store, JobState.SUCCEEDED)
    other, _ = job_in(store, JobState.SUCCEEDED)
    for kept in (job, other):
        store.opinions.add(OpinionKind.FEEDBACK, kept.id, b"")
    store.jobs.delete(job.id)
    with pytest.raises(errors.UnknownJob):
        store.jobs.get(job.id)
    for table in ("run", "event", "opinion"):
        assert {row[0] for row in ask(home, f"SELECT job_id FROM {table}")} == {other.id}


def test_an_unfinished_job_is_not_deleted(store: Store) -> None:
    job = queued_job(store)
    with pytest.raises(errors.StillProcessing):
        store.jobs.delete(job.id)
    assert store.jobs.get(job.id) == job


def test_opinions_come_newest_first_with_the_model_of_their_job(store: Store, clock: Clock) -> None:
    liver, lung = queued_job(store, model_id="liver"), queued_job(store, model_id="lung")
    for number, segmentation_id in enumerate((liver.id, "unknown", lung.id.upper(), liver.id)):
        store.opinions.add(OpinionKind.FEEDBACK, segmentation_id, bytes([number]))
        clock.advance(60)
    store.opinions.add(OpinionKind.TELEMETRY, liver.id, b"other")
    page = store.opinions.page(OpinionKind.FEEDBACK, "", None, 0, 3)
    assert [(opinion.body, opinion.model_id) for opinion in page] == [
        (b"\x03", "liver"),
        (b"\x02", "lung"),
        (b"\x01", ""),
    ]
    rest = store.opinions.page(OpinionKind.FEEDBACK, "", None, page[-1].number, 3)
    assert [opinion.body for opinion in rest] == [b"\x00"]
    of_liver = store.opinions.page(OpinionKind.FEEDBACK, "liver", None, 0, 9)
    assert [opinion.body for opinion in of_liver] == [b"\x03", b"\x00"]
    late = store.opinions.page(OpinionKind.FEEDBACK, "", START + timedelta(seconds=120), 0, 9)
    assert [opinion.body for opinion in late] == [b"\x03", b"\x02"]
