"""Which device TensorFlow computes on, chosen in the model's own process. Imports tensorflow."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from segint_grpc.backends.devices import AUTO, CPU, on_gpu, unusable
from segint_grpc.backends.tensorflow_library import tensorflow as tf

T = TypeVar("T")

ON_CPU = "/CPU:0"


class TensorFlowPlace:
    """Where a model is: on the device that was asked for, until a GPU's memory does not suffice."""

    def __init__(self, wanted: str, move: Callable[[], None]) -> None:
        """Have `move` load the model onto the device that `wanted` (devices.py:wanted_device) means here."""
        self.name = choose(wanted)
        self._move = move
        self._placed(move, self._leave)

    def run(self, call: Callable[[], T]) -> T:
        """Return `call()`, which may be called twice.

        Raises:
            MemoryError: the memory did not suffice.
        """
        return self._placed(call, self._retreat)

    def _placed(self, call: Callable[[], T], retreat: Callable[[], None]) -> T:
        return (
            self._here(call)
            if self.name == ON_CPU
            else on_gpu(self._there(call), self.name, is_memory, retreat)
        )

    def _there(self, call: Callable[[], T]) -> Callable[[], T]:
        return lambda: self._here(call)

    def _here(self, call: Callable[[], T]) -> T:
        try:
            with tf.device(self.name):
                return call()
        except tf.errors.ResourceExhaustedError as error:
            if self.name != ON_CPU:
                raise
            raise MemoryError("TensorFlow could not allocate a tensor.") from error

    def _leave(self) -> None:
        self.name = ON_CPU

    def _retreat(self) -> None:
        self._leave()
        self._here(self._move)


def choose(wanted: str) -> str:
    """Return TensorFlow's name of the device that `wanted` (devices.py:wanted_device) means here.

    Raises:
        InvalidModel: a GPU was asked for by name, and TensorFlow has none of that number.
    """
    count = 0 if wanted == CPU else len(tf.config.list_physical_devices("GPU"))
    if wanted == CPU or (wanted == AUTO and not count):
        return ON_CPU
    # Several GPUs are shared out among the processes; one that was not numbered is the first.
    number = os.getpid() % count if wanted == AUTO else int(wanted.partition(":")[2] or 0)
    if number >= count:
        raise unusable(
            wanted, f"TensorFlow sees {count} GPUs; for NVIDIA's: pip install tensorflow[and-cuda]"
        )
    return f"/GPU:{number}"


def is_memory(error: BaseException) -> bool:
    """Return whether a GPU's memory did not suffice."""
    kinds: tuple[Any, ...] = (tf.errors.ResourceExhaustedError,)
    return isinstance(error, kinds)
