"""Versions on their way to clients: what runs them, and whether they are offered."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC

from generated.segint.v1.models_pb2 import CheckReport, CheckStep
from segint_grpc import errors
from segint_grpc.domain.models import CheckRecord, FamilyRecord, FileRecord, RuntimeRecord, VersionRecord
from segint_grpc.domain.versions import Act, VersionState
from segint_grpc.service.catalogue import NO_RUNTIME, Catalogue
from segint_grpc.service.changes import Changes
from segint_grpc.service.family_rules import is_clean
from segint_grpc.service.family_views import FamilyView, VersionView
from segint_grpc.service.fitness import Fitness, quoted
from segint_grpc.service.handling_fit import check_handling
from segint_grpc.service.hop import Hop
from segint_grpc.store.store import Store

log = logging.getLogger(__name__)


class Versions:
    """Every use case around one version."""

    def __init__(
        self, store: Store, hop: Hop, catalogue: Catalogue, fitness: Fitness, changes: Changes
    ) -> None:
        """Work on `store`; `changes` is shared with whatever else changes the models."""
        self._store = store
        self._hop = hop
        self._catalogue = catalogue
        self._fitness = fitness
        self._changes = changes

    async def set_runtime(self, version_id: str, wanted: RuntimeRecord) -> VersionView:
        """Let `wanted` run a version, which becomes a draft; of its files only SHA-256 and name count.

        Raises:
            UnknownModel: there is no such version.
            NotFound: a file has not been uploaded.
            InvalidModel: the back end is not here, or of no use for these files and parameters.
        """
        async with self._changes.lock:
            view = await self._hop.complete(self._set_runtime, version_id, wanted)
            log.info("runtime set", extra={"model": version_id, "backend": wanted.backend})
            await self._changes.tell([version_id])
            return view

    async def activate(self, version_id: str, force: bool = False, reason: str = "") -> VersionView:
        """Offer a version to clients; with `force` even without a passed check, which is recorded.

        Raises:
            UnknownModel: there is no such version.
            InvalidModel, NotApproved: it cannot run.
            NotNow: it has passed no check, and `force` is False.
        """
        async with self._changes.lock:
            view = await self._hop.complete(self._activate, version_id, force, reason)
            log.info("version activated", extra={"model": version_id, "forced": view.forced})
            await self._changes.tell()
            return view

    async def offer_sample(self, version_id: str, backend: str) -> None:
        """Offer a version of our own, which the back end `backend` is known to run, without a check."""
        await self.set_runtime(version_id, RuntimeRecord(backend))
        act = self._store.versions.act
        async with self._changes.lock:
            await self._hop.complete(act, version_id, Act.FORCE, "the sample, which needs no check")
            await self._changes.tell()

    async def retire(self, version_id: str, reason: str = "") -> VersionView:
        """Offer a version no more; jobs that were posted go on.

        Raises:
            UnknownModel: there is no such version.
            NotNow: it is not offered.
        """
        async with self._changes.lock:
            await self._hop.complete(self._store.versions.act, version_id, Act.RETIRE, reason)
            log.info("version retired", extra={"model": version_id})
            await self._changes.tell([version_id])
            return await self.view(version_id)

    async def set_default(self, version_id: str = "", canonical_name: str = "") -> FamilyView:
        """List a version first in its family, and offer it; without `version_id`, the default before.

        Raises:
            UnknownModel, UnknownFamily: there is no such version or family.
            InvalidModel, NotApproved: it cannot run.
            NotNow: it has passed no check, or there is no default to go back to.
        """
        async with self._changes.lock:
            view = await self._hop.complete(self._set_default, version_id, canonical_name)
            log.info("default set", extra={"family": view.family.CanonicalName, "model": version_id})
            await self._changes.tell()
            return view

    async def keep_check(self, version_id: str, report: CheckReport) -> VersionView:
        """Keep what a check of a version found; it becomes checked, or a draft again.

        Raises:
            UnknownModel: it is gone.
            Outdated: what runs it was changed meanwhile.
        """
        record = CheckRecord(
            passed=report.passed,
            runtime_revision=report.runtime_revision,
            checked_at=report.checked_at.ToDatetime(UTC),
            body=report.SerializeToString(),
        )
        failed = [step.name for step in report.steps if step.outcome == CheckStep.OUTCOME_FAILED]
        text = f"failed: {', '.join(failed)}" if failed else f"{len(report.steps)} steps"
        async with self._changes.lock:
            await self._hop.complete(self._store.versions.keep_check, version_id, record, text)
            await self._changes.tell()
            return await self.view(version_id)

    async def view(self, version_id: str) -> VersionView:
        """Return a version as an administrator sees it; raises UnknownModel."""
        return await self._hop.run(self._catalogue.version_view, version_id)

    def _set_runtime(self, version_id: str, wanted: RuntimeRecord) -> VersionView:
        record, version = self._store.models.version(version_id)
        _check_parameters(wanted)
        runtime = replace(
            wanted,
            model_file=self._stored(wanted.model_file),
            module_file=self._stored(wanted.module_file),
            check_scan=self._stored(wanted.check_scan),
        )
        model = self._catalogue.describe(record, version, runtime)
        check_handling(model, self._fitness.takes_tiles(runtime, model.source))
        self._store.models.set_runtime(version_id, runtime)
        return self._catalogue.version_view(version_id)

    def _stored(self, file: FileRecord | None) -> FileRecord | None:
        return self._store.model_files.find(file.sha256, file.name) if file else None

    def _activate(self, version_id: str, force: bool, reason: str) -> VersionView:
        record, version = self._store.models.version(version_id)
        self._check_runs(record, version)
        if version.needs_force and not force:
            raise errors.NotNow(_why_not(version))
        forced = version.needs_force or (version.forced and version.check is None)
        act = Act.FORCE if version.needs_force else Act.ACTIVATE
        self._store.versions.act(version_id, act, reason, forced)
        return self._catalogue.version_view(version_id)

    def _set_default(self, version_id: str, canonical_name: str) -> FamilyView:
        wanted = version_id or self._former_default(canonical_name)
        record, version = self._store.models.version(wanted)
        if version.state is not VersionState.ACTIVE:
            self._check_runs(record, version)
            if version.needs_force:
                raise errors.NotNow(_why_not(version))
        before = self._catalogue.view(record).default_version
        # To make the default what it is already must not forget the one before.
        former = before if before != wanted else record.former_default
        return self._catalogue.view(self._store.versions.set_default(wanted, former))

    def _former_default(self, canonical_name: str) -> str:
        records = {record.canonical_name: record for record in self._store.models.families()}
        if canonical_name not in records:
            here = ", ".join(map(repr, records)) or "none"
            text = f"No model family {canonical_name!r} is here; there is {here}."
            raise errors.UnknownFamily(text, canonical_name, records)
        former = records[canonical_name].former_default
        if not former:
            raise errors.NotNow(
                f"The family {canonical_name!r} has had no other default; name the version that shall be it."
            )
        return former

    def _check_runs(self, record: FamilyRecord, version: VersionRecord) -> None:
        if version.runtime is None:
            raise errors.InvalidModel(f"{version.version_id!r}: {NO_RUNTIME}")
        self._fitness.check(version.runtime, self._store.model_files.approvals())
        # The family's channels and structures may have changed since the runtime was set.
        model = self._catalogue.describe(record, version, version.runtime)
        check_handling(model, self._fitness.takes_tiles(version.runtime, model.source))


def _why_not(version: VersionRecord) -> str:
    name = quoted(version.version_id)
    found = "has failed its check" if version.check else "has not been checked as it now is"
    return (
        f"{version.version_id!r} {found}: segint model check {name}. To offer it all the same, which is "
        f"recorded: segint model activate {name} --force"
    )


def _check_parameters(runtime: RuntimeRecord) -> None:
    """Raise InvalidModel where a runtime's entry or parameters cannot be kept."""
    if not is_clean(runtime.entry):
        raise errors.InvalidModel(f"The entry {runtime.entry[:64]!r} has control characters.")
    try:
        json.dumps(dict(runtime.parameters), allow_nan=False)
    except (TypeError, ValueError):
        raise errors.InvalidModel("A parameter is infinite or no number; JSON cannot hold it.") from None
