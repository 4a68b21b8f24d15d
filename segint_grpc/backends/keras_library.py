"""Imports Keras so that it computes with torch, whatever the environment or the user's settings of it say."""

from __future__ import annotations

import os

from segint_grpc.backends.secluded import secluded

# Plots take seconds to import, and write into the home.
with secluded("matplotlib"):
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

# Else a model's errors come wrapped, with its arguments and with colours.
keras.config.disable_traceback_filtering()

__all__ = ["keras"]
