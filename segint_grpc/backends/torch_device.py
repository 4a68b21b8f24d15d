"""Which device torch computes on, chosen in the model's own process and nowhere else. Imports torch."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from segint_grpc.backends import gpus
from segint_grpc.backends.batches import Batches, Call
from segint_grpc.backends.devices import CPU, go_without, on_gpu, short_of, told
from segint_grpc.backends.remarks import computes_on, remark

T = TypeVar("T")

_CPU = torch.device(CPU)
_NO_MEMORY = re.compile(r"CUDA[^.]*out of memory|CU(DNN|BLAS)_STATUS_ALLOC_FAILED")


class Place:
    """Where a model is: on the device that was asked for, until a GPU's memory does not suffice."""

    def __init__(self, wanted: str, move: Callable[[torch.device], None], gpu_memory_bytes: int = 0) -> None:
        """Have `move` bring the model to the device that `wanted` (devices.py:wanted_device) means here.

        `gpu_memory_bytes` is what it needs of a GPU, and the most that torch then takes of it; 0: not said.
        """
        self.device = choose(wanted, gpu_memory_bytes)
        self._move = move
        self._name = told(str(self.device), gpu_memory_bytes)
        self._batches = Batches(is_memory, torch.cuda.empty_cache)
        self._guarded(lambda: move(self.device), self._leave)
        computes_on(str(self.device))

    def run(self, call: Callable[[], T]) -> T:
        """Return `call()`, without gradients; it looks at `device` anew, since it may be called twice."""
        with torch.inference_mode(), repeatable(self.device):
            return self._guarded(call, self._retreat)

    def run_batch(self, call: Call, values: NDArray[np.float32]) -> NDArray[Any]:
        """Return `run(call)` of the tiles `values`, in smaller batches where a GPU's memory asks for it."""
        return self.run(lambda: self._batches.run(call, values, CPU if self.device == _CPU else self._name))

    def _guarded(self, call: Callable[[], T], retreat: Callable[[], None]) -> T:
        return call() if self.device == _CPU else on_gpu(call, self._name, is_memory, retreat)

    def _leave(self) -> None:
        self.device = _CPU

    def _retreat(self) -> None:
        self._leave()
        self._move(_CPU)
        torch.cuda.empty_cache()


def choose(wanted: str, need_bytes: int = 0) -> torch.device:
    """Return the device that `wanted` (devices.py:wanted_device) means here; a GPU has then computed on it.

    A GPU has `need_bytes` free, and torch takes no more of it than that; where it is 0, any GPU will do.

    Raises:
        InvalidModel: a GPU was asked for by name, and torch cannot compute on it.
    """
    if wanted == CPU:
        return _CPU
    gpus.number_alike()
    faults, shortages = [], []
    for number in _numbers(wanted, need_bytes):
        device = torch.device("cuda", number)
        if fault := _fault(device):
            faults.append(fault)
            continue
        free_bytes, total_bytes = torch.cuda.mem_get_info(device)
        if shortage := short_of(str(device), free_bytes, need_bytes):
            shortages.append(shortage)
            continue
        if need_bytes:
            torch.cuda.set_per_process_memory_fraction(min(1.0, need_bytes / total_bytes), device)
        return device
    why = "; ".join(shortages + faults)
    go_without(wanted, why, there=torch.cuda.is_available(), for_now=bool(shortages))
    return _CPU


def _numbers(wanted: str, need_bytes: int) -> list[int]:
    """Return which GPUs to try, in that order; one at least, whose fault says why there is none."""
    if ":" in wanted:
        return [int(wanted.partition(":")[2])]
    count = torch.cuda.device_count()
    # Who has the only one has no choice, and need not be asked.
    return gpus.candidates(count, need_bytes, gpus.free_bytes() if count > 1 else {}) or [0]


def is_memory(error: BaseException) -> bool:
    """Return whether a GPU's memory did not suffice; cuDNN and cuBLAS say so in words of their own."""
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Have torch compute the same twice on a GPU; what it cannot promise this for becomes a remark."""
    if device.type == CPU:
        yield
        return
    # cuBLAS repeats itself only with a workspace of its own, and asks when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if "deterministic" in str(warning.message):
            operation = str(warning.message).split(" ", 1)[0]
            remark(f"torch does not promise the same masks twice on a GPU for this model ({operation:.60}).")
        else:
            warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)


def _fault(device: torch.device) -> str:
    """Return why torch cannot compute on `device`, empty where it can: is_available() knows too little."""
    try:
        torch.ones(8, device=device).sum().item()
    except (RuntimeError, AssertionError) as error:
        return " ".join(str(error).split())[:150]
    return ""
