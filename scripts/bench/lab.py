"""What measurements work with: how much to measure, the floor, and a server that stands while they go on."""

from __future__ import annotations

import gzip
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Self

import numpy as np

from generated.radiomics import Model_pb2
from scripts.bench import ct
from scripts.bench.floor import Floor
from scripts.bench.job import run_job
from scripts.bench.memory import MB, peak
from scripts.bench.models import install
from scripts.bench.server import Server, serving


@dataclass(frozen=True)
class Size:
    """How much to measure: `slices` for the jobs, the others for what is measured at one size."""

    slices: tuple[int, ...] = (32, 128, 256)
    largest: int = 256
    middle: int = 128
    structures: int = 20
    rounds: int = 7
    fresh_servers: int = 3
    seconds: float = 5.0


QUICK = Size(slices=(32, 128), largest=128, rounds=3, fresh_servers=1, seconds=1.0)


class Lab:
    """A context manager: the server and the floor's process start when they are first asked for."""

    def __init__(self, size: Size) -> None:
        """Measure as much as `size` says."""
        self.size = size
        self._stack = ExitStack()

    @cached_property
    def floor(self) -> Floor:
        """The floor."""
        return self._stack.enter_context(Floor())

    @cached_property
    def server(self) -> Server:
        """The server that everything is timed on; memory is measured on others, fresh ones."""
        return self._stack.enter_context(serving())

    def floor_s(self, scan: ct.Ct) -> float:
        """Return what the floor takes now for `scan`."""
        return self.floor.seconds(scan.data)

    def peaks_mb(self) -> dict[str, float]:
        """Return what each process of the timed server had resident at most since its start."""
        if "server" not in self.__dict__:  # nothing was timed
            return {}
        return {name: peak(process) / MB for name, process in self.server.processes().items()}

    def __enter__(self) -> Self:
        """Return this lab."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and the floor."""
        self._stack.close()


def warm_up(server: Server, model: str, scan: ct.Ct) -> Model_pb2.ModelOutput:
    """Run one job, so that `model` is loaded; return its result, having looked into every mask.

    Raises:
        AssertionError: a mask is of another shape, holds something else than 0 and 1, or is empty.
    """
    install(server, model)
    with server.connect() as connection:
        result = run_job(connection, model, scan.parts()).result
    output = Model_pb2.ModelOutput.FromString(result)
    for channel in output.Channels:
        mask = np.frombuffer(gzip.decompress(channel.Volume.Data), np.uint8)
        assert mask.size == scan.voxels, f"{model}: {mask.size} voxels instead of {scan.voxels}"
        assert mask.max() == 1, f"{model}: the mask of {channel.Structure.Name} holds {mask.max()}"
    return output
