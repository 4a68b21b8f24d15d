"""The environment variables under which nnunetv2 is imported and its models are loaded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from segint_grpc.backends.threads import threads

_NOWHERE = "/nonexistent"
_FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
"""Where nnU-Net trains. Some of its versions complain at length where they are not set."""


@contextmanager
def prepared_environment() -> Iterator[None]:
    """Have nnunetv2 keep to the slot's threads, compile nothing, and write nothing that stays.

    It reads the number of threads while it is imported. Its trainer imports matplotlib, which lists the
    machine's fonts in the user's home if it is not told otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="segint-fonts-") as fonts:
        wanted = {name: os.environ.get(name, _NOWHERE) for name in _FOLDERS}
        wanted |= {"nnUNet_compile": "f", "nnUNet_def_n_proc": str(threads()), "nnUNet_n_proc_DA": "1"}
        wanted |= {"MPLCONFIGDIR": fonts}
        before = {name: os.environ[name] for name in wanted if name in os.environ}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name in wanted:
                os.environ.pop(name, None)
            os.environ.update(before)
