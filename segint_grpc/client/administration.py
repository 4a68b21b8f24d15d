"""segint.v1.Models as a person at the server's own machine uses it: over the unix socket in the home."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from generated.segint.v1 import models_pb2
from generated.segint.v1.models_pb2_grpc import ModelsStub
from segint_grpc import errors
from segint_grpc.client.connection import CHUNK_BYTES, DEADLINE_S, Connection
from segint_grpc.home import Home

Progress = Callable[[int], None]
"""Told of the bytes of each chunk that is sent, in gRPC's thread."""


class Administration(Connection):
    """A connection to the server of one home for its models; raises as `Connection` says."""

    def __init__(self, home: Home) -> None:
        """Prepare to talk to the server of `home`."""
        super().__init__(home)
        self._models = ModelsStub(self._channel)

    def import_family(self, body: bytes, policy: str) -> models_pb2.Family:
        """Import the family that `body` serializes; `policy` is off, warn or enforce."""
        request = models_pb2.ImportFamilyRequest(
            family=body, constraint_policy=f"CONSTRAINT_POLICY_{policy.upper()}"
        )
        with self._told():
            return self._models.ImportFamily(request, timeout=DEADLINE_S).family

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
