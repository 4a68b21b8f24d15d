"""docs/grpc.md shows every RPC of our services."""

from __future__ import annotations

from pathlib import Path

import pytest

from generated.segint.v1 import (
    access_pb2,
    audit_pb2,
    jobs_pb2,
    models_pb2,
    operations_pb2,
    segmentation_pb2,
)

PAGE = (Path(__file__).parents[2] / "docs" / "grpc.md").read_text()
RPCS = [
    f"{service.full_name}/{method.name}"
    for module in (segmentation_pb2, models_pb2, jobs_pb2, operations_pb2, access_pb2, audit_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest.mark.parametrize("rpc", RPCS)
def test_every_rpc_is_shown_as_a_command(rpc: str) -> None:
    commands = [line for line in PAGE.replace("\\\n", " ").splitlines() if "grpcurl -plaintext" in line]
    assert any(rpc in line.split() for line in commands)
