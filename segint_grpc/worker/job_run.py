"""One run of a job inside a model process: map the voxels, run the back end, check, encode, write."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.backends import gpus, load_backend, remarks, seeds
from segint_grpc.backends.base import BackEnd, Channel, ModelSource, StructureSpec
from segint_grpc.domain.ct_values import odd_values
from segint_grpc.domain.handling import parse_handling, shapes_the_input
from segint_grpc.domain.jobs import Result, Stage
from segint_grpc.domain.model_load import ModelLoad
from segint_grpc.domain.plausibility import MaskReview
from segint_grpc.domain.progress import clamped
from segint_grpc.wire.model_output_writer import write_model_output
from segint_grpc.worker import kernel, messages, output
from segint_grpc.worker.handled_run import HandledRun
from segint_grpc.worker.task import ChannelTask, ModelTask, RunTask

STEPS = 100
"""A stage says at most so many times how far it is: a message costs both processes time."""


class JobRun:
    """Runs the jobs of one model: the first run loads it."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        """Say what happens through `send` (worker/messages.py)."""
        self._send = send
        self._backend: BackEnd | None = None
        self._load: ModelLoad | None = None
        self._said: tuple[Stage, int] | None = None

    def say(self, kind: str, **facts: Any) -> None:
        """Send one message."""
        self._send(messages.pack(kind, **facts))

    def run(self, task: RunTask) -> Result:
        """Run `task`; its serialized ModelOutput then lies at `task.result`.

        Raises:
            WrongOutput: the model returned something that is no mask for its structures.
            InvalidModel: the model cannot be loaded.
            Exception: whatever the model raises.
        """
        self._said = self._load = None
        version = Model_pb2.ModelVersion.FromString(task.model.version)
        backend = self._loaded(task.model, version)
        seeds.sow()
        self._progress(Stage.PREPARE)
        channels = [map_channel(channel) for channel in task.channels]
        masks = self._masks(backend, task.model, version, channels)
        review = MaskReview(version.Structures)
        result = write_model_output(task.result, version, self._counted(masks, review, channels))
        return replace(
            result,
            warnings=(*odd_values(channels, task.model.ct_channel_ids), *review.warnings()),
            voxels=sum(channel.image_kji.size for channel in channels),
            volumes_ml=review.volumes_ml,
            load=self._load,
        )

    def load(self, model: ModelTask) -> Result:
        """Load `model`, which writes nothing; raises as `run`."""
        self._said = self._load = None
        self._loaded(model, Model_pb2.ModelVersion.FromString(model.version))
        return Result(size_bytes=0, sha256="", load=self._load)

    def _loaded(self, model: ModelTask, version: Model_pb2.ModelVersion) -> BackEnd:
        if self._backend is None:
            self._progress(Stage.LOAD)
            began = time.monotonic()
            backend = load_backend(model.backend)
            source = source_of(model, version)
            backend.check(source)
            seeds.sow()
            backend.load(source)
            self._backend = backend
            self._load = _measured(time.monotonic() - began)
        return self._backend

    def _masks(
        self,
        backend: BackEnd,
        model: ModelTask,
        version: Model_pb2.ModelVersion,
        channels: Sequence[Channel],
    ) -> Iterable[output.StructureMask]:
        """Return each structure with its mask; with a handling, masks are made when they are taken."""
        handling = parse_handling(model.handling)
        if not shapes_the_input(handling):
            self._progress(Stage.INFER)
            made = backend.predict(channels, self._tell)
            self._progress(Stage.ENCODE)
            return output.check(made, version.Structures, channels)
        run = HandledRun(backend, handling, version.Structures)
        found = run.infer(channels, self._tell)
        self._progress(Stage.RESTORE)
        return run.masks(found, channels)

    def _tell(self, share: float) -> None:
        self._progress(Stage.INFER, share)

    def _counted(
        self, masks: Iterable[output.StructureMask], review: MaskReview, channels: Sequence[Channel]
    ) -> Iterator[output.StructureMask]:
        assert self._said is not None  # The stage has been told.
        stage, _ = self._said
        for done, (structure, mask_kji) in enumerate(masks):
            # Masks that are restored one by one are encoded in between.
            self._progress(stage, done / review.count)
            review.look(done, mask_kji, output.grid(structure, channels))
            yield structure, mask_kji

    def _progress(self, stage: Stage, share: float = 0.0) -> None:
        """Say that `share` of `stage` is done; what that is in percent of the job is the core's affair."""
        said = (stage, int(clamped(share) * STEPS))
        if said != self._said:
            self._said = said
            self.say(messages.PROGRESS, stage=stage.value, share=said[1] / STEPS)


def _measured(seconds: float) -> ModelLoad:
    """Return what this process holds now that its model is loaded."""
    held = kernel.resident_bytes(os.getpid())
    return ModelLoad(seconds, held, gpus.own_bytes(), remarks.device())


def source_of(model: ModelTask, version: Model_pb2.ModelVersion) -> ModelSource:
    """Return what a back end loads for `model`, whose parsed version is `version`."""
    structures = tuple(
        StructureSpec(structure.StructureID, structure.Name, structure.InputChannelID)
        for structure in version.Structures
    )
    return ModelSource(
        version_id=version.ID,
        structures=structures,
        channel_ids=model.channel_ids,
        model_file=model.model_file,
        module_file=model.module_file,
        entry=model.entry,
        parameters=model.parameters,
        cache=model.cache,
        remotes=model.remotes,
        gpu_memory_bytes=model.gpu_memory_bytes,
    )


def map_channel(channel: ChannelTask) -> Channel:
    """Return `channel` with its voxels as a read-only memory map, image_kji, int16 or uint8.

    Raises:
        JobFailure: the file is gone or has another length than its geometry says.
    """
    shape = channel.geometry.shape_kji
    expected = int(np.prod(shape, dtype=np.int64)) * np.dtype(channel.dtype).itemsize
    found = _length(channel.voxels)
    if found != expected:
        raise errors.JobFailure(
            f"The decoded voxels of channel {channel.channel_id} hold {found} bytes instead of {expected}."
        )
    image_kji: NDArray[Any] = np.memmap(channel.voxels, dtype=channel.dtype, mode="r", shape=shape)
    return Channel(channel.channel_id, image_kji, channel.geometry)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
