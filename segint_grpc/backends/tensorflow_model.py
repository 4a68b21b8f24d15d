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
    DTYPES,
    GEOMETRY,
    INPUTS,
    Layout,
    affines,
    check_rank,
    wanted_layout,
    with_dtype,
)
from segint_grpc.backends.model_folder import unpacked
from segint_grpc.backends.named_tensors import check_fed, chosen, fed, first_of, named, wanted_outputs
from segint_grpc.backends.remarks import remark
from segint_grpc.backends.tensorflow_device import TensorFlowPlace
from segint_grpc.backends.tensorflow_library import tensorflow as tf

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
        self._outputs = wanted_outputs(source, sorted(self._call.structured_outputs), ordered=False)

    def predict(self, channels: Sequence[Channel]) -> Masks:
        """Return the output as an array, the outputs as a list of them, or by structure if named so."""
        made = self._made(self._feed(channels))
        return self._outputs.masks([self._layout.restored(made[name]) for name in self._outputs.names])

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return the first output for `tiles`, whose axes are the manifest's affair but for the channels'."""
        values = self._layout.batch(tiles.values)
        made = self._made({self._inputs[0]: values})[self._outputs.names[0]]
        return self._layout.tiles(made, values.ndim)

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
        channels, feed = fed(self._layout, channels, self._inputs)
        rank = self._specs[self._inputs[0]].shape.rank
        if rank is not None:
            check_rank(self._inputs[0], rank, self._layout)
        if GEOMETRY in self._specs:
            feed[GEOMETRY] = _matrices(channels, self._specs[GEOMETRY])
        check_fed(sorted(self._specs), feed)
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
    first = first_of(inputs)
    found = specs[first].dtype.name
    return with_dtype(wanted_layout(source.parameters, LAST), first, found, usable=found in DTYPES)


def _matrices(channels: Sequence[Channel], spec: Any) -> NDArray[Any]:
    """Return what an input called `geometry` gets, with a batch axis where it has one."""
    matrices = affines(channels).astype(spec.dtype.as_numpy_dtype)
    return matrices[None] if spec.shape.rank == matrices.ndim + 1 else matrices
