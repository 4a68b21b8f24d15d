"""States of versions, checks, defaults, approvals and events in the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.models import CheckRecord, ConstraintPolicy, FileRecord, RuntimeRecord, VersionRecord
from segint_grpc.domain.versions import TRANSITIONS, Act, VersionState, after
from segint_grpc.store import Store
from tests.fakes.stores import START, Clock, make_home, queued_job

WARN = ConstraintPolicy.WARN
DRAFT, CHECKED, ACTIVE, RETIRED = VersionState
MODULE = FileRecord("2" * 64, "net.py", 321)
TWIN = FileRecord("3" * 64, "net.py", 99)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(make_home(tmp_path), Clock()) as store:
        store.models.import_family("A", ["v1", "v2"], b"1", WARN)
        yield store


def check(version: VersionRecord, passed: bool = True) -> CheckRecord:
    assert version.runtime
    return CheckRecord(passed, version.runtime.revision, START, b"report")


def version(store: Store, version_id: str = "v1") -> VersionRecord:
    return store.models.version(version_id)[1]


def bring_to(store: Store, state: VersionState) -> None:
    """Bring v1, which is a draft without runtime, to `state` without force."""
    drafted = store.models.set_runtime("v1", RuntimeRecord("phantom"))
    if state is not DRAFT:
        store.versions.keep_check("v1", check(drafted))
    if state in (ACTIVE, RETIRED):
        store.versions.act("v1", Act.ACTIVATE)
    if state is RETIRED:
        store.versions.act("v1", Act.RETIRE)
    assert version(store).state is state


@pytest.mark.parametrize("state", VersionState)
@pytest.mark.parametrize("act", [Act.ACTIVATE, Act.FORCE, Act.RETIRE])
def test_the_store_does_what_the_table_allows_and_nothing_else(
    store: Store, state: VersionState, act: Act
) -> None:
    bring_to(store, state)
    expected = TRANSITIONS[act].get(state)
    if expected is None:
        with pytest.raises(errors.NotNow, match=f"is {state.name} cannot be {act}; it would have to be"):
            store.versions.act("v1", act)
    else:
        assert store.versions.act("v1", act).state is expected
    assert version(store).state is (expected or state)
    assert version(store, "v2") == VersionRecord("v2", 1)


def test_only_force_takes_a_draft_to_clients() -> None:
    assert [act for act in Act if TRANSITIONS[act].get(DRAFT) is ACTIVE] == [Act.FORCE]
    with pytest.raises(errors.NotNow):
        after(DRAFT, Act.ACTIVATE)


@pytest.mark.parametrize("state", VersionState)
def test_a_new_runtime_makes_a_draft_and_voids_check_and_force(store: Store, state: VersionState) -> None:
    bring_to(store, state)
    if state is ACTIVE:
        store.versions.act("v1", Act.FORCE, forced=True)
    now = store.models.set_runtime("v1", RuntimeRecord("phantom"))
    assert (now.state, now.check, now.forced) == (DRAFT, None, False)


@pytest.mark.parametrize(("state", "following"), [(CHECKED, DRAFT), (ACTIVE, ACTIVE), (RETIRED, DRAFT)])
def test_a_failed_check_is_kept_and_asks_for_force_before_the_next_activation(
    store: Store, state: VersionState, following: VersionState
) -> None:
    bring_to(store, state)
    kept = store.versions.keep_check("v1", check(version(store), passed=False))
    assert kept.check == check(kept, passed=False)
    assert kept.state is following
    assert kept.needs_force


def test_what_failed_while_it_was_active_and_was_retired_asks_for_force(store: Store) -> None:
    bring_to(store, ACTIVE)
    assert not version(store).needs_force
    store.versions.keep_check("v1", check(version(store), passed=False))
    assert store.versions.act("v1", Act.RETIRE).needs_force


def test_a_check_of_another_runtime_is_refused(store: Store) -> None:
    before = store.models.set_runtime("v1", RuntimeRecord("phantom"))
    now = store.models.set_runtime("v1", RuntimeRecord("phantom"))
    with pytest.raises(errors.Outdated, match="was changed while it was checked"):
        store.versions.keep_check("v1", check(before))
    assert version(store) == now


def test_the_default_is_activated_and_the_one_before_remembered(store: Store) -> None:
    bring_to(store, RETIRED)
    family = store.versions.set_default("v1", "v2")
    assert (family.default_version, family.former_default) == ("v1", "v2")
    assert version(store).state is ACTIVE
    with pytest.raises(errors.NotNow):
        store.versions.set_default("v2", "v1")
    assert store.models.families()[0].default_version == "v1"


def test_a_family_is_created_once(store: Store) -> None:
    created = store.models.create_family("B", ["b"], b"1", ConstraintPolicy.ENFORCE)
    assert created.revision > store.models.families()[0].revision
    with pytest.raises(errors.AlreadyExists, match="'B' is here already"):
        store.models.create_family("B", ["c"], b"2", WARN)
    assert store.models.families()[1] == created


def test_an_update_needs_the_newest_revision(store: Store) -> None:
    (before,) = store.models.families()
    now = store.models.update_family(before, ["v1"], b"2", WARN)
    assert now.revision > before.revision
    with pytest.raises(errors.Outdated, match=f"at revision {now.revision}, not {before.revision}"):
        store.models.update_family(before, ["v1"], b"3", WARN)
    assert store.models.families() == [now]
    store.models.remove_family("A")
    with pytest.raises(errors.UnknownFamily, match="removed meanwhile"):
        store.models.update_family(now, ["v1"], b"3", WARN)


def test_a_revision_is_not_used_again_by_a_family_of_the_same_name(store: Store) -> None:
    (before,) = store.models.families()
    store.models.remove_family("A")
    store.models.import_family("A", ["v1"], b"1", WARN)
    with pytest.raises(errors.Outdated):
        store.models.update_family(before, ["v1"], b"3", WARN)


def test_redefined_versions_become_drafts(store: Store) -> None:
    bring_to(store, ACTIVE)
    (before,) = store.models.families()
    assert store.models.update_family(before, ["v1"], b"2", WARN).versions[0].state is ACTIVE
    (before,) = store.models.families()
    family = store.models.update_family(before, ["v1"], b"3", WARN, ["v1"])
    assert (family.versions[0].state, family.versions[0].check) == (DRAFT, None)
    assert family.versions[0].runtime


def test_a_version_with_unfinished_jobs_stays(store: Store) -> None:
    queued_job(store, model_id="v2")
    with pytest.raises(errors.JobsUnfinished, match=r"1 jobs .*v2"):
        store.models.import_family("A", ["v1"], b"2", WARN)
    assert store.models.families()[0].body == b"1"


def test_code_is_approved_by_content_once(store: Store) -> None:
    store.model_files.approve(MODULE.sha256)
    store.model_files.approve(MODULE.sha256)
    assert store.model_files.approvals() == {MODULE.sha256: START}
    assert [event.kind for event in store.model_events.events()].count("code approved") == 1


def test_a_file_is_found_by_its_name_alone_unless_that_is_not_enough(store: Store) -> None:
    store.model_files.add(MODULE)
    assert store.model_files.find("", "net.py") == MODULE
    store.model_files.add(TWIN)
    with pytest.raises(errors.InvalidModel, match=f"{TWIN.sha256}, {MODULE.sha256}"):
        store.model_files.find("", "net.py")
    assert store.model_files.find(TWIN.sha256) == TWIN


def test_a_check_scan_is_a_file_that_is_used(store: Store) -> None:
    store.model_files.add(MODULE)
    runtime = store.models.set_runtime("v1", RuntimeRecord("phantom", check_scan=MODULE)).runtime
    assert runtime
    assert runtime.check_scan == MODULE
    assert store.model_files.forget_unused(0) == []
    assert store.models.remove_family("A") == [MODULE]


def test_every_act_is_recorded_with_its_reason(store: Store) -> None:
    bring_to(store, DRAFT)
    store.versions.act("v1", Act.FORCE, "the ward waits", forced=True)
    event = store.model_events.events("A")[-1]
    assert (event.at, event.kind, event.version_id) == (START, "activated by force", "v1")
    assert (event.text, event.forced) == ("the ward waits", True)
    assert store.model_events.events("B") == []
