"""Model families in the store, what runs their versions, and their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.domain.models import ConstraintPolicy, FileRecord, RuntimeRecord, VersionRecord
from segint_grpc.home import Home
from segint_grpc.store import Store
from tests.fakes.stores import START, Clock, make_home

WEIGHTS = FileRecord("1" * 64, "weights.pt", 1_000_000_000_000)
MODULE = FileRecord("2" * 64, "net.py", 321)
OTHER = FileRecord("3" * 64, "other.pt", 7)
WARN = ConstraintPolicy.WARN


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def store(home: Home, clock: Clock) -> Iterator[Store]:
    with Store(home, clock) as store:
        for file in (WEIGHTS, MODULE, OTHER):
            store.model_files.add(file)
        yield store


def test_a_family_is_kept_with_its_versions_in_order(store: Store) -> None:
    family = store.models.import_family("Thorax", ["v2", "v1"], b"\x00body", ConstraintPolicy.ENFORCE)
    assert (family.canonical_name, family.body, family.policy) == ("Thorax", b"\x00body", "enforce")
    assert family.imported_at == START
    assert family.versions == (VersionRecord("v2", 0), VersionRecord("v1", 1))
    assert store.models.families() == [family]
    assert store.models.version("v1") == (family, family.versions[1])


def test_a_familys_bytes_come_back_to_the_byte_with_fields_that_nobody_knows(
    home: Home, clock: Clock
) -> None:
    family = Model_pb2.ModelFamily(CanonicalName="Thorax")
    family.ModelVersions.add(ID="v1")
    unknown_varint, unknown_group = b"\xb8\x3e\x96\x01", b"\xc3\x3e\x08\x01\xc4\x3e"
    body = unknown_varint + family.SerializeToString() + unknown_group
    assert Model_pb2.ModelFamily.FromString(body).CanonicalName == "Thorax"
    with Store(home, clock) as store:
        store.models.import_family("Thorax", ["v1"], body, WARN)
    with Store(home, clock) as again:
        assert again.models.families()[0].body == body
        assert again.models.version("v1")[0].body == body


def test_bytes_that_are_no_text_are_kept_too(store: Store) -> None:
    body = bytes(range(256)) * 4096
    assert store.models.import_family("A", [], body, WARN).body == body


def test_families_come_oldest_first_and_a_replaced_one_keeps_its_place(store: Store, clock: Clock) -> None:
    store.models.import_family("First", ["a"], b"1", WARN)
    store.models.import_family("Second", ["b"], b"2", WARN)
    later = clock.advance(60)
    replaced = store.models.import_family("First", ["a"], b"new", ConstraintPolicy.OFF)
    assert (replaced.body, replaced.policy, replaced.imported_at) == (b"new", "off", later)
    assert [family.canonical_name for family in store.models.families()] == ["First", "Second"]


def test_replacing_a_family_keeps_the_runtimes_of_the_versions_that_remain(store: Store) -> None:
    store.models.import_family("A", ["gone", "stays"], b"1", WARN)
    stays = store.models.set_runtime("stays", RuntimeRecord("pytorch", WEIGHTS, MODULE)).runtime
    store.models.set_runtime("gone", RuntimeRecord("phantom"))
    family = store.models.import_family("A", ["new", "stays"], b"2", WARN)
    assert family.versions == (VersionRecord("new", 0), VersionRecord("stays", 1, stays))
    with pytest.raises(errors.UnknownModel, match="gone"):
        store.models.version("gone")


def test_a_version_id_belongs_to_one_family(store: Store) -> None:
    first = store.models.import_family("A", ["v1"], b"1", WARN)
    second = store.models.import_family("B", ["v2"], b"2", WARN)
    with pytest.raises(errors.AlreadyExists, match="v1"):
        store.models.import_family("B", ["v3", "v1"], b"3", WARN)
    with pytest.raises(errors.InvalidModel, match="two versions of the id v9"):
        store.models.import_family("B", ["v9", "v8", "v9"], b"3", WARN)
    assert store.models.families() == [first, second]


def test_ids_are_exact(store: Store) -> None:
    store.models.import_family("A", ["Centered Orange Square"], b"1", WARN)
    for other in ("centered orange square", "Centered Orange Square ", "Centered%20Orange%20Square", ""):
        with pytest.raises(errors.UnknownModel):
            store.models.version(other)
    store.models.import_family("B", ["centered orange square"], b"2", WARN)


def test_a_runtime_is_kept_as_it_was_set(store: Store) -> None:
    store.models.import_family("A", ["v1"], b"1", WARN)
    wanted = RuntimeRecord(
        "pytorch", WEIGHTS, MODULE, "Net", {"input": "tensor", "levels": [1.5, None, True]}
    )
    version = store.models.set_runtime("v1", wanted)
    assert version.runtime == replace(wanted, revision=1)
    assert version.runtime.files == (WEIGHTS, MODULE)
    assert store.models.version("v1")[1] == version
    bare = store.models.set_runtime("v1", RuntimeRecord("phantom")).runtime
    assert bare == RuntimeRecord("phantom", revision=2)
    assert bare.files == ()


def test_the_interpreter_of_a_runtime_is_kept_and_recorded(store: Store) -> None:
    store.models.import_family("Thorax", ["v1"], b"", WARN)
    version = store.models.set_runtime("v1", RuntimeRecord("phantom", interpreter="group"))
    assert version.runtime
    assert version.runtime.interpreter == "group"
    assert store.models.version("v1")[1] == version
    assert list(store.model_events.events())[-1].text == "phantom, interpreter group"


def test_a_runtimes_revision_is_never_used_twice(store: Store) -> None:
    revisions = []
    for _ in range(3):
        store.models.import_family("A", ["v1"], b"1", WARN)
        for _ in range(2):
            runtime = store.models.set_runtime("v1", RuntimeRecord("phantom", revision=1)).runtime
            assert runtime
            revisions.append(runtime.revision)
        store.models.remove_family("A")
    assert revisions == sorted(set(revisions))


def test_a_runtime_needs_a_version_and_its_files(store: Store) -> None:
    with pytest.raises(errors.UnknownModel):
        store.models.set_runtime("v1", RuntimeRecord("phantom"))
    store.models.import_family("A", ["v1"], b"1", WARN)
    before = store.models.set_runtime("v1", RuntimeRecord("phantom"))
    for missing in (FileRecord("9" * 64, "net.py", 321), replace(MODULE, name="another.py")):
        with pytest.raises(errors.NotFound, match=missing.sha256):
            store.models.set_runtime("v1", RuntimeRecord("pytorch", None, missing))
    assert store.models.version("v1")[1] == before


@pytest.mark.parametrize("value", [float("nan"), object(), b"bytes"])
def test_parameters_that_are_no_json_are_refused(store: Store, value: object) -> None:
    store.models.import_family("A", ["v1"], b"1", WARN)
    with pytest.raises(errors.InvalidModel, match="cannot be kept as JSON"):
        store.models.set_runtime("v1", RuntimeRecord("phantom", parameters={"x": value}))


def test_a_file_is_known_by_content_and_name(store: Store, clock: Clock) -> None:
    twin = replace(MODULE, name="twin.py")
    clock.advance(1)
    store.model_files.add(twin)
    assert store.model_files.find(MODULE.sha256, "net.py") == MODULE
    assert store.model_files.find(MODULE.sha256) == twin
    clock.advance(1)
    store.model_files.add(MODULE)
    assert store.model_files.find(MODULE.sha256) == MODULE
    assert store.model_files.files() == [WEIGHTS, MODULE, OTHER, twin]
    for sha256, name in ((MODULE.sha256, "third.py"), ("9" * 64, ""), ("", "")):
        with pytest.raises(errors.NotFound):
            store.model_files.find(sha256, name)


def test_removing_a_family_returns_its_files_that_nothing_else_uses(store: Store) -> None:
    store.models.import_family("A", ["a"], b"1", WARN)
    store.models.import_family("B", ["b"], b"2", WARN)
    store.models.set_runtime("a", RuntimeRecord("pytorch", WEIGHTS, MODULE))
    store.models.set_runtime("b", RuntimeRecord("pytorch", OTHER, MODULE))
    uploaded_for_later = FileRecord("4" * 64, "later.pt", 1)
    store.model_files.add(uploaded_for_later)
    assert store.models.remove_family("A") == [WEIGHTS]
    assert store.model_files.files() == [MODULE, OTHER, uploaded_for_later]
    assert [family.canonical_name for family in store.models.families()] == ["B"]
    assert store.models.remove_family("B") == [MODULE, OTHER]
    with pytest.raises(errors.UnknownFamily, match="A"):
        store.models.remove_family("A")


def test_a_file_that_one_version_uses_twice_is_returned_once(store: Store) -> None:
    store.models.import_family("A", ["a", "b"], b"1", WARN)
    store.models.set_runtime("a", RuntimeRecord("pytorch", WEIGHTS, WEIGHTS))
    store.models.set_runtime("b", RuntimeRecord("pytorch", WEIGHTS))
    assert store.models.remove_family("A") == [WEIGHTS]


def test_files_that_nothing_uses_are_forgotten_after_a_while(store: Store, clock: Clock) -> None:
    store.models.import_family("A", ["a"], b"1", WARN)
    store.models.set_runtime("a", RuntimeRecord("pytorch", WEIGHTS, MODULE))
    store.models.set_runtime("a", RuntimeRecord("pytorch", WEIGHTS))
    clock.advance(60)
    store.model_files.add(OTHER)
    assert store.model_files.forget_unused(60) == [MODULE]
    assert store.model_files.files() == [WEIGHTS, OTHER]
    clock.time += timedelta(seconds=60)
    assert store.model_files.forget_unused(60) == [OTHER]
    assert store.model_files.files() == [WEIGHTS]
