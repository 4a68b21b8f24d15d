"""What a worker is told of a model and its scans: from what the catalogue knows to plain facts."""

from __future__ import annotations

from generated.radiomics.Model_pb2 import ModelChannelConstraints
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.domain import hurry
from segint_grpc.service.catalogue import ResolvedModel
from segint_grpc.service.suitability import match_channels
from segint_grpc.wire.volumes import VoxelFile
from segint_grpc.worker.task import ChannelTask, ModelTask

CT = {ModelChannelConstraints.ModalityTypes.CT, ModelChannelConstraints.ModalityTypes.CTA}


def model_task(model: ResolvedModel, *, hurried: bool = False) -> ModelTask:
    """Return what a worker needs to load `model`, and to run it as usual or `hurried`."""
    return ModelTask(
        version=model.version.SerializeToString(),
        channel_ids=tuple(c.ChannelID for c in model.family.FamilyDescription.InputChannels),
        backend=model.runtime.backend,
        model_file=model.model_file,
        module_file=model.module_file,
        entry=model.runtime.entry,
        parameters=model.runtime.parameters,
        revision=model.runtime.revision,
        handling=hurry.hurried(model.handling).SerializeToString() if hurried else model.runtime.handling,
        ct_channel_ids=_ct_channel_ids(model),
        memory_bytes=model.handling.limits.memory_bytes,
        cache=model.cache,
        remotes=model.remotes,
        interpreter=model.runtime.interpreter,
        gpu_memory_bytes=model.handling.limits.gpu_memory_bytes,
    )


def _ct_channel_ids(model: ResolvedModel) -> tuple[str, ...]:
    """Return the channels whose values are to be those of a CT: none for a version without a handling."""
    off = model.handling.limits.ct_values == ScanHandling.REACTION_OFF
    if not model.runtime.handling or off:
        return ()
    channels = model.family.FamilyDescription.InputChannels
    return tuple(c.ChannelID for c in channels if set(c.Constraints.AcceptedModalities) & CT)


def channel_tasks(model: ResolvedModel, files: list[VoxelFile]) -> tuple[ChannelTask, ...]:
    """Return the volumes `files`, which stand as they were posted, in the family's order and names."""
    expected_ids = [channel.ChannelID for channel in model.family.FamilyDescription.InputChannels]
    order, _ = match_channels([file.channel_id for file in files], expected_ids)
    return tuple(
        ChannelTask(channel_id, files[index].path, files[index].dtype, files[index].geometry)
        for channel_id, index in zip(expected_ids, order, strict=True)
    )
