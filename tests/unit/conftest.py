"""A pool of real model processes that the tests of one module share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.worker_bench import Bench


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerPool]:
    options = Bench(tmp_path_factory.mktemp("pool")).options()
    async with WorkerPool(fork_server.start(), options) as running:
        await running.wait_ready()
        yield running
