"""A model from nothing to a clinic's scan, two administrators, large weights, and `kill -9` in between."""

from __future__ import annotations

import hashlib
import io
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
import torch
from google.protobuf import json_format

from generated.radiomics import Model_pb2
from generated.segint.v1 import models_pb2
from generated.segint.v1.models_pb2_grpc import ModelsStub
from segint_grpc.client.scans import read_scan
from segint_grpc.home import Home, unix_target
from tests.acceptance.serving import Server, serving, start
from tests.acceptance.velocity import Velocity, channel, mask_kji, scan
from tests.scans_on_disk import SHARED_DATA, needs_shared_data

MIB = 1024 * 1024
MODULE = b"""
import torch


class Threshold(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("limit_hu", torch.tensor(0))

    def forward(self, image):
        return image > int(self.limit_hu)
"""
FAMILY = {
    "CanonicalName": "Bones",
    "FamilyDescription": {"InputChannels": [{"ChannelID": "ct"}]},
    "ModelVersions": [{"ID": "Bones 1.0", "MajorVersion": 1, "Structures": [{"Name": "Bone"}]}],
}


class Admin:
    """A person who types JSON at segint.v1.Models on the unix socket."""

    def __init__(self, home: Path) -> None:
        self.channel = grpc.insecure_channel(unix_target(Home(home).admin_socket))
        self.stub: Any = ModelsStub(self.channel)

    def call(self, method: str, timeout: float = 60, **fields: Any) -> Any:
        request = json_format.ParseDict(fields, getattr(models_pb2, f"{method}Request")())
        return getattr(self.stub, method)(request, timeout=timeout)

    def create(self, name: str) -> models_pb2.Family:
        versions = [{"ID": name, "Structures": [{"Name": "Bone"}]}]
        family = json.dumps({"CanonicalName": name, "ModelVersions": versions})
        said = {"modalities": ["CT"], "body_parts": ["WholeBody"]}
        return self.call("CreateFamily", json=family, **said).family

    def upload(self, name: str, size_bytes: int, sha256: str, chunks: Iterator[bytes]) -> dict[str, str]:
        header = models_pb2.UploadFileHeader(name=name, size_bytes=size_bytes, sha256=sha256)

        def requests() -> Iterator[models_pb2.UploadFileRequest]:
            yield models_pb2.UploadFileRequest(header=header)
            for chunk in chunks:
                yield models_pb2.UploadFileRequest(chunk=chunk)

        file = self.stub.UploadFile(requests(), timeout=300).file
        return {"sha256": file.sha256, "name": file.name}

    def send(self, name: str, content: bytes) -> dict[str, str]:
        pieces = (content[at : at + MIB] for at in range(0, len(content), MIB))
        return self.upload(name, len(content), hashlib.sha256(content).hexdigest(), pieces)


@pytest.fixture
def admin(server: Server) -> Iterator[Admin]:
    admin = Admin(server.home)
    with admin.channel:
        yield admin


def weights(limit_hu: int) -> bytes:
    file = io.BytesIO()
    torch.save({"limit_hu": torch.tensor(limit_hu)}, file)
    return file.getvalue()


@needs_shared_data
def test_a_family_from_nothing_draws_the_right_mask_on_a_real_scan(admin: Admin, velocity: Velocity) -> None:
    said = {"modalities": ["CT"], "body_parts": ["Chest"]}
    admin.call("CreateFamily", json=json.dumps(FAMILY), **said)
    module = admin.send("threshold.py", MODULE)
    model = admin.send("threshold.pt", weights(180))
    runtime = {"backend": "pytorch", "model_file": model, "module_file": module}
    admin.call("SetRuntime", version_id="Bones 1.0", runtime=runtime)
    stored = {file.file.name: file for file in admin.call("ListFiles").files}
    assert (stored["threshold.py"].carries_code, stored["threshold.pt"].carries_code) == (True, False)
    assert velocity.post(b"", "Bones 1.0").status == 400

    admin.call("ApproveFile", sha256=module["sha256"])
    answers = list(admin.call("CheckVersion", version_id="Bones 1.0"))
    assert answers[-1].report.passed, answers[-1]
    assert not any(family.CanonicalName == "Bones" for family in velocity.models().Models)
    assert admin.call("ActivateVersion", version_id="Bones 1.0").version.offered

    listed = velocity.wait_for_family("Bones")
    structure = listed.ModelVersions[0].Structures[0]
    assert structure.Type == Model_pb2.Structure.Organ
    assert structure.InputChannelID == "ct"
    ct = read_scan(SHARED_DATA / "ct_thorax_3mm.nii.gz")
    output = velocity.segment(scan(channel(ct.image_kji, "ct", ct.geometry.to_transform())), "Bones 1.0")
    np.testing.assert_array_equal(mask_kji(output.Channels[0]), ct.image_kji > 180)


