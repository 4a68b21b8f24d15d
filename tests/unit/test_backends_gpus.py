"""Which GPU a model's process takes, from its seat and from what is free, and what of it is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.backends import gpus, remarks
from segint_grpc.backends.devices import go_without, short_of, told
from tests.fakes.nvidia_smi import GIB, NvidiaSmi, uuid


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NvidiaSmi:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return NvidiaSmi(tmp_path, monkeypatch)


def first(seat: int, need_bytes: int, *free_bytes: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv(gpus.SEAT, str(seat))
    return gpus.candidates(len(free_bytes), need_bytes, dict(enumerate(free_bytes)))[0]


@pytest.mark.parametrize(("seat", "number"), [(0, 0), (1, 1), (2, 0), (5, 1)])
def test_processes_are_spread_over_gpus_that_are_alike(
    seat: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert first(seat, 0, 40 * GIB, 40 * GIB, monkeypatch=monkeypatch) == number
    assert first(seat, 8 * GIB, 40 * GIB, 10 * GIB, monkeypatch=monkeypatch) == number


@pytest.mark.parametrize("seat", [0, 1, 2])
def test_a_gpu_without_what_a_version_declares_is_passed_over_for_the_freest(
    seat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert first(seat, 20 * GIB, 4 * GIB, 4 * GIB, 30 * GIB, monkeypatch=monkeypatch) == 2
    assert first(seat, 50 * GIB, 4 * GIB, 30 * GIB, 4 * GIB, monkeypatch=monkeypatch) in (seat, 1)


def test_a_version_that_declares_nothing_leaves_its_seats_gpu_where_another_is_far_freer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert first(0, 0, 21 * GIB, 40 * GIB, monkeypatch=monkeypatch) == 0
    assert first(0, 0, 19 * GIB, 40 * GIB, monkeypatch=monkeypatch) == 1


def test_where_nothing_is_known_the_seat_alone_decides_and_no_gpu_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(gpus.SEAT, "4")
    assert gpus.candidates(3, 8 * GIB, {}) == [1, 0, 2]
    assert gpus.candidates(0, 8 * GIB, {}) == []
    monkeypatch.delenv(gpus.SEAT)
    assert gpus.seat() == 0


def test_what_is_free_is_told_by_the_numbers_that_cuda_gives(
    smi: NvidiaSmi, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi.free(10 * GIB, 20 * GIB, 30 * GIB)
    assert gpus.free_bytes() == {0: 10 * GIB, 1: 20 * GIB, 2: 30 * GIB}
    seen = {"2, 0": [30, 10], uuid(1): [20], "0,7,1": [10], "": [], "MIG-0815": [], "-1": []}
    for visible, expected in seen.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert list(gpus.free_bytes().values()) == [size * GIB for size in expected], visible


def test_a_gpu_that_does_not_tell_and_a_machine_without_any_are_unknown(
    smi: NvidiaSmi, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi.free("[N/A]")
    assert gpus.free_bytes() == {}
    smi.free()
    assert gpus.free_bytes() == {}
    smi.lose()
    assert gpus.free_bytes() == {}
    assert gpus.held_bytes(1) == 0
    monkeypatch.setenv("PATH", "/nowhere")
    assert gpus.free_bytes() == {}


def test_what_a_process_holds_is_counted_over_its_gpus(smi: NvidiaSmi) -> None:
    smi.held({17: [GIB, 2 * GIB], 170: [5 * GIB]})
    assert gpus.held_bytes(17) == 3 * GIB
    assert gpus.held_bytes(18) == 0


def test_a_shortage_names_what_there_is_what_was_declared_and_where() -> None:
    assert short_of("cuda:0", 6 * GIB, 6 * GIB) == ""
    assert (
        short_of("cuda:1", GIB, 6 * GIB)
        == "cuda:1 has 1.00 GiB free, limits.gpu_memory_bytes asks for 6.00 GiB"
    )
    assert told("cuda:0", 0) == "cuda:0"
    assert told("cuda:0", 6 * GIB) == "cuda:0, 6.00 GiB of it by limits.gpu_memory_bytes"


def test_auto_does_without_a_gpu_and_a_name_does_not() -> None:
    why = short_of("cuda:0", GIB, 6 * GIB)
    with remarks.heard() as said:
        go_without("auto", why, there=True, for_now=True)
    (sentence,) = said.sentences
    assert sentence.startswith("There is a GPU, but it cannot be used (cuda:0 has 1.00 GiB free, ")
    assert said.spent, "the next job looks again"
    with remarks.heard() as said:
        go_without("auto", "no driver", there=False)
    assert not said.sentences
    with pytest.raises(errors.InvalidModel, match=r"The device cuda cannot be used \(cuda:0 has 1.00 GiB"):
        go_without("cuda", why, there=True, for_now=True)
