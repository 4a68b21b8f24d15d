"""Bringing a database to this release's schema."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import peewee
import pytest

from segint_grpc import errors
from segint_grpc.domain.model_load import ModelLoad
from segint_grpc.domain.models import RuntimeRecord
from segint_grpc.home import Home
from segint_grpc.store import Store, open_store
from segint_grpc.store.migrator import Migration, Step, known_migrations, migrate
from segint_grpc.store.schema import TABLES
from tests.fakes.stores import START, Clock, ask, make_home, queued_job

KNOWN = len(known_migrations())


class Sql:
    """A step that runs statements."""

    def __init__(self, *statements: str) -> None:
        self.statements = statements

    def apply(self, database: peewee.Database) -> None:
        for statement in self.statements:
            peewee.RawQuery(statement).execute(database)


def later(steps: int, *statements: str) -> Migration:
    """A migration that is `steps` after the last that this release knows."""
    number = KNOWN + steps
    return Migration(number, f"{number:04d}_later", cast(Step, Sql(*statements)))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def used(home: Home) -> Home:
    """A home with a database that this release has made, and a job in it."""
    with Store(home, Clock()) as store:
        queued_job(store)
    return home


def seen(home: Home) -> list[int]:
    return [number for (number,) in ask(home, "SELECT number FROM migration ORDER BY number")]


def columns_of(home: Home, table: str) -> dict[str, tuple[Any, ...]]:
    """Return name → (type, not null, place in the primary key)."""
    rows = ask(home, f"SELECT name, type, [notnull], pk FROM pragma_table_info('{table}')")
    return {row[0]: row[1:] for row in rows}


def indexes_of(home: Home, table: str) -> set[tuple[bool, tuple[str, ...]]]:
    """Return (unique, columns) of every index."""
    indexes = ask(home, f"SELECT name, [unique] FROM pragma_index_list('{table}')")
    return {
        (bool(unique), tuple(row[0] for row in ask(home, f"SELECT name FROM pragma_index_info('{name}')")))
        for name, unique in indexes
    }


def references_of(home: Home, table: str) -> set[tuple[Any, ...]]:
    sql = f"SELECT [table], [from], [to], on_delete FROM pragma_foreign_key_list('{table}')"
    return set(ask(home, sql))


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    assert [step.number for step in known_migrations()] == list(range(1, len(known_migrations()) + 1))


def test_an_empty_home_gets_the_whole_schema_and_no_copy(home: Home) -> None:
    open_store(home).close()
    assert seen(home) == [step.number for step in known_migrations()]
    assert list(home.backups.iterdir()) == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.table_name)
def test_the_migrations_make_the_tables_that_the_queries_name(
    home: Home, tmp_path: Path, table: type[peewee.Model]
) -> None:
    open_store(home).close()
    expected = Home(tmp_path / "expected")
    expected.create()
    database = peewee.SqliteDatabase(str(expected.database))
    peewee.SchemaManager(table, database).create_all()
    database.close()
    name = table._meta.table_name
    assert columns_of(home, name) == columns_of(expected, name)
    assert indexes_of(home, name) == indexes_of(expected, name)
    assert references_of(home, name) == references_of(expected, name)


def test_the_schema_has_no_table_that_no_query_names(home: Home) -> None:
    open_store(home).close()
    tables = ask(home, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    assert {name for (name,) in tables} == {table._meta.table_name for table in TABLES}


def test_opening_again_changes_nothing(used: Home) -> None:
    before = ask(used, "SELECT * FROM migration")
    with Store(used, Clock()) as store:
        assert len(store.jobs.unfinished()) == 1
    assert ask(used, "SELECT * FROM migration") == before
    assert list(used.backups.iterdir()) == []


def test_a_later_release_migrates_after_making_a_copy(used: Home) -> None:
    steps = [*known_migrations(), later(1, "ALTER TABLE job ADD COLUMN priority INTEGER NOT NULL DEFAULT 0")]
    migrate(used, START + timedelta(days=1), steps)
    assert seen(used) == list(range(1, KNOWN + 2))
    assert ask(used, "SELECT priority FROM job") == [(0,)]
    (copy,) = used.backups.iterdir()
    assert copy.name == f"segint-before-{KNOWN + 1:04d}-20260302T083000.sqlite3"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT state FROM job").fetchall() == [("queued",)]
        assert connection.execute("SELECT max(number) FROM migration").fetchall() == [(KNOWN,)]
        assert "priority" not in [row[1] for row in connection.execute("PRAGMA table_info(job)")]


def test_the_copy_holds_what_is_still_in_the_write_ahead_log(home: Home) -> None:
    store = Store(home, Clock())
    queued_job(store)
    assert home.database.with_name("segint.sqlite3-wal").stat().st_size > 0
    migrate(home, START, [*known_migrations(), later(1)])
    store.close()
    (copy,) = home.backups.iterdir()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM job").fetchone() == (1,)


def test_a_step_that_fails_undoes_every_step(used: Home) -> None:
    before = ask(used, "SELECT sql FROM sqlite_master")
    steps = [*known_migrations(), later(1, "CREATE TABLE extra (id)"), later(2, "ALTER TABLE nothing ADD x")]
    with pytest.raises(errors.StartRefused, match=rf"{KNOWN + 2:04d}_later failed .* It is as it was before"):
        migrate(used, START, steps)
    assert ask(used, "SELECT sql FROM sqlite_master") == before
    assert len(list(used.backups.iterdir())) == 1
    with Store(used, Clock()) as store:
        assert len(store.jobs.unfinished()) == 1


def test_a_step_may_rebuild_a_table_that_others_refer_to(used: Home) -> None:
    rebuild = later(
        1,
        "CREATE TABLE rebuilt AS SELECT * FROM job",
        "DROP TABLE job",
        "ALTER TABLE rebuilt RENAME TO job",
        "CREATE UNIQUE INDEX job_id ON job (id)",
    )
    migrate(used, START, [*known_migrations(), rebuild])
    assert ask(used, "SELECT COUNT(*) FROM event") == [(2,)]


def test_a_step_that_breaks_references_is_undone(used: Home) -> None:
    with pytest.raises(errors.StartRefused, match="dangling references in event"):
        migrate(used, START, [*known_migrations(), later(1, "DELETE FROM job")])
    assert ask(used, "SELECT COUNT(*) FROM job") == [(1,)]


def test_a_newer_schema_is_refused_and_left_as_it_is(used: Home) -> None:
    migrate(used, START, [*known_migrations(), later(1, "ALTER TABLE job ADD COLUMN priority INTEGER")])
    before = used.database.read_bytes()
    with pytest.raises(
        errors.NewerSchema, match=rf"migration {KNOWN + 1}, this release knows {KNOWN}\..*Install"
    ):
        open_store(used)
    assert used.database.read_bytes() == before
    assert len(list(used.backups.iterdir())) == 1


def test_what_is_no_database_is_refused_with_a_sentence(home: Home) -> None:
    home.database.write_bytes(b"This is a letter, not a database." * 100)
    with pytest.raises(errors.StartRefused, match="cannot be used: file is not a database"):
        open_store(home)


def test_the_database_of_another_program_is_refused_and_left_as_it_is(home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("CREATE TABLE job (id INTEGER)")
    before = home.database.read_bytes()
    with pytest.raises(errors.StartRefused, match="is a database of something else"):
        open_store(home)
    assert home.database.read_bytes() == before


def test_a_start_that_was_killed_before_the_first_migration_is_made_good(home: Home) -> None:
    home.database.touch()
    with Store(home, Clock()) as store:
        assert store.jobs.unfinished() == []


def test_what_was_offered_before_states_existed_stays_offered_and_its_code_approved(home: Home) -> None:
    migrate(home, START, known_migrations()[:1])
    with closing(sqlite3.connect(home.database)) as connection:
        connection.executescript(
            """INSERT INTO family VALUES (1, 'Thorax', x'00', 'warn', 5), (2, 'Pelvis', x'00', 'warn', 6);
            INSERT INTO version VALUES ('runs', 1, 0), ('idle', 1, 1), ('other', 2, 0);
            INSERT INTO file VALUES (1, 'aa', 'w.pt', 1, 7), (2, 'bb', 'n.py', 1, 8), (3, 'cc', 'x.py', 1, 9);
            INSERT INTO runtime VALUES (4, 'runs', 'pytorch', 1, 2, '', '{}');"""
        )
    with open_store(home) as store:
        thorax, pelvis = store.models.families()
        runs, idle = thorax.versions
        assert (runs.state, runs.forced) == ("active", True)
        assert (idle.state, idle.forced) == ("draft", False)
        assert set(store.model_files.approvals()) == {"aa", "bb"}
        assert 0 < thorax.revision < pelvis.revision
        assert store.models.set_runtime("idle", RuntimeRecord("phantom")).runtime
        kinds = [(event.kind, event.canonical_name) for event in store.model_events.events()]
    assert kinds == [("imported", "Thorax"), ("imported", "Pelvis"), ("runtime set", "Thorax")]


def test_jobs_and_runs_from_before_their_stages_were_timed_have_no_times(home: Home) -> None:
    migrate(home, START, [step for step in known_migrations() if step.number <= 3])
    with closing(sqlite3.connect(home.database)) as connection:
        connection.executescript(
            """INSERT INTO job (id, model_id, state, percent, stage, error_code, error_text, caller,
                client_version, request_id, body_sha256, body_bytes, body_kept, result_sha256, result_kept,
                submitted_at, deadline_at, attempt, token, finished_at, result_bytes)
            VALUES ('11111111-1111-4111-8111-111111111111', 'Liver', 'succeeded', 100, 'done', '', '', 'me',
                '', '', 'aa', 5, 0, 'bb', 1, 1, 2, 1, '', 3, 4);
            INSERT INTO run (job_id, attempt, slot, started_at, ended_at, outcome, reason, peak_memory_bytes,
                voxels) VALUES ('11111111-1111-4111-8111-111111111111', 1, 'slot-0', 1, 3, 'succeeded', '',
                9, 8);"""
        )
    with open_store(home) as store:
        assert store.jobs.get("11111111-1111-4111-8111-111111111111").voxels == 0
        assert store.statistics.run_times("Liver") == []
        assert [use.voxels for use in store.statistics.memory("Liver")] == [8]


def test_versions_from_before_interpreters_could_be_named_run_in_the_server_s_own(home: Home) -> None:
    migrate(home, START, [step for step in known_migrations() if step.number <= 8])
    with closing(sqlite3.connect(home.database)) as connection:
        connection.executescript(
            """INSERT INTO family (id, canonical_name, body, policy, imported_at)
                VALUES (1, 'Thorax', x'00', 'warn', 5);
            INSERT INTO version (version_id, family_id, position, state, forced)
                VALUES ('runs', 1, 0, 'active', 0);
            INSERT INTO runtime (version_id, backend, entry, parameters)
                VALUES ('runs', 'phantom', '', '{}');"""
        )
    with open_store(home) as store:
        runtime = store.models.version("runs")[1].runtime
        assert runtime
        assert (runtime.backend, runtime.interpreter) == ("phantom", "")


def test_jobs_from_before_there_was_a_hurried_setting_run_as_usual(home: Home) -> None:
    migrate(home, START, [step for step in known_migrations() if step.number <= 7])
    with closing(sqlite3.connect(home.database)) as connection:
        connection.executescript(
            """INSERT INTO job (id, model_id, state, percent, stage, error_code, error_text, caller, owner,
                client_version, request_id, body_sha256, body_bytes, body_kept, result_sha256, result_kept,
                submitted_at, deadline_at, attempt, token, voxels)
            VALUES ('11111111-1111-4111-8111-111111111111', 'Liver', 'queued', 0, 'queue', '', '', 'me', '',
                '', '', 'aa', 5, 1, '', 0, 1, 2, 0, '', 7);"""
        )
    with open_store(home) as store:
        assert not store.jobs.get("11111111-1111-4111-8111-111111111111").hurried


def test_versions_from_before_loads_were_measured_have_none_until_they_are_loaded(home: Home) -> None:
    migrate(home, START, [step for step in known_migrations() if step.number <= 8])
    with closing(sqlite3.connect(home.database)) as connection:
        connection.executescript(
            """INSERT INTO family (id, canonical_name, body, policy, imported_at, revision, default_version,
                former_default) VALUES (1, 'Livers', x'', 'warn', 1, 0, '', '');
            INSERT INTO version (version_id, family_id, position, state, forced)
            VALUES ('Liver 1', 1, 0, 'draft', 0);"""
        )
    with open_store(home) as store:
        assert store.versions.loads() == {}
        store.versions.keep_load("Liver 1", ModelLoad(1.0, 5), START)
        assert list(store.versions.loads()) == ["Liver 1"]
