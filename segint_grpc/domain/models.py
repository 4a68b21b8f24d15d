"""What the store knows of model families: the records around a family's own bytes.

A family is kept as the serialized Radiomics.ModelFamily that was imported, to the byte; beside it stand
only the columns that are searched and what an administrator has attached. The terms are the API's: a
family has versions (Radiomics.ModelVersion), and clients name a version by its ID.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from segint_grpc.domain.versions import VersionState


class ConstraintPolicy(StrEnum):
    """What is done about a scan that the family's ModelChannelConstraints exclude."""

    OFF = "off"
    WARN = "warn"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A stored model file: SHA-256 (lower-case hexadecimal) and name identify it, the name without folders.

    The name belongs to the identity because a pickled model finds its class by the module file's name.
    """

    sha256: str
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RuntimeRecord:
    """What runs a version. `revision` is the store's: it grows with every change and is never used twice."""

    backend: str
    model_file: FileRecord | None = None
    module_file: FileRecord | None = None
    entry: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0
    check_scan: FileRecord | None = None
    """A serialized Radiomics.ModelInput on which the model finds its structures."""
    handling: bytes = b""
    """A serialized segint.v1.ScanHandling; empty where the model gets the volumes as they were sent."""
    interpreter: str = ""
    """The Python that runs it, by the name that the setting `interpreters` gives it; empty: the server's."""

    @property
    def files(self) -> tuple[FileRecord, ...]:
        """Every file that belongs to the runtime."""
        return tuple(file for file in (self.model_file, self.module_file, self.check_scan) if file)


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """How a version's check ended: `body` is the serialized segint.v1.CheckReport. UTC."""

    passed: bool
    runtime_revision: int
    checked_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A version by its Radiomics.ModelVersion.ID, its place in the family, and what runs it, if anything.

    `check` is the last one of the runtime as it is; `forced` that it was activated without a passed one.
    """

    version_id: str
    position: int
    runtime: RuntimeRecord | None = None
    state: VersionState = VersionState.DRAFT
    forced: bool = False
    check: CheckRecord | None = None

    @property
    def needs_force(self) -> bool:
        """Whether its activation would lack a passed check."""
        unpassed = self.check is not None and not self.check.passed
        return self.state is VersionState.DRAFT or unpassed


@dataclass(frozen=True, slots=True)
class FamilyRecord:
    """A family: `body` is the serialized Radiomics.ModelFamily as imported; versions in its order. UTC.

    `revision` grows with every change of body or policy and is never used twice, whatever comes and goes.
    `default_version` is the version that is listed first, `former_default` the one before it; both may be
    empty, and neither need be offered.
    """

    canonical_name: str
    body: bytes
    policy: ConstraintPolicy
    imported_at: datetime
    versions: tuple[VersionRecord, ...] = ()
    revision: int = 0
    default_version: str = ""
    former_default: str = ""


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """What an administrator did to the models, or a check found. UTC."""

    at: datetime
    kind: str
    canonical_name: str
    version_id: str
    text: str
    forced: bool
