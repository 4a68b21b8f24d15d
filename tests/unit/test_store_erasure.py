"""What is deleted is gone from the database's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from segint_grpc.domain.jobs import JobState
from segint_grpc.home import Home
from segint_grpc.store import Store
from segint_grpc.store.opinions import OpinionKind
from segint_grpc.store.schema import OpinionTable
from tests.fakes.stores import Clock, job_in, make_home

PATIENT = b"Doe^Jane-19700101"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def files_with(home: Home, text: bytes) -> list[str]:
    return [path.name for path in home.path.rglob("*") if path.is_file() and text in path.read_bytes()]


@pytest.mark.parametrize("copies", [1, 400])
def test_what_was_said_of_a_deleted_job_is_in_no_file(home: Home, copies: int) -> None:
    with Store(home, Clock()) as store:
        job, _ = job_in(store, JobState.FAILED)
        store.opinions.add(OpinionKind.FEEDBACK, job.id, PATIENT * copies)
        assert files_with(home, PATIENT)
        store.jobs.delete(job.id)
        assert store.erase()
        assert files_with(home, PATIENT) == []
        assert not store.traces_left


def test_while_somebody_reads_traces_stay_and_are_remembered(home: Home) -> None:
    with Store(home, Clock()) as store:
        job, _ = job_in(store, JobState.FAILED)
        store.opinions.add(OpinionKind.FEEDBACK, job.id, PATIENT)
        with Store(home, Clock()) as other, other._database.read() as reader:
            assert reader.count(OpinionTable.select()) == 1
            store.jobs.delete(job.id)
            assert not store.erase()
            assert store.traces_left
        assert store.erase()
    assert files_with(home, PATIENT) == []
