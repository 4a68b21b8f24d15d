"""Tensors in JSON, a piece at a time: a scan's numbers as text would be many times the scan, all at once.

An inference response is read as it comes. Every array that is the value of a key `data` becomes numbers in
NumPy piece by piece; the rest, which is small, is kept as text with a mark in each array's place.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors

FRAME_BYTES_MAX = 1024 * 1024
"""The most text around the tensors."""

MARK = "segint_tensor"
"""The key of what stands in the place of an array: its number."""

_WRITTEN = 65_536
_READ_BYTES = 1024 * 1024
# A quote within a JSON string is escaped, so this can only be a key.
_BEGIN = re.compile(rb'"data"\s*:\s*\[')
_NO_TENSORS = "it is not JSON as the protocol has it"


def written(values: NDArray[Any]) -> Iterator[bytes]:
    """Yield `values` in their order as the elements of a JSON array, without its brackets.

    Raises:
        ModelFailure: one is infinite or no number, which JSON cannot hold.
    """
    flat = values.reshape(-1)
    for start in range(0, flat.size, _WRITTEN):
        try:
            text = json.dumps(flat[start : start + _WRITTEN].tolist(), separators=(",", ":"), allow_nan=False)
        except ValueError:
            raise errors.ModelFailure(
                "The scan, as it was prepared, holds what is infinite or no number; JSON has none such."
            ) from None
        yield (b"," if start else b"") + text[1:-1].encode()


class TensorReader:
    """Takes a response in pieces, and gives its frame and its tensors."""

    def __init__(self) -> None:
        """Have read nothing yet."""
        self._frame = bytearray()
        self._waiting = b""
        self._depth = 0
        self._tensors: list[list[NDArray[Any]]] = []

    def feed(self, piece: bytes) -> None:
        """Take the next piece; raises ValueError where it cannot be of a response."""
        self._waiting += piece
        while self._waiting and self._step():
            pass
        if self._depth == 0 and len(self._frame) + len(self._waiting) > FRAME_BYTES_MAX:
            raise ValueError("there is too much around its tensors")

    def finish(self) -> Any:
        """Return the frame, parsed; raises ValueError where it is no JSON, or not whole."""
        if self._depth:
            raise ValueError("it ends within a tensor")
        try:
            return json.loads(bytes(self._frame) + self._waiting)
        except (ValueError, RecursionError):
            raise ValueError(_NO_TENSORS) from None

    def tensor(self, mark: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """Return the numbers in whose place `mark` stands; raises ValueError where they do not fit."""
        number = mark.get(MARK) if isinstance(mark, dict) else None
        if not isinstance(number, int) or not 0 <= number < len(self._tensors):
            raise ValueError("it has an output without data")
        return _joined(self._tensors[number], dtype, shape)

    def _step(self) -> bool:
        """Take what can be taken of what waits; return whether to go on."""
        return self._end() if self._depth else self._begin()

    def _begin(self) -> bool:
        found = _BEGIN.search(self._waiting)
        if found is None:
            return False
        self._frame += self._waiting[: found.start()] + b'"data":{"%s":%d}' % (
            MARK.encode(),
            len(self._tensors),
        )
        self._waiting = self._waiting[found.end() :]
        self._tensors.append([])
        self._depth = 1
        return True

    def _end(self) -> bool:
        """Look for the array's end; numbers before it that are whole become an array."""
        depth = self._depth
        for bracket in re.finditer(rb'[\[\]{}"]', self._waiting):
            if bracket[0] not in b"[]":
                raise ValueError("it has data that are no numbers")
            depth += 1 if bracket[0] == b"[" else -1
            if depth == 0:
                self._take(self._waiting[: bracket.start()])
                self._waiting, self._depth = self._waiting[bracket.end() :], 0
                return True
        comma = self._waiting.rfind(b",")
        if len(self._waiting) > _READ_BYTES and comma >= 0:
            taken, self._waiting = self._waiting[:comma], self._waiting[comma + 1 :]
            self._depth += taken.count(b"[") - taken.count(b"]")
            self._take(taken)
        elif len(self._waiting) > 2 * _READ_BYTES:
            raise ValueError(_NO_TENSORS)
        return False

    def _take(self, text: bytes) -> None:
        try:
            values = json.loads(b"[" + text.translate(None, b"[]") + b"]")
        except ValueError:
            raise ValueError(_NO_TENSORS) from None
        if values:
            self._tensors[-1].append(_compact(values))


def _compact(values: list[Any]) -> NDArray[Any]:
    """Return numbers or booleans as a small array; null, which some servers write for NaN, is NaN."""
    try:
        array = np.array(values)
        if array.dtype == object:
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("it has data that are no numbers") from None
    if array.dtype.kind not in "iu":
        return array
    return array.astype(np.result_type(np.min_scalar_type(array.min()), np.min_scalar_type(array.max())))


def _joined(pieces: list[NDArray[Any]], dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    count = sum(piece.size for piece in pieces)
    if count != math.prod(shape):
        raise ValueError(f"it has {count} numbers for an output of shape {list(shape)}")
    made = np.empty(shape, dtype)
    flat, at = made.reshape(-1), 0
    while pieces:
        # What is copied need not be held any longer.
        piece = pieces.pop(0)
        _check_fits(piece, dtype)
        flat[at : at + piece.size] = piece
        at += piece.size
    return made


def _check_fits(piece: NDArray[Any], dtype: np.dtype[Any]) -> None:
    if dtype.kind == "f":
        return
    limits = np.iinfo(np.uint8) if dtype.kind == "b" else np.iinfo(dtype)
    most = 1 if dtype.kind == "b" else limits.max
    if piece.dtype.kind == "f" or int(piece.min()) < limits.min or int(piece.max()) > most:
        raise ValueError(f"it has numbers that its datatype ({dtype}) cannot hold")