def test_of_many_changes_to_one_revision_exactly_one_is_taken(admin: Admin, server: Server) -> None:
    family = admin.create("Contested")

    def change(number: int) -> str:
        wanted = Model_pb2.ModelFamily()
        wanted.CopyFrom(family.family)
        wanted.FamilyDescription.Description = f"by number {number}"
        request = models_pb2.UpdateFamilyRequest(family=wanted, revision=family.revision)
        try:
            answer = Admin(server.home).stub.UpdateFamily(request, timeout=60)
        except grpc.RpcError as error:
            return "" if error.code() is grpc.StatusCode.ABORTED else str(error)
        return str(answer.family.family.FamilyDescription.Description)

    with ThreadPoolExecutor(8) as pool:
        taken = [text for text in pool.map(change, range(8)) if text]
    assert len(taken) == 1
    now = admin.call("GetFamily", canonical_name="Contested").family
    assert now.family.FamilyDescription.Description == taken[0]


def test_an_upload_takes_no_memory_however_large_it_is(server: Server, admin: Admin) -> None:
    chunk, count = bytes(MIB), 256
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(chunk)
    core = server.find("-m segint_grpc")
    before = core.memory_info().rss
    Path(f"/proc/{core.pid}/clear_refs").write_text("5")
    admin.upload("weights.bin", count * MIB, digest.hexdigest(), (chunk for _ in range(count)))
    assert peak_bytes(core) - before < 64 * MIB


