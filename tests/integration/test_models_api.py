"""segint.v1.Models on a whole core: families, files, checks and states, as grpcurl would ask for them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format

from generated.radiomics import Model_pb2
from generated.segint.v1 import models_pb2, segmentation_pb2
from generated.segint.v1.models_pb2_grpc import ModelsStub
from segint_grpc.home import unix_target
from tests.fakes.cores import RunningCore, running_core
from tests.fakes.stores import make_home

pytestmark = pytest.mark.asyncio(loop_scope="module")

THRESHOLD = b"""
class Net:
    def __call__(self, image):
        return image > 150
"""
MIRRORED = THRESHOLD.replace(b"image > 150", b"(image > 150)[:, :, ::-1].copy()")
FAMILY = """{
  "CanonicalName": "%s",
  "ModelVersions": [{"ID": "%s", "MajorVersion": 1, "Structures": [{"Name": "Bone"}]}]
}"""


class Admin:
    """Answers of segint.v1.Models, as messages, or the status and details of the refusal."""

    def __init__(self, stub: ModelsStub) -> None:
        self.stub: Any = stub

    async def call(self, method: str, **fields: Any) -> Any:
        request = getattr(models_pb2, f"{method}Request")
        return await getattr(self.stub, method)(json_format.ParseDict(fields, request()), timeout=60)

    async def refusal(self, method: str, **fields: Any) -> tuple[str, str]:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await self.call(method, **fields)
        return raised.value.code().name, raised.value.details() or ""

    async def create(self, name: str, **fields: Any) -> models_pb2.Family:
        """Make a family of one version, which has the family's name."""
        said = {"modalities": ["CT"], "body_parts": ["Chest"]} | fields
        return (await self.call("CreateFamily", json=FAMILY % (name, name), **said)).family

    async def upload(self, content: bytes, name: str = "net.py") -> dict[str, str]:
        digest = hashlib.sha256(content).hexdigest()
        header = models_pb2.UploadFileHeader(name=name, size_bytes=len(content), sha256=digest)
        requests = [
            models_pb2.UploadFileRequest(header=header),
            models_pb2.UploadFileRequest(chunk=content),
        ]
        await self.stub.UploadFile(iter(requests))
        return {"sha256": digest, "name": name}

    async def attach(self, version_id: str, content: bytes, approve: bool = True) -> None:
        file = await self.upload(content)
        runtime = {"backend": "pytorch", "module_file": file, "entry": "Net"}
        await self.call("SetRuntime", version_id=version_id, runtime=runtime)
        if approve:
            await self.call("ApproveFile", sha256=file["sha256"])

    async def check(self, version_id: str) -> models_pb2.CheckReport:
        request = models_pb2.CheckVersionRequest(version_id=version_id)
        answers = [answer async for answer in self.stub.CheckVersion(request, timeout=90)]
        assert all(answer.HasField("step") for answer in answers[:-1])
        return answers[-1].report

    async def version(self, canonical_name: str) -> models_pb2.Version:
        family = (await self.call("GetFamily", canonical_name=canonical_name)).family
        return family.versions[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningCore]:
    async with running_core(make_home(tmp_path_factory.mktemp("models"))) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(running: RunningCore) -> AsyncIterator[Admin]:
    async with grpc.aio.insecure_channel(unix_target(running.home.admin_socket)) as channel:
        yield Admin(ModelsStub(channel))


async def offered(running: RunningCore) -> dict[str, list[str]]:
    answer = await running.segmentation.ListModels(segmentation_pb2.ListModelsRequest())
    return {family.CanonicalName: [v.ID for v in family.ModelVersions] for family in answer.models.Models}


async def test_a_family_is_made_from_json_with_nothing_left_to_its_zero(admin: Admin) -> None:
    family = await admin.create("Made", regulatory_status="", gender="female")
    about, (version,) = family.family.FamilyDescription, family.family.ModelVersions
    assert family.constraint_policy == models_pb2.CONSTRAINT_POLICY_ENFORCE
    assert about.Constraints.Gender == Model_pb2.ModelConstraints.Female
    assert list(about.Constraints.BodyPartsExamined) == [Model_pb2.ModelConstraints.Chest]
    assert version.Structures[0].Type == Model_pb2.Structure.Organ
    assert family.versions[0].state == models_pb2.VERSION_STATE_DRAFT
    assert family.revision > 0
    assert list(family.warnings) == []


