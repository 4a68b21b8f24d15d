"""Families and versions as an administrator sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from generated.radiomics.Model_pb2 import ModelFamily, RegulatoryFramework
from segint_grpc.domain.models import (
    CheckRecord,
    ConstraintPolicy,
    FamilyRecord,
    RuntimeRecord,
    VersionRecord,
)
from segint_grpc.domain.versions import VersionState
from segint_grpc.service.family_warnings import warnings_about
from segint_grpc.service.fitness import quoted

TO_BE_ACTIVATED = {
    VersionState.DRAFT: "It is a draft: segint model check {0}, then segint model activate {0}",
    VersionState.CHECKED: "It is checked but not active: segint model activate {0}",
    VersionState.RETIRED: "It is retired. To offer it again: segint model activate {0}",
}
WITHDRAWN = (RegulatoryFramework.StatusEnum.Recalled, RegulatoryFramework.StatusEnum.Withdrawn)


@dataclass(frozen=True)
class VersionView:
    """A version as an administrator sees it.

    `obstacle` is why it cannot run at all, `problem` why clients are not offered it; empty where they are.
    """

    version_id: str
    runtime: RuntimeRecord | None
    problem: str
    obstacle: str = ""
    state: VersionState = VersionState.DRAFT
    forced: bool = False
    check: CheckRecord | None = None


@dataclass(frozen=True)
class FamilyView:
    """A family as an administrator sees it. `family` holds its name alone where its bytes are broken. UTC."""

    family: ModelFamily
    policy: ConstraintPolicy
    imported_at: datetime
    versions: tuple[VersionView, ...]
    body: bytes = b""
    revision: int = 0
    chosen_default: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def default_version(self) -> str:
        """The ID of the version that clients see first; empty where they see none."""
        working = [version.version_id for version in self.versions if not version.problem]
        return self.chosen_default if self.chosen_default in working else next(iter(working), "")

    @property
    def offered(self) -> ModelFamily | None:
        """The family with its offered versions alone, the default first; None where it has none."""
        working = {version.version_id for version in self.versions if not version.problem}
        shown = [version for version in self.family.ModelVersions if version.ID in working]
        if not shown:
            return None
        family = ModelFamily()
        family.CopyFrom(self.family)
        del family.ModelVersions[:]
        family.ModelVersions.extend(sorted(shown, key=lambda version: self.default_version != version.ID))
        return family


def family_view(record: FamilyRecord, family: ModelFamily, obstacles: tuple[str, ...]) -> FamilyView:
    """Return the view of `record`, whose bytes are `family` and whose versions have `obstacles`, in order."""
    versions = (
        _version_view(family, version, obstacle)
        for version, obstacle in zip(record.versions, obstacles, strict=True)
    )
    return FamilyView(
        family=family,
        policy=record.policy,
        imported_at=record.imported_at,
        versions=tuple(versions),
        body=record.body,
        revision=record.revision,
        chosen_default=record.default_version,
        warnings=tuple(warnings_about(family)),
    )


def _version_view(family: ModelFamily, record: VersionRecord, obstacle: str) -> VersionView:
    standing = TO_BE_ACTIVATED.get(record.state, "").format(quoted(record.version_id))
    return VersionView(
        version_id=record.version_id,
        runtime=record.runtime,
        problem=obstacle or _withdrawal(family, record.version_id) or standing,
        obstacle=obstacle,
        state=record.state,
        forced=record.forced,
        check=record.check,
    )


def _withdrawal(family: ModelFamily, version_id: str) -> str:
    """Return the sentence about a version that was recalled or withdrawn; empty where it was not."""
    frameworks = (f for v in family.ModelVersions if version_id == v.ID for f in v.RegulatoryFrameworks)
    for framework in frameworks:
        if framework.Status in WITHDRAWN:
            status = RegulatoryFramework.StatusEnum.Name(framework.Status)
            named = f" ({framework.Framework})" if framework.Framework else ""
            return f"Its regulatory status{named} is {status}, so it takes no jobs."
    return ""
