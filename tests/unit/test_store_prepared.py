"""Statements that are built once, and writes that need not be durable at once."""

from __future__ import annotations

from pathlib import Path

import peewee
import pytest

from segint_grpc.store import open_store
from segint_grpc.store.database import Database
from segint_grpc.store.prepared import Prepared, slot
from segint_grpc.store.schema import EventTable, JobTable
from tests.fakes.stores import make_home, queued_job


def test_a_prepared_select_gives_the_rows_that_its_query_would(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    with open_store(home) as store:
        job_ids = [queued_job(store).id for _ in range(2)]
    database = Database(home.database)
    job = Prepared(JobTable.select().where(JobTable.id == slot(JobTable.id)))
    events = Prepared(EventTable.select().where(EventTable.job == slot(EventTable.job, "of")))
    with database.read() as transaction:
        for job_id in job_ids:
            rows = transaction.rows(JobTable.select().where(JobTable.id == job_id))
            assert transaction.ask(job, id=job_id) == rows != []
            rows = transaction.rows(EventTable.select().where(EventTable.job == job_id))
            assert transaction.ask(events, of=job_id) == rows != []
    database.close()


@pytest.mark.parametrize(("durable", "synchronous"), [(False, 1), (True, 2)])
def test_only_a_durable_write_waits_for_the_disk(tmp_path: Path, durable: bool, synchronous: int) -> None:
    home = make_home(tmp_path)
    open_store(home).close()
    database = Database(home.database)
    for _ in range(2):
        with database.write(durable=not durable):
            pass
        with database.write(durable=durable) as transaction:
            assert transaction.row(peewee.RawQuery("PRAGMA synchronous")) == {"synchronous": synchronous}
    database.close()


def test_every_change_of_the_models_has_a_newer_event(tmp_path: Path) -> None:
    with open_store(make_home(tmp_path)) as store:
        assert store.model_events.newest() == 0
        store.model_files.approve("a" * 64)
        first = store.model_events.newest()
        store.model_files.approve("b" * 64)
        assert store.model_events.newest() > first > 0
