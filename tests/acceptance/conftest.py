from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.serving import Server, serving
from tests.acceptance.velocity import Velocity


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server that the tests of this folder share; those that break servers start their own."""
    with serving(tmp_path_factory.mktemp("shared") / "home") as running:
        yield running


@pytest.fixture
def velocity(server: Server) -> Velocity:
    return Velocity(server.url)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
