"""A model on another server: what it says of itself, and how it is called with channels or tiles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends import inference_protocol as protocol
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.inference_protocol import Tensor
from segint_grpc.backends.layout import (
    AXES,
    DTYPE,
    GEOMETRY,
    INPUTS,
    OUTPUTS,
    Layout,
    affines,
    layout_by_rank,
    wanted_layout,
    wanted_names,
    with_dtype,
)
from segint_grpc.backends.named_tensors import fed, first_of, named, wanted_outputs
from segint_grpc.backends.remarks import remark
from segint_grpc.backends.remote_call import MODEL, URL, wanted_call
from segint_grpc.backends.remote_server import Body, RemoteServer

_NO_JSON = Body(lambda: iter((b"{}",)), {"Content-Type": "application/json", "Content-Length": "2"})
_LISTED_MAX = 20


class RemoteModel:
    """A model that its server has described."""

    def __init__(self, source: ModelSource) -> None:
        """Ask the server for the model of `source`.

        Raises:
            InvalidModel: it is unknown there, or does not fit channels, structures or parameters.
            ModelFailure: the server does not answer as it should.
        """
        self._call = wanted_call(source.parameters)
        self._server = RemoteServer(self._call, source.remotes)
        extensions = self._get(self._call.root).get("extensions") or []
        self._binary = self._call.binary
        if self._binary is None:
            self._binary = protocol.BINARY_EXTENSION in extensions
        inputs, outputs = self._described(source)
        self._geometry = next((one for one in inputs if one.name == GEOMETRY), None)
        names = wanted_names(source.parameters, INPUTS)
        names = names or [one.name for one in inputs if one.name != GEOMETRY]
        self._inputs = [named({one.name: one for one in inputs}, name, "input") for name in names]
        self._layout = _layout(self._inputs, source)
        self._outputs = wanted_outputs(source, [one.name for one in outputs], ordered=True)
        _check_outputs(self._outputs.names, source)

    def predict(self, channels: Sequence[Channel]) -> Masks:
        """Return the output as an array, the outputs as a list of them, or by structure if named so."""
        channels, feed = fed(self._layout, channels, [one.name for one in self._inputs])
        spatial = {_spatial(array, self._layout.axes) for array in feed.values()}
        if self._geometry is not None:
            feed[GEOMETRY] = affines(channels).astype(_dtype(self._geometry))
        told = json.dumps([_told(channel) for channel in channels], separators=(",", ":"))
        made = self._made(feed, {GEOMETRY: told}, spatial)
        return self._outputs.masks([self._layout.restored(array) for array in made])

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return the first output for `tiles`, whose axes are the manifest's affair but for the channels'."""
        values = self._layout.batch(tiles.values)
        made = self._made({self._inputs[0].name: values}, {}, {tiles.values.shape[2:]})[0]
        if len(made) != len(values):
            raise errors.WrongOutput(
                f"{self._told(capital=True)} was sent {len(values)} tiles and gave {len(made)}."
            )
        return self._layout.tiles(made, values.ndim)

    def _made(
        self, feed: dict[str, NDArray[Any]], parameters: dict[str, str], spatial: set[tuple[int, ...]]
    ) -> list[NDArray[Any]]:
        body = protocol.request(feed, self._outputs.names, parameters, binary=bool(self._binary))
        path = f"{self._call.model_path}/infer"
        with self._server.answer("POST", path, body) as answer:
            if answer.status != 200:
                raise errors.ModelFailure(
                    f"{self._told(capital=True)} did not run (status {answer.status}){answer.words()}"
                )
            made = protocol.read(answer, partial(self._accept, spatial))
        self._remark(made.version)
        if missing := [name for name in self._outputs.names if name not in made.outputs]:
            raise errors.WrongOutput(
                f"{self._told(capital=True)} answered without its output {missing[0]:.60}."
            )
        return [made.outputs[name] for name in self._outputs.names]

    def _accept(self, spatial: set[tuple[int, ...]], name: str, shape: tuple[int, ...]) -> None:
        """Raise WrongOutput where an output of `shape` is not of the scan, whose sizes were `spatial`."""
        if name in self._outputs.names and not any(_holds(shape, sizes) for sizes in spatial):
            sent = " or ".join(str(list(sizes)) for sizes in sorted(spatial))
            raise errors.WrongOutput(
                f"The output {name:.60} of {self._told()} has the shape {list(shape)}; the scan was sent "
                f"with {sent} voxels."
            )

    def _remark(self, version: str) -> None:
        by = f", this time version {version}" if version else ""
        remark(
            f"The model ran on {self._server.name}{by}; whether another server gives the same masks twice "
            "cannot be promised."
        )

    def _described(self, source: ModelSource) -> tuple[list[Tensor], list[Tensor]]:
        """Return the model's inputs and outputs: the server's words, or the parameters where it has none."""
        said = self._model()
        try:
            inputs = protocol.tensors(said.get("inputs") or [])
            outputs = protocol.tensors(said.get("outputs") or [])
        except ValueError as error:
            raise errors.InvalidModel(f"The server {self._server.name} is of no use: {error}.") from None
        return inputs or _declared(source, INPUTS), outputs or _declared(source, OUTPUTS)

    def _model(self) -> dict[str, Any]:
        path = self._call.model_path
        status, said = self._asked(path)
        if status != 200 or not isinstance(said, dict):
            raise errors.InvalidModel(
                f"The server {self._server.name} knows no model {self._call.told} (status {status}); "
                f"{self._listed()}. Set the parameter {MODEL}."
            )
        ready, _ = self._asked(f"{path}/ready")
        if ready != 200:
            raise errors.ModelFailure(
                f"{self._told(capital=True)} is not ready (status {ready}{self._health()}); it may be later."
            )
        return said

    def _health(self) -> str:
        status, _ = self._asked(f"{self._call.root}/health/ready")
        return "" if status == 200 else ", nor is the server"

    def _listed(self) -> str:
        """Return which models the server has, where it says that."""
        with self._server.answer("POST", f"{self._call.root}/repository/index", _NO_JSON) as answer:
            said = answer.small()
        if not isinstance(said, list):
            return "which it has it does not say"
        names = sorted({str(one["name"])[:60] for one in said if isinstance(one, dict) and "name" in one})
        more = f" and {len(names) - _LISTED_MAX} more" if len(names) > _LISTED_MAX else ""
        return f"it has {', '.join(names[:_LISTED_MAX]) or 'none'}{more}"

    def _get(self, path: str) -> dict[str, Any]:
        status, said = self._asked(path)
        if status != 200 or not isinstance(said, dict):
            raise errors.ModelFailure(
                f"The server {self._server.name} does not speak the Open Inference Protocol v2: GET {path} "
                f"gave status {status}. See that the parameter {URL} is right."
            )
        return said

    def _asked(self, path: str) -> tuple[int, Any]:
        """Return the status of the answer to a GET of `path`, and what it says where that is short."""
        with self._server.answer("GET", path) as answer:
            return answer.status, answer.small()

    def _told(self, capital: bool = False) -> str:
        return f"{'The' if capital else 'the'} model {self._call.told} on {self._server.name}"


