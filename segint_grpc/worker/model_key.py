"""What tells one state of a model from another: a process belongs to one of them for life."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path

from segint_grpc.worker.task import ModelTask


def model_key(model: ModelTask) -> Hashable:
    """Return what tells one state of a model from another, the state of its files on disk included."""
    parameters = json.dumps(dict(model.parameters), sort_keys=True, default=str)
    runtime = (model.backend, model.interpreter, model.entry, parameters)
    files = (_stamp(model.model_file), _stamp(model.module_file))
    return (model.version, model.channel_ids, model.revision, runtime, files)


def _stamp(path: Path | None) -> tuple[str, int, int, int] | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    return (str(path), status.st_mtime_ns, status.st_size, status.st_ino)
