"""What tests of the workers need around a model: voxels on disk, a version, a module file, a task."""

from __future__ import annotations

import gzip
import itertools
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.jobs import Stage
from segint_grpc.worker.pool import PoolOptions
from segint_grpc.worker.task import ChannelTask, ModelTask, RunTask

GIB = 1024**3
SHAPE_KJI = (6, 20, 16)

THRESHOLD = """
    import torch

    class Net(torch.nn.Module):
        def forward(self, image):
            return image > 100
"""
"""A model that works: one mask, above 100."""

MODULE = """\
import ctypes, os, signal, subprocess, sys, threading, time
import numpy as np
import torch

class Net:
    def __call__(self, image, progress):
{body}
        return image > 100
"""


def doing(body: str) -> str:
    """The module of a threshold model that first does `body`, with `image` and `progress` at hand."""
    return MODULE.format(body=textwrap.indent(textwrap.dedent(body).strip(), " " * 8))


def version(name: str, structures: Sequence[tuple[str, str]]) -> Model_pb2.ModelVersion:
    """The version `name`; a structure is its id and its channel."""
    message = Model_pb2.ModelVersion(ID=name, MajorVersion=1, MinorVersion=2, LanguageCode="en")
    for identity, channel in structures:
        message.Structures.add(StructureID=identity, Name=f"structure {identity}", InputChannelID=channel)
    return message


def geometry(shape_kji: tuple[int, int, int] = SHAPE_KJI) -> Geometry:
    return Geometry(
        shape_kji, (1.0, 1.5, 3.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (-5.0, 7.0, 90.0)
    )


class Bench:
    """Makes tasks in `folder`, each with files of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()
        random = np.random.default_rng(7)
        self.image_kji = random.integers(-1000, 1000, SHAPE_KJI, dtype=np.int16)

    def options(self, **changes: Any) -> PoolOptions:
        defaults = {
            "slots": 1,
            "memory_bytes": GIB,
            "warm_models_max": 4,
            "warm_memory_bytes": 8 * GIB,
            "log": self.folder / "models.log",
            "log_max_bytes": 1024 * 1024,
        }
        return PoolOptions(**(defaults | changes))

    def module(self, source: str) -> Path:
        folder = self.folder / f"module-{next(self._numbers)}"
        folder.mkdir()
        path = folder / "net.py"
        path.write_text(textwrap.dedent(source))
        return path

    def channel(
        self, image_kji: NDArray[Any] | None = None, name: str = "1", where: Geometry | None = None
    ) -> ChannelTask:
        image_kji = self.image_kji if image_kji is None else image_kji
        path = self.folder / f"voxels-{next(self._numbers)}"
        image_kji.tofile(path)
        shape_kji = (image_kji.shape[0], image_kji.shape[1], image_kji.shape[2])
        return ChannelTask(name, path, image_kji.dtype.str, where or geometry(shape_kji))

    def model(
        self,
        source: str | None = THRESHOLD,
        *,
        name: str = "model",
        structures: Sequence[tuple[str, str]] = (("1", "1"),),
        **facts: Any,
    ) -> ModelTask:
        """A PyTorch model with the module `source`, or without one the phantom."""
        defaults = {
            "version": version(name, structures).SerializeToString(),
            "channel_ids": ("1",),
            "backend": "pytorch" if source else "phantom",
            "module_file": self.module(source) if source else None,
            "entry": "Net" if source else "",
        }
        return ModelTask(**(defaults | facts))

    def task(self, model: ModelTask, *channels: ChannelTask) -> RunTask:
        number = next(self._numbers)
        return RunTask(
            job_id=f"job-{number}",
            attempt=1,
            request_id=f"request-{number}",
            model=model,
            channels=channels or (self.channel(),),
            result=self.folder / f"result-{number}",
        )


def masks(task: RunTask) -> dict[str, NDArray[np.uint8]]:
    """StructureID → mask_kji of the result that `task` wrote."""
    message = Model_pb2.ModelOutput.FromString(task.result.read_bytes())
    found = {}
    for channel in message.Channels:
        volume = channel.Volume
        shape = (volume.Depth, volume.Height, volume.Width)
        voxels = np.frombuffer(gzip.decompress(volume.Data), np.uint8)
        found[channel.Structure.StructureID] = voxels.reshape(shape)
    return found


def family_of(pid: int) -> list[psutil.Process]:
    """Every process below `pid`."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def still_running(processes: Sequence[psutil.Process], patience_s: float = 2.0) -> list[psutil.Process]:
    """Which of `processes` have not ended within `patience_s`. They are nobody's children that could be
    waited for, and one that nobody reaps has ended all the same."""
    until = time.monotonic() + patience_s
    while (alive := [p for p in processes if _alive(p)]) and time.monotonic() < until:
        time.sleep(0.002)
    return alive


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ignore(stage: Stage, share: float) -> None:
    """A report that nobody reads."""
