"""Which of a model's inputs get the channels, and which of its outputs are the masks, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from segint_grpc import errors
from segint_grpc.backends.layout import wanted_names

T = TypeVar("T")


def named(known: Mapping[str, T], name: str, kind: str) -> T:
    """Return the tensor `name` of `known`; raises InvalidModel, naming those there are, if it is none."""
    if name not in known:
        here = ", ".join(known) or "none"
        raise errors.InvalidModel(f"The model has no {kind} {name!r:.60}; its {kind}s are {here:.200}.")
    return known[name]


def chosen(
    parameters: Mapping[str, Any], parameter: str, known: Sequence[str], *, ordered: bool
) -> list[str]:
    """Return the names that the parameter `inputs` or `outputs` lists, by default all `known`.

    Raises:
        InvalidModel: it lists others, or it is not given and there are several that are not `ordered`: which
            comes first decides what a channel or a mask is taken for.
    """
    kind = parameter.removesuffix("s")
    names = wanted_names(parameters, parameter)
    for name in names:
        named(dict.fromkeys(known), name, kind)
    if not names and not ordered and len(known) > 1:
        raise errors.InvalidModel(
            f"The model's {kind}s have names and no order ({', '.join(known):.200}); list them in the "
            f"parameter {parameter}, in the order of the {'channels' if kind == 'input' else 'structures'}."
        )
    return names or list(known)


def by_structure(
    parameters: Mapping[str, Any], parameter: str, known: Sequence[str], structure_ids: Sequence[str]
) -> bool:
    """Return whether outputs go to the structures whose ids they have, the parameter not being given."""
    return not wanted_names(parameters, parameter) and set(known) == set(structure_ids)
