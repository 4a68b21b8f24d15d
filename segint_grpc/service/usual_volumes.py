"""Holds a job's volumes against those of its version's earlier jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from generated.radiomics import Model_pb2
from segint_grpc.domain.jobs import Result
from segint_grpc.domain.plausibility import name_of, unusual


def with_unusual_volumes(
    result: Result, version: Model_pb2.ModelVersion, past_ml: Mapping[str, Sequence[float]]
) -> Result:
    """Return `result` with a warning for each volume that is unusual for `version`, which made `past_ml`."""
    if not result.volumes_ml:
        return result
    names = {structure.StructureID: name_of(structure) for structure in version.Structures}
    found = unusual(result.volumes_ml, past_ml, names)
    return replace(result, warnings=(*result.warnings, *found))
