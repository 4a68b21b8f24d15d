"""What tests of the gate need: a store, a pool's gate, and models as a catalogue resolves them."""

from __future__ import annotations

import gzip
import itertools
import textwrap
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from generated.radiomics.Model_pb2 import ModelFamily, ModelInput
from generated.segint.v1.models_pb2 import CheckReport, CheckStep
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.models import ConstraintPolicy, RuntimeRecord
from segint_grpc.home import Home
from segint_grpc.service.catalogue import ResolvedModel
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.gate import Gate
from segint_grpc.service.hop import Hop
from segint_grpc.settings import Settings
from segint_grpc.store.store import open_store
from segint_grpc.worker.pool import WorkerPool
from tests.families import a_family, a_structure, a_version


class GateStand:
    """A gate over a home of its own."""

    def __init__(self, folder: Path, home: Home, context: ServiceContext, pool: WorkerPool) -> None:
        self.home, self.context, self.pool = home, context, pool
        self._folder = folder
        self._numbers = itertools.count()

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, pool: WorkerPool) -> AsyncIterator[Self]:
        home = Home(folder / "home")
        home.create()
        with open_store(home) as store, Hop("gate-test") as hop:
            yield cls(folder, home, ServiceContext(store, hop, Settings(home=str(home.path))), pool)

    def model(
        self, source: str | None, family: ModelFamily | None = None, scan: Path | None = None
    ) -> ResolvedModel:
        """The first version of `family`, run by the module `source`, or without one by the phantom."""
        family = family or a_family(versions=[a_version("Liver 1", [a_structure()])])
        runtime = RuntimeRecord("pytorch" if source else "phantom", entry="Net" if source else "", revision=7)
        module = None
        if source:
            module = self._folder / f"net{next(self._numbers)}.py"
            module.write_text(textwrap.dedent(source))
        version = family.ModelVersions[0]
        return ResolvedModel(family, version, ConstraintPolicy.WARN, runtime, None, module, scan)

    async def steps(
        self, model: ResolvedModel, gate: Gate | None = None
    ) -> tuple[list[CheckStep], CheckReport]:
        """Every step that a check of `model` streamed, and its report."""
        steps: list[CheckStep] = []
        async with aclosing((gate or Gate(self.context, self.pool)).check(model)) as responses:
            async for response in responses:
                if response.HasField("report"):
                    return steps, response.report
                steps.append(response.step)
        raise AssertionError("the check ended without a report")

    async def check(
        self, source: str | None, family: ModelFamily | None = None, scan: Path | None = None
    ) -> CheckReport:
        return (await self.steps(self.model(source, family, scan)))[1]

    def scan(self, image_kji: NDArray[np.int16], geometry: Geometry, channel_id: str = "ct") -> Path:
        """A serialized ModelInput of `image_kji`."""
        message = ModelInput()
        volume = message.Channels.add(ChannelID=channel_id).CalibratedVolume
        volume.DataTransform.CopyFrom(geometry.to_transform())
        volume.Volume.Depth, volume.Volume.Height, volume.Volume.Width = image_kji.shape
        volume.Volume.Data = gzip.compress(image_kji.astype("<i2").tobytes(), 1)
        path = self._folder / f"scan{next(self._numbers)}.pb"
        path.write_bytes(message.SerializeToString())
        return path

    def hasty_gate(self, check_step_s: float) -> Gate:
        settings = replace(self.context.settings, check_step_s=check_step_s)
        return Gate(replace(self.context, settings=settings), self.pool)

    def left_files(self) -> list[Path]:
        """What a check has left in the cache of voxels or among the results."""
        return [*self.home.voxels.iterdir(), *self.home.results.iterdir()]
