"""Refuses a scan that this version cannot have the memory for, before it waits in the queue for nothing."""

from __future__ import annotations

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc import errors
from segint_grpc.domain.memory_need import MemoryModel

STARTING_BYTES = 256 * 1024**2
"""What a process holds before it loads a model: torch and NumPy, 217 MB measured. The limit is beyond it."""

_GIB = 1024**3


class MemoryFit:
    """Knows what a model's process may take."""

    def __init__(self, limit_bytes: int, voxels_max: int) -> None:
        """Take `limit_bytes` as what a process may take beyond what it starts with.

        Volumes of more than `voxels_max` voxels are none of its business: most of them are not what
        they say, and their jobs fail for that.
        """
        self._limit_bytes = limit_bytes
        self._voxels_max = voxels_max

    def voxels(self, message: Model_pb2.ModelInput) -> int:
        """Return the voxels of all channels together; 0 where one claims more than the limit."""
        sizes = [volume.Width * volume.Height * volume.Depth for volume in _volumes(message)]
        return 0 if max(sizes, default=0) > self._voxels_max else sum(sizes)

    def check(
        self,
        message: Model_pb2.ModelInput,
        version_id: str,
        past: MemoryModel | None,
        own_limit_bytes: int = 0,
    ) -> None:
        """Let a scan pass that is expected to fit by the version's `past`, or of which nothing is known.

        `own_limit_bytes` is what the version's manifest allows its process, 0 where it does not say.

        Raises:
            TooLarge: it is not; the message has what is expected and what there is.
        """
        voxels = self.voxels(message)
        if not voxels or past is None:
            return
        expected = past.expected_bytes(voxels) - STARTING_BYTES
        limit_bytes = min(own_limit_bytes or self._limit_bytes, self._limit_bytes)
        source = "its limits.memory_bytes" if limit_bytes < self._limit_bytes else "setting slot_memory_bytes"
        if expected > limit_bytes:
            raise errors.TooLarge(
                f"The scan has {voxels} voxels, for which {version_id!r} is expected to need "
                f"{expected / _GIB:.2f} GiB of memory, from what its earlier jobs took; a model's process "
                f"may take {limit_bytes / _GIB:.2f} GiB ({source})."
            )


def _volumes(message: Model_pb2.ModelInput) -> list[Primitives3D_pb2.VolumeData3D]:
    return [channel.CalibratedVolume.Volume for channel in message.Channels]
