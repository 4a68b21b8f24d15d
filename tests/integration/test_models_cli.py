from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
from click.testing import CliRunner, Result

from generated.radiomics.Model_pb2 import ModelsCollection
from generated.segint.v1 import job_pb2, models_pb2, segmentation_pb2
from generated.segint.v1.models_pb2_grpc import ModelsStub
from generated.segint.v1.segmentation_pb2_grpc import SegmentationStub
from segint_grpc import backends, refusal
from segint_grpc.cli.main import main
from segint_grpc.home import Home, unix_target
from segint_grpc.server import core
from segint_grpc.settings import Settings
from segint_grpc.store.store import open_store
from segint_grpc.worker import fork_server
from tests.acceptance.velocity import channel, scan
from tests.families import a_family

MODULE = "class Net:\n    def __call__(self, image):\n        return image > 0\n"

OFFER = ("--approve", "--activate", "--force")

Segint = Callable[..., Awaitable[Result]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
async def addresses(home: Home) -> AsyncIterator[dict[str, str]]:
    """A whole core, doors and store and slots, in this process."""
    settings = Settings(home=str(home.path), grpc="127.0.0.1:0", slots=1, stop_grace_s=1)
    async with core(settings, home, fork_server.start()) as facts:
        yield facts


@pytest.fixture
async def segint(home: Home, addresses: dict[str, str]) -> Segint:
    return lambda *arguments: run(home, *arguments)


async def run(home: Home, *arguments: str | Path) -> Result:
    """Run `segint model` with `arguments` in a thread, so that the core can answer meanwhile."""
    words = ["model", *map(str, arguments), "--home", str(home.path)]
    return await asyncio.to_thread(CliRunner().invoke, main, words)


@pytest.fixture
def family_file(tmp_path: Path) -> Path:
    path = tmp_path / "livers.pb"
    path.write_bytes(a_family().SerializeToString())
    return path


@pytest.fixture
def module_file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(MODULE)
    return path


async def offered(address: str) -> ModelsCollection:
    async with grpc.aio.insecure_channel(address) as channel:
        answer = await SegmentationStub(channel).ListModels(segmentation_pb2.ListModelsRequest())
    return answer.models


async def listed(segint: Segint) -> list[dict[str, object]]:
    result = await segint("list", "--json")
    families: list[dict[str, object]] = json.loads(result.output)
    return families


async def test_a_fresh_home_lists_the_sample_family(segint: Segint) -> None:
    result = await segint("list")
    assert result.output == "Centered Square\tCentered Orange Square\tphantom\tyes\n"


async def test_a_family_is_imported_given_a_runtime_offered_over_tcp_and_removed(
    segint: Segint, addresses: dict[str, str], home: Home, family_file: Path, module_file: Path
) -> None:
    result = await segint("import", family_file, "--policy", "enforce")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Imported Livers.\nLiver 1 is not offered: Nothing runs it yet")
    assert [family.CanonicalName for family in (await offered(addresses["grpc"])).Models] == [
        "Centered Square"
    ]

    words = ("--module", module_file, "--entry", "Net", "--parameter", "limit=3", "--parameter", "mode=fast")
    result = await segint("set", "Liver 1", "--backend", "pytorch", *words)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Liver 1 is not offered: net.py carries code that nobody has approved.")
    assert [f.CanonicalName for f in (await offered(addresses["grpc"])).Models] == ["Centered Square"]
    result = await segint("set", "Liver 1", "--backend", "pytorch", *words, *OFFER)
    assert result.exit_code == 0, result.output
    assert result.output == "Liver 1 runs on pytorch net.py and is offered, by force.\n"
    names = [family.CanonicalName for family in (await offered(addresses["grpc"])).Models]
    assert names == ["Centered Square", "Livers"]

    (_, livers) = await listed(segint)
    assert livers["constraint_policy"] == "CONSTRAINT_POLICY_ENFORCE"
    ((version,),) = (livers["versions"],)  # type: ignore[misc]
    assert version["offered"] is True
    assert version["runtime"]["entry"] == "Net"
    assert version["runtime"]["parameters"] == {"limit": 3, "mode": "fast"}
    assert version["runtime"]["module_file"]["name"] == "net.py"

    result = await segint("remove", "Livers")
    assert result.output == "Removed Livers; jobs cancelled: 0, files removed: 1.\n"
    assert [family.CanonicalName for family in (await offered(addresses["grpc"])).Models] == [
        "Centered Square"
    ]
    assert list(home.models.iterdir()) == []


async def test_whole_numbers_reach_the_back_end_as_whole_numbers(
    segint: Segint, home: Home, addresses: dict[str, str]
) -> None:
    words = ("--parameter", "n=3", "--parameter", "x=0.5", "--parameter", 'deep=[1, {"a": 2}]')
    result = await segint("set", "Centered Orange Square", "--backend", "phantom", *words)
    assert result.exit_code == 0, result.output
    with open_store(home) as store:
        _, version = store.models.version("Centered Orange Square")
    assert version.runtime
    kept = json.dumps(version.runtime.parameters, sort_keys=True)
    assert kept == '{"deep": [1, {"a": 2}], "n": 3, "x": 0.5}'


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("remove", "Nothing"), "there is 'Centered Square'"),
        (("set", "Nothing", "--backend", "phantom"), "Nothing"),
        (("set", "Centered Orange Square", "--backend", "caffe2"), "There is no back end 'caffe2' here"),
        (("set", "Centered Orange Square", "--backend", "phantom", "--parameter", "x"), "NAME=VALUE"),
    ],
)
async def test_what_the_server_refuses_ends_as_its_sentence_and_exit_code_2(
    segint: Segint, arguments: tuple[str, ...], sentence: str
) -> None:
    result = await segint(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.output


async def test_a_file_that_is_no_family_is_refused(segint: Segint, module_file: Path) -> None:
    result = await segint("import", module_file)
    assert result.exit_code == 2
    assert "no serialized Radiomics.ModelFamily" in result.stderr


async def test_the_installed_back_ends_are_listed(segint: Segint) -> None:
    here = backends.names()
    assert {"onnx", "open_inference", "phantom", "pytorch"} <= set(here)
    result = await segint("backends")
    assert [line.split("\t")[0] for line in result.output.splitlines()] == here
    names = [entry["name"] for entry in json.loads((await segint("backends", "--json")).output)]
    assert names == here


async def test_without_a_server_the_command_says_how_to_start_one(home: Home) -> None:
    result = await run(home, "list")
    assert result.exit_code == 1
    assert f"segint serve --home {home.path}" in result.stderr


async def test_administration_over_tcp_needs_a_token(addresses: dict[str, str]) -> None:
    async with grpc.aio.insecure_channel(addresses["grpc"]) as channel:
        rpc = ModelsStub(channel).ListFamilies(models_pb2.ListFamiliesRequest())
        assert await rpc.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "segint token create" in await rpc.details()


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [models_pb2.UploadFileRequest(chunk=b"first")],
        [
            models_pb2.UploadFileRequest(
                header=models_pb2.UploadFileHeader(name="../x", size_bytes=1, sha256="0" * 64)
            )
        ],
        [
            models_pb2.UploadFileRequest(
                header=models_pb2.UploadFileHeader(name="x.pt", size_bytes=1, sha256="0" * 64)
            )
        ]
        * 2,
    ],
)
async def test_an_upload_out_of_order_is_refused_and_leaves_nothing(
    addresses: dict[str, str], home: Home, requests: list[models_pb2.UploadFileRequest]
) -> None:
    async with grpc.aio.insecure_channel(unix_target(home.admin_socket)) as channel:
        rpc = ModelsStub(channel).UploadFile(iter(requests))
        told = refusal.unpack(await rpc.initial_metadata())
    assert told is not None
    assert told[0] == "INVALID_ARGUMENT"
    assert list(home.models.iterdir()) == []


