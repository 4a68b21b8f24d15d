"""What a model may return, and how it is told what it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.backends.base import Channel
from segint_grpc.worker import output
from tests.fakes.worker_bench import geometry, version

SHAPE = (3, 5, 4)
MASK: NDArray[np.bool_] = np.random.default_rng(3).random(SHAPE) > 0.5


def channel(name: str = "1", shape: tuple[int, int, int] = SHAPE) -> Channel:
    return Channel(name, np.zeros(shape, np.int16), geometry(shape))


def structures(*pairs: tuple[str, str]) -> list[Model_pb2.Structure]:
    return list(version("v", pairs or (("1", "1"),)).Structures)


def checked(made: Any, *pairs: tuple[str, str]) -> list[NDArray[Any]]:
    return [mask for _, mask in output.check(made, structures(*pairs), [channel()])]


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        lambda mask: mask.astype(np.uint8),
        lambda mask: mask.astype(np.int32),
        lambda mask: mask.astype(np.float32),
        lambda mask: mask.astype(np.float16),
        lambda mask: np.asfortranarray(mask),
        lambda mask: [mask],
        lambda mask: (mask,),
        lambda mask: mask[None],
        lambda mask: {"1": mask},
        lambda mask: {"1": mask[None]},
        lambda mask: [mask[None]],
        lambda mask: {1: mask},
        torch.from_numpy,
        lambda mask: torch.from_numpy(mask).float().requires_grad_(),
        lambda mask: torch.from_numpy(mask).to(torch.bfloat16),
        lambda mask: {"1": torch.from_numpy(mask).to(torch.int64)},
    ],
)
def test_a_mask_in_any_usual_form_is_taken(convert: Callable[[NDArray[Any]], Any]) -> None:
    (mask,) = checked(convert(MASK))
    assert mask.dtype in (np.bool_, np.uint8)
    assert mask.flags.c_contiguous
    assert np.array_equal(mask, MASK)


def test_a_stack_and_a_list_follow_the_versions_order_and_a_mapping_its_ids() -> None:
    pair = (("a", "1"), ("b", "1"))
    for made in (np.stack([MASK, ~MASK]), [MASK, ~MASK], {"b": ~MASK, "a": MASK}):
        first, second = checked(made, *pair)
        assert np.array_equal(first, MASK)
        assert np.array_equal(second, ~MASK)


def test_each_mask_is_held_against_the_grid_of_its_structures_channel() -> None:
    channels = [channel("ct"), channel("pet", (2, 2, 2))]
    pair = structures(("bone", "ct"), ("hot", "pet"))
    small = np.ones((2, 2, 2), bool)
    assert len(output.check({"bone": MASK, "hot": small}, pair, channels)) == 2
    with pytest.raises(errors.WrongOutput, match=r"structure hot.*\(3, 5, 4\).*\(2, 2, 2\)"):
        output.check({"bone": MASK, "hot": MASK}, pair, channels)
    with pytest.raises(errors.WrongOutput, match=r"'mr'.*ct, pet"):
        output.check([MASK, small], structures(("bone", "ct"), ("hot", "mr")), channels)


def test_with_a_single_channel_its_name_does_not_matter() -> None:
    assert len(output.check(MASK, structures(("1", "another name")), [channel()])) == 1


TWO = (("a", "1"), ("b", "1"))


@pytest.mark.parametrize(
    ("made", "pairs", "words"),
    [
        (None, (), "nothing (None); expected was a mask"),
        ("mask", (), "an object of type str"),
        (MASK[0], (), "shape (5, 4); expected was one mask"),
        (MASK[None, None], (), "shape (1, 1, 3, 5, 4)"),
        (MASK, TWO, "1 masks; its version has 2 structures (structure a, structure b)"),
        (np.stack([MASK] * 3), TWO, "3 masks; its version has 2"),
        ([MASK, None], TWO, "nothing (None)"),
        ({"a": MASK}, TWO, "StructureIDs a; its version has a, b"),
        ({"a": MASK, "b": MASK, "c": MASK}, TWO, "StructureIDs a, b, c; its version has a, b"),
        ({}, TWO, "StructureIDs none"),
        (MASK[:, :, :2], (), "shape (3, 5, 2); its channel has (3, 5, 4)"),
        (MASK.astype(int) * 255, (), "other values than 0 and 1, for instance 255"),
        (MASK * 0.5, (), "for instance 0.5"),
        (np.full(SHAPE, np.nan), (), "for instance nan"),
        (-MASK.astype(np.int8), (), "for instance -1"),
        (MASK.astype(complex), (), "holds complex128; expected were booleans"),
        (MASK.astype(object), (), "holds object"),
    ],
)
def test_what_is_no_mask_is_refused_with_both_sides_named(made: Any, pairs: Any, words: str) -> None:
    with pytest.raises(errors.WrongOutput) as caught:
        checked(made, *pairs)
    assert words in caught.value.message


def test_no_more_than_a_few_wrong_values_are_listed() -> None:
    with pytest.raises(errors.WrongOutput) as caught:
        checked(np.arange(60).reshape(SHAPE))
    assert caught.value.message.endswith("for instance 2, 3, 4, 5, 6.")
