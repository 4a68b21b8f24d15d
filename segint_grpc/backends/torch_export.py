"""torch.export: a network as a graph of operators, with its weights, in a `.pt2` file.

A `.pt2` carries pickles (its sample inputs ran code when they were crafted to), so the file counts as code.
"""

from __future__ import annotations

from pathlib import Path

from segint_grpc.backends.model_file import archive_names, not_one
from segint_grpc.backends.network_file import NetworkFile

_GRAPHS = ("models/", "serialized_exported_program.json")
_COMPILED = "data/aotinductor/"


def is_program(path: Path) -> bool:
    """Return whether the file is an exported program or a compiled one, by the names in it."""
    return any(name.startswith((*_GRAPHS, _COMPILED)) for name in archive_names(path))


class TorchExport(NetworkFile):
    """Runs what `torch.export.save` wrote."""

    summary = "An exported PyTorch network (torch.export.save, .pt2)."
    name = "torch_export"
    loader = "exported_file"

    def carries_code(self, path: Path) -> bool:
        """Return whether it is an exported program, which holds pickles; nothing else is loaded."""
        return is_program(path)

    def refuse_others(self, path: Path | None) -> None:
        """Raise InvalidModel unless there is an exported program."""
        if path is None or not is_program(path):
            raise not_one(
                path, "exported program", "write one with torch.export.save(torch.export.export(…), …)"
            )
        if any(name.startswith(_COMPILED) for name in archive_names(path)):
            raise not_one(path, "exported program but a compiled library", "write one with torch.export.save")