async def test_what_is_missing_is_asked_for_by_field(admin: Admin) -> None:
    code, details = await admin.refusal("CreateFamily", json=FAMILY % ("Missing", "Missing"))
    assert code == "INVALID_ARGUMENT"
    assert "modalities: Say which" in details
    assert "body_parts: Say for which" in details
    code, details = await admin.refusal("CreateFamily")
    assert (code, details) == (
        "INVALID_ARGUMENT",
        "source: Give the family: as family, json, text or binary.",
    )
    code, _ = await admin.refusal("CreateFamily", json="{")
    assert code == "INVALID_ARGUMENT"


async def test_a_family_of_a_name_that_is_taken_is_refused(admin: Admin) -> None:
    await admin.create("Taken")
    said = {"modalities": ["CT"], "body_parts": ["Chest"]}
    code, details = await admin.refusal("CreateFamily", json=FAMILY % ("Taken", "other"), **said)
    assert code == "ALREADY_EXISTS"
    assert "'Taken' is here already" in details


async def test_of_two_administrators_who_change_a_family_the_second_is_told(admin: Admin) -> None:
    first = await admin.create("Shared")
    second = await admin.call("GetFamily", canonical_name="Shared")
    first.family.FamilyDescription.Description = "by the first"
    updated = await admin.call(
        "UpdateFamily", family=json_format.MessageToDict(first.family), revision=first.revision
    )
    assert updated.family.revision > first.revision
    theirs = Model_pb2.ModelFamily.FromString(second.binary)
    theirs.FamilyDescription.AnatomicalRegion = "by the second"
    with pytest.raises(grpc.aio.AioRpcError, match="ABORTED") as raised:
        await admin.stub.UpdateFamily(
            models_pb2.UpdateFamilyRequest(binary=theirs.SerializeToString(), revision=second.family.revision)
        )
    assert f"at revision {updated.family.revision}, not {second.family.revision}" in raised.value.details()
    now = (await admin.call("GetFamily", canonical_name="Shared")).family
    assert now.family.FamilyDescription.Description == "by the first"
    assert now.constraint_policy == models_pb2.CONSTRAINT_POLICY_ENFORCE


async def test_unknown_fields_survive_an_update_by_json(admin: Admin) -> None:
    unknown = b"\xf8\x3f\x05"
    family = Model_pb2.ModelFamily(CanonicalName="Unknown fields")
    family.FamilyDescription.InputChannels.add(ChannelID="ct")
    version = family.ModelVersions.add(ID="Unknown 1")
    version.Structures.add(StructureID="1", Name="Bone").MergeFromString(unknown)
    body = family.SerializeToString() + unknown
    await admin.stub.ImportFamily(models_pb2.ImportFamilyRequest(family=body))
    got = await admin.call("GetFamily", canonical_name="Unknown fields")
    assert got.binary == body
    as_json = json_format.MessageToDict(got.family.family)
    as_json["FamilyDescription"]["Description"] = "new"
    updated = await admin.call("UpdateFamily", family=as_json, revision=got.family.revision)
    assert updated.family.family.FamilyDescription.Description == "new"
    kept = updated.family.family
    assert kept.SerializeToString().count(unknown) == 2
    assert kept.ModelVersions[0].Structures[0].SerializeToString().endswith(unknown)


async def test_nothing_runs_and_nothing_is_offered_before_its_code_is_approved(
    admin: Admin, running: RunningCore
) -> None:
    witness = running.home.path / "it ran"
    code = f"open({str(witness)!r}, 'w').close()\n".encode() + THRESHOLD
    digest = hashlib.sha256(code).hexdigest()
    await admin.create("Unapproved")
    await admin.attach("Unapproved", code, approve=False)
    for method in ("CheckVersion", "WarmUp", "ActivateVersion"):
        fields = {"version_id": "Unapproved"} | ({"force": True} if method == "ActivateVersion" else {})
        call = getattr(admin.stub, method)(getattr(models_pb2, f"{method}Request")(**fields))
        assert await call.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert f"segint model approve {digest[:12]}" in await call.details()
    assert not witness.exists()
    stored = {file.file.sha256: file for file in (await admin.call("ListFiles")).files}[digest]
    assert (stored.carries_code, stored.HasField("approved_at")) == (True, False)
    assert list(stored.used_by) == ["Unapproved"]
    approved = (await admin.call("ApproveFile", sha256=digest[:8])).file
    assert approved.HasField("approved_at")
    await admin.call("WarmUp", version_id="Unapproved")
    assert witness.exists()


