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

    @property
    def files(self) -> tuple[FileRecord, ...]:
        """The files that the runtime needs."""
        return tuple(file for file in (self.model_file, self.module_file) if file)


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A version by its Radiomics.ModelVersion.ID, its place in the family, and what runs it, if anything."""

    version_id: str
    position: int
    runtime: RuntimeRecord | None = None


@dataclass(frozen=True, slots=True)
class FamilyRecord:
    """A family: `body` is the serialized Radiomics.ModelFamily as imported; versions in its order. UTC."""

    canonical_name: str
    body: bytes
    policy: ConstraintPolicy
    imported_at: datetime
    versions: tuple[VersionRecord, ...] = ()
