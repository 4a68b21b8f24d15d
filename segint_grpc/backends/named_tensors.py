"""Which of a model's inputs get the channels, and which of its outputs are the masks, by name."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource
from segint_grpc.backends.layout import OUTPUTS, Layout, wanted_names

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


@dataclass(frozen=True)
class Outputs:
    """The names of the outputs that are masks. `by_structure`: they are StructureIDs, and go to these."""

    names: Sequence[str]
    by_structure: bool

    def masks(self, arrays: Sequence[NDArray[Any]]) -> Masks:
        """Return `arrays`, in the order of the names: by structure, else one alone, or a list of several."""
        if self.by_structure:
            return dict(zip(self.names, arrays, strict=True))
        return arrays[0] if len(arrays) == 1 else list(arrays)


def wanted_outputs(source: ModelSource, known: Sequence[str], *, ordered: bool) -> Outputs:
    """Return which of the outputs `known` are masks: those of the parameter `outputs`, by default all.

    Without the parameter they go to the structures whose ids they have; raises InvalidModel as `chosen`.
    """
    ids = {structure.structure_id for structure in source.structures}
    by_structure = not wanted_names(source.parameters, OUTPUTS) and set(known) == ids
    names = chosen(source.parameters, OUTPUTS, known, ordered=ordered or by_structure)
    return Outputs(names, by_structure)


def first_of(inputs: Sequence[T]) -> T:
    """Return the first of the `inputs` for volumes, which are alike; raises InvalidModel without any."""
    if not inputs:
        raise errors.InvalidModel("The model has no input for a volume.")
    return inputs[0]


def fed(
    layout: Layout, channels: Sequence[Channel], names: Sequence[str]
) -> tuple[Sequence[Channel], dict[str, NDArray[Any]]]:
    """Return `channels` in the order of the inputs `names`, and what each of these gets.

    Raises:
        ModelFailure: there are more inputs or fewer, or as Layout.arrays.
    """
    channels = layout.ordered(channels, names)
    arrays = layout.arrays(channels)
    if len(arrays) != len(names):
        raise errors.ModelFailure(
            f"The model takes {len(names)} inputs ({', '.join(names)}), and would be given "
            f"{len(arrays)}; see the parameters axes and inputs."
        )
    return channels, dict(zip(names, arrays, strict=True))


def check_fed(inputs: Iterable[str], feed: Container[str]) -> None:
    """Raise ModelFailure where one of all the model's `inputs` gets nothing."""
    missing = next((name for name in inputs if name not in feed), None)
    if missing is not None:
        raise errors.ModelFailure(f"The model's input {missing} gets no channel; see the parameter inputs.")
