"""Messages of the Open Inference Protocol v2, with tensors in their JSON or, as Triton has it, behind it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.json_tensors import FRAME_BYTES_MAX, TensorReader, written
from segint_grpc.backends.remote_answer import PIECE_BYTES, Answer
from segint_grpc.backends.remote_server import Body

FRAME_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of JSON come before the tensors' bytes."""

BINARY_EXTENSION = "binary_tensor_data"

_DTYPES = {
    "BOOL": "?",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
}
_DATATYPES = {np.dtype(code): name for name, code in _DTYPES.items()}
_RANK_MAX = 8

Accept = Callable[[str, tuple[int, ...]], None]
"""Is called with an output's name and shape before anything of its data is kept, and raises what is wrong."""


@dataclass(frozen=True)
class Tensor:
    """An input or output as the server describes it; -1 in `shape` is any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Made:
    """What came back: the outputs by name, and the version that made them, where the server says it."""

    outputs: Mapping[str, NDArray[Any]]
    version: str


def dtype_of(datatype: str) -> np.dtype[Any] | None:
    """Return the dtype of the protocol's `datatype`, None for one that NumPy has no numbers for."""
    return np.dtype(_DTYPES[datatype]) if datatype in _DTYPES else None


def datatype_of(dtype: np.dtype[Any]) -> str:
    """Return the protocol's name of `dtype`."""
    return _DATATYPES[dtype]


def tensors(described: Any) -> list[Tensor]:
    """Return what a model's metadata lists as `inputs` or `outputs`; raises ValueError if it is none."""
    if not isinstance(described, list):
        raise ValueError("its model's metadata lists no tensors")
    return [Tensor(_text(one, "name"), _text(one, "datatype"), _shape(one, lowest=-1)) for one in described]


def request(
    inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str], parameters: Mapping[str, str], *, binary: bool
) -> Body:
    """Return the request that asks for `outputs` (none: all that the model has) of `inputs`."""
    arrays = [np.ascontiguousarray(array) for array in inputs.values()]
    described: list[dict[str, Any]] = [
        {"name": name, "datatype": _DATATYPES[array.dtype], "shape": list(array.shape)}
        for name, array in zip(inputs, arrays, strict=True)
    ]
    frame: dict[str, Any] = {"parameters": dict(parameters)}
    if outputs:
        asked = {"parameters": {"binary_data": True}} if binary else {}
        frame["outputs"] = [{"name": name, **asked} for name in outputs]
    elif binary:
        frame["parameters"]["binary_data_output"] = True
    return _as_bytes(frame, described, arrays) if binary else _as_json(frame, described, arrays)


def read(answer: Answer, accept: Accept) -> Made:
    """Return what the server made, of which `accept` has seen each shape beforehand.

    Raises:
        ValueError: it is no inference response.
    """
    reader, header = TensorReader(), answer.headers.get(FRAME_LENGTH)
    for piece in answer.pieces(None if header is None else _length(header)):
        reader.feed(piece)
    frame = reader.finish()
    if not isinstance(frame, dict) or not isinstance(frame.get("outputs"), list):
        raise ValueError("it lists no outputs")
    made = {}
    for output in frame["outputs"]:
        name, shape = _text(output, "name"), _shape(output, lowest=0)
        accept(name, shape)
        made[name] = _values(output, shape, reader, answer)
    if header is not None and next(answer.pieces(), b""):
        raise ValueError("it is longer than it says")
    return Made(made, str(frame.get("model_version") or "")[:40])


def _values(
    output: Mapping[str, Any], shape: tuple[int, ...], reader: TensorReader, answer: Answer
) -> NDArray[Any]:
    datatype = _text(output, "datatype")
    dtype = dtype_of(datatype)
    if dtype is None:
        raise ValueError(f"it has an output of {datatype:.20}, which are no numbers")
    parameters = output.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return reader.tensor(output.get("data"), dtype, shape)
    # A byte that is neither 0 nor 1 is no boolean; as a number it is noticed where masks are checked.
    dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    expected = math.prod(shape) * dtype.itemsize
    if size != expected:
        raise ValueError(f"it has {size!r:.20} bytes for an output of {expected}")
    answer.reserve(expected)
    made = np.empty(shape, dtype)
    if expected:
        answer.fill(made)
    return made


def _as_json(
    frame: dict[str, Any], described: Sequence[Mapping[str, Any]], arrays: Sequence[NDArray[Any]]
) -> Body:
    def chunks() -> Iterator[bytes]:
        yield json.dumps(frame)[:-1].encode() + b',"inputs":['
        for number, (tensor, array) in enumerate(zip(described, arrays, strict=True)):
            yield (b"," if number else b"") + json.dumps(tensor)[:-1].encode() + b',"data":['
            yield from written(array)
            yield b"]}"
        yield b"]}"

    return Body(chunks, {"Content-Type": "application/json"})


def _as_bytes(
    frame: dict[str, Any], described: Sequence[dict[str, Any]], arrays: Sequence[NDArray[Any]]
) -> Body:
    inputs = [
        {**tensor, "parameters": {"binary_data_size": array.nbytes}}
        for tensor, array in zip(described, arrays, strict=True)
    ]
    head = json.dumps({**frame, "inputs": inputs}).encode()

    def chunks() -> Iterator[bytes]:
        yield head
        for array in arrays:
            view = array.data.cast("B")
            for start in range(0, len(view), PIECE_BYTES):
                yield bytes(view[start : start + PIECE_BYTES])

    length = len(head) + sum(array.nbytes for array in arrays)
    headers = {FRAME_LENGTH: str(len(head)), "Content-Length": str(length)}
    return Body(chunks, {"Content-Type": "application/octet-stream", **headers})


def _length(header: str) -> int:
    if not header.isascii() or not header.isdigit() or int(header) > FRAME_BYTES_MAX:
        raise errors.ModelFailure(f"The server's answer has a header {FRAME_LENGTH} that is no length.")
    return int(header)


def _text(described: Any, key: str) -> str:
    value = described.get(key) if isinstance(described, dict) else None
    if not isinstance(value, str) or not value:
        raise ValueError(f"it describes a tensor without {key}")
    return value


def _shape(described: Any, lowest: int) -> tuple[int, ...]:
    value = described.get("shape")
    whole = isinstance(value, list) and all(type(size) is int and size >= lowest for size in value)
    if not whole or len(value) > _RANK_MAX:
        raise ValueError("it describes a tensor without a shape")
    return tuple(value)