async def test_a_version_is_checked_activated_retired_and_offered_again(
    admin: Admin, running: RunningCore
) -> None:
    await admin.create("Threshold")
    await admin.attach("Threshold", THRESHOLD)
    code, details = await admin.refusal("ActivateVersion", version_id="Threshold")
    assert code == "FAILED_PRECONDITION"
    assert "segint model check Threshold" in details
    assert "Threshold" not in await offered(running)
    report = await admin.check("Threshold")
    assert report.passed, report
    checked = await admin.version("Threshold")
    assert checked.state == models_pb2.VERSION_STATE_CHECKED
    assert checked.check == report
    active = (await admin.call("ActivateVersion", version_id="Threshold")).version
    assert (active.state, active.offered, active.forced) == (models_pb2.VERSION_STATE_ACTIVE, True, False)
    assert (await offered(running))["Threshold"] == ["Threshold"]
    await admin.call("RetireVersion", version_id="Threshold", reason="a newer one is better")
    assert "Threshold" not in await offered(running)
    await admin.call("ActivateVersion", version_id="Threshold")
    assert "Threshold" in await offered(running)


async def test_a_mirrored_model_needs_force_which_is_recorded(admin: Admin, running: RunningCore) -> None:
    await admin.create("Mirrored")
    await admin.attach("Mirrored", MIRRORED)
    report = await admin.check("Mirrored")
    assert not report.passed
    assert any("left–right" in step.finding for step in report.steps)
    code, details = await admin.refusal("ActivateVersion", version_id="Mirrored")
    assert code == "FAILED_PRECONDITION"
    assert "has failed its check" in details
    forced = await admin.call("ActivateVersion", version_id="Mirrored", force=True, reason="to show it")
    assert forced.version.forced
    event = running.store.model_events.events("Mirrored")[-1]
    assert (event.kind, event.text, event.forced) == ("activated by force", "to show it", True)
    await admin.attach("Mirrored", THRESHOLD)
    now = await admin.version("Mirrored")
    assert (now.state, now.forced, now.HasField("check")) == (models_pb2.VERSION_STATE_DRAFT, False, False)
    assert "Mirrored" not in await offered(running)


@pytest.mark.parametrize("status", ["Recalled", "Withdrawn"])
async def test_a_version_that_was_taken_back_takes_no_jobs_and_says_why(
    admin: Admin, running: RunningCore, status: str
) -> None:
    family = await admin.create(status)
    await admin.call("SetRuntime", version_id=status, runtime={"backend": "phantom"})
    await admin.call("ActivateVersion", version_id=status, force=True)
    assert status in await offered(running)
    wanted = json_format.MessageToDict(family.family)
    wanted["ModelVersions"][0]["RegulatoryFrameworks"] = [{"Framework": "MDR", "Status": status}]
    await admin.call("UpdateFamily", family=wanted, revision=family.revision)
    assert status not in await offered(running)
    with pytest.raises(grpc.aio.AioRpcError, match=rf"regulatory status \(MDR\) is {status}"):
        await running.submit(b"", model_id=status)


async def test_the_default_is_listed_first_and_the_one_before_comes_back_in_one_call(
    admin: Admin, running: RunningCore
) -> None:
    versions = ",".join(f'{{"ID": "D{n}", "Structures": [{{"Name": "Bone"}}]}}' for n in (1, 2))
    text = f'{{"CanonicalName": "Defaults", "ModelVersions": [{versions}]}}'
    await admin.call("CreateFamily", json=text, modalities=["CT"], body_parts=["Chest"])
    for version_id in ("D1", "D2"):
        await admin.call("SetRuntime", version_id=version_id, runtime={"backend": "phantom"})
        await admin.call("ActivateVersion", version_id=version_id, force=True)
    code, details = await admin.refusal("SetDefaultVersion", canonical_name="Defaults")
    assert (code, "no other default" in details) == ("FAILED_PRECONDITION", True)
    family = (await admin.call("SetDefaultVersion", version_id="D2")).family
    assert family.default_version_id == "D2"
    assert (await offered(running))["Defaults"] == ["D2", "D1"]
    await admin.call("RetireVersion", version_id="D1")
    family = (await admin.call("SetDefaultVersion", canonical_name="Defaults")).family
    assert family.default_version_id == "D1"
    assert (await offered(running))["Defaults"] == ["D1", "D2"]


