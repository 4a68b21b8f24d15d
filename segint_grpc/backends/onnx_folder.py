"""An ONNX model as a folder: the `.onnx` at its top, and the files that its weights lie in, all inside.

It is kept as a zip (model_folder.py). Looking at it needs no library and unpacks nothing.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from segint_grpc import errors
from segint_grpc.backends.model_folder import member_names, read_member
from segint_grpc.backends.onnx_file import external_names

SUFFIX = ".onnx"
GRAPH_BYTES_MAX = 256 * 1024**2
"""The most that the `.onnx` of a folder may have: what it has beside weights is a few megabytes."""


def graph_name(path: Path) -> str:
    """Return the name of the `.onnx` at the top of the folder whose zip is `path`.

    Raises:
        InvalidModel: it is no folder's zip, or has none or several there.
    """
    found = [name for name in member_names(path) if name.endswith(SUFFIX) and "/" not in name]
    if len(found) != 1:
        named = f" ({', '.join(found)[:200]})" if found else ""
        raise errors.InvalidModel(
            f"{path.name} has {len(found)} files {SUFFIX} at its top{named}; it must have one, beside the "
            "files that its weights lie in."
        )
    return found[0]


def check_folder(path: Path) -> None:
    """Look whether the folder whose zip is `path` has all that its `.onnx` needs, and needs nothing outside.

    Raises:
        InvalidModel: it lacks something, names something outside, or is no ONNX model.
        ValueError: its `.onnx` is none.
    """
    name = graph_name(path)
    needed = external_names(read_member(path, name, GRAPH_BYTES_MAX))
    if outside := [one for one in needed if not _is_inside(one)]:
        raise errors.InvalidModel(
            f"{name} in {path.name} wants weights from outside its folder ({', '.join(outside)[:200]}); they "
            "must lie beside it, and be named without a path that leads out."
        )
    there = set(member_names(path))
    if missing := [one for one in needed if str(PurePosixPath(one)) not in there]:
        raise errors.InvalidModel(
            f"{path.name} lacks files that the weights of {name} lie in: {', '.join(missing)[:200]}."
        )


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
