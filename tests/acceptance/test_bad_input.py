from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from generated.radiomics import Model_pb2
from tests.acceptance import example_models
from tests.acceptance.serving import Server, serving
from tests.acceptance.velocity import SAMPLE, Velocity, channel, scan

ErrorCodes = Model_pb2.SegmentationProgress.ErrorCodes
IMAGE = np.zeros((6, 64, 64), np.int16)


@pytest.fixture(autouse=True)
def _the_server_serves_the_next_job(velocity: Velocity) -> object:
    yield
    velocity.segment(scan(channel(np.ones((4, 60, 60), np.int16))))


def changed(data: bytes | None = None, **fields: int) -> Model_pb2.ModelInput:
    message = scan(channel(IMAGE))
    volume = message.Channels[0].CalibratedVolume.Volume
    if data is not None:
        volume.Data = data
    for name, value in fields.items():
        setattr(volume, name, value)
    return message


RAW = IMAGE.tobytes()
WHOLE = gzip.compress(RAW)
BOMB = gzip.compress(bytes(50_000_000))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        pytest.param(changed(b""), "DecompressionBufferSizeMismatch", id="no data"),
        pytest.param(changed(b"not gzip at all"), "DecompressionError", id="no gzip"),
        pytest.param(changed(WHOLE[:-9]), "DecompressionError", id="truncated"),
        pytest.param(changed(WHOLE[:20] + b"\xff" * 8 + WHOLE[28:]), "DecompressionError", id="corrupt"),
        pytest.param(changed(gzip.compress(RAW[:-2])), "DecompressionBufferSizeMismatch", id="short"),
        pytest.param(changed(gzip.compress(RAW + b"\0")), "DecompressionBufferSizeMismatch", id="long"),
        pytest.param(changed(BOMB), "DecompressionBufferSizeMismatch", id="bomb"),
        pytest.param(changed(Depth=0), "DecompressionBufferSizeMismatch", id="zero dimension"),
        pytest.param(changed(DataType=1), "DecompressionBufferSizeMismatch", id="other type"),
    ],
)
def test_unusable_voxels_are_accepted_and_then_reported(
    velocity: Velocity, message: Model_pb2.ModelInput, code: str
) -> None:
    job = velocity.submit(message)
    progress = velocity.wait(job, timeout_s=10)
    assert progress.Errors
    assert ErrorCodes.Name(progress.ErrorCode) == code
    answer = velocity.call("GET", f"/api/v2/Model/Centered%20Orange%20Square/segmentation/{job}/result")
    assert answer.status == 400
    assert progress.Errors in answer.details


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"\xff\xff\xff", "", id="unparsable"),
        pytest.param(b"", "", id="empty"),
        pytest.param(scan().SerializeToString(), "", id="no channels"),
        pytest.param(
            scan(channel(IMAGE, "a"), channel(IMAGE, "b")).SerializeToString(), '"a"', id="channels"
        ),
    ],
)
def test_requests_that_are_no_scan_for_the_model_are_refused(
    velocity: Velocity, body: bytes, words: str
) -> None:
    answer = velocity.post(body)
    assert answer.status == 400
    error = Model_pb2.BadRequestResponse.FromString(answer.body)
    assert error.ErrorMessage == "Invalid request."
    assert words in error.ExceptionDetails


def test_an_unknown_model_is_refused_and_nothing_is_stored(server: Server, velocity: Velocity) -> None:
    before = sorted((server.home / "media" / "segmentation").iterdir())
    assert velocity.post(scan(channel(IMAGE)), "no such model").status == 400
    assert sorted((server.home / "media" / "segmentation").iterdir()) == before


def test_an_unknown_job_or_another_model_s_does_not_exist(velocity: Velocity) -> None:
    job = velocity.submit(scan(channel(IMAGE)))
    for path in (
        f"/api/v2/Model/{SAMPLE.replace(' ', '%20')}/segmentation/00000000-0000-4000-8000-000000000000",
        f"/api/v2/Model/other/segmentation/{job}",
        f"/api/v2/Model/{SAMPLE.replace(' ', '%20')}/segmentation/nonsense/result",
    ):
        answer = velocity.call("GET", path)
        assert answer.status == 400
        assert "does not exist" in answer.details


FAULTS = {
    "raises": ("raise ValueError('no such organ')", "ValueError"),
    "segfaults": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "exits": ("import os; os._exit(3)", "3"),
    "returns the wrong shape": ("return image[:1] > 0", "1, 64, 64"),
    "returns two masks for one structure": ("return [image > 0, image < 0]", "2"),
    "returns nothing": ("return None", "None"),
    "returns other values": ("return image * 0 + 7", "7"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_model_that_fails_tells_its_owner_why(
    server: Server, velocity: Velocity, tmp_path: Path, fault: str
) -> None:
    code, words = FAULTS[fault]
    source = f"import torch\nclass Faulty(torch.nn.Module):\n    def forward(self, image):\n        {code}\n"
    family = example_models.family(f"Model that {fault}", [("1", "any", (0, 0, 0), "1")])
    model = example_models.install(server, tmp_path, family, source)
    progress = velocity.wait(velocity.submit(scan(channel(IMAGE)), model), model, timeout_s=20)
    assert ErrorCodes.Name(progress.ErrorCode) == "InternalError"
    assert words in progress.Errors
    assert "Traceback" not in progress.Errors


def test_a_model_that_hangs_with_the_gil_held_ends_at_the_deadline(home: Path, tmp_path: Path) -> None:
    source = (
        "import ctypes, torch\nclass Hang(torch.nn.Module):\n    def forward(self, image):\n"
        "        ctypes.PyDLL(None).sleep(600)\n"
    )
    with serving(home, job_deadline_s=3) as server:
        velocity = Velocity(server.url)
        family = example_models.family("Hang", [("1", "any", (0, 0, 0), "1")])
        model = example_models.install(server, tmp_path, family, source)
        progress = velocity.wait(velocity.submit(scan(channel(IMAGE)), model), model, timeout_s=20)
        assert ErrorCodes.Name(progress.ErrorCode) == "InternalError"
        assert "3 s" in progress.Errors
        velocity.segment(scan(channel(IMAGE)))


def test_limits_are_refused_clearly(home: Path) -> None:
    with serving(home, upload_max_bytes=20_000, voxels_max=50_000, queue_max=1) as server:
        velocity = Velocity(server.url)
        noise = np.random.default_rng(0).integers(-1000, 1000, (6, 64, 64)).astype(np.int16)
        answer = velocity.post(scan(channel(noise)))
        assert answer.status == 413
        assert "upload_max_bytes" in answer.details
        answer = velocity.post(scan(channel(np.zeros((20, 64, 64), np.int16))))
        assert answer.status == 413
        velocity.segment(scan(channel(IMAGE)))


def test_a_scan_is_refused_while_too_little_disk_is_free(home: Path) -> None:
    with serving(home, free_disk_min_bytes=1 << 60) as server:
        answer = Velocity(server.url).post(scan(channel(IMAGE)))
        assert answer.status == 503
        assert "disk" in answer.details
