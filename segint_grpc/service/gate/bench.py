"""Runs one model on one scan after the other, in a process of the check's own, and reads its masks back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segint_grpc import errors, logs
from segint_grpc.domain.agreement import Masks
from segint_grpc.domain.jobs import Result, new_job_id
from segint_grpc.service.catalogue import ResolvedModel
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.gate.scans import Scan, Volume, planes, read_scan
from segint_grpc.service.run_tasks import model_task
from segint_grpc.store.media import MediaKind
from segint_grpc.wire.model_output_reader import read_masks
from segint_grpc.wire.volumes import Limits
from segint_grpc.worker.separate import SeparateProcess
from segint_grpc.worker.task import ChannelTask, RunTask


@dataclass(frozen=True)
class Ran:
    """A finished run: StructureID → mask_kji (mapped from nameless files) and the most memory it held."""

    masks: Masks
    peak_memory_bytes: int


@dataclass(frozen=True)
class Hung:
    """How long a run may take, and what that limit is called."""

    seconds: float
    setting: str


class Bench:
    """One check's files and process. Its files are swept at a start, should the server die meanwhile."""

    def __init__(self, context: ServiceContext, model: ResolvedModel, process: SeparateProcess) -> None:
        """Run `model` in `process`."""
        self._media = context.store.media
        self._hop = context.hop
        self._limits = Limits(context.settings.channels_max, context.settings.voxels_max)
        self._model = model
        self._task = model_task(model)
        self._process = process
        self._id = new_job_id()
        self._numbers = count()

    async def run(self, scan: Scan, limit: Hung) -> Ran:
        """Return what the model makes of `scan`.

        Raises:
            JobFailure: the model failed, died, hung or returned no masks of these structures.
            RunCutShort: its process was ended from outside.
            OSError: the disk is full.
        """
        channels = await self._hop.run(self._write, scan)
        result = self._media.temporary(MediaKind.RESULT)
        task = RunTask(self._id, 1, logs.request_id.get(), self._task, channels, result)
        try:
            ended = await self._ended(task, limit)
            masks = await self._hop.run(self._read, result, scan)
        finally:
            for path in (result, *(channel.voxels for channel in channels)):
                path.unlink(missing_ok=True)
        return Ran(masks, ended.peak_memory_bytes)

    async def read_scan(self, path: Path) -> Scan:
        """Return the author's scan; raises as `scans.read_scan`."""
        return await self._hop.run(read_scan, path, self._model, self._path, self._limits)

    def remove_files(self) -> None:
        """Remove what an interrupted step has left."""
        self._media.remove_voxels(self._id)

    async def _ended(self, task: RunTask, limit: Hung) -> Result:
        try:
            async with asyncio.timeout(limit.seconds):
                return await self._process.run(task, lambda stage, share: None)
        except TimeoutError:
            raise errors.DeadlineExceeded(
                f"The model did not finish within {limit.seconds:g} s (setting {limit.setting})."
            ) from None

    def _path(self, number: int = 0) -> Path:
        return self._media.voxel_path(self._id, next(self._numbers))

    def _write(self, scan: Scan) -> tuple[ChannelTask, ...]:
        return tuple(self._written(volume) for volume in scan)

    def _written(self, volume: Volume) -> ChannelTask:
        path = self._path()
        with path.open("wb") as file:
            for plane in planes(volume.image_kji):
                file.write(plane.data)
        return ChannelTask(volume.channel_id, path, volume.image_kji.dtype.str, volume.geometry)

    def _read(self, result: Path, scan: Scan) -> Mapping[str, NDArray[Any]]:
        shapes = {
            structure.StructureID: grid_of(scan, structure.InputChannelID).geometry.shape_kji
            for structure in self._model.version.Structures
        }
        paths: list[Path] = []

        def path_of(number: int) -> Path:
            paths.append(self._path())
            return paths[-1]

        try:
            return read_masks(result, path_of, shapes)
        finally:
            # The maps keep what they map; the disk has it back when they go.
            for path in paths:
                path.unlink(missing_ok=True)


def grid_of(scan: Scan, channel_id: str) -> Volume:
    """Return the channel on whose grid a structure of `channel_id` lies: that one, or the only one."""
    if len(scan) == 1:
        return scan[0]
    return next(volume for volume in scan if volume.channel_id == channel_id)
