"""Loads the `.py` file that came with a model, as it is on disk now and under a name of its own."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import CodeType, ModuleType

from segint_grpc import errors


class _Fresh(importlib.machinery.SourceFileLoader):
    """Never takes a cached `.pyc`: it is told by whole seconds, and an edit may be quicker."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def load_module(path: Path) -> ModuleType:
    """Import `path` under a private name, so that it hides no other module and none hides it.

    Raises:
        InvalidModel: importing it failed.
    """
    name = f"segint_model_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_loader(name, _Fresh(name, str(path)))
    assert spec is not None  # A source loader always gives one.
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look their module up by name while it is being imported.
    sys.modules[name] = module
    try:
        _Fresh(name, str(path)).exec_module(module)
    except Exception as error:
        raise errors.InvalidModel(
            f"{path.name} cannot be imported: {type(error).__name__}{_line(error, path)}: {error}"
        ) from error
    return module


def defined_in(module: ModuleType) -> dict[str, type]:
    """Return the classes that `module` defines itself, by name."""
    found = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    return {name: value for name, value in found.items() if value.__module__ == module.__name__}


def _line(error: Exception, path: Path) -> str:
    trace, line = error.__traceback__, 0
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(path) else line
        trace = trace.tb_next
    return f" in line {line}" if line else ""
