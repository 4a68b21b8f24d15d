"""Loads a Keras model onto a device and calls it. Imports keras, which computes with torch here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.devices import wanted_device
from segint_grpc.backends.keras_file import read_config, strangers
from segint_grpc.backends.keras_library import keras
from segint_grpc.backends.layout import (
    DTYPES,
    GEOMETRY,
    INPUTS,
    Layout,
    affines,
    check_rank,
    wanted_layout,
    with_dtype,
)
from segint_grpc.backends.named_tensors import check_fed, chosen, fed, first_of, wanted_outputs
from segint_grpc.backends.tensor_model import run_tiles, to_array
from segint_grpc.backends.torch_device import Place, is_memory

CHANNELS_FIRST = "channels_first"
FIRST, LAST = "NCDHW", "NDHWC"
EXPORT = (
    "build it of Keras's own layers and operations (keras.ops), or export it with "
    'model.export("net.onnx", format="onnx") for the back end onnx'
)


class KerasModel:
    """A model on a device, and how it is called."""

    def __init__(self, source: ModelSource) -> None:
        """Load the model of `source`.

        Raises:
            InvalidModel: Keras cannot load it, or it has no such inputs, outputs, axes or type.
        """
        assert source.model_file is not None, "check comes before load"
        self._path = source.model_file
        self._models: list[Any] = []
        self._place = Place(wanted_device(source.parameters), self._read, source.gpu_memory_bytes)
        known = {given.name: given for given in self._model.inputs}
        volumes = [name for name in known if name != GEOMETRY]
        ordered = not isinstance(self._model.input, dict)
        self._inputs = [known[name] for name in chosen(source.parameters, INPUTS, volumes, ordered=ordered)]
        self._layout = _layout(self._inputs, self._model, source)
        ordered = not isinstance(self._model.output, dict)
        self._outputs = wanted_outputs(source, _output_names(self._model), ordered=ordered)

    @property
    def _model(self) -> Any:
        return self._models[0]

    def predict(self, channels: Sequence[Channel]) -> Masks:
        """Return the output as an array, the outputs as a list of them, or by structure if named so."""
        feed = self._feed(channels)
        made = self._place.run(lambda: self._made(feed))
        return self._outputs.masks([self._layout.restored(made[name]) for name in self._outputs.names])

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return the first output for `tiles`, whose axes are the manifest's affair but for the channels'."""
        values = self._layout.batch(tiles.values)
        made = run_tiles(self._place, self._first, replace(tiles, values=values))
        return self._layout.tiles(made, values.ndim)

    def _first(self, values: torch.Tensor) -> torch.Tensor:
        return self._called([values])[self._outputs.names[0]]

    def _made(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        tensors = [torch.from_numpy(feed[given.name]).to(self._place.device) for given in self._model.inputs]
        return {name: to_array(tensor) for name, tensor in self._called(tensors).items()}

    def _called(self, tensors: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the outputs by name for `tensors`, which come in the order of the model's inputs."""
        # Keras itself makes tensors on the GPU where there is one.
        with keras.device(str(self._place.device)):
            packed = keras.tree.pack_sequence_as(self._model.input, list(tensors))
            made = self._model(packed, training=False)
        if isinstance(made, dict):
            return made
        return dict(zip(_output_names(self._model), keras.tree.flatten(made), strict=True))

    def _feed(self, channels: Sequence[Channel]) -> dict[str, NDArray[Any]]:
        channels, feed = fed(self._layout, channels, [given.name for given in self._inputs])
        check_rank(self._inputs[0].name, len(self._inputs[0].shape), self._layout)
        feed[GEOMETRY] = affines(channels)[None]
        check_fed((given.name for given in self._model.inputs), feed)
        return feed

    def _read(self, device: torch.device) -> None:
        # What there was goes first: two models may not fit into memory.
        self._models.clear()
        with keras.device(str(device)):
            self._models.append(_loaded(self._path))


def _loaded(path: Path) -> Any:
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:
        # A broken file makes Keras raise anything.
        if is_memory(error):
            raise
        raise _refusal(path, error) from error
    if not getattr(model, "inputs", None):
        raise errors.InvalidModel(
            f"{path.name} does not say what it takes; begin the model with keras.Input, and save it anew."
        )
    return model


def _refusal(path: Path, error: Exception) -> errors.InvalidModel:
    """Return the error for a file that Keras cannot load, by name of what it may not hold."""
    odd = strangers(read_config(path)) if path.suffix == ".keras" else []
    why = " ".join(str(error).split())
    if odd:
        return errors.InvalidModel(
            f"{path.name} holds {', '.join(odd)[:200]}, and Keras does not load it ({why:.200}); {EXPORT}."
        )
    return errors.InvalidModel(
        f"{path.name} cannot be loaded by Keras ({why:.200}); if it is whole, {EXPORT}."
    )


def _output_names(model: Any) -> list[str]:
    """Return the keys of a model that returns a dictionary, else its layers' names, numbered if need be."""
    if isinstance(model.output, dict):
        return sorted(model.output)
    names = list(model.output_names)
    return names if len(set(names)) == len(names) else [f"{name}:{n}" for n, name in enumerate(names)]


def _layout(inputs: Sequence[Any], model: Any, source: ModelSource) -> Layout:
    """Return the layout of `inputs`, which are alike: what the model says, and the parameters beyond."""
    first = first_of(inputs)
    found, layout = str(first.dtype), wanted_layout(source.parameters, _axes(model))
    return with_dtype(layout, first.name, found, usable=found in DTYPES)


def _axes(model: Any) -> str:
    """Return the axes of a volume: channels are last, as Keras has it, unless all layers have them first."""
    return FIRST if set(_data_formats(model)) == {CHANNELS_FIRST} else LAST


def _data_formats(model: Any) -> Iterator[str]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _data_formats(layer)
        elif hasattr(layer, "data_format"):
            yield layer.data_format
