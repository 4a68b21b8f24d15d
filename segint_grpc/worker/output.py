"""Checks what a model returned against what its version promises, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.backends.base import Channel
from segint_grpc.domain.geometry import Geometry

StructureMask = tuple[Model_pb2.Structure, NDArray[Any]]
"""A structure and its mask_kji, bool or uint8, only 0 and 1, C-contiguous."""

_NAMED_MAX = 5


def check(
    made: Any, structures: Sequence[Model_pb2.Structure], channels: Sequence[Channel]
) -> list[StructureMask]:
    """Return each structure with its mask_kji, in the order of `structures`.

    `made` is what the back end returned (backends/base.py:Masks), or the same as torch tensors.

    Raises:
        WrongOutput: it names what was expected and what was found.
    """
    masks = _by_structure(made, structures)
    return [
        (structure, _checked(mask, structure, grid(structure, channels).shape_kji))
        for structure, mask in zip(structures, masks, strict=True)
    ]


def check_on(
    made: Any, structures: Sequence[Model_pb2.Structure], shape_kji: tuple[int, int, int]
) -> list[NDArray[Any]]:
    """Return the masks of `structures`, all of one shape; as `check` otherwise."""
    masks = _by_structure(made, structures)
    return [_checked(mask, one, shape_kji) for mask, one in zip(masks, structures, strict=True)]


def _by_structure(made: Any, structures: Sequence[Model_pb2.Structure]) -> list[NDArray[Any]]:
    if isinstance(made, Mapping):
        return _from_mapping(made, structures)
    if isinstance(made, (list, tuple)):
        return _counted([array(mask) for mask in made], structures)
    stack = array(made)
    if stack.ndim == 3:
        return _counted([stack], structures)
    if stack.ndim == 4:
        return _counted(list(stack), structures)
    raise errors.WrongOutput(
        f"The model returned an array of shape {stack.shape}; expected was one mask "
        "(depth, height, width) or a stack (structures, depth, height, width)."
    )


def _from_mapping(made: Mapping[Any, Any], structures: Sequence[Model_pb2.Structure]) -> list[NDArray[Any]]:
    expected = [structure.StructureID for structure in structures]
    # A module may well write {1: …} for the StructureID "1".
    found = {str(key): mask for key, mask in made.items()}
    if set(found) != set(expected):
        raise errors.WrongOutput(
            f"The model returned masks for the StructureIDs {_names(found)}; "
            f"its version has {_names(expected)}."
        )
    return [array(found[structure_id]) for structure_id in expected]


def _counted(masks: list[NDArray[Any]], structures: Sequence[Model_pb2.Structure]) -> list[NDArray[Any]]:
    if len(masks) != len(structures):
        names = _names([structure.Name for structure in structures])
        raise errors.WrongOutput(
            f"The model returned {len(masks)} masks; its version has {len(structures)} structures ({names})."
        )
    return masks


def array(made: Any) -> NDArray[Any]:
    """Return `made` as an array; a torch tensor is known by its methods, since torch may be absent."""
    if hasattr(made, "detach"):
        made = made.detach().cpu()
        # NumPy has no bfloat16; 0 and 1 survive the way through float32.
        made = made.float().numpy() if str(made.dtype) == "torch.bfloat16" else made.numpy()
    if not isinstance(made, np.ndarray):
        raise errors.WrongOutput(
            f"The model returned {_a(type(made).__name__)}; expected was a mask as an array or a tensor."
        )
    return made


def grid(structure: Model_pb2.Structure, channels: Sequence[Channel]) -> Geometry:
    """Return the geometry of the grid on which a structure's mask lies: its channel's, or the only one.

    Raises:
        WrongOutput: the scan has no such channel.
    """
    grids = {channel.channel_id: channel.geometry for channel in channels}
    if len(grids) == 1:
        return next(iter(grids.values()))
    if structure.InputChannelID not in grids:
        raise errors.WrongOutput(
            f"The structure {structure.Name} lies on the channel {structure.InputChannelID!r}, "
            f"but the scan has the channels {_names(grids)}."
        )
    return grids[structure.InputChannelID]


def _checked(
    mask: NDArray[Any], structure: Model_pb2.Structure, shape_kji: tuple[int, int, int]
) -> NDArray[Any]:
    # An output of one class is as good as a mask.
    mask = mask[0] if mask.ndim == 4 and len(mask) == 1 else mask
    if mask.shape != shape_kji:
        raise errors.WrongOutput(
            f"The mask of {structure.Name} has the shape {mask.shape}; its channel has {shape_kji} "
            "(depth, height, width)."
        )
    if mask.dtype == np.bool_:
        return np.ascontiguousarray(mask)
    if mask.dtype.kind not in "iuf":
        raise errors.WrongOutput(
            f"The mask of {structure.Name} holds {mask.dtype}; expected were booleans or the numbers 0 and 1."
        )
    for slice_ji in mask:
        _check_values(slice_ji, structure)
    return np.ascontiguousarray(mask, dtype=np.uint8)


def _check_values(slice_ji: NDArray[Any], structure: Model_pb2.Structure) -> None:
    wrong = slice_ji[(slice_ji != 0) & (slice_ji != 1)]
    if wrong.size:
        found = ", ".join(f"{value:g}" for value in np.unique(wrong)[:_NAMED_MAX])
        raise errors.WrongOutput(
            f"The mask of {structure.Name} holds other values than 0 and 1, for instance {found}."
        )


def _names(names: Any) -> str:
    listed = sorted(str(name)[:60] for name in names)
    more = f" and {len(listed) - _NAMED_MAX} more" if len(listed) > _NAMED_MAX else ""
    return (", ".join(listed[:_NAMED_MAX]) or "none") + more


def _a(name: str) -> str:
    return "nothing (None)" if name == "NoneType" else f"an object of type {name}"
