"""The store after SIGKILL: whatever was promised is there, and nothing half-done is."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segint_grpc.domain.jobs import JobState
from segint_grpc.home import Home
from segint_grpc.store import Store, open_store
from tests.fakes.stores import ask, contradictions, make_home, queued_job

ROUNDS = 6
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@contextmanager
def victim(verb: str, home: Home) -> Iterator[Iterator[str]]:
    """Run a process on the store; yield its lines; kill it with SIGKILL at the end."""
    command = [sys.executable, "-m", "tests.fakes.store_victim", verb, str(home.path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield map(str.strip, process.stdout)
        finally:
            process.kill()


def kill_after(home: Home, promises: int) -> list[list[str]]:
    """Return the promises of a working process, as words, that is killed after that many or a few more."""
    with victim("work", home) as lines:
        told = [next(lines) for _ in range(promises)]
    return [line.split() for line in told]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_promise(store: Store, promise: list[str]) -> None:
    what, job_id, *sha256 = promise
    job = store.jobs.get(job_id)
    if what == "received":
        assert job.body_sha256 == sha256[0] == digest(store.media.body_path(job_id))
    if what == "queued":
        assert job.state is not JobState.RECEIVED
        assert job.warnings == ("a warning",)
    if what == "cancelled":
        assert job.state is JobState.CANCELLED
    if what == "succeeded":
        assert (job.state, job.percent) == (JobState.SUCCEEDED, 100)
        assert job.result_sha256 == sha256[0] == digest(store.media.result_path(job_id))


def test_every_promise_made_before_a_kill_is_kept(home: Home) -> None:
    promises: list[list[str]] = []
    moments = random.Random(20260301)
    for _ in range(ROUNDS):
        promises += kill_after(home, moments.randint(1, 40))
        assert contradictions(home) == []
        with open_store(home) as store:
            for promise in promises:
                if promise[0] != "family":
                    check_promise(store, promise)
            store.jobs.recover(2)
            store.sweep()
            assert all(job.state in (JobState.RECEIVED, JobState.QUEUED) for job in store.jobs.unfinished())
            for job in store.jobs.unfinished():
                store.jobs.cancel(job.id)
        assert contradictions(home) == []
    assert {promise[0] for promise in promises} >= {"received", "queued", "cancelled", "succeeded", "family"}


def test_a_family_is_whole_after_a_kill_and_no_older_than_promised(home: Home) -> None:
    promised = [sha256 for what, sha256, *_ in kill_after(home, 23) if what == "family"]
    with open_store(home) as store:
        (family,) = store.models.families()
    assert len(family.body) == 50_000
    assert len(family.versions) == 2
    kept = hashlib.sha256(family.body).hexdigest()
    assert kept == promised[-1] or kept not in promised


def test_a_write_that_is_killed_halfway_never_was(home: Home) -> None:
    with open_store(home) as store:
        job = queued_job(store)
    with victim("hang", home) as lines:
        assert next(lines) == "inside"
        assert home.database.with_name("segint.sqlite3-wal").stat().st_size > 4 * 1024 * 1024
    with open_store(home) as store:
        assert store.jobs.get(job.id) == job
    assert ask(home, "SELECT COUNT(*) FROM opinion") == [(0,)]
    assert contradictions(home) == []


def test_a_killed_writer_keeps_nobody_waiting(home: Home) -> None:
    with open_store(home) as store:
        with victim("hang", home) as lines:
            next(lines)
        queued_job(store)


def test_a_half_written_file_is_neither_read_nor_kept(home: Home) -> None:
    kill_after(home, 5)
    half = home.bodies / f".{os.urandom(16).hex()}.part"
    half.write_bytes(b"half")
    with open_store(home) as store:
        assert store.sweep() >= 1
    assert not half.exists()
