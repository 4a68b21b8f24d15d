"""Brings a package to a server.

Every step looks at what is there already, so that a push can be repeated: what is stored is not sent again,
and what runs as the package says is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from generated.radiomics.Model_pb2 import ModelFamily
from generated.segint.v1 import models_pb2
from segint_grpc import errors
from segint_grpc.client.administration import Progress
from segint_grpc.client.check_scan import check_scan_of
from segint_grpc.client.package_server import Outgoing, PackageServer
from segint_grpc.packaging.manifest import RuntimeEntry
from segint_grpc.packaging.package import Package


@dataclass(frozen=True)
class PushOptions:
    """How far a push goes: to stored files, to approved code, to a check, to active versions."""

    approve: bool = False
    check: bool = False
    activate: bool = False
    force: bool = False
    reason: str = ""


class PushWatcher(Protocol):
    """Is told how a push goes."""

    def said(self, sentence: str) -> None:
        """Take what was done, as a sentence."""

    def transfer(self, name: str, size_bytes: int) -> AbstractContextManager[Progress]:
        """Begin the upload of a file; gives what is told of each chunk's bytes."""

    def step(self, step: models_pb2.CheckStep) -> None:
        """Take a step of a check that has begun or ended."""


class Push:
    """One package on its way to one server."""

    def __init__(self, server: PackageServer, package: Package, watcher: PushWatcher) -> None:
        """Push `package` to `server`.

        Raises:
            InvalidModel: the package cannot be used.
        """
        self._server = server
        self._package = package
        self._manifest = package.manifest
        self._watcher = watcher
        self._runtimes: dict[str, models_pb2.Runtime] = {}

    def run(self, options: PushOptions) -> list[models_pb2.Version]:
        """Bring everything over and go as far as `options` say; returns the package's versions as they are.

        Raises:
            InvalidModel: a file cannot be read.
            CheckFailed: a version failed its check, and `force` is not given.
            ServerRefused, ServerUnreachable: the server said no, or nothing.
        """
        family = self._bring_family()
        entries = self._manifest.runtimes
        self._runtimes = {version_id: self._bring_files(entry) for version_id, entry in entries.items()}
        for version in family.versions:
            if version.version_id in self._runtimes:
                self._set_runtime(version, self._runtimes[version.version_id])
        self._approve(options.approve)
        if (options.check or options.activate) and not self.waiting_code():
            for version_id in self._runtimes:
                self._check_and_activate(version_id, options)
        return [version for version in self._versions().values() if version.version_id in entries]

    def waiting_code(self) -> list[models_pb2.ModelFile]:
        """Return the files of the package that carry code which nobody has approved."""
        runtimes = self._runtimes.values()
        ours = {file.sha256 for runtime in runtimes for file in (runtime.model_file, runtime.module_file)}
        return [
            stored.file
            for stored in self._server.files().files
            if stored.file.sha256 in ours and stored.carries_code and not stored.HasField("approved_at")
        ]

    def _bring_family(self) -> models_pb2.Family:
        name = self._manifest.family.CanonicalName
        there = next((f for f in self._server.families() if f.family.CanonicalName == name), None)
        if there is None:
            self._watcher.said(f"The family {name} is new.")
            return self._server.import_family(_bytes(self._manifest.family), self._manifest.policy)
        family = merged(there.family, self._manifest.family)
        policy = f"CONSTRAINT_POLICY_{self._manifest.policy.upper()}"
        unchanged = models_pb2.ConstraintPolicy.Name(there.constraint_policy) == policy
        if unchanged and _bytes(family) == _bytes(there.family):
            self._watcher.said(f"The family {name} is there as it is here.")
            return there
        self._watcher.said(f"The family {name} changes.{_kept(there.family, self._manifest.family)}")
        request = models_pb2.UpdateFamilyRequest(
            binary=_bytes(family), revision=there.revision, constraint_policy=policy
        )
        return self._server.update_family(request)

    def _bring_files(self, entry: RuntimeEntry) -> models_pb2.Runtime:
        runtime = models_pb2.Runtime(backend=entry.backend, entry=entry.entry, interpreter=entry.interpreter)
        if entry.parameters:
            runtime.parameters.update(dict(entry.parameters))
        for field, name in (("model_file", entry.model_file), ("module_file", entry.module_file)):
            if name:
                getattr(runtime, field).CopyFrom(self._bring(self._outgoing(name)))
        if entry.check_scan:
            runtime.check_scan.CopyFrom(self._bring(check_scan_of(self._package, entry.check_scan)))
        if entry.handling is not None:
            runtime.handling.CopyFrom(entry.handling)
        return runtime

    def _outgoing(self, name: str) -> Outgoing:
        size_bytes = self._package.size_bytes(name)
        return Outgoing(PurePosixPath(name).name, size_bytes, lambda: self._package.chunks(name))

    def _bring(self, file: Outgoing) -> models_pb2.ModelFile:
        offer = models_pb2.ModelFile(sha256=file.sha256(), name=file.name, size_bytes=file.size_bytes)
        if any(stored.file == offer for stored in self._server.files().files):
            self._watcher.said(f"{file.name} is there already.")
            return offer
        with self._watcher.transfer(file.name, file.size_bytes) as progress:
            sent = self._server.send(file, offer.sha256, progress)
        self._watcher.said(f"Sent {file.name}.")
        return sent

    def _set_runtime(self, version: models_pb2.Version, runtime: models_pb2.Runtime) -> None:
        if version.HasField("runtime") and version.runtime == runtime:
            self._watcher.said(f"{version.version_id} runs so already.")
            return
        self._server.set_runtime(version.version_id, runtime)
        self._watcher.said(f"{version.version_id} runs on {runtime.backend}.")

    def _approve(self, approve: bool) -> None:
        """Approve the code that the package brought, or say how to."""
        for file in self.waiting_code():
            if approve:
                self._server.approve(file.sha256)
                self._watcher.said(f"The code in {file.name} is approved.")
            else:
                self._watcher.said(
                    f"{file.name} carries code that nobody has approved. When you have looked at it: "
                    f"segint model approve {file.sha256[:12]}"
                )

    def _check_and_activate(self, version_id: str, options: PushOptions) -> None:
        version = self._versions()[version_id]
        if version.state == models_pb2.VERSION_STATE_DRAFT:
            self._check(version_id, options.force)
        if options.activate and version.state != models_pb2.VERSION_STATE_ACTIVE:
            self._server.activate(version_id, options.force, options.reason)

    def _check(self, version_id: str, force: bool) -> None:
        for answer in self._server.check(version_id):
            if answer.HasField("step"):
                self._watcher.step(answer.step)
            elif not answer.report.passed and not force:
                raise errors.CheckFailed(failure(version_id, answer.report))

    def _versions(self) -> dict[str, models_pb2.Version]:
        name = self._manifest.family.CanonicalName
        families = (family for family in self._server.families() if family.family.CanonicalName == name)
        return {version.version_id: version for family in families for version in family.versions}


def merged(there: ModelFamily, ours: ModelFamily) -> ModelFamily:
    """Return `ours` with those versions of `there` that it does not have, in the order of `there`."""
    by_id = {version.ID: version for version in ours.ModelVersions}
    known = [by_id.pop(version.ID, version) for version in there.ModelVersions]
    family = ModelFamily()
    family.CopyFrom(ours)
    del family.ModelVersions[:]
    family.ModelVersions.extend([*known, *by_id.values()])
    return family


def failure(version_id: str, report: models_pb2.CheckReport) -> str:
    """Return what a failed check found, as a sentence."""
    failed = [step for step in report.steps if step.outcome == models_pb2.CheckStep.OUTCOME_FAILED]
    found = " ".join(f"{step.name}: {step.finding}" for step in failed)
    return f"{version_id} failed its check. {found}".strip()


def _kept(there: ModelFamily, ours: ModelFamily) -> str:
    ids = {version.ID for version in ours.ModelVersions}
    kept: Sequence[str] = [version.ID for version in there.ModelVersions if version.ID not in ids]
    return f" It keeps {', '.join(kept)}, which the package does not have." if kept else ""


def _bytes(family: ModelFamily) -> bytes:
    body: bytes = family.SerializeToString(deterministic=True)
    return body
