"""A loaded MONAI bundle on a device. Imports MONAI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource, StructureSpec, Tiles
from segint_grpc.backends.bundle_config import BundleConfig
from segint_grpc.backends.bundle_files import bundle_files
from segint_grpc.backends.bundle_labels import wanted_outputs
from segint_grpc.backends.bundle_network import network_of
from segint_grpc.backends.bundle_overrides import wanted_overrides
from segint_grpc.backends.bundle_steps import BundleSteps
from segint_grpc.backends.bundle_volumes import lies_on, masks, scans
from segint_grpc.backends.devices import wanted_device
from segint_grpc.backends.layout import INPUTS, wanted_names
from segint_grpc.backends.model_folder import unpacked
from segint_grpc.backends.tensor_model import run_tiles
from segint_grpc.backends.torch_device import Place

# It has no types.
_jit: Any = torch.jit


class BundleModel:
    """A bundle, read anew for each device that it is brought to: its config names devices, too."""

    def __init__(self, source: ModelSource) -> None:
        """Read the bundle of `source` for the device that its parameters ask for."""
        assert source.model_file is not None, "check comes before load"
        self._source = source
        self._files = bundle_files(source.model_file)
        self._folder = unpacked(source)
        self._outputs = wanted_outputs(source, self._files.metadata)
        self._network: Any = None
        self._place = Place(wanted_device(source.parameters), self._read, source.gpu_memory_bytes)

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji."""
        return self._place.run(lambda: self._predicted(channels, progress))

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the network alone makes of `tiles`."""
        return run_tiles(self._place, self._call, tiles)

    def _read(self, device: torch.device) -> None:
        # What there was goes first: two networks may not fit into memory.
        self._network = None
        config = BundleConfig(self._folder, self._files, wanted_overrides(self._source.parameters), device)
        script = self._source.model_file if self._files.is_script else None
        self._steps = BundleSteps(config)
        self._keys = wanted_names(self._source.parameters, INPUTS) or config.keys()
        self._network = network_of(config, script, device)

    def _call(self, *values: Any, **more: Any) -> Any:
        # A script's optimizer rewrites it after its first runs, and its results with it, if only a little.
        with _jit.optimized_execution(False):
            return self._network(*values, **more)

    def _predicted(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        made = self._steps.run(scans(channels, self._keys), self._call, self._place.device, progress)
        by_id = {channel.channel_id: channel for channel in channels}
        for structure in self._source.structures:
            channel = by_id.get(structure.input_channel_id, channels[0])
            if not lies_on(made, channel.geometry):
                raise _elsewhere(structure, channel, made)
        return masks(made, self._outputs)


def _elsewhere(structure: StructureSpec, channel: Channel, made: torch.Tensor) -> errors.WrongOutput:
    wanted, found = channel.geometry.shape_kji[::-1], tuple(made.shape[1:])
    return errors.WrongOutput(
        f"The bundle's masks have {found} voxels (column, row, slice) and do not lie on the grid of the "
        f"channel {channel.channel_id}, {wanted}, which is that of {structure.structure_id}; its "
        "postprocessing needs Invertd."
    )
