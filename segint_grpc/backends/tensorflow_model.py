"""Loads a SavedModel onto a device and calls one of its signatures. Imports tensorflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.devices import wanted_device
from segint_grpc.backends.layout import (
    AXES,
    DTYPE,
    DTYPES,
    INPUTS,
    OUTPUTS,
    Layout,
    affines,
    wanted_layout,
)
from segint_grpc.backends.model_folder import unpacked
from segint_grpc.backends.named_tensors import by_structure, chosen, named
from segint_grpc.backends.remarks import remark
from segint_grpc.backends.tensorflow_device import TensorFlowPlace
from segint_grpc.backends.tensorflow_library import tensorflow as tf

GEOMETRY = "geometry"
LAST = "NDHWC"
COUNTER_SIZE_MAX = 64
"""A variable of integers that is no larger counts something, such as the random numbers drawn so far."""


class SavedModel:
    """A SavedModel on a device, and how one of its signatures is called."""

    def __init__(self, source: ModelSource, signature: str) -> None:
        """Load the model of `source`.

        Raises:
            InvalidModel: TensorFlow cannot load it, or it has no such signature, inputs, outputs or type.
        """
        assert source.model_file is not None, "check comes before load"
        self._name = source.model_file.name
        self._folder = str(unpacked(source))
        self._signature = signature
        self._models: list[Any] = []
        self._place = TensorFlowPlace(wanted_device(source.parameters), self._load, source.gpu_memory_bytes)
        self._draws = _make_repeatable(self._call)
        self._specs: Mapping[str, Any] = self._call.structured_input_signature[1]
        volumes = sorted(name for name in self._specs if name != GEOMETRY)
        self._inputs = chosen(source.parameters, INPUTS, volumes, ordered=False)
        self._layout = _layout(self._inputs, self._specs, source)
        made = sorted(self._call.structured_outputs)
        ids = [structure.structure_id for structure in source.structures]
        self._by_structure = by_structure(source.parameters, OUTPUTS, made, ids)
        self._outputs = chosen(source.parameters, OUTPUTS, made, ordered=self._by_structure)

    def predict(self, channels: Sequence[Channel]) -> Masks:
        """Return the output as an array, the outputs as a list of them, or by structure if named so."""
        made = self._made(self._feed(channels))
        masks = {name: self._layout.restored(made[name]) for name in self._outputs}
        if self._by_structure:
            return masks
        return list(masks.values()) if len(masks) > 1 else masks[self._outputs[0]]

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return the first output for `tiles`, whose axes are the manifest's affair but for the channels'."""
        values = self._layout.batch(tiles.values)
        return self._layout.tiles(self._made({self._inputs[0]: values})[self._outputs[0]], values.ndim)

    @property
    def _call(self) -> Any:
        return self._models[0].signatures[self._signature]

    def _load(self) -> None:
        # What there was goes first: two models may not fit into memory.
        self._models.clear()
        try:
            model = tf.saved_model.load(self._folder)
        except (MemoryError, tf.errors.ResourceExhaustedError):
            raise
        except Exception as error:
            # A broken file makes TensorFlow raise anything.
            why = " ".join(str(error).replace(self._folder, self._name).split())
            raise errors.InvalidModel(f"{self._name} cannot be loaded by TensorFlow ({why:.200}).") from error
        named(dict(model.signatures), self._signature, "signature")
        # Its functions hold no variables: these go with the model.
        self._models.append(model)
        self._counters = _counters(self._call)

    def _made(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        if self._draws:
            remark(f"TensorFlow does not promise the same masks twice for this model ({self._draws}).")
        return self._place.run(lambda: self._ran(feed))

    def _ran(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        for variable, value in self._counters:
            variable.assign(value)
        made = self._call(**{name: tf.constant(value) for name, value in feed.items()})
        return {name: _array(tensor) for name, tensor in made.items()}

    def _feed(self, channels: Sequence[Channel]) -> dict[str, NDArray[Any]]:
        channels = self._layout.ordered(channels, self._inputs)
        arrays = self._layout.arrays(channels)
        if len(arrays) != len(self._inputs):
            raise errors.ModelFailure(
                f"The model takes {len(self._inputs)} inputs ({', '.join(self._inputs)}), and would be given "
                f"{len(arrays)}; see the parameters axes and inputs."
            )
        _check_rank(self._inputs[0], self._specs[self._inputs[0]], self._layout)
        feed = dict(zip(self._inputs, arrays, strict=True))
        if GEOMETRY in self._specs:
            feed[GEOMETRY] = _matrices(channels, self._specs[GEOMETRY])
        if missing := sorted(set(self._specs) - set(feed)):
            raise errors.ModelFailure(
                f"The model's input {missing[0]} gets no channel; see the parameter inputs."
            )
        return feed


def _make_repeatable(call: Any) -> str:
    """Have TensorFlow compute the same twice; return what of `call` cannot be, in a word, mostly nothing."""
    nodes = [node for function in call.graph.as_graph_def().library.function for node in function.node_def]
    for node in (*nodes, *call.graph.as_graph_def().node):
        if "seed2" in node.attr and not (node.attr["seed"].i or node.attr["seed2"].i):
            # TensorFlow then refuses to run it at all.
            return f"{node.op} without a seed"
    tf.config.experimental.enable_op_determinism()
    return ""


def _counters(call: Any) -> list[tuple[Any, NDArray[Any]]]:
    """Return the variables of `call` that count something, as a random generator does, and their values."""
    found = [variable for variable in call.variables if variable.dtype.is_integer]
    small = [one for one in found if (one.shape.num_elements() or 0) <= COUNTER_SIZE_MAX]
    return [(variable, variable.numpy()) for variable in small]


def _array(tensor: Any) -> NDArray[Any]:
    """Return `tensor` as an array; NumPy has no bfloat16, so that becomes float32."""
    made: NDArray[Any] = (tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor).numpy()
    return np.asarray(made)


def _layout(inputs: Sequence[str], specs: Mapping[str, Any], source: ModelSource) -> Layout:
    """Return the layout of `inputs`, which are alike: what the signature says, and the parameters beyond."""
    if not inputs:
        raise errors.InvalidModel("The model has no input for a volume.")
    layout = wanted_layout(source.parameters, LAST)
    found = specs[inputs[0]].dtype.name
    if found not in DTYPES or layout.dtype not in ("", found):
        raise errors.InvalidModel(
            f"The input {inputs[0]} is of {found}; the parameter {DTYPE} says {layout.dtype or 'nothing'}."
        )
    return Layout(layout.axes, found)


def _matrices(channels: Sequence[Channel], spec: Any) -> NDArray[Any]:
    """Return what an input called `geometry` gets, with a batch axis where it has one."""
    matrices = affines(channels).astype(spec.dtype.as_numpy_dtype)
    return matrices[None] if spec.shape.rank == matrices.ndim + 1 else matrices


def _check_rank(name: str, spec: Any, layout: Layout) -> None:
    rank = spec.shape.rank
    if rank is not None and rank != len(layout.axes):
        raise errors.ModelFailure(
            f"The input {name} has {rank} dimensions, and would be given {len(layout.axes)} ({layout.axes}); "
            f"see the parameter {AXES}. A network of slices needs a manifest with [versions.inference]."
        )
