"""One body on its way in: spooled to disk and decoded while its chunks arrive.

Durable is the body as it was posted. The voxels are a cache next to it: never fsynced, rebuilt from the
body where they are missing.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.settings import Settings
from segint_grpc.store.durable import begin_writeback
from segint_grpc.store.media import MediaKind
from segint_grpc.store.store import Store
from segint_grpc.wire.model_input_reader import ModelInputReader
from segint_grpc.wire.volume_decoder import VolumeDecoder
from segint_grpc.wire.volumes import BYTES_PER_VOXEL_MAX

REST_MAX_BYTES = 256 * 1024
"""What a body may hold beside voxels: a real one needs a few kilobytes."""

WRITEBACK_BYTES = 8 * 1024 * 1024
"""How much of a body is collected before the kernel is asked to begin writing it to the disk."""


class Intake:
    """Takes one body's chunks, in worker threads. Ends with `keep`, or with `discard`, which leaves nothing.

    The spool file is kept by `keep` alone; the decoder's files belong to whoever takes `decoder` after it.
    """

    def __init__(self, job_id: str, store: Store, settings: Settings) -> None:
        """Open the spool file for `job_id`; raises DiskFull."""
        self._job_id = job_id
        self._media = store.media
        self._limit_bytes = settings.upload_max_bytes
        self._spool = self._media.temporary(MediaKind.BODY)
        with _storing():
            # Unbuffered: what a full disk did not take must not be tried again by close.
            self._file = FileIO(self._spool, "w")
        self._digest = hashlib.sha256()
        self._lock = threading.Lock()
        self._discarded = False
        self.size_bytes = 0
        self._written_back = 0
        self.decoder = VolumeDecoder(
            lambda channel: self._media.voxel_path(job_id, channel), settings.voxels_max * BYTES_PER_VOXEL_MAX
        )
        self._reader = ModelInputReader(
            self.decoder, channels_max=settings.channels_max, rest_max_bytes=REST_MAX_BYTES
        )

    def take(self, chunk: bytes) -> None:
        """Spool `chunk` and read on in the message; decoding happens beside.

        Raises:
            TooLarge: the body, its channels or what is not voxels exceeds a limit.
            UnparsableMessage: the body cannot be a ModelInput.
            DiskFull: the disk is full.
        """
        with self._lock:
            if not self._discarded:
                self._take(chunk)

    def _take(self, chunk: bytes) -> None:
        self.size_bytes += len(chunk)
        if self.size_bytes > self._limit_bytes:
            raise body_too_large(self._limit_bytes)
        with _storing():
            view = memoryview(chunk)
            while view:
                view = view[self._file.write(view) :]
        self._begin_writeback()
        self._digest.update(chunk)
        self._reader.feed(chunk)

    def _begin_writeback(self) -> None:
        waiting_bytes = self.size_bytes - self._written_back
        if waiting_bytes >= WRITEBACK_BYTES:
            begin_writeback(self._file.fileno(), self._written_back, waiting_bytes)
            self._written_back = self.size_bytes

    def message(self) -> Model_pb2.ModelInput:
        """Return what was posted, with every volume's Data cleared, once the last chunk is in.

        Raises:
            UnparsableMessage: the body is no ModelInput.
        """
        return self._reader.finish()

    @property
    def sha256(self) -> str:
        """Of the body, lower-case hexadecimal."""
        return self._digest.hexdigest()

    def keep(self) -> None:
        """Make the body durable under its job's name.

        Raises:
            DiskFull: the disk is full.
        """
        with _storing():
            self._file.close()
            self._media.publish(self._spool, self._media.body_path(self._job_id))

    def discard(self) -> None:
        """Drop the spool file and the voxels; a chunk that is being taken ends first."""
        with self._lock:
            self._discarded = True
            self._file.close()
            self._spool.unlink(missing_ok=True)
            self.decoder.close()


@contextmanager
def _storing() -> Iterator[None]:
    """Turn what the disk refuses into DiskFull, with its reason."""
    try:
        yield
    except OSError as error:
        raise errors.DiskFull(f"The scan could not be stored ({error.strerror}).") from None


def body_too_large(limit_bytes: int) -> errors.TooLarge:
    """Return the refusal of a body of more than `limit_bytes`."""
    return errors.TooLarge(
        f"The body is larger than this server takes ({limit_bytes} bytes, setting upload_max_bytes)."
    )