def peak_bytes(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def test_a_connection_that_is_cut_at_half_leaves_no_file_and_no_row(server: Server, admin: Admin) -> None:
    content = random.Random(7).randbytes(4 * MIB)
    digest = hashlib.sha256(content).hexdigest()
    half = iter([content[:MIB], content[MIB : 2 * MIB]])
    with pytest.raises(grpc.RpcError) as raised:
        admin.upload("cut.bin", len(content), digest, half)
    assert "ended after 2097152 of 4194304 bytes; send it again" in (raised.value.details() or "")

    def broken() -> Iterator[bytes]:
        yield content[:MIB]
        raise OSError("the cable is out")

    with pytest.raises(grpc.RpcError):
        admin.upload("cut.bin", len(content), digest, broken())
    give_up = time.monotonic() + 10
    while list(Home(server.home).models.glob(".*.part")):
        assert time.monotonic() < give_up, "the half file stays"
        time.sleep(0.05)
    assert not (Home(server.home).models / digest).exists()
    assert digest not in [file.file.sha256 for file in admin.call("ListFiles").files]


class Worker(threading.Thread):
    """Administers in rounds until it is told to stop; a round that meets no server is left behind."""

    def __init__(self, home: Path, round_of: Callable[[Admin, int], None]) -> None:
        super().__init__()
        self.admin, self.round_of, self.stop = Admin(home), round_of, threading.Event()
        self.begun, self.done = 0, 0

    def run(self) -> None:
        while not self.stop.is_set():
            self.begun += 1
            try:
                self.round_of(self.admin, self.begun)
                self.done += 1
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    raise
                time.sleep(0.05)


class Work:
    """What a round does; `begins` is set whenever the call begins at which the core is to be killed."""

    def __init__(self, victim: str) -> None:
        self.victim, self.begins = victim, threading.Event()

    def about_to(self, call: str) -> None:
        if call == self.victim:
            self.begins.set()


class Uploads(Work):
    """Uploads file after file, and knows which were acknowledged."""

    def __init__(self, victim: str) -> None:
        super().__init__(victim)
        self.acknowledged: dict[str, bytes] = {}

    def round(self, admin: Admin, number: int) -> None:
        content = random.Random(number).randbytes(3 * MIB)
        self.about_to("upload")
        self.acknowledged[admin.send(f"weights{number}.bin", content)["sha256"]] = content

    def check(self, admin: Admin, home: Home) -> None:
        listed = {file.file.sha256: file.file.name for file in admin.call("ListFiles").files}
        assert set(self.acknowledged) <= set(listed)
        on_disk = {path.parent.name: path for path in home.models.rglob("*") if path.is_file()}
        assert set(on_disk) == set(listed), "every file has a row, and every row a file"
        for sha256, path in on_disk.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256


STAGES = ("created", "set", "active", "described", "removed")


class Lives(Work):
    """Takes family after family through its life, and knows the last stage that was acknowledged."""

    def __init__(self, victim: str) -> None:
        super().__init__(victim)
        self.stages: dict[str, int] = {}

    def round(self, admin: Admin, number: int) -> None:
        name = f"Life {number}"
        self.stages[name] = -1
        family = admin.create(name)
        self.stages[name] = 0
        admin.call("SetRuntime", version_id=name, runtime={"backend": "phantom"})
        self.stages[name] = 1
        self.about_to("activate")
        admin.call("ActivateVersion", version_id=name, force=True)
        self.stages[name] = 2
        wanted = json_format.MessageToDict(family.family)
        wanted["FamilyDescription"]["Description"] = "described"
        self.about_to("update")
        admin.call("UpdateFamily", family=wanted, revision=family.revision)
        self.stages[name] = 3
        if number % 2:
            self.about_to("delete")
            admin.call("RemoveFamily", canonical_name=name)
            self.stages[name] = 4

    def check(self, admin: Admin, home: Home) -> None:
        families = {family.family.CanonicalName: family for family in admin.call("ListFamilies").families}
        for name, acknowledged in self.stages.items():
            assert stage_of(families.get(name), acknowledged) in (acknowledged, acknowledged + 1), name


def stage_of(family: models_pb2.Family | None, acknowledged: int) -> int:
    """How far a family is; one that is not there was not created yet, or was removed."""
    if family is None:
        return -1 if acknowledged < 0 else STAGES.index("removed")
    if family.family.FamilyDescription.Description:
        assert family.versions[0].offered
        return STAGES.index("described")
    if family.versions[0].offered:
        return STAGES.index("active")
    return STAGES.index("set" if family.versions[0].HasField("runtime") else "created")


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("kind", "victim"), [(Uploads, "upload"), (Lives, "activate"), (Lives, "update"), (Lives, "delete")]
)
def test_nothing_acknowledged_is_lost_when_the_core_is_killed_at_work(
    home: Path, kind: type[Uploads | Lives], victim: str, request: pytest.FixtureRequest
) -> None:
    server = start(home)
    request.addfinalizer(lambda: server.process.poll() is None and server.process.kill())
    work, chance = kind(victim), random.Random(victim)
    worker = Worker(home, work.round)
    worker.start()
    try:
        for _ in range(2):
            done = worker.done
            while worker.done < done + 2:
                time.sleep(0.01)
            work.begins.clear()
            assert work.begins.wait(30)
            # Most of these calls take some 10 ms.
            time.sleep(chance.uniform(0, 0.012))
            server.find("-m segint_grpc").kill()
    finally:
        worker.stop.set()
        worker.join()
    server.process.kill()
    server.process.wait()
    # The one channel lasts: closing it while it looks for a dead server has crashed grpcio 1.76.
    with serving(home) as again, worker.admin.channel:
        worker.admin.stub.ListFiles(models_pb2.ListFilesRequest(), timeout=30, wait_for_ready=True)
        work.check(worker.admin, Home(home))
        assert Velocity(again.url).models().Models