async def test_a_file_of_the_inbox_is_taken_by_its_name(admin: Admin, running: RunningCore) -> None:
    inbox = running.home.inbox
    (inbox / "weights.bin").write_bytes(os.urandom(3_000_000))
    (inbox / ".hidden").write_bytes(b"x")
    (inbox / "link.bin").symlink_to("/etc/hostname")
    digest = hashlib.sha256((inbox / "weights.bin").read_bytes()).hexdigest()
    assert list((await admin.call("ListFiles")).inbox) == ["weights.bin"]
    for name in ("link.bin", ".hidden", "../segint.sqlite3", "other"):
        code, details = await admin.refusal("AdoptFile", name=name)
        assert (code, "there is 'weights.bin'" in details) == ("NOT_FOUND", True)
        assert ("is a link or hidden" in details) == (name in ("link.bin", ".hidden"))
    (inbox / "bad\nname").write_bytes(b"x")
    assert r"there is 'bad\nname', 'weights.bin'" in (await admin.refusal("AdoptFile", name="other"))[1]
    file = (await admin.call("AdoptFile", name="weights.bin")).file
    assert (file.sha256, file.size_bytes) == (digest, 3_000_000)
    assert not (inbox / "weights.bin").exists()
    assert (running.home.models / digest / "weights.bin").stat().st_size == 3_000_000
    assert (running.home.models / digest / "weights.bin").stat().st_nlink == 1


async def test_a_runtime_whose_file_is_not_here_says_which(admin: Admin) -> None:
    await admin.create("Fileless")
    for file, words in (
        ({"name": "none.py"}, "No file 'none.py' is here; upload it"),
        ({"sha256": "0" * 64}, f"No file with SHA-256 {'0' * 64} is here; upload it"),
    ):
        runtime = {"backend": "pytorch", "module_file": file}
        code, details = await admin.refusal("SetRuntime", version_id="Fileless", runtime=runtime)
        assert (code, words in details) == ("NOT_FOUND", True)


async def test_a_version_is_loaded_before_its_first_job_and_unloaded(admin: Admin) -> None:
    await admin.create("Warm")
    await admin.attach("Warm", THRESHOLD)
    warm = await admin.call("WarmUp", version_id="Warm")
    assert warm.memory_bytes > 0
    assert warm.load.memory_bytes > 0
    assert 0 < warm.load.seconds <= warm.seconds
    (told,) = (await admin.call("GetStatistics", version_id="Warm")).versions
    assert told.load.loaded_at.ToSeconds() > 0
    assert told.load.device == "cpu"
    assert told.load.seconds == warm.load.seconds
    assert not (await admin.call("WarmUp", version_id="Warm")).HasField("load")
    assert (await admin.call("Unload", version_id="Warm")).processes_ended == 1
    assert (await admin.call("Unload", version_id="Warm")).processes_ended == 0
    code, _ = await admin.refusal("Unload", version_id="Nothing")
    assert code == "NOT_FOUND"


async def test_a_model_that_cannot_be_loaded_says_so_when_it_is_warmed_up(admin: Admin) -> None:
    await admin.create("Broken")
    await admin.attach("Broken", b"raise ValueError('no such thing')\n")
    code, details = await admin.refusal("WarmUp", version_id="Broken")
    assert code == "FAILED_PRECONDITION"
    assert "net.py cannot be imported: ValueError in line 1" in details


async def test_statistics_tell_of_every_version_or_of_one(admin: Admin) -> None:
    await admin.create("Counted")
    found = (await admin.call("GetStatistics", version_id="Counted")).versions
    assert [(v.version_id, v.jobs, v.HasField("run_s")) for v in found] == [("Counted", 0, False)]
    everything = (await admin.call("GetStatistics")).versions
    assert "Centered Orange Square" in [v.version_id for v in everything]


async def test_a_check_whose_caller_leaves_changes_nothing(admin: Admin, running: RunningCore) -> None:
    await admin.create("Left")
    await admin.attach("Left", b"import time\n" + THRESHOLD.replace(b"return", b"time.sleep(99); return"))
    call = admin.stub.CheckVersion(models_pb2.CheckVersionRequest(version_id="Left"))
    await anext(aiter(call))
    call.cancel()
    async with asyncio.timeout(30):
        await admin.check("Threshold")
    assert not (await admin.version("Left")).HasField("check")
    assert os.listdir(running.home.voxels) == []
