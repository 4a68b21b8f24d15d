"""Which versions are offered to clients, and what keeps the others from it. Blocking: reach it by a hop.

A version is offered when its family can be parsed, something runs it, and that has its back end and its
files. Whatever is broken is left out with its problem told, and never spoils the rest of the list.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from generated.radiomics.Model_pb2 import ModelFamily, ModelsCollection, ModelVersion
from segint_grpc import backends, errors
from segint_grpc.backends.base import BackEnd, ModelSource, StructureSpec
from segint_grpc.domain.models import ConstraintPolicy, FamilyRecord, FileRecord, RuntimeRecord, VersionRecord
from segint_grpc.service.family_rules import parse_family
from segint_grpc.store.store import Store

log = logging.getLogger(__name__)

NO_RUNTIME = "Nothing runs it yet; `segint model set` says what does."


@dataclass(frozen=True)
class ResolvedModel:
    """A version that can run: what it promises, and what runs it. Paths are absolute."""

    family: ModelFamily
    version: ModelVersion
    policy: ConstraintPolicy
    runtime: RuntimeRecord
    model_file: Path | None
    module_file: Path | None

    @property
    def source(self) -> ModelSource:
        """The model as its back end sees it."""
        structures = (StructureSpec(s.StructureID, s.Name, s.InputChannelID) for s in self.version.Structures)
        return ModelSource(
            version_id=self.version.ID,
            structures=tuple(structures),
            channel_ids=tuple(c.ChannelID for c in self.family.FamilyDescription.InputChannels),
            model_file=self.model_file,
            module_file=self.module_file,
            entry=self.runtime.entry,
            parameters=self.runtime.parameters,
        )


@dataclass(frozen=True)
class VersionView:
    """A version as an administrator sees it; `problem` is why it is not offered, empty where it is."""

    version_id: str
    runtime: RuntimeRecord | None
    problem: str


@dataclass(frozen=True)
class FamilyView:
    """A family as an administrator sees it. `family` holds its name alone where its bytes are broken. UTC."""

    family: ModelFamily
    policy: ConstraintPolicy
    imported_at: datetime
    versions: tuple[VersionView, ...]

    @property
    def offered(self) -> ModelFamily | None:
        """The family with its offered versions alone, else complete; None where it has none."""
        working = {version.version_id for version in self.versions if not version.problem}
        shown = [version for version in self.family.ModelVersions if version.ID in working]
        if not shown:
            return None
        family = ModelFamily()
        family.CopyFrom(self.family)
        del family.ModelVersions[:]
        family.ModelVersions.extend(shown)
        return family


class Catalogue:
    """The families of a store, looked at for what works."""

    def __init__(self, store: Store) -> None:
        """Look at `store`."""
        self._models = store.models
        self._media = store.media
        self._back_ends: dict[str, BackEnd] = {}
        self._told: set[tuple[str, str]] = set()

    def families(self) -> list[FamilyView]:
        """Return every family, oldest first."""
        return [self.view(record) for record in self._models.families()]

    def offered(self) -> ModelsCollection:
        """Return the families that have offered versions, with these, oldest first."""
        offered = (view.offered for view in self.families())
        return ModelsCollection(Models=[family for family in offered if family])

    def resolve(self, version_id: str) -> ResolvedModel:
        """Return what it takes to run the version `version_id`.

        Raises:
            UnknownModel: there is no such version, or it is not offered; the message says why.
        """
        record, version = self._models.version(version_id)
        view = next(v for v in self.view(record).versions if v.version_id == version_id)
        if view.problem or version.runtime is None:
            raise errors.UnknownModel(f"The model {version_id!r} is not offered at present: {view.problem}")
        return self.describe(record, version, version.runtime)

    def describe(self, record: FamilyRecord, version: VersionRecord, runtime: RuntimeRecord) -> ResolvedModel:
        """Return `version` as it would be with `runtime`, whether that works or not.

        Raises:
            UnparsableMessage: the family's bytes are broken.
            UnknownModel: the family's bytes hold no such version.
        """
        family = parse_family(record.body)
        return ResolvedModel(
            family=family,
            version=_find_version(family, version.version_id),
            policy=record.policy,
            runtime=runtime,
            model_file=self._path(runtime.model_file),
            module_file=self._path(runtime.module_file),
        )

    def view(self, record: FamilyRecord) -> FamilyView:
        """Return `record` as an administrator sees it."""
        try:
            family, broken = parse_family(record.body), ""
        except errors.UnparsableMessage:
            family = ModelFamily(CanonicalName=record.canonical_name)
            broken = "The family's stored bytes are broken; import it again."
        versions = (
            VersionView(version.version_id, version.runtime, broken or self._problem(family, version))
            for version in record.versions
        )
        view = FamilyView(family, record.policy, record.imported_at, tuple(versions))
        self._tell(view)
        return view

    def back_end(self, name: str) -> BackEnd:
        """Return the back end `name`.

        Raises:
            InvalidModel: there is none of that name, or it cannot be used here.
        """
        if name not in self._back_ends:
            self._back_ends[name] = backends.load_backend(name)
        return self._back_ends[name]

    def _problem(self, family: ModelFamily, version: VersionRecord) -> str:
        """Return why `version` cannot run; empty where it can."""
        if version.runtime is None:
            return NO_RUNTIME
        try:
            _find_version(family, version.version_id)
            self.back_end(version.runtime.backend)
            for file in version.runtime.files:
                self._check_file(file)
        except errors.SegIntError as error:
            return error.message
        return ""

    def _check_file(self, file: FileRecord) -> None:
        path = self._media.model_file_path(file)
        try:
            size_bytes = path.stat().st_size
        except OSError:
            raise errors.InvalidModel(f"The file {path} is missing; upload it again.") from None
        if size_bytes != file.size_bytes:
            raise errors.InvalidModel(
                f"The file {path} has {size_bytes} bytes instead of {file.size_bytes}; upload it again."
            )

    def _path(self, file: FileRecord | None) -> Path | None:
        return self._media.model_file_path(file).absolute() if file else None

    def _tell(self, view: FamilyView) -> None:
        """Log each problem once, a version that only waits for its runtime apart."""
        for version in view.versions:
            problem = (version.version_id, version.problem)
            if version.problem in ("", NO_RUNTIME) or problem in self._told:
                continue
            self._told.add(problem)
            log.warning("the model %r is not offered: %s", *problem)


def _find_version(family: ModelFamily, version_id: str) -> ModelVersion:
    versions = {version.ID: version for version in family.ModelVersions}
    if version_id not in versions:
        raise errors.UnknownModel(
            f"The family's stored bytes hold no version {version_id!r}; import it again."
        )
    return versions[version_id]
