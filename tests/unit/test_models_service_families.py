from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from generated.radiomics.Model_pb2 import ModelFamily, ModelsCollection
from segint_grpc import errors
from segint_grpc.domain.jobs import JobState, NewJob, new_job_id
from segint_grpc.domain.models import ConstraintPolicy, FileRecord, RuntimeRecord
from segint_grpc.home import Home
from segint_grpc.service.changes import Changes
from segint_grpc.service.family_views import VersionView
from segint_grpc.service.hop import Hop
from segint_grpc.service.models import Models
from segint_grpc.service.sample_family import sample_family
from segint_grpc.store.store import Store, open_store
from tests.families import a_family, a_structure, a_version

PHANTOM = RuntimeRecord("phantom")
MODULE = b"class Net:\n    pass\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with open_store(home) as store:
        yield store


@pytest.fixture
def changed() -> list[str]:
    return []


@pytest.fixture
def models(store: Store, changed: list[str]) -> Iterator[Models]:
    async def note(version_id: str) -> None:
        changed.append(version_id)

    with Hop("test") as hop:
        yield Models(store, hop, Changes(note))


async def run_on(models: Models, version_id: str, runtime: RuntimeRecord) -> VersionView:
    """Let `runtime` run a version, approve its code, and offer it by force."""
    await models.versions.set_runtime(version_id, runtime)
    for file in runtime.files:
        await models.files.approve(file.sha256)
    return await models.versions.activate(version_id, force=True)


async def add(models: Models, family: ModelFamily, *version_ids: str) -> None:
    """Import `family` and let the phantom run `version_ids`."""
    await models.import_family(family.SerializeToString())
    for version_id in version_ids:
        await run_on(models, version_id, PHANTOM)


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def add_module(models: Models, name: str = "net.py", content: bytes = MODULE) -> FileRecord:
    offer = FileRecord(hashlib.sha256(content).hexdigest(), name, len(content))
    return await models.files.upload(offer, chunks(content))


def post_job(store: Store, version_id: str) -> str:
    now = datetime.now(UTC)
    job_id = new_job_id()
    new = NewJob(
        id=job_id,
        model_id=version_id,
        caller="10.0.0.7",
        body_sha256=job_id,
        body_bytes=1,
        client_version="",
        request_id="",
        submitted_at=now,
        deadline_at=now + timedelta(minutes=20),
    )
    store.jobs.receive(new, 10)
    return job_id


def ids(collection: ModelsCollection) -> list[list[str]]:
    return [[version.ID for version in family.ModelVersions] for family in collection.Models]


def spoil(home: Home, column: str, value: object) -> None:
    with sqlite3.connect(home.database) as database:
        database.execute(f"UPDATE {column.partition('.')[0]} SET {column.partition('.')[2]} = ?", (value,))
    database.close()


async def test_an_empty_home_gets_the_sample_family_and_offers_it(models: Models) -> None:
    await models.add_sample_family()
    assert ids(await models.offered()) == [["Centered Orange Square"]]
    resolved = await models.resolve("Centered Orange Square")
    assert resolved.runtime.backend == "phantom"
    assert resolved.model_file is None


async def test_a_home_with_families_gets_no_sample(models: Models) -> None:
    await add(models, a_family())
    await models.add_sample_family()
    assert [view.family.CanonicalName for view in await models.families()] == ["Livers"]


async def test_a_first_start_that_was_killed_is_made_good_by_the_next(models: Models) -> None:
    await models.import_family(sample_family().SerializeToString(deterministic=True))
    await models.add_sample_family()
    assert ids(await models.offered()) == [["Centered Orange Square"]]


async def test_a_sample_that_somebody_has_made_a_draft_stays_one(models: Models) -> None:
    await models.add_sample_family()
    await models.versions.set_runtime("Centered Orange Square", PHANTOM)
    await models.add_sample_family()
    assert ids(await models.offered()) == []


async def test_a_family_is_kept_and_offered_to_the_byte_unknown_fields_included(
    models: Models, store: Store
) -> None:
    body = a_family().SerializeToString() + b"\xf8\x3f\x05"
    await models.import_family(body)
    await run_on(models, "Liver 1", PHANTOM)
    assert store.models.families()[0].body == body
    assert (await models.offered()).Models[0].SerializeToString().endswith(b"\xf8\x3f\x05")


async def test_the_copy_that_people_find_holds_the_imported_bytes(models: Models, home: Home) -> None:
    body = a_family("Livers of 2024").SerializeToString()
    await models.import_family(body)
    assert (home.families / "Livers of 2024.pb").read_bytes() == body


