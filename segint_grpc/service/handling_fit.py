"""Whether how a version wants its scans makes sense for its channels, its structures and its back end."""

from __future__ import annotations

from segint_grpc import errors
from segint_grpc.domain.handling import Path, problems
from segint_grpc.service.catalogue import ResolvedModel


def check_handling(model: ResolvedModel, takes_tiles: bool) -> None:
    """Let a version pass whose handling can be done; `takes_tiles` says whether its back end runs tiles.

    Raises:
        InvalidModel: names every field that is wrong, and why.
    """
    channel_ids = [channel.ChannelID for channel in model.family.FamilyDescription.InputChannels]
    structure_ids = [structure.StructureID for structure in model.version.Structures]
    found = [
        f"{_shown(path)} {sentence}"
        for path, sentence in problems(model.handling, channel_ids, structure_ids)
    ]
    if model.handling.HasField("inference") and not takes_tiles:
        name = model.runtime.backend
        found.append(f"inference is of no use to the back end {name}, which runs whole volumes.")
    if found:
        raise errors.InvalidModel(" ".join(found))


def _shown(path: Path) -> str:
    shown = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path)
    return shown.lstrip(".")
