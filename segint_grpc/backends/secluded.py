"""Imports a library that would otherwise write into the user's home, or import what is of no use here."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def secluded(*hidden: str) -> Iterator[None]:
    """While it lasts, have imports find none of the libraries `hidden`, and Keras's settings nowhere.

    Keras, and TensorFlow with a copy of it, reads its settings at import and writes them where KERAS_HOME is,
    by default into the home. Libraries that are loaded already stay.
    """
    names = [name for name in hidden if name not in sys.modules]
    with tempfile.TemporaryDirectory(prefix="segint-import-") as home:
        os.environ["KERAS_HOME"] = home
        sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None refuses an import.
        try:
            yield
        finally:
            for name in names:
                del sys.modules[name]