async def test_what_nothing_runs_is_not_offered_and_says_what_to_do(
    models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    await add(models, a_family())
    assert ids(await models.offered()) == []
    ((version,),) = [view.versions for view in await models.families()]
    assert "segint model set" in version.problem
    with pytest.raises(errors.UnknownModel, match=r"'Liver 1' is not offered.*segint model set"):
        await models.resolve("Liver 1")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_only_the_versions_that_something_runs_are_offered_oldest_family_first(models: Models) -> None:
    await add(models, a_family("Zebras", ["Z 1", "Z 2", "Z 3"]), "Z 3", "Z 1")
    await add(models, a_family("Apes", ["A 1"]), "A 1")
    await add(models, a_family("Idle", ["I 1"]))
    assert ids(await models.offered()) == [["Z 1", "Z 3"], ["A 1"]]


async def test_resolving_a_version_tells_all_that_running_it_takes(models: Models, home: Home) -> None:
    structures = [a_structure("l", "pet", "Liver"), a_structure("k", "ct", "Kidney")]
    await add(models, a_family("F", [a_version("V", structures)], ["ct", "pet"]))
    module = await add_module(models)
    wanted = RuntimeRecord("pytorch", module_file=module, entry="Net", parameters={"limit": 3})
    await run_on(models, "V", wanted)
    resolved = await models.resolve("V")
    assert resolved.version.ID == "V"
    assert resolved.family.CanonicalName == "F"
    assert resolved.policy is ConstraintPolicy.WARN
    assert resolved.module_file == home.models / module.sha256 / "net.py"
    assert resolved.module_file.read_bytes() == MODULE
    source = resolved.source
    assert source.channel_ids == ("ct", "pet")
    assert [(s.structure_id, s.name, s.input_channel_id) for s in source.structures] == [
        ("l", "Liver", "pet"),
        ("k", "Kidney", "ct"),
    ]
    assert (source.entry, source.parameters) == ("Net", {"limit": 3})


async def test_a_version_that_is_not_here_is_unknown(models: Models) -> None:
    with pytest.raises(errors.UnknownModel, match="Nothing"):
        await models.resolve("Nothing")


async def test_who_asks_for_a_version_that_is_not_offered_learns_which_are(models: Models) -> None:
    await add(models, a_family("Kidneys", ["Kidney 1"]), "Kidney 1")
    await models.import_family(a_family("Livers", ["Liver 1"]).SerializeToString())
    for version_id in ("Nothing", "Liver 1"):
        with pytest.raises(errors.UnknownModel) as caught:
            await models.resolve(version_id)
        assert (caught.value.name, caught.value.known) == (version_id, ("Kidney 1",))


async def test_a_family_whose_bytes_broke_is_left_out_told_and_logged_once(
    models: Models, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    await add(models, a_family(), "Liver 1")
    spoil(home, "family.body", b"\x0a\xff")
    await add(models, a_family("Kidneys", ["Kidney 1"]), "Kidney 1")
    for _ in range(3):
        assert ids(await models.offered()) == [["Kidney 1"]]
    broken = (await models.families())[0]
    assert broken.family.CanonicalName == "Livers"
    assert "broken; import it again" in broken.versions[0].problem
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "Liver 1" in warnings[0]


async def test_a_version_whose_file_is_gone_or_cut_is_left_out_and_says_which(
    models: Models, home: Home
) -> None:
    await add(models, a_family())
    module = await add_module(models)
    await run_on(models, "Liver 1", RuntimeRecord("pytorch", module_file=module, entry="Net"))
    path = home.models / module.sha256 / module.name
    assert ids(await models.offered()) == [["Liver 1"]]
    path.write_bytes(MODULE[:-1])
    assert ids(await models.offered()) == []
    assert (await models.families())[0].versions[0].problem == (
        f"The file {path} has {len(MODULE) - 1} bytes instead of {len(MODULE)}; upload it again."
    )
    path.unlink()
    with pytest.raises(errors.UnknownModel, match="is missing; upload it again"):
        await models.resolve("Liver 1")
    await add_module(models)
    assert ids(await models.offered()) == [["Liver 1"]]


async def test_a_version_whose_back_end_is_gone_is_left_out_and_says_which_there_are(
    models: Models, home: Home
) -> None:
    await add(models, a_family(), "Liver 1")
    spoil(home, "runtime.backend", "caffe2")
    assert ids(await models.offered()) == []
    assert "'caffe2'" in (await models.families())[0].versions[0].problem
    assert "phantom" in (await models.families())[0].versions[0].problem


async def test_an_imported_family_replaces_its_namesake_and_keeps_what_runs_the_versions(
    models: Models, changed: list[str]
) -> None:
    await add(models, a_family(versions=["Liver 1", "Liver 2"]), "Liver 1", "Liver 2")
    changed.clear()
    view = await models.import_family(
        a_family(versions=["Liver 3", "Liver 1"]).SerializeToString(), ConstraintPolicy.ENFORCE
    )
    assert view.policy is ConstraintPolicy.ENFORCE
    assert ids(await models.offered()) == [["Liver 1"]]
    assert set(changed) >= {"Liver 3", "Liver 1"}


async def test_a_version_id_that_another_family_has_is_refused_and_changes_nothing(models: Models) -> None:
    await add(models, a_family(), "Liver 1")
    with pytest.raises(errors.AlreadyExists, match="Liver 1"):
        await models.import_family(a_family("Others").SerializeToString())
    assert [view.family.CanonicalName for view in await models.families()] == ["Livers"]


async def test_a_family_that_cannot_run_leaves_no_trace(models: Models, home: Home) -> None:
    with pytest.raises(errors.InvalidModel):
        await models.import_family(a_family(versions=["same", "same"]).SerializeToString())
    assert await models.families() == []
    assert list(home.families.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "error", "sentence"),
    [
        (RuntimeRecord("caffe2"), errors.InvalidModel, "'caffe2'"),
        (RuntimeRecord("pytorch"), errors.InvalidModel, "needs"),
        (RuntimeRecord("phantom", FileRecord("0" * 64, "w.pt", 3)), errors.NotFound, "upload"),
        (RuntimeRecord("phantom", entry="a\nb"), errors.InvalidModel, "control characters"),
        (RuntimeRecord("phantom", parameters={"x": float("nan")}), errors.InvalidModel, "JSON"),
    ],
)
async def test_what_cannot_run_a_version_is_refused_and_the_old_runtime_stays(
    models: Models, wanted: RuntimeRecord, error: type[Exception], sentence: str
) -> None:
    await add(models, a_family(), "Liver 1")
    with pytest.raises(error, match=sentence):
        await run_on(models, "Liver 1", wanted)
    assert (await models.resolve("Liver 1")).runtime.backend == "phantom"


async def test_a_runtime_for_a_version_that_is_not_here_is_refused(models: Models) -> None:
    with pytest.raises(errors.UnknownModel):
        await run_on(models, "Nothing", PHANTOM)


async def test_every_new_runtime_has_a_higher_revision_and_is_told(
    models: Models, changed: list[str]
) -> None:
    await add(models, a_family(), "Liver 1")
    first = (await models.resolve("Liver 1")).runtime.revision
    changed.clear()
    view = await run_on(models, "Liver 1", PHANTOM)
    assert view.problem == ""
    assert (await models.resolve("Liver 1")).runtime.revision > first
    assert changed == ["Liver 1"]


async def test_a_removed_family_takes_its_files_along_but_none_that_others_use(
    models: Models, home: Home, changed: list[str]
) -> None:
    await add(models, a_family())
    await add(models, a_family("Kidneys", ["Kidney 1"]))
    shared, own = await add_module(models), await add_module(models, "own.py")
    for version_id, module in (("Liver 1", shared), ("Kidney 1", shared), ("Liver 1", own)):
        await run_on(models, version_id, RuntimeRecord("pytorch", module_file=module, entry="Net"))
    changed.clear()
    removed = await models.remove("Livers")
    assert (removed.jobs_cancelled, removed.files_removed) == (0, 1)
    assert changed == ["Liver 1"]
    assert sorted(path.name for path in home.models.rglob("*.py")) == ["net.py"]
    assert [path.name for path in home.families.iterdir()] == ["Kidneys.pb"]
    assert ids(await models.offered()) == [["Kidney 1"]]


async def test_a_family_that_is_not_here_cannot_be_removed_and_the_others_are_named(models: Models) -> None:
    await add(models, a_family())
    with pytest.raises(errors.UnknownFamily, match="'Nothing' is here; there is 'Livers'"):
        await models.remove("Nothing")


async def test_unfinished_jobs_keep_a_family_unless_they_may_be_cancelled(
    models: Models, store: Store
) -> None:
    await add(models, a_family(), "Liver 1")
    await add(models, a_family("Kidneys", ["Kidney 1"]), "Kidney 1")
    job_id, other_id = post_job(store, "Liver 1"), post_job(store, "Kidney 1")
    with pytest.raises(errors.JobsUnfinished, match=r"1 jobs of the family 'Livers'.*force"):
        await models.remove("Livers")
    assert ids(await models.offered()) == [["Liver 1"], ["Kidney 1"]]

    async def cancel(job_id: str) -> None:
        assert ids(await models.offered()) == [["Kidney 1"]], "no job can be posted for it any more"
        store.jobs.cancel(job_id)

    removed = await models.remove("Livers", cancel)
    assert removed.jobs_cancelled == 1
    assert store.jobs.get(job_id).state is JobState.CANCELLED
    assert store.jobs.get(other_id).state is JobState.RECEIVED


async def test_a_removal_whose_caller_goes_away_is_carried_through(
    models: Models, store: Store, home: Home
) -> None:
    await add(models, a_family(), "Liver 1")
    await run_on(models, "Liver 1", RuntimeRecord("pytorch", module_file=await add_module(models)))
    post_job(store, "Liver 1")
    midway, go_on = asyncio.Event(), asyncio.Event()

    async def cancel(job_id: str) -> None:
        midway.set()
        await go_on.wait()

    caller = asyncio.create_task(models.remove("Livers", cancel))
    await midway.wait()
    caller.cancel()
    await asyncio.wait([caller])
    go_on.set()
    await models.import_family(a_family("Kidneys", ["Kidney 1"]).SerializeToString())
    assert list(home.models.iterdir()) == []
    assert [path.name for path in home.families.iterdir()] == ["Kidneys.pb"]


async def test_the_back_ends_are_listed_with_what_they_are_for(models: Models) -> None:
    found = {view.name: view for view in await models.back_ends()}
    assert {"phantom", "pytorch"} <= set(found)
    assert found["phantom"].summary
    assert not found["phantom"].problem
