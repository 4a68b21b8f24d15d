"""Imports TensorFlow so that it computes with the slot's share of threads, and says little."""

from __future__ import annotations

import os

from segint_grpc.backends import gpus
from segint_grpc.backends.secluded import secluded
from segint_grpc.backends.threads import threads

# Read at the import. Warnings and errors stay; what the processor could do besides is not worth a line.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

gpus.number_alike()

# A SavedModel needs no Keras, which would be imported where it is found.
with secluded("keras", "matplotlib"):
    import tensorflow

# Both hold for a process, and only before it has computed.
tensorflow.config.threading.set_intra_op_parallelism_threads(threads())
tensorflow.config.threading.set_inter_op_parallelism_threads(1)
for _gpu in tensorflow.config.list_physical_devices("GPU"):
    # Else the first model takes all memory of every GPU.
    tensorflow.config.experimental.set_memory_growth(_gpu, True)

__all__ = ["tensorflow"]
