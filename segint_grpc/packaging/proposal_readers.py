"""Who can tell a manifest from a model: a line for each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from segint_grpc import errors
from segint_grpc.packaging import bundle_proposal, nnunet_proposal
from segint_grpc.packaging.model_contents import ModelContents, contents_of
from segint_grpc.packaging.proposal import Proposal

READERS: tuple[tuple[str, Callable[[ModelContents], Proposal | None]], ...] = (
    (bundle_proposal.KIND, bundle_proposal.propose),
    (nnunet_proposal.KIND, nnunet_proposal.propose),
)
"""What each reads and by which files it knows it, and what proposes."""


def proposed(path: Path) -> Proposal:
    """Return what the model at `path`, a folder or a zip, says of itself.

    Raises:
        InvalidModel: no reader knows it, or what it says of itself is broken.
    """
    contents = contents_of(path)
    found = (propose(contents) for _, propose in READERS) if contents is not None else ()
    if (proposal := next(filter(None, found), None)) is not None:
        return proposal
    known = "; ".join(kind for kind, _ in READERS)
    raise errors.InvalidModel(f"{path} tells nothing of itself. A manifest can be proposed for {known}.")
