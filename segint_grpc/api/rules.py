"""Which scope each RPC asks for: one table, for every service that is served.

An RPC that is not in it is refused, so that a new one is closed until somebody has thought about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from segint_grpc.domain.access import Scope

SEGMENTATION = "segint.v1.Segmentation"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an RPC asks of its caller."""

    scope: Scope
    """NOBODY: no credential. CLIENT: what the client mode says. Anything above is administration."""
    gateway: bool = False
    """A gateway may also call it for itself, when it speaks for nobody."""


def _all(service: str, scope: Scope, *methods: str, gateway: bool = False) -> Iterator[tuple[str, Rule]]:
    for method in methods:
        yield f"{service}/{method}", Rule(scope, gateway)


RULES: Mapping[str, Rule] = dict(
    [
        *_all(
            SEGMENTATION,
            Scope.CLIENT,
            *("ListModels", "Submit", "GetProgress", "WatchProgress", "GetResult", "Cancel"),
            *("SendFeedback", "SendTelemetry", "GetCredits", "GetVendorStatus", "GetApiInformation"),
            "Identify",
        ),
        *_all(SEGMENTATION, Scope.OPERATOR, "WatchJobs", gateway=True),
        *_all("segint.v1.Operations", Scope.OPERATOR, "GetFigures", gateway=True),
        *_all("segint.v1.Operations", Scope.ADMIN, "Backup"),
        *_all("segint.v1.Audit", Scope.ADMIN, "ListAudit", "VerifyAudit"),
        *_all(
            "segint.v1.Jobs",
            Scope.OPERATOR,
            *("ListJobs", "GetJob", "FollowJobs", "CancelJob", "RetryJob", "DeleteJob", "GetInput"),
            *("ListFeedback", "ListTelemetry"),
        ),
        *_all(
            "segint.v1.Models",
            Scope.OPERATOR,
            *("ListFamilies", "GetFamily", "ListFiles", "ListBackends", "GetStatistics"),
            *("WarmUp", "Unload"),
        ),
        *_all(
            "segint.v1.Models",
            Scope.ADMIN,
            *("ImportFamily", "CreateFamily", "UpdateFamily", "RemoveFamily"),
            *("UploadFile", "DownloadFile", "AdoptFile", "ApproveFile"),
            *("SetRuntime", "CheckVersion", "ActivateVersion", "RetireVersion", "SetDefaultVersion"),
        ),
        *_all(
            "segint.v1.Access",
            Scope.ADMIN,
            *("CreateToken", "ListTokens", "RevokeToken"),
            *("CreateUser", "ListUsers", "SetPassword", "DisableUser", "EnableUser"),
        ),
        *_all("grpc.health.v1.Health", Scope.NOBODY, "Check", "Watch", gateway=True),
        *_all("grpc.reflection.v1.ServerReflection", Scope.NOBODY, "ServerReflectionInfo"),
        *_all("grpc.reflection.v1alpha.ServerReflection", Scope.NOBODY, "ServerReflectionInfo"),
    ]
)
"""Full method name, for instance segint.v1.Jobs/ListJobs → its rule."""
