"""What a model's exception is called in front of the client: one sentence, no traceback, no voxels."""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from segint_grpc import errors
from segint_grpc.backends import surroundings
from segint_grpc.domain.foreign_words import one_line
from segint_grpc.worker.task import ModelTask

_NO_MEMORY = re.compile(r"out of memory|(can't|cannot) allocate memory|not enough memory|bad_alloc", re.I)
_GPU = re.compile(r"CUDA[^.]*out of memory|CU(DNN|BLAS)_STATUS_ALLOC_FAILED")
_MIB = 1024 * 1024


def explain(error: BaseException, model: ModelTask, memory_bytes: int) -> errors.JobFailure:
    """Return `error`, raised while a job of `model` ran under a limit of `memory_bytes`, as its failure."""
    if isinstance(error, errors.JobFailure):
        return error
    if any(_GPU.search(str(cause)) for cause in _chain(error) if isinstance(cause, RuntimeError)):
        return errors.OutOfMemory("The model ran out of the GPU's memory.")
    if any(_is_memory(cause) for cause in _chain(error)):
        return errors.OutOfMemory(
            f"The model ran out of memory: its process may take {memory_bytes // _MIB} MiB "
            "(setting slot_memory_bytes)."
        )
    if isinstance(error, errors.InvalidModel):
        return errors.ModelFailure(f"The model cannot be loaded: {error.message}{_absent(error)}")
    if isinstance(error, SystemExit):
        return errors.WorkerDied(f"The model ended its own process with sys.exit({error.code!r:.20}).")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return errors.JobFailure("The disk is full; the job could not be finished.")
    name = type(error).__name__
    return errors.ModelFailure(
        f"The model raised {name}{_place(error, model)}{_words(error)}{_absent(error)}"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))


def _place(error: BaseException, model: ModelTask) -> str:
    """Return where in the user's own module it was raised, else where at all: " in net.py:12"."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if model.module_file and frame.filename == str(model.module_file)]
    last = (own or list(frames))[-1:]
    return f" in {Path(last[0].filename).name}:{last[0].lineno}" if last else ""


def _absent(error: BaseException) -> str:
    """Return in which interpreter a module was imported in vain, unless it is our own."""
    here = surroundings.entered()
    if here is None or not any(isinstance(cause, ModuleNotFoundError) for cause in _chain(error)):
        return ""
    line = surroundings.pip_line(here.python)
    return f" (It runs in the interpreter {here.interpreter}: `{line}` installs libraries there.)"


def _words(error: BaseException) -> str:
    words = one_line(str(error))
    return f": {words}" if words else "."
