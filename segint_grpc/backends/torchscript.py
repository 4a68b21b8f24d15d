"""TorchScript: a network that was traced or scripted, with its weights, in one file.

A script can write files (`torch.from_file` does), so it counts as code. torch has deprecated the format and
still reads it.
"""

from __future__ import annotations

from pathlib import Path

from segint_grpc.backends.model_file import archive_names, not_one
from segint_grpc.backends.network_file import NetworkFile


def is_script(path: Path) -> bool:
    """Return whether the file is TorchScript, by the names in it."""
    return {"constants.pkl", "data.pkl"} <= set(archive_names(path))


class TorchScript(NetworkFile):
    """Runs what `torch.jit.save` wrote."""

    summary = "A TorchScript network (torch.jit.save)."
    name = "torchscript"
    loader = "script_file"

    def carries_code(self, path: Path) -> bool:
        """Return whether it is TorchScript, which is a program; nothing else is loaded."""
        return is_script(path)

    def refuse_others(self, path: Path | None) -> None:
        """Raise InvalidModel unless there is a file and it is TorchScript."""
        if path is None or not is_script(path):
            raise not_one(path, "TorchScript file", "write one with torch.jit.save(torch.jit.trace(…), …)")
