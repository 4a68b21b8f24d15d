"""Which device a model computes on, and what happens where a GPU's memory does not suffice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from segint_grpc import backends, errors
from segint_grpc.backends import remarks, torch_device
from segint_grpc.backends.base import BackEnd, ModelSource
from segint_grpc.backends.devices import on_gpu, wanted_device
from segint_grpc.backends.pytorch import PyTorch
from tests.real_models import CHANNELS, STRUCTURES, RealModel, a_channel, a_scan, built

FULL = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


class Model:
    """Fails on the device as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.place = "cuda:0"

    def run(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return self.place

    def retreat(self) -> None:
        self.place = "cpu"

    def on_gpu(self) -> str:
        return on_gpu(self.run, "cuda:0", torch_device.is_memory, self.retreat)


@pytest.mark.parametrize(
    "full",
    [FULL, RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), RuntimeError("CUDA out of memory.")],
)
def test_a_full_gpu_is_answered_by_one_run_on_the_processor_and_a_warning(full: Exception) -> None:
    with remarks.heard() as said:
        assert Model(full).on_gpu() == "cpu"
    assert said.sentences == [
        "The memory of the GPU (cuda:0) did not suffice, so the model ran on the processor."
    ]
    assert said.spent


@pytest.mark.parametrize(
    "second", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_too_little_memory_there_as_well_is_an_error_that_names_both(second: Exception) -> None:
    with pytest.raises(errors.OutOfMemory, match=r"on the GPU \(cuda:0\), and then on the processor"):
        Model(FULL, second).on_gpu()


def test_any_other_error_is_the_models_own() -> None:
    with remarks.heard() as said, pytest.raises(RuntimeError, match="size mismatch"):
        Model(RuntimeError("size mismatch")).on_gpu()
    assert not said.sentences
    assert not said.spent


def test_what_is_remarked_again_is_said_once_and_nothing_is_heard_outside_a_run() -> None:
    remarks.remark("Nobody listens.")
    with remarks.heard() as said:
        for _ in range(3):
            remarks.remark("Twice told.")
    assert said.sentences == ["Twice told."]


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "mps", 0, None, "CPU"])
def test_a_device_that_is_none_is_refused(device: Any) -> None:
    with pytest.raises(errors.InvalidModel, match="device must be auto, cpu, cuda or cuda:N"):
        wanted_device({"device": device})


@without_gpu
@pytest.mark.parametrize("name", ["pytorch", "torchscript", "torch_export", "onnx", "keras", "tensorflow"])
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_without_a_gpu_auto_is_the_processor(name: str, device: str) -> None:
    model = built(name)
    backend = opened(model.backend, model, device)
    assert backend.predict([a_channel(*a_scan())], lambda share: None) is not None


@without_gpu
@pytest.mark.parametrize("name", ["pytorch", "torchscript", "torch_export", "onnx", "keras", "tensorflow"])
def test_a_gpu_that_is_asked_for_by_name_and_is_not_there_is_an_error(name: str) -> None:
    model = built(name)
    with pytest.raises(errors.InvalidModel, match=r"The device cuda:1 cannot be used .*device to auto"):
        opened(model.backend, model, "cuda:1")


def opened(name: str, model: RealModel, device: str) -> BackEnd:
    backend = backends.load_backend(name)
    parameters = {**model.parameters, "device": device}
    files = (model.model_file, model.module_file, model.entry)
    source = ModelSource("v", STRUCTURES, CHANNELS, *files, parameters)
    backend.check(source)
    backend.load(source)
    return backend


TAKES_DEVICE = """
import torch

class Net(torch.nn.Module):
    def __init__(self, device="cpu"):
        super().__init__()
        self.device = device

    def forward(self, image):
        return image > (7 if self.device == "anywhere" else 0)
"""


def test_a_class_that_takes_a_device_gets_it_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(TAKES_DEVICE)
    backend = PyTorch()
    backend.load(
        ModelSource("v", STRUCTURES, CHANNELS, None, tmp_path / "net.py", "", {"device": "anywhere"})
    )
    image_kji, geometry = a_scan()
    assert (backend.predict([a_channel(image_kji, geometry)], lambda share: None) == (image_kji > 7)).all()
