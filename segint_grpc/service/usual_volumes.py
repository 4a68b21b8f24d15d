"""Holds a job's volumes against those of its version's earlier jobs."""

from __future__ import annotations

from dataclasses import replace

from generated.radiomics import Model_pb2
from segint_grpc.domain.jobs import Result
from segint_grpc.domain.plausibility import name_of, unusual
from segint_grpc.store.store import Store


def with_unusual_volumes(store: Store, version: Model_pb2.ModelVersion, result: Result) -> Result:
    """Return `result` with a warning for each volume that is unusual for `version`. Blocking."""
    if not result.volumes_ml:
        return result
    names = {structure.StructureID: name_of(structure) for structure in version.Structures}
    found = unusual(result.volumes_ml, store.statistics.volumes_ml(version.ID), names)
    return replace(result, warnings=(*result.warnings, *found))
