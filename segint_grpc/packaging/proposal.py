"""What a model says of itself that its manifest needs: proposed, for its author to look at.

A reader of one kind of model is a module with a function `propose(ModelContents) -> Proposal | None`; it is
named in proposal_readers.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from segint_grpc.packaging.manifest_template import OutlinedChannel


@dataclass(frozen=True)
class Proposal:
    """A manifest as far as the model tells it.

    `kind` is what the model is, as in "a MONAI bundle". What cannot be known is empty and is asked for; what
    is a guess, or has to be decided by somebody, is a sentence in `to_check`, which the manifest begins with.
    """

    kind: str
    backend: str
    structures: tuple[str, ...]
    """Names as the model has them, without the background."""
    channels: tuple[OutlinedChannel, ...]
    """In the model's order; without modalities where it tells none."""
    name: str = ""
    description: str = ""
    number: str = "1.0"
    version_description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of the back end."""
    to_check: tuple[str, ...] = ()


def with_notes(proposal: Proposal, *sentences: str) -> Proposal:
    """Return `proposal` with more for its author to look at."""
    return replace(proposal, to_check=(*proposal.to_check, *sentences))


def text_of(said: Mapping[str, Any], key: str) -> str:
    """Return the text that a model says under `key`, as one line; empty where it says none."""
    value = said.get(key, "")
    return " ".join(value.split()) if isinstance(value, str) else ""


def numbered(names: Mapping[Any, Any]) -> list[str]:
    """Return the values of `names` by their numbers, which JSON writes as texts."""
    return [str(names[number]) for number in sorted(names, key=lambda number: str(number).zfill(9))]
