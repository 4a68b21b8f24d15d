"""A session of ONNX Runtime: opened on a device, told its threads, called with channels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends import gpus
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.batches import Batches
from segint_grpc.backends.devices import CPU, go_without, on_gpu, short_of, told, wanted_device
from segint_grpc.backends.layout import (
    GEOMETRY,
    INPUTS,
    Layout,
    affines,
    layout_by_rank,
    wanted_names,
    with_dtype,
)
from segint_grpc.backends.named_tensors import fed, first_of, named, wanted_outputs
from segint_grpc.backends.remarks import computes_on, remark
from segint_grpc.backends.threads import threads

T = TypeVar("T")

_ON_CPU = "CPUExecutionProvider"
_ON_GPU = "CUDAExecutionProvider"
_NO_MEMORY = re.compile(
    r"bad.?alloc|failed to allocate memory|out of memory|ALLOC_FAILED|std::bad_alloc", re.I
)
_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
}


class OnnxModel:
    """A model that is loaded, and how it is called."""

    def __init__(self, source: ModelSource) -> None:
        """Load the model of `source`.

        Raises:
            InvalidModel: the runtime cannot load it, or it has no such inputs, outputs, axes or type.
        """
        assert source.model_file is not None, "check comes before load"
        self._path = source.model_file
        device = wanted_device(source.parameters)
        self._session, self._place = _open_on(self._path, device, source.gpu_memory_bytes)
        computes_on(self._place)
        self._told = told(self._place, source.gpu_memory_bytes)
        # Nothing to release: single tiles use the arena that the batch has left.
        self._batches = Batches(_is_memory, lambda: None)
        known = {given.name: given for given in self._session.get_inputs()}
        volumes = wanted_names(source.parameters, INPUTS) or [name for name in known if name != GEOMETRY]
        self._inputs = [named(known, name, "input") for name in volumes]
        self._geometry = known.get(GEOMETRY)
        self._layout = _layout(self._inputs, source)
        made = [output.name for output in self._session.get_outputs()]
        self._outputs = wanted_outputs(source, made, ordered=True)

    def predict(self, channels: Sequence[Channel]) -> Masks:
        """Return the output as an array, the outputs as a list of them, or by structure if named so."""
        feed = self._feed(channels)
        made = self._guarded(lambda: self._run(feed))
        return self._outputs.masks([self._layout.restored(array) for array in made])

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return the first output for `tiles`, whose axes are the manifest's affair but for the channels'."""
        values = self._layout.batch(tiles.values)

        def called(batch: NDArray[Any]) -> NDArray[Any]:
            return self._run({self._inputs[0].name: batch})[0]

        def batched() -> NDArray[Any]:
            return self._batches.run(called, values, CPU if self._place == CPU else self._told)

        return self._layout.tiles(self._guarded(batched), values.ndim)

    def _guarded(self, call: Callable[[], T]) -> T:
        return call() if self._place == CPU else on_gpu(call, self._told, _is_memory, self._retreat)

    def _feed(self, channels: Sequence[Channel]) -> dict[str, NDArray[Any]]:
        channels, feed = fed(self._layout, channels, [given.name for given in self._inputs])
        if self._geometry is not None:
            feed[GEOMETRY] = affines(channels).astype(_dtype(self._geometry))
        return feed

    def _run(self, feed: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        if self._place != CPU:
            remark("ONNX Runtime does not promise the same masks twice on a GPU.")
        try:
            made: list[NDArray[Any]] = self._session.run(self._outputs.names, feed, _run_options())
        except Exception as error:
            if self._place == CPU and _is_memory(error):
                raise MemoryError(str(error)) from error
            raise
        return made

    def _retreat(self) -> None:
        # The GPU's memory comes back with the old session.
        del self._session
        self._session, self._place = _open(self._path, [_ON_CPU]), CPU


class _NoGpuError(Exception):
    """No GPU can be used; `for_now`: it may be otherwise at the next job."""

    def __init__(self, why: str, *, for_now: bool = False) -> None:
        super().__init__(why)
        self.for_now = for_now


def _open_on(path: Path, device: str, need_bytes: int) -> tuple[Any, str]:
    """Return a session for `path` and where it runs: "cpu" or "cuda:N".

    A GPU has `need_bytes` free, as far as nvidia-smi knows, and gives no more; where it is 0, any will do.
    """
    if device != CPU:
        try:
            return _open_on_gpu(path, _gpu_for(device, need_bytes), need_bytes)
        except _NoGpuError as error:
            go_without(device, str(error), there=gpus.DRIVER.exists(), for_now=error.for_now)
    return _open(path, [_ON_CPU]), CPU


def _gpu_for(device: str, need_bytes: int) -> int:
    """Return the number of the GPU to take."""
    if _ON_GPU not in onnxruntime.get_available_providers():
        raise _NoGpuError("this ONNX Runtime was built without CUDA: pip install onnxruntime-gpu")
    gpus.number_alike()
    free = gpus.free_bytes()
    asked = device.partition(":")[2]
    number = int(asked) if asked else gpus.candidates(max(1, len(free)), need_bytes, free)[0]
    if shortage := short_of(f"cuda:{number}", free.get(number, need_bytes), need_bytes):
        raise _NoGpuError(shortage, for_now=True)
    return number


def _open_on_gpu(path: Path, number: int, need_bytes: int) -> tuple[Any, str]:
    # CUDA's libraries may have come with torch or from packages of their own.
    onnxruntime.preload_dlls()
    facts = {"device_id": str(number), "cudnn_conv_algo_search": "HEURISTIC"}
    gpu = (_ON_GPU, facts | ({"gpu_mem_limit": str(need_bytes)} if need_bytes else {}))
    providers: list[Any] = [gpu, _ON_CPU]
    place = f"cuda:{number}"

    def leave() -> None:
        providers.remove(gpu)

    session = on_gpu(lambda: _open(path, providers), told(place, need_bytes), _is_memory, leave)
    if gpu not in providers:
        return session, CPU
    if _ON_GPU not in session.get_providers():
        raise _NoGpuError("ONNX Runtime could not start CUDA; the models' log says why")
    return session, place


def _open(path: Path, providers: list[Any]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:
        # Its exceptions have no base but Exception.
        if _is_memory(error):
            raise MemoryError(str(error)) from error
        hint = (
            "; libraries with operators of one's own are not loaded"
            if "is not a registered" in str(error)
            else ""
        )
        why = " ".join(str(error).split())
        raise errors.InvalidModel(
            f"{path.name} cannot be loaded by ONNX Runtime ({why:.200}){hint}."
        ) from error


def _run_options() -> Any:
    options = onnxruntime.RunOptions()
    # Else a warm model would hold the most that it ever took.
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


def _layout(inputs: Sequence[Any], source: ModelSource) -> Layout:
    """Return the layout of `inputs`, which are alike: what the model says, and the parameters beyond."""
    first = first_of(inputs)
    layout = layout_by_rank(source.parameters, first.name, len(first.shape))
    return with_dtype(layout, first.name, _dtype(first))


def _dtype(given: Any) -> str:
    if given.type not in _TYPES:
        raise errors.InvalidModel(
            f"The input {given.name} is a {given.type}; it must be a tensor of numbers."
        )
    return np.dtype(_TYPES[given.type]).name
