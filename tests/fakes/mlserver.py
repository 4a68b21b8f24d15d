"""A real MLServer, in the environment that scripts/mlserver.sh makes, with a model of a few lines."""

from __future__ import annotations

import atexit
import functools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PYTHON = Path(__file__).parents[2] / ".venv" / "mlserver" / "bin" / "python"
START_S = 60
MODEL = "two"

TWO = '''
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Two(MLModel):
    """What is bright, and what lies on the patient's left: it needs the matrix to LPS."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        given = {one.name: NumpyCodec.decode_input(one) for one in payload.inputs}
        image, affine = given["image"], given.get("geometry")
        bright = image > 100
        left = bright & False
        if affine is not None:
            k, j, i = np.indices(image.shape[2:])
            x_mm = affine[0, 0] * i + affine[0, 1] * j + affine[0, 2] * k + affine[0, 3]
            left = np.broadcast_to(x_mm > 18, image.shape)
        made = np.concatenate([bright, left], axis=1)
        return InferenceResponse(
            model_name=self.name, model_version="3", outputs=[NumpyCodec.encode_output("masks", made)]
        )
'''

SETTINGS: Mapping[str, Any] = {
    "host": "127.0.0.1",
    "http_port": 0,
    "grpc_port": 0,
    "parallel_workers": 0,
    "metrics_endpoint": None,
    "debug": False,
}
"""As little as MLServer needs, on free ports."""

_PROGRAM = (
    "import ctypes, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"
    "from mlserver.cli import main; sys.argv[1:] = ['start', '.']; main()"
)


def described(datatype: str = "FP32", **changes: Any) -> dict[str, Any]:
    """The settings of the model `Two`."""
    volume = [1, 1, -1, -1, -1]
    facts = {
        "name": MODEL,
        "implementation": "two.Two",
        "inputs": [
            {"name": "image", "datatype": datatype, "shape": volume},
            {"name": "geometry", "datatype": "FP64", "shape": [4, 4]},
        ],
        "outputs": [{"name": "masks", "datatype": "BOOL", "shape": [1, 2, -1, -1, -1]}],
    }
    return facts | changes


@dataclass
class RunningMLServer:
    """A server and where it answers."""

    process: subprocess.Popen[bytes]
    url: str

    def stop(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


@contextmanager
def mlserver(folder: Path) -> Iterator[RunningMLServer]:
    """Serve the models in the folders of `folder` while the context lasts."""
    running = start(folder)
    try:
        yield running
    finally:
        running.stop()


def start(folder: Path, port: int = 0) -> RunningMLServer:
    """Start a server on the models in `folder`, and wait until it answers (port 0: a free one)."""
    if not PYTHON.exists():
        pytest.skip("MLServer is not installed; bash scripts/setup.sh --dev does it")
    (folder / "settings.json").write_text(json.dumps({**SETTINGS, "http_port": port}))
    log = folder / "mlserver.log"
    with log.open("wb") as said:
        command = [str(PYTHON), "-c", _PROGRAM]
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    give_up = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < give_up:
        text = log.read_text()
        found = re.search(r"running on (http://127\.0\.0\.1:\d+) ", text)
        if found and "gRPC server running" in text:
            return RunningMLServer(process, found[1])
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise AssertionError(log.read_text())


@functools.cache
def shared() -> RunningMLServer:
    """The server with the model `Two` that the tests of one process share; it ends with the process."""
    folder = Path(tempfile.mkdtemp(prefix="segint-mlserver-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, facts in ((MODEL, described()), ("narrow", described("INT16", name="narrow"))):
        place = folder / name
        place.mkdir()
        (place / "two.py").write_text(TWO)
        (place / "model-settings.json").write_text(json.dumps(facts))
    running = start(folder)
    atexit.register(running.stop)
    return running
