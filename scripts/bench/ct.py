"""The scans that are posted: the project's own CT phantom, drawn once and kept compressed in build/bench."""

from __future__ import annotations

import gzip
import secrets
from dataclasses import dataclass
from pathlib import Path

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc.client.phantom import make_phantom

CACHE = Path(__file__).resolve().parents[2] / "build" / "bench"
COMPRESSION_LEVEL = 6
"""Of the standard library's gzip: what clients use that were given no level."""
SLICE_JI = (512, 512)
SMALL_KJI = (32, 64, 64)


@dataclass(frozen=True)
class Ct:
    """A CT of `shape_kji` int16 voxels: its gzip lies at `data`, the ModelInput with it is `body`."""

    shape_kji: tuple[int, int, int]
    data: Path
    body: bytes

    @property
    def voxels(self) -> int:
        """How many there are."""
        depth, height, width = self.shape_kji
        return depth * height * width

    @property
    def raw_bytes(self) -> int:
        """The length of the voxels as int16."""
        return 2 * self.voxels

    def parts(self) -> tuple[bytes, bytes]:
        """Return a body that nobody has posted before, in two parts.

        The second part merges into the first (Protocol Buffers encoding, "Last One Wins"). Without it, an
        equal body of an unfinished job would be taken for that job posted again.
        """
        client = Model_pb2.ClientInformation(SoftwareVersion=f"bench {secrets.token_hex(8)}")
        return self.body, Model_pb2.ModelInput(ClientInformation=client).SerializeToString()


def ct_of(slices: int) -> Ct:
    """Return the CT of `slices` × 512 × 512 voxels."""
    return load((slices, *SLICE_JI))


def load(shape_kji: tuple[int, int, int]) -> Ct:
    """Return the CT of `shape_kji`, drawn now unless an earlier run has kept it."""
    path = CACHE / f"ct-{'x'.join(map(str, shape_kji))}-level{COMPRESSION_LEVEL}.gz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{secrets.token_hex(4)}")
        voxels = make_phantom(shape_kji).image_kji.astype("<i2").tobytes()
        part.write_bytes(gzip.compress(voxels, COMPRESSION_LEVEL))
        part.replace(path)
    return Ct(shape_kji, path, _body(shape_kji, path.read_bytes()))


def _body(shape_kji: tuple[int, int, int], data: bytes) -> bytes:
    depth, height, width = shape_kji
    vector = Primitives3D_pb2.Vector3D
    transform = Primitives3D_pb2.Transform3D(
        XAxisDirection=vector(X=1),
        YAxisDirection=vector(Y=1),
        ZAxisDirection=vector(Z=1),
        VoxelScalingInMM=vector(X=0.8, Y=0.8, Z=2.0),
        Origin=vector(X=-200, Y=-200, Z=-256),
    )
    volume = Primitives3D_pb2.VolumeData3D(Width=width, Height=height, Depth=depth, Data=data)
    calibrated = Primitives3D_pb2.CalibratedVolume3D(Volume=volume, DataTransform=transform)
    channel = Model_pb2.ModelInputChannel(ChannelID="1", CalibratedVolume=calibrated, VolumeID="bench")
    return Model_pb2.ModelInput(Channels=[channel]).SerializeToString()
