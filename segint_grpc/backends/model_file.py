"""What a back end that runs one model file and nothing else accepts: that file, and parameters it knows."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection
from pathlib import Path

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource

_CAFFE2 = re.compile(
    r"((init|predict)_net.*|.*_(init|predict)(_net)?)\.pb(txt)?|.*\.(caffe2|caffemodel|prototxt)", re.I
)


def only_file(source: ModelSource, back_end: str, parameters: Collection[str]) -> Path:
    """Return the model file of `source`, whose parameters are among `parameters`.

    Raises:
        InvalidModel: it is missing or Caffe2's, or there is more that `back_end` has no use for.
    """
    path = source.model_file
    if path is None:
        raise errors.InvalidModel(f"The back end {back_end} needs a model file.")
    refuse_others(source, back_end, parameters)
    refuse_missing(path)
    return path


def refuse_others(source: ModelSource, back_end: str, parameters: Collection[str]) -> None:
    """Raise InvalidModel if there is a module file, an entry or a parameter that is none of `parameters`."""
    if source.module_file is not None:
        raise errors.InvalidModel(
            f"The back end {back_end} runs no module file; leave {source.module_file.name} out."
        )
    if source.entry:
        raise errors.InvalidModel(f"The back end {back_end} knows no entry; leave {source.entry!r:.60} out.")
    if unknown := sorted(set(source.parameters) - set(parameters)):
        known = ", ".join(sorted(parameters))
        raise errors.InvalidModel(
            f"The back end {back_end} has no parameter {unknown[0]!r:.60}; it has {known}."
        )


def refuse_missing(path: Path) -> None:
    """Raise InvalidModel if there is no file `path`, or it is called as Caffe2 and Caffe call theirs."""
    if not path.is_file():
        raise errors.InvalidModel(f"The file {path.name} is missing.")
    if _CAFFE2.fullmatch(path.name):
        raise errors.InvalidModel(
            f"{path.name} is a file of Caffe2, which torch has given up; export the network to ONNX and take "
            "the back end onnx."
        )


def archive_names(path: Path) -> list[str]:
    """Return the names in the zip archive `path`, without their first folder; none where it is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.partition("/")[2] or name for name in archive.namelist()]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return []


def not_one(path: Path | None, kind: str, mend: str) -> errors.InvalidModel:
    """Return the error for a file that is no `kind`; `mend` says how one is made."""
    return errors.InvalidModel(f"{path.name if path else 'Nothing'} is no {kind}; {mend}.")
