"""segint.v1.Models as a package needs it: what `Administration` does, and files both ways as streams."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from generated.segint.v1 import models_pb2
from segint_grpc import errors
from segint_grpc.client.administration import Administration, Progress


@dataclass(frozen=True)
class Outgoing:
    """A file to upload: its name without folders, its length, and how to read it from its beginning."""

    name: str
    size_bytes: int
    chunks: Callable[[], Iterator[bytes]]

    def sha256(self) -> str:
        """Return the digest of the whole file, in hexadecimal."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


class PackageServer(Administration):
    """A connection to the server of one home; a context manager that raises as `Connection` says."""

    def send(
        self, file: Outgoing, sha256: str, progress: Progress = lambda sent: None
    ) -> models_pb2.ModelFile:
        """Upload `file`, whose digest is `sha256`; raises what reading it raises."""
        failures: list[errors.SegIntError] = []

        def requests() -> Iterator[models_pb2.UploadFileRequest]:
            header = models_pb2.UploadFileHeader(name=file.name, size_bytes=file.size_bytes, sha256=sha256)
            yield models_pb2.UploadFileRequest(header=header)
            try:
                for chunk in file.chunks():
                    yield models_pb2.UploadFileRequest(chunk=chunk)
                    progress(len(chunk))
            except errors.SegIntError as error:
                # gRPC reads this in a thread of its own, where an exception would be lost.
                failures.append(error)

        try:
            with self._told():
                return self._models.UploadFile(requests()).file
        except errors.SegIntError as error:
            raise (failures or [error])[0] from None

    def fetch(self, sha256: str) -> Iterator[bytes]:
        """Yield the stored file of that digest in pieces; raises ServerRefused where they are another."""
        digest = hashlib.sha256()
        request = models_pb2.DownloadFileRequest(sha256=sha256)
        with self._told():
            for response in self._models.DownloadFile(request):
                digest.update(response.chunk)
                if response.chunk:
                    yield response.chunk
        if digest.hexdigest() != sha256:
            raise errors.ServerRefused(f"The server's file {sha256[:12]} is broken; upload it again.")

    def check(self, version_id: str) -> Iterator[models_pb2.CheckVersionResponse]:
        """Have a version checked; yields each step as it begins and ends, and the report last."""
        with self._told():
            yield from self._models.CheckVersion(models_pb2.CheckVersionRequest(version_id=version_id))
