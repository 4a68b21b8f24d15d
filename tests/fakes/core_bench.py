"""A core without its doors: real services on a real store and a real pool, in a home of its own."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import subprocess
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.domain.models import FileRecord, RuntimeRecord
from segint_grpc.home import Home
from segint_grpc.service.services import Services, services
from segint_grpc.service.submission import Posting
from segint_grpc.settings import Settings
from segint_grpc.store.store import Store
from segint_grpc.worker.pool import WorkerPool
from tests.families import a_family

SAMPLE = "Centered Orange Square"
PATIENCE_S = 30
SHAPE_KJI = (6, 20, 16)

MODULE = """\
import ctypes, os, time


class Net:
    def __call__(self, image, progress=None):
{body}
        return image > 0
"""


class ShiftedClock:
    """The machine's clock, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Gate:
    """Where models wait, half done, until the test opens it.

    The first job of such a version is then further than 20 %; later ones go by what the first one took.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def wait(self) -> str:
        """The model's code."""
        return f"progress(0.5)\nwhile not os.path.exists({str(self.path)!r}):\n    time.sleep(0.005)"

    def open(self) -> None:
        """Let the models that wait, and those that will come, go on."""
        self.path.touch()


class CoreBench:
    """The services of one core, and the models and scans that tests give them."""

    def __init__(self, running: Services, store: Store, home: Home, folder: Path) -> None:
        self.services, self.store, self.home, self.folder = running, store, home, folder

    async def model(self, name: str, body: str, channels: Sequence[str] = ("ct",)) -> str:
        """Install a model that does `body`, with `image` and `progress` at hand; return its version's id."""
        source = MODULE.format(body=textwrap.indent(textwrap.dedent(body).strip(), " " * 8)).encode()
        file = FileRecord(hashlib.sha256(source).hexdigest(), "net.py", len(source))
        models = self.services.models
        await models.import_family(a_family(name, [name], channels).SerializeToString())
        await models.files.upload(file, pieces(source))
        await models.files.approve(file.sha256)
        await models.versions.set_runtime(name, RuntimeRecord("pytorch", module_file=file, entry="Net"))
        await models.versions.activate(name, force=True)
        return name

    def gate(self, name: str = "gate") -> Gate:
        return Gate(self.folder / name)

    async def submit(self, body: bytes, model: str = SAMPLE, caller: str = "192.0.2.7") -> Job:
        job, _ = await self.services.submissions.submit(Posting(model, caller, len(body)), pieces(body))
        return job

    async def until(self, job_id: str, percent: int = 0, state: JobState | None = None) -> Job:
        """Return the job once it is that far, or has ended."""
        async with asyncio.timeout(PATIENCE_S):
            async for view in self.services.jobs.watch(job_id):
                job = view.job
                if job.finished or (job.percent >= percent and state in (None, job.state)):
                    return job
        raise AssertionError("a watch ended before its job")

    async def ended(self, job_id: str) -> Job:
        return await self.until(job_id, percent=100)

    def files(self) -> list[str]:
        """What lies in the folders of bodies, results and voxels."""
        folders = (self.home.bodies, self.home.results, self.home.voxels)
        return sorted(path.name for folder in folders for path in folder.iterdir())


@asynccontextmanager
async def core_bench(
    pool: WorkerPool, folder: Path, slots: int = 1, clock: ShiftedClock | None = None, **changes: object
) -> AsyncIterator[CoreBench]:
    """Run a core's services on `pool` in `folder`, with `slots` slots and `changes` of the settings."""
    home = Home(folder / "home")
    home.create()
    settings = Settings(**({"home": str(home.path), "free_disk_min_bytes": 0} | changes))  # type: ignore[arg-type]
    with Store(home, clock or ShiftedClock()) as store:
        async with services(settings, store, pool) as running:
            running.dispatcher.start(slots)
            yield CoreBench(running, store, home, folder)


async def eventually(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Return once `condition` holds, where nothing tells of it."""
    give_up = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0)


async def pieces(body: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    """`body` as it arrives."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def scan(seed: int = 1, shape_kji: tuple[int, int, int] = SHAPE_KJI, channel_id: str = "ct") -> bytes:
    """A ModelInput of one channel of noise."""
    image_kji = np.random.default_rng(seed).integers(-1000, 1000, shape_kji).astype("<i2")
    depth, height, width = shape_kji
    vector = Primitives3D_pb2.Vector3D
    calibrated = Primitives3D_pb2.CalibratedVolume3D(
        Volume=Primitives3D_pb2.VolumeData3D(
            Width=width, Height=height, Depth=depth, Data=gzip.compress(image_kji.tobytes(), 1)
        ),
        DataTransform=Primitives3D_pb2.Transform3D(
            XAxisDirection=vector(X=1),
            YAxisDirection=vector(Y=1),
            ZAxisDirection=vector(Z=1),
            VoxelScalingInMM=vector(X=1, Y=1, Z=3),
        ),
    )
    channel = Model_pb2.ModelInputChannel(ChannelID=channel_id, CalibratedVolume=calibrated)
    return Model_pb2.ModelInput(Channels=[channel]).SerializeToString()


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[None]:
    """Put an empty file system of that size over `folder`; skips where that is not allowed."""
    options = f"size={size_bytes},mode=0700"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
