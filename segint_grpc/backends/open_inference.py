"""A model that runs elsewhere, behind the Open Inference Protocol v2 (KServe, Triton, MLServer) over HTTP.

The scan leaves this machine. Where it may go is the settings' affair (domain/remotes.py), and is checked
here for the core as well as for the process that sends it. Nothing is asked of the server before `load`.
"""

from __future__ import annotations

from pathlib import Path

from segint_grpc import errors
from segint_grpc.backends import require
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.layout import AXES, DTYPE, INPUTS, OUTPUTS, check_tensors
from segint_grpc.backends.model_file import refuse_others
from segint_grpc.backends.remote_call import PARAMETERS, wanted_call
from segint_grpc.backends.tensor_back_end import TensorBackEnd

_KNOWN = (*PARAMETERS, INPUTS, OUTPUTS, AXES, DTYPE)


class OpenInference(TensorBackEnd):
    """Sends scans to a model on another server, and reads its answer.

    Parameters: `url`, `model`, `model_version`, `timeout_s`, `binary` (remote_call.py), `inputs`, `outputs`
    (names of tensors), `axes` and `dtype` (layout.py), by default what the server says. There is none for a
    credential: parameters can be read by whoever sees the model (domain/remotes.py has its place).
    """

    summary = "A model on another server, by the Open Inference Protocol v2 over HTTP."
    name = "open_inference"
    extra = "open-inference"

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if parameters are none, or the server is none that scans may be sent to."""
        require("open_inference", self.extra, "urllib3")
        if source.model_file is not None:
            raise errors.InvalidModel(
                f"The back end open_inference takes no model file, since the model is on the server; leave "
                f"{source.model_file.name} out."
            )
        refuse_others(source, "open_inference", _KNOWN)
        check_tensors(source.parameters)
        source.remotes.check(wanted_call(source.parameters).origin)

    def carries_code(self, path: Path) -> bool:
        """Return False: the back end loads no file, whatever is in it."""
        return False

    def load(self, source: ModelSource) -> None:
        """Ask the server for the model, and see whether it fits channels and structures.

        Raises:
            InvalidModel: the model or a tensor of it is unknown there, or does not fit.
            ModelFailure: the server does not answer, or not as it should; another time it may.
        """
        self._model = self.imported("remote_model").RemoteModel(source)
