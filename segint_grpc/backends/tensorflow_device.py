"""Which device TensorFlow computes on, chosen in the model's own process. Imports tensorflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from segint_grpc.backends import gpus
from segint_grpc.backends.devices import CPU, go_without, on_gpu, short_of
from segint_grpc.backends.tensorflow_library import tensorflow as tf

T = TypeVar("T")

ON_CPU = "/CPU:0"


class TensorFlowPlace:
    """Where a model is: on the device that was asked for, until a GPU's memory does not suffice."""

    def __init__(self, wanted: str, move: Callable[[], None], need_bytes: int = 0) -> None:
        """Have `move` load the model onto the device that `wanted` (devices.py:wanted_device) means here.

        A GPU has `need_bytes` free; where it is 0, any GPU will do.
        """
        self.name = choose(wanted, need_bytes)
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


def choose(wanted: str, need_bytes: int = 0) -> str:
    """Return TensorFlow's name of the device that `wanted` (devices.py:wanted_device) means here.

    A GPU has `need_bytes` free, as far as nvidia-smi knows; where it is 0, any GPU will do.

    Raises:
        InvalidModel: a GPU was asked for by name, and TensorFlow has none of that number, or it is too full.
    """
    if wanted == CPU:
        return ON_CPU
    count, free = len(tf.config.list_physical_devices("GPU")), gpus.free_bytes()
    named = [int(wanted.partition(":")[2])] if ":" in wanted else gpus.candidates(count, need_bytes, free)
    shortages = []
    for number in (number for number in named if number < count):
        shortage = short_of(f"cuda:{number}", free.get(number, need_bytes), need_bytes)
        if not shortage:
            return f"/GPU:{number}"
        shortages.append(shortage)
    seen = f"TensorFlow sees {count} GPUs; for NVIDIA's: pip install tensorflow[and-cuda]"
    go_without(wanted, "; ".join(shortages) or seen, there=bool(count), for_now=bool(shortages))
    return ON_CPU


def is_memory(error: BaseException) -> bool:
    """Return whether a GPU's memory did not suffice."""
    kinds: tuple[Any, ...] = (tf.errors.ResourceExhaustedError,)
    return isinstance(error, kinds)
