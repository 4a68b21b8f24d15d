"""What a worker is told of a model and its scans: from what the catalogue knows to plain facts."""

from __future__ import annotations

from segint_grpc.service.catalogue import ResolvedModel
from segint_grpc.service.suitability import match_channels
from segint_grpc.wire.volumes import VoxelFile
from segint_grpc.worker.task import ChannelTask, ModelTask


def model_task(model: ResolvedModel) -> ModelTask:
    """Return what a worker needs to load `model`."""
    return ModelTask(
        version=model.version.SerializeToString(),
        channel_ids=tuple(c.ChannelID for c in model.family.FamilyDescription.InputChannels),
        backend=model.runtime.backend,
        model_file=model.model_file,
        module_file=model.module_file,
        entry=model.runtime.entry,
        parameters=model.runtime.parameters,
        revision=model.runtime.revision,
    )


def channel_tasks(model: ResolvedModel, files: list[VoxelFile]) -> tuple[ChannelTask, ...]:
    """Return the volumes `files`, which stand as they were posted, in the family's order and names."""
    expected_ids = [channel.ChannelID for channel in model.family.FamilyDescription.InputChannels]
    order, _ = match_channels([file.channel_id for file in files], expected_ids)
    return tuple(
        ChannelTask(channel_id, files[index].path, files[index].dtype, files[index].geometry)
        for channel_id, index in zip(expected_ids, order, strict=True)
    )
