"""segint.v1.Models as an administrator uses it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from generated.segint.v1 import models_pb2
from generated.segint.v1.models_pb2_grpc import ModelsStub
from segint_grpc import errors
from segint_grpc.client.connection import CHUNK_BYTES, DEADLINE_S, Connection, Place

Progress = Callable[[int], None]
"""Told of the bytes of each chunk that is sent, in gRPC's thread."""


class Administration(Connection):
    """A connection to one server for its models; raises as `Connection` says."""

    def __init__(self, place: Place) -> None:
        """Prepare to talk to the server at `place`."""
        super().__init__(place)
        self._models = ModelsStub(self._channel)

    def import_family(self, body: bytes, policy: str) -> models_pb2.Family:
        """Import the family that `body` serializes; `policy` is off, warn or enforce."""
        request = models_pb2.ImportFamilyRequest(
            family=body, constraint_policy=f"CONSTRAINT_POLICY_{policy.upper()}"
        )
        with self._told():
            return self._models.ImportFamily(request, timeout=DEADLINE_S).family

    def create_family(self, request: models_pb2.CreateFamilyRequest) -> models_pb2.Family:
        """Make a family."""
        with self._told():
            return self._models.CreateFamily(request, timeout=DEADLINE_S).family

    def stored_family(self, canonical_name: str) -> models_pb2.GetFamilyResponse:
        """Return a family with the bytes that are stored of it."""
        request = models_pb2.GetFamilyRequest(canonical_name=canonical_name)
        with self._told():
            return self._models.GetFamily(request, timeout=DEADLINE_S)

    def update_family(self, request: models_pb2.UpdateFamilyRequest) -> models_pb2.Family:
        """Replace a family, if its revision is still the request's."""
        with self._told():
            return self._models.UpdateFamily(request, timeout=DEADLINE_S).family

    def upload(self, path: Path, progress: Progress = lambda sent: None) -> models_pb2.ModelFile:
        """Upload the file `path` under its own name; raises InvalidModel where it cannot be read."""
        try:
            with path.open("rb") as file, self._told():
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                requests = _upload_requests(file, path.name, digest, progress)
                return self._models.UploadFile(requests).file
        except OSError as error:
            raise errors.InvalidModel(f"The file {path} cannot be read ({error.strerror}).") from None

    def set_runtime(self, version_id: str, runtime: models_pb2.Runtime) -> models_pb2.Version:
        """Let `runtime` run a version."""
        request = models_pb2.SetRuntimeRequest(version_id=version_id, runtime=runtime)
        with self._told():
            return self._models.SetRuntime(request, timeout=DEADLINE_S).version

    def adopt(self, name: str) -> models_pb2.ModelFile:
        """Store the file `name` of the server's inbox; a large one is read whole, so this takes its time."""
        with self._told():
            return self._models.AdoptFile(models_pb2.AdoptFileRequest(name=name)).file

    def files(self) -> models_pb2.ListFilesResponse:
        """Return every stored file, and what lies in the inbox."""
        with self._told():
            return self._models.ListFiles(models_pb2.ListFilesRequest(), timeout=DEADLINE_S)

    def approve(self, sha256: str) -> models_pb2.StoredFile:
        """Let the code of the file run whose SHA-256 begins with `sha256`."""
        request = models_pb2.ApproveFileRequest(sha256=sha256)
        with self._told():
            return self._models.ApproveFile(request, timeout=DEADLINE_S).file

    def activate(self, version_id: str, force: bool, reason: str) -> models_pb2.Version:
        """Offer a version to clients; with `force` even without a passed check."""
        request = models_pb2.ActivateVersionRequest(version_id=version_id, force=force, reason=reason)
        with self._told():
            return self._models.ActivateVersion(request, timeout=DEADLINE_S).version

    def retire(self, version_id: str, reason: str) -> models_pb2.Version:
        """Offer a version no more."""
        request = models_pb2.RetireVersionRequest(version_id=version_id, reason=reason)
        with self._told():
            return self._models.RetireVersion(request, timeout=DEADLINE_S).version

    def set_default(self, version_id: str = "", canonical_name: str = "") -> models_pb2.Family:
        """List a version first in its family; without one, the family's default before."""
        request = models_pb2.SetDefaultVersionRequest(version_id=version_id, canonical_name=canonical_name)
        with self._told():
            return self._models.SetDefaultVersion(request, timeout=DEADLINE_S).family

    def warm_up(self, version_id: str) -> models_pb2.WarmUpResponse:
        """Load a version, which takes as long as it takes."""
        with self._told():
            return self._models.WarmUp(models_pb2.WarmUpRequest(version_id=version_id))

    def unload(self, version_id: str) -> int:
        """End the idle processes of a version; return how many these were."""
        request = models_pb2.UnloadRequest(version_id=version_id)
        with self._told():
            return self._models.Unload(request, timeout=DEADLINE_S).processes_ended

    def statistics(self, version_id: str = "") -> Sequence[models_pb2.VersionStatistics]:
        """Return how the jobs of one version, or of each, went."""
        request = models_pb2.GetStatisticsRequest(version_id=version_id)
        with self._told():
            return self._models.GetStatistics(request, timeout=DEADLINE_S).versions

    def families(self) -> Sequence[models_pb2.Family]:
        """Return every family, oldest first."""
        with self._told():
            return self._models.ListFamilies(models_pb2.ListFamiliesRequest(), timeout=DEADLINE_S).families

    def remove(self, canonical_name: str, force: bool) -> models_pb2.RemoveFamilyResponse:
        """Remove a family; with `force`, unfinished jobs of its versions are cancelled."""
        request = models_pb2.RemoveFamilyRequest(canonical_name=canonical_name, force=force)
        with self._told():
            return self._models.RemoveFamily(request, timeout=DEADLINE_S)

    def back_ends(self) -> Sequence[models_pb2.Backend]:
        """Return the installed back ends."""
        with self._told():
            return self._models.ListBackends(models_pb2.ListBackendsRequest(), timeout=DEADLINE_S).backends


def _upload_requests(
    file: BinaryIO, name: str, sha256: str, progress: Progress
) -> Iterator[models_pb2.UploadFileRequest]:
    """Yield the header and the chunks of `file`, whose SHA-256 has just been taken to its end."""
    header = models_pb2.UploadFileHeader(name=name, size_bytes=file.tell(), sha256=sha256)
    yield models_pb2.UploadFileRequest(header=header)
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        yield models_pb2.UploadFileRequest(chunk=chunk)
        progress(len(chunk))