def _declared(source: ModelSource, parameter: str) -> list[Tensor]:
    """Return the tensors that parameters name, where the server does not describe any."""
    names = wanted_names(source.parameters, parameter)
    if not names or not {AXES, DTYPE} <= set(source.parameters):
        raise errors.InvalidModel(
            f"The server does not say which {parameter} its model has; set the parameters {INPUTS}, "
            f"{OUTPUTS}, {AXES} and {DTYPE}."
        )
    layout = wanted_layout(source.parameters)
    datatype = protocol.datatype_of(np.dtype(layout.dtype))
    return [Tensor(name, datatype, (-1,) * len(layout.axes)) for name in names]


def _layout(inputs: Sequence[Tensor], source: ModelSource) -> Layout:
    """Return the layout of `inputs`, which are alike: what the server says, and the parameters beyond."""
    first = first_of(inputs)
    layout = layout_by_rank(source.parameters, first.name, len(first.shape))
    layout = with_dtype(layout, first.name, _dtype(first).name)
    _check_channels(inputs, layout.axes, source)
    return layout


def _check_channels(inputs: Sequence[Tensor], axes: str, source: ModelSource) -> None:
    count = len(source.channel_ids)
    names = ", ".join(one.name for one in inputs)
    if len(inputs) != (1 if "C" in axes else count):
        kind = "all channels as one" if "C" in axes else f"{count} channels"
        raise errors.InvalidModel(
            f"The model has the inputs {names:.200}, and would be given {kind}; see the parameters {AXES} "
            f"and {INPUTS}."
        )
    size = inputs[0].shape[axes.index("C")] if "C" in axes else -1
    if size not in (-1, count):
        raise errors.InvalidModel(f"The input {names:.60} takes {size} channels; the version has {count}.")


def _check_outputs(outputs: Sequence[str], source: ModelSource) -> None:
    if len(outputs) > 1 and len(outputs) != len(source.structures):
        raise errors.InvalidModel(
            f"The model has the outputs {', '.join(outputs):.200}, and the version {len(source.structures)} "
            f"structures; name those that are masks by the parameter {OUTPUTS}."
        )


def _dtype(tensor: Tensor) -> np.dtype[Any]:
    dtype = protocol.dtype_of(tensor.datatype)
    if dtype is None or dtype.kind == "b":
        raise errors.InvalidModel(
            f"The input {tensor.name} is of {tensor.datatype:.20}; it must be of numbers."
        )
    return dtype


def _spatial(array: NDArray[Any], axes: str) -> tuple[int, ...]:
    return tuple(size for size, letter in zip(array.shape, axes, strict=True) if letter in "DHW")


def _holds(shape: Sequence[int], sizes: Sequence[int]) -> bool:
    """Return whether `sizes` stand in `shape` in their order."""
    rest = iter(shape)
    return all(size in rest for size in sizes)


def _told(channel: Channel) -> dict[str, Any]:
    """Return where a channel lies, in plain JSON."""
    geometry = channel.geometry
    return {
        "channel": channel.channel_id,
        "spacing_xyz_mm": list(geometry.spacing_xyz_mm),
        "origin_xyz_mm": list(geometry.origin_xyz_mm),
        "direction": [list(geometry.x_axis), list(geometry.y_axis), list(geometry.z_axis)],
    }
