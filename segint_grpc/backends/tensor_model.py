"""Calls a network that came without Python code (TorchScript, torch.export): tensors in, tensors out.

It gets the channels' volumes as `Layout` says and, where one of its arguments is called `geometry`, the
matrices of layout.py:affines. It cannot be given a function, so it tells no progress. Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.devices import wanted_device
from segint_grpc.backends.layout import GEOMETRY, affines, contiguous, wanted_layout
from segint_grpc.backends.torch_device import Place


class Network:
    """A network, the names of its arguments in order, and of those that must be given by name."""

    def __init__(self, call: Callable[..., Any], names: Sequence[str], by_name: Sequence[str] = ()) -> None:
        """Keep what is needed to call it."""
        self.call = call
        self.names = names
        self.by_name = frozenset(by_name)


class TensorModel:
    """A network on a device. `make` reads it anew for the device that it is given."""

    def __init__(self, source: ModelSource, make: Callable[[torch.device], Network]) -> None:
        """Read the network of `source` onto the device that its parameters ask for."""
        self._make = make
        self._layout = wanted_layout(source.parameters)
        self._tiles = replace(self._layout, dtype="")
        self._network: Network | None = None
        self._place = Place(wanted_device(source.parameters), self._read, source.gpu_memory_bytes)

    def predict(self, channels: Sequence[Channel]) -> Masks:
        """Return what the network makes of `channels`, as arrays [k, j, i] or [structure, k, j, i]."""
        return cast(Masks, self._place.run(lambda: self._predicted(channels)))

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the network makes of `tiles`: as the manifest has them, but for the channels' axis."""
        values = self._tiles.batch(tiles.values)
        made = run_tiles(self._place, self._call, replace(tiles, values=values))
        return self._tiles.tiles(made, values.ndim)

    def _call(self, values: torch.Tensor) -> Any:
        assert self._network is not None
        return self._network.call(values)

    def _read(self, device: torch.device) -> None:
        # What there was goes first: two networks may not fit into memory.
        self._network = None
        self._network = self._make(device)

    def _predicted(self, channels: Sequence[Channel]) -> Any:
        network = self._network
        assert network is not None
        names = [name for name in network.names if name != GEOMETRY]
        channels = self._layout.ordered(channels, names)
        values = [torch.from_numpy(array) for array in self._layout.arrays(channels)]
        if GEOMETRY in network.names:
            values.insert(list(network.names).index(GEOMETRY), torch.from_numpy(affines(channels)))
        if len(values) != len(network.names):
            raise errors.ModelFailure(
                f"The model takes {len(network.names)} tensors ({', '.join(network.names)}), and would be "
                f"given {len(values)}; see the parameter axes."
            )
        given = dict(zip(network.names, (value.to(self._place.device) for value in values), strict=True))
        by_name = {name: given.pop(name) for name in network.by_name}
        return _arrays(network.call(*given.values(), **by_name), self._layout.restored)


def _arrays(made: Any, restored: Callable[[NDArray[Any]], NDArray[Any]]) -> Any:
    """Return `made` with arrays for tensors; what it holds beside these is for the check of masks to name."""
    if isinstance(made, torch.Tensor):
        return restored(to_array(made))
    if isinstance(made, Mapping):
        return {name: _arrays(value, restored) for name, value in made.items()}
    if isinstance(made, list | tuple):
        return [_arrays(value, restored) for value in made]
    return made


def to_array(made: torch.Tensor) -> NDArray[Any]:
    """Return `made` as an array in the processor's memory; NumPy has no bfloat16, so that becomes float32."""
    made = made.detach().cpu()
    array: NDArray[Any] = (made.float() if made.dtype == torch.bfloat16 else made).numpy()
    return array


def run_tiles(place: Place, call: Callable[..., Any], tiles: Tiles) -> NDArray[Any]:
    """Return what `call` makes of `tiles` at `place`; of several results (deep supervision), the first."""

    def called(values: NDArray[np.float32]) -> NDArray[Any]:
        tensor = torch.from_numpy(contiguous(values)).to(place.device)
        with torch.autocast(place.device.type, torch.bfloat16, enabled=tiles.mixed_precision):
            return _scores(call(tensor))

    return place.run_batch(called, tiles.values)


def _scores(made: Any) -> NDArray[Any]:
    made = next(iter(made)) if isinstance(made, list | tuple) and len(made) else made
    if isinstance(made, np.ndarray):
        return made
    if not isinstance(made, torch.Tensor):
        raise errors.WrongOutput(
            f"The model returned an object of type {type(made).__name__} for a batch; expected was a tensor."
        )
    return to_array(made)
