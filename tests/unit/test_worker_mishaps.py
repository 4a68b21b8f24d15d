"""What a model's exception is called in front of the client."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from segint_grpc import errors
from segint_grpc.domain.foreign_words import TEXT_MAX, one_line
from segint_grpc.worker.mishaps import explain
from segint_grpc.worker.task import ModelTask

MODEL = ModelTask(b"", ("1",), "pytorch", module_file=Path("/models/net.py"))
MIB = 1024 * 1024


def explained(error: BaseException) -> errors.JobFailure:
    return explain(error, MODEL, 512 * MIB)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_every_way_to_run_out_of_memory_is_one(error: BaseException) -> None:
    failure = explained(error)
    assert isinstance(failure, errors.OutOfMemory)
    assert "512 MiB" in failure.message


def test_a_full_gpu_is_said_as_such_and_not_blamed_on_the_process_s_limit() -> None:
    failure = explained(RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"))
    assert isinstance(failure, errors.OutOfMemory)
    assert failure.message == "The model ran out of the GPU's memory."


def test_a_memory_error_is_found_behind_what_wraps_it() -> None:
    wrapper = errors.InvalidModel("net.py cannot be imported")
    wrapper.__cause__ = MemoryError()
    assert isinstance(explained(wrapper), errors.OutOfMemory)


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert explained(first).message == "The model raised ValueError: a"


def test_a_failure_of_our_own_stays_what_it_is() -> None:
    wrong = errors.WrongOutput("The model returned nothing.")
    assert explained(wrong) is wrong


def test_a_full_disk_is_said_as_such() -> None:
    assert explained(OSError(errno.ENOSPC, "No space left on device")).message.startswith("The disk is full")


def test_sys_exit_is_the_end_of_a_worker() -> None:
    failure = explained(SystemExit(4))
    assert isinstance(failure, errors.WorkerDied)
    assert "sys.exit(4)" in failure.message


def test_a_long_message_is_cut_to_one_line() -> None:
    line = one_line("a sentence that goes on\nand on " * 40)
    assert len(line) == TEXT_MAX
    assert "\n" not in line


@pytest.mark.parametrize(
    "dump",
    [np.arange(4), repr(np.zeros((3, 3))), torch.arange(4), repr(torch.zeros(2, 2)), [-1000, 3, 4, 12]],
)
def test_a_message_with_voxels_in_it_is_left_out(dump: object) -> None:
    assert one_line(f"bad input: {dump}") == ""


def test_a_shape_is_no_voxels() -> None:
    text = "expected torch.Size([1, 3, 5]) but got (3, 5)"
    assert one_line("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)")
    assert one_line(text) in (text, "")
