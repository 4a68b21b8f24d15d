"""Where a model on another server is, and how it is asked: the parameters, read without asking anybody."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from segint_grpc import errors
from segint_grpc.domain.remotes import Origin, parse_url

URL, MODEL, MODEL_VERSION, TIMEOUT_S, BINARY = PARAMETERS = (
    *("url", "model", "model_version", "timeout_s", "binary"),
)
"""`url` is the server's, with a path where the protocol does not begin at the root; `model` the name there,
`model_version` a version (by default the server's choice), `timeout_s` how long one request may take,
`binary` whether tensors travel as bytes: true, false or auto, which is where the server says that it can."""

TIMEOUT_DEFAULT_S = 600.0
_NAME_MAX = 200
_BINARY = {True: True, False: False, "true": True, "false": False, "auto": None}


@dataclass(frozen=True)
class RemoteCall:
    """A model on a server. `binary` is None where the server decides; `path` as parse_url has it."""

    origin: Origin
    path: str
    model: str
    version: str
    timeout_s: float
    binary: bool | None

    @property
    def root(self) -> str:
        """The path of the server's metadata."""
        return f"{self.path}/v2"

    @property
    def model_path(self) -> str:
        """The path of the model's metadata."""
        version = f"/versions/{quote(self.version, safe='')}" if self.version else ""
        return f"{self.root}/models/{quote(self.model, safe='')}{version}"

    @property
    def told(self) -> str:
        """The model as it stands in sentences."""
        return repr(self.model) + (f" (version {self.version})" if self.version else "")


def wanted_call(parameters: Mapping[str, Any]) -> RemoteCall:
    """Return what `parameters` say.

    Raises:
        InvalidModel: one is missing or cannot be used.
    """
    url = parameters.get(URL)
    try:
        origin, path = parse_url(url if isinstance(url, str) else "")
    except ValueError as error:
        # What was given may hold a password.
        raise errors.InvalidModel(f"The parameter {URL} must be {error}.") from None
    return RemoteCall(
        origin=origin,
        path=path,
        model=_name(parameters, MODEL),
        version=_name(parameters, MODEL_VERSION) if MODEL_VERSION in parameters else "",
        timeout_s=_seconds(parameters.get(TIMEOUT_S, TIMEOUT_DEFAULT_S)),
        binary=_switch(parameters.get(BINARY, "auto")),
    )


def _name(parameters: Mapping[str, Any], parameter: str) -> str:
    name = parameters.get(parameter, "")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    usable = isinstance(name, str) and name.isprintable() and 0 < len(name) <= _NAME_MAX
    if not usable or name in (".", ".."):
        raise errors.InvalidModel(
            f"The parameter {parameter} must be a name of the server's, {_NAME_MAX} characters at most, not "
            f"{name!r:.60}."
        )
    return str(name)


def _seconds(value: Any) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 1 <= value <= 86_400:
        raise errors.InvalidModel(
            f"The parameter {TIMEOUT_S} must be seconds, from 1 to 86400, not {value!r:.60}."
        )
    return float(value)


def _switch(value: Any) -> bool | None:
    if not isinstance(value, (bool, str)) or value not in _BINARY:
        raise errors.InvalidModel(f"The parameter {BINARY} must be auto, true or false, not {value!r:.60}.")
    return _BINARY[value]
