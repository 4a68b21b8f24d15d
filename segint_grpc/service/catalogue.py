"""Which versions are offered to clients, and what keeps the others from it. Blocking: reach it by a hop.

A version is offered when it is active, its family can be parsed, and what runs it has its back end, its
files and an approval for their code. Whatever is broken is left out with its problem told, and never spoils
the rest of the list.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from generated.radiomics.Model_pb2 import ModelFamily, ModelsCollection, ModelVersion
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.backends.base import ModelSource, StructureSpec
from segint_grpc.domain.handling import parse_handling
from segint_grpc.domain.models import (
    ConstraintPolicy,
    FamilyRecord,
    RuntimeRecord,
    VersionRecord,
)
from segint_grpc.domain.remotes import HERE_ALONE, RemoteRules
from segint_grpc.domain.versions import VersionState
from segint_grpc.service.family_rules import parse_family
from segint_grpc.service.family_views import FamilyView, VersionView, family_view
from segint_grpc.service.fitness import Fitness
from segint_grpc.store.store import Store

log = logging.getLogger(__name__)

NO_RUNTIME = "Nothing runs it yet; `segint model set` says what does."
RUNNABLE = (VersionState.ACTIVE, VersionState.RETIRED)
"""The states in which jobs that were posted run; new ones are taken for ACTIVE alone."""


@dataclass(frozen=True)
class ResolvedModel:
    """A version that can run: what it promises, and what runs it. Paths are absolute."""

    family: ModelFamily
    version: ModelVersion
    policy: ConstraintPolicy
    runtime: RuntimeRecord
    model_file: Path | None
    module_file: Path | None
    check_scan: Path | None = None
    cache: Path | None = None
    """Where the model file is unpacked, if it is a folder's zip."""
    remotes: RemoteRules = HERE_ALONE

    @property
    def handling(self) -> ScanHandling:
        """How the version wants its scans; empty where it gets them as they were sent."""
        return parse_handling(self.runtime.handling)

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
            remotes=self.remotes,
        )


@dataclass(frozen=True)
class _Resolved:
    """What was found when `event` was the newest event of the models, with what was approved by then."""

    event: int
    model: ResolvedModel
    approved: Container[str]


class Catalogue:
    """The families of a store, looked at for what works."""

    def __init__(self, store: Store, fitness: Fitness) -> None:
        """Look at `store`."""
        self._models = store.models
        self._files = store.model_files
        self._fitness = fitness
        self._events = store.model_events
        self._told: set[tuple[str, str]] = set()
        self._resolved: dict[tuple[str, bool], _Resolved] = {}

    def families(self) -> list[FamilyView]:
        """Return every family, oldest first."""
        approved = self._files.approvals()
        return [self._view(record, approved) for record in self._models.families()]

    def view(self, record: FamilyRecord) -> FamilyView:
        """Return `record` as an administrator sees it."""
        return self._view(record, self._files.approvals())

    def version_view(self, version_id: str) -> VersionView:
        """Return a version as an administrator sees it; raises UnknownModel."""
        record, _ = self._models.version(version_id)
        return next(v for v in self.view(record).versions if v.version_id == version_id)

    def offered(self) -> ModelsCollection:
        """Return the families that have offered versions, with these, oldest first."""
        offered = (view.offered for view in self.families())
        return ModelsCollection(Models=[family for family in offered if family])

    def _offered_ids(self) -> list[str]:
        return [version.ID for family in self.offered().Models for version in family.ModelVersions]

    def resolve(self, version_id: str, posted: bool = False) -> ResolvedModel:
        """Return what it takes to run a job of the version; with `posted`, of one that was taken before.

        Raises:
            UnknownModel: there is no such version, or it is not offered; the message says why, and the error
                knows what is offered instead.
        """
        # The event is read first: what changes meanwhile has a newer one, and is found the next time.
        event = self._events.newest()
        known = self._resolved.get((version_id, posted))
        if known and known.event == event and self._fits(known):
            return known.model
        approved = self._files.approvals()
        model = self._resolve(version_id, posted)
        self._resolved[version_id, posted] = _Resolved(event, model, approved)
        return model

    def _fits(self, known: _Resolved) -> bool:
        """Return whether the files still are what they were: no event tells of those."""
        try:
            self._fitness.check(known.model.runtime, known.approved)
        except errors.SegIntError:
            return False
        return True

    def _resolve(self, version_id: str, posted: bool) -> ResolvedModel:
        try:
            record, version = self._models.version(version_id)
        except errors.UnknownModel:
            offered = self._offered_ids()
            known = ", ".join(map(repr, offered)) or "none"
            text = f"No model {version_id!r} is here; offered is {known}."
            raise errors.UnknownModel(text, version_id, offered) from None
        view = next(v for v in self.view(record).versions if v.version_id == version_id)
        going_on = posted and view.state in RUNNABLE
        problem = view.obstacle if going_on else view.problem
        if problem or version.runtime is None:
            text = f"The model {version_id!r} is not offered at present: {problem}"
            raise errors.UnknownModel(text, version_id, self._offered_ids())
        return self.describe(record, version, version.runtime)

    def usable(self, version_id: str) -> ResolvedModel:
        """Return what it takes to run the version for an administrator, offered or not.

        Raises:
            UnknownModel: there is no such version.
            NotApproved: a file of it carries code that nobody has approved.
            InvalidModel: it cannot run; the message says why.
        """
        record, version = self._models.version(version_id)
        if version.runtime is None:
            raise errors.InvalidModel(f"{version_id!r}: {NO_RUNTIME}")
        self._fitness.check(version.runtime, self._files.approvals())
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
            model_file=self._fitness.path(runtime.model_file),
            module_file=self._fitness.path(runtime.module_file),
            check_scan=self._fitness.path(runtime.check_scan),
            cache=self._fitness.cache(runtime.model_file),
            remotes=self._fitness.remotes,
        )

    def _view(self, record: FamilyRecord, approved: Container[str]) -> FamilyView:
        try:
            family, broken = parse_family(record.body), ""
        except errors.UnparsableMessage:
            family = ModelFamily(CanonicalName=record.canonical_name)
            broken = "The family's stored bytes are broken; import it again."
        obstacles = (broken or self._obstacle(record, version, approved) for version in record.versions)
        view = family_view(record, family, tuple(obstacles))
        self._tell(view)
        return view

    def _obstacle(self, record: FamilyRecord, version: VersionRecord, approved: Container[str]) -> str:
        """Return why `version` cannot run at all; empty where it can."""
        if version.runtime is None:
            return NO_RUNTIME
        try:
            model = self.describe(record, version, version.runtime)
            self._fitness.check(version.runtime, approved)
            if not version.runtime.files and not version.runtime.interpreter:
                # It costs nothing, and the settings may allow less than when it was set.
                self._fitness.takes_tiles(version.runtime, model.source)
        except errors.SegIntError as error:
            return error.message
        return ""

    def _tell(self, view: FamilyView) -> None:
        """Log what keeps active versions from running, each problem once."""
        for version in view.versions:
            problem = (version.version_id, version.obstacle)
            if version.state is not VersionState.ACTIVE or not version.obstacle or problem in self._told:
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
