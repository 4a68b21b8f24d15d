"""What a model process is told to do: plain, frozen facts that travel by pickle from the core to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.remotes import HERE_ALONE, RemoteRules


@dataclass(frozen=True)
class ChannelTask:
    """One volume: a file of raw voxels [k, j, i] of the NumPy `dtype` ("<i2" or "|u1") and its geometry."""

    channel_id: str
    voxels: Path
    dtype: str
    geometry: Geometry


@dataclass(frozen=True)
class ModelTask:
    """Which model to load: a serialized `Radiomics.ModelVersion`, its runtime and the family's channels.

    `channel_ids` is the family's order. `revision` grows whenever the runtime is set anew.
    """

    version: bytes
    channel_ids: tuple[str, ...]
    backend: str
    model_file: Path | None = None
    module_file: Path | None = None
    entry: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0
    handling: bytes = b""
    """A serialized segint.v1.ScanHandling; empty where the model gets the volumes as they were sent."""
    ct_channel_ids: tuple[str, ...] = ()
    """The channels whose values a CT has to have, where anybody wants that looked at."""
    memory_bytes: int = 0
    """The most that the model's process may take; 0: what the pool allows, which is never exceeded."""
    cache: Path | None = None
    """Where the model file is unpacked, if it is a folder's zip."""
    remotes: RemoteRules = HERE_ALONE
    """Which servers elsewhere the model may send scans to."""
    interpreter: str = ""
    """The Python that runs it, by its name in the setting `interpreters`; empty: the server's own."""
    gpu_memory_bytes: int = 0
    """What the model needs of a GPU, and the most that it gets; 0: nobody has said."""


@dataclass(frozen=True)
class LoadTask:
    """Load a model, and run nothing."""

    request_id: str
    model: ModelTask
    job_id: str = ""


@dataclass(frozen=True)
class RunTask:
    """One run of a job. The process writes its serialized ModelOutput to `result`, a temporary name."""

    job_id: str
    attempt: int
    request_id: str
    model: ModelTask
    channels: tuple[ChannelTask, ...]
    result: Path