async def test_an_upload_whose_caller_goes_away_leaves_nothing(addresses: dict[str, str], home: Home) -> None:
    header = models_pb2.UploadFileHeader(name="weights.pt", size_bytes=1 << 20, sha256="0" * 64)
    async with grpc.aio.insecure_channel(unix_target(home.admin_socket)) as channel:
        rpc = ModelsStub(channel).UploadFile()
        await rpc.write(models_pb2.UploadFileRequest(header=header))
        await rpc.write(models_pb2.UploadFileRequest(chunk=b"x" * 1000))
        await until(lambda: len(list(home.models.iterdir())) == 1)
        rpc.cancel()
    await until(lambda: list(home.models.iterdir()) == [])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the file system alone can tell."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells of a file that is gone
            await asyncio.sleep(0.01)


async def test_a_family_whose_job_runs_goes_only_by_force_and_takes_the_job_along(
    segint: Segint, addresses: dict[str, str], family_file: Path, tmp_path: Path
) -> None:
    module = tmp_path / "sleeper.py"
    module.write_text("import time\n\nclass Net:\n    def __call__(self, image):\n        time.sleep(600)\n")
    await segint("import", family_file)
    await segint("set", "Liver 1", "--backend", "pytorch", "--module", module, "--entry", "Net", *OFFER)
    async with grpc.aio.insecure_channel(addresses["grpc"]) as connection:
        stub = SegmentationStub(connection)
        header = segmentation_pb2.SubmitRequest(header=segmentation_pb2.SubmitHeader(model_id="Liver 1"))
        body = segmentation_pb2.SubmitRequest(
            chunk=scan(channel(np.zeros((4, 8, 16), np.int16), "ct")).SerializeToString()
        )
        task = (await stub.Submit(iter([header, body]))).task
        request = segmentation_pb2.WatchProgressRequest(segmentation_id=task.SegmentationID)
        watch = stub.WatchProgress(request)
        stages: list[str] = []
        while "infer" not in stages:
            answer = await watch.read()
            assert isinstance(answer, segmentation_pb2.WatchProgressResponse), stages
            stages.append(answer.job.stage)

        refused = await segint("remove", "Livers")
        assert refused.exit_code == 2
        assert "1 jobs of the family 'Livers' are unfinished" in refused.stderr
        removed = await segint("remove", "Livers", "--force")
        assert removed.output == "Removed Livers; jobs cancelled: 1, files removed: 1.\n"
        while isinstance(change := await watch.read(), segmentation_pb2.WatchProgressResponse):
            answer = change
    assert answer.job.state == job_pb2.JOB_STATE_CANCELLED
