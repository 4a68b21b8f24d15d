"""Imports Keras so that it computes with torch, whatever the environment or the user's settings of it say."""

from __future__ import annotations

import os
import sys
import tempfile

_PLOTS = "matplotlib"

# Keras reads these two when it is imported. It writes its settings where KERAS_HOME is, by default into the
# user's home, and finds others' settings there. Plots it would import where it finds them, and they take
# seconds and write into the home as well.
with tempfile.TemporaryDirectory(prefix="segint-keras-") as _home:
    os.environ.update(KERAS_BACKEND="torch", KERAS_HOME=_home)
    _hidden = _PLOTS not in sys.modules
    if _hidden:
        sys.modules[_PLOTS] = None  # type: ignore[assignment]  # This is how an import is refused.
    try:
        import keras
    finally:
        if _hidden:
            del sys.modules[_PLOTS]

# Else a model's errors come wrapped, with its arguments and with colours.
keras.config.disable_traceback_filtering()

__all__ = ["keras"]
