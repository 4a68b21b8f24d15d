"""Where a model computes: the parameter `device`, and what happens when a GPU's memory does not suffice."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from segint_grpc import errors
from segint_grpc.backends import gpus
from segint_grpc.backends.remarks import remark

DEVICE = "device"
AUTO = "auto"
CPU = "cpu"

T = TypeVar("T")

_NO_MEMORY = re.compile(r"out of memory|(can't|cannot) allocate memory|bad_alloc", re.I)
_DEVICES = re.compile(r"auto|cpu|cuda(:\d{1,2})?")


def wanted_device(parameters: Mapping[str, Any]) -> str:
    """Return the parameter `device`: auto (a GPU where there is a usable one), cpu, cuda or cuda:N.

    Raises:
        InvalidModel: it is none of these.
    """
    device = parameters.get(DEVICE, AUTO)
    if not isinstance(device, str) or not _DEVICES.fullmatch(device):
        raise errors.InvalidModel(f"The parameter device must be auto, cpu, cuda or cuda:N, not {device!r}.")
    return device


def unusable(device: str, why: str) -> errors.InvalidModel:
    """Return the error for a GPU that was asked for by name and cannot be used."""
    return errors.InvalidModel(
        f"The device {device} cannot be used ({why}); set the parameter device to auto."
    )


def short_of(place: str, free_bytes: int, need_bytes: int) -> str:
    """Return why the GPU `place` cannot be used by a version that needs so much of it; empty where it can."""
    if free_bytes >= need_bytes:
        return ""
    wanted = f"limits.gpu_memory_bytes asks for {gpus.gib(need_bytes)}"
    return f"{place} has {gpus.gib(free_bytes)} free, {wanted}"


def go_without(device: str, why: str, *, there: bool, for_now: bool = False) -> None:
    """Take note that no GPU can be used, which is a remark where `device` is auto and one is `there`.

    `for_now`: it may be otherwise at the next job, so the process ends after this one.

    Raises:
        InvalidModel: a GPU was asked for by name.
    """
    if device != AUTO:
        raise unusable(device, why)
    if there:
        text = f"There is a GPU, but it cannot be used ({why}), so the model runs on the processor."
        remark(text, spent=for_now)


def told(place: str, most_bytes: int) -> str:
    """Return what messages call the GPU `place`, of which the version may take so much (0: all)."""
    return f"{place}, {gpus.gib(most_bytes)} of it by limits.gpu_memory_bytes" if most_bytes else place


def on_gpu(
    run: Callable[[], T], place: str, is_memory: Callable[[Exception], bool], retreat: Callable[[], None]
) -> T:
    """Return `run()`; where the memory of the GPU `place` does not suffice, `run()` once more on the CPU.

    `retreat` moves the model there. The process ends after the run: a GPU's memory comes back only so.

    Raises:
        OutOfMemory: memory did not suffice on the CPU either.
    """
    try:
        return run()
    except Exception as error:
        if not is_memory(error):
            raise
    # Not within the except clause: there the traceback still holds what fills the GPU.
    retreat()
    remark(f"The memory of the GPU ({place}) did not suffice, so the model ran on the processor.", spent=True)
    try:
        return run()
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            raise errors.OutOfMemory(
                f"The model ran out of memory on the GPU ({place}), and then on the processor."
            ) from error
        raise
