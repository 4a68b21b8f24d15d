"""Which RPC is recorded as what in the audit log: one table; what is in neither part of it fails a test.

The paths say where an object's id stands in the first request and in the first answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto


class When(Enum):
    """When a record is made."""

    READ = auto()
    """Once, durable before the first answer goes out; or of the refusal, when there is one."""
    CHANGE = auto()
    """Durable before the handler sees the request, and once more with the outcome."""
    WITHIN = auto()
    """By the act itself, in its own transaction; here of a refusal alone."""


@dataclass(frozen=True)
class Row:
    """What an RPC is in the log: an act on a kind of object.

    `request` and `answer` are paths of fields, `a.b`, to the object's id; the request's counts where both
    give one. `facts` are paths in the request of small facts to keep, by their names in the details.
    `repeats` is for views that are looked at again and again: the same one, by the same caller, is recorded
    once a minute.
    """

    act: str
    kind: str
    when: When = When.CHANGE
    request: str = ""
    answer: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    repeats: bool = False


def _job(act: str, when: When = When.CHANGE, **more: str) -> Row:
    return Row(act, "job", when, "segmentation_id", facts=more)


def _version(act: str, **more: str) -> Row:
    return Row(act, "version", When.CHANGE, "version_id", facts=more)


RECORDED: Mapping[str, Row] = {
    "segint.v1.Segmentation/Submit": Row(
        "scan.submit", "job", When.WITHIN, facts={"model": "header.model_id"}
    ),
    "segint.v1.Segmentation/GetResult": _job("result.read", When.READ),
    "segint.v1.Segmentation/Cancel": _job("job.cancel"),
    "segint.v1.Segmentation/SendFeedback": Row(
        "feedback.send", "job", When.WITHIN, "feedback.SegmentationID"
    ),
    "segint.v1.Segmentation/SendTelemetry": Row(
        "telemetry.send", "job", When.WITHIN, "telemetry.SegmentationID"
    ),
    "segint.v1.Jobs/ListJobs": Row("jobs.view", "jobs", When.READ, repeats=True),
    "segint.v1.Jobs/GetJob": Row("job.view", "job", When.READ, "segmentation_id", repeats=True),
    "segint.v1.Jobs/FollowJobs": Row("jobs.view", "jobs", When.READ, repeats=True),
    "segint.v1.Jobs/CancelJob": _job("job.cancel"),
    "segint.v1.Jobs/RetryJob": _job("job.retry", model="model_id"),
    "segint.v1.Jobs/DeleteJob": _job("job.delete"),
    "segint.v1.Jobs/GetInput": _job("scan.read", When.READ),
    "segint.v1.Jobs/ListFeedback": Row(
        "feedback.read", "feedback", When.READ, facts={"model": "model_id", "page": "page_token"}
    ),
    "segint.v1.Jobs/ListTelemetry": Row(
        "telemetry.read", "telemetry", When.READ, facts={"model": "model_id", "page": "page_token"}
    ),
    "segint.v1.Models/CreateFamily": Row("family.create", "family", answer="family.family.CanonicalName"),
    "segint.v1.Models/ImportFamily": Row("family.import", "family", answer="family.family.CanonicalName"),
    "segint.v1.Models/UpdateFamily": Row(
        "family.update", "family", answer="family.family.CanonicalName", facts={"revision": "revision"}
    ),
    "segint.v1.Models/RemoveFamily": Row(
        "family.remove", "family", request="canonical_name", facts={"force": "force"}
    ),
    "segint.v1.Models/UploadFile": Row(
        "file.upload", "file", request="header.sha256", facts={"name": "header.name"}
    ),
    "segint.v1.Models/AdoptFile": Row("file.adopt", "file", answer="file.sha256", facts={"name": "name"}),
    "segint.v1.Models/DownloadFile": Row("file.download", "file", When.READ, request="sha256"),
    "segint.v1.Models/ApproveFile": Row("file.approve", "file", request="sha256"),
    "segint.v1.Models/SetRuntime": _version(
        "version.set_runtime",
        backend="runtime.backend",
        interpreter="runtime.interpreter",
    ),
    "segint.v1.Models/CheckVersion": _version("version.check"),
    "segint.v1.Models/ActivateVersion": _version("version.activate", force="force"),
    "segint.v1.Models/RetireVersion": _version("version.retire"),
    "segint.v1.Models/SetDefaultVersion": _version("version.set_default", family="canonical_name"),
    "segint.v1.Models/WarmUp": _version("version.warm_up"),
    "segint.v1.Models/Unload": _version("version.unload"),
    "segint.v1.Access/CreateToken": Row(
        "token.create", "token", answer="token.id", facts={"name": "name", "scope": "scope"}
    ),
    "segint.v1.Access/ListTokens": Row("token.view", "token", When.READ, repeats=True),
    "segint.v1.Access/RevokeToken": Row("token.revoke", "token", request="id"),
    "segint.v1.Access/CreateUser": Row("user.create", "user", request="name", facts={"scope": "scope"}),
    "segint.v1.Access/ListUsers": Row("user.view", "user", When.READ, repeats=True),
    "segint.v1.Access/SetPassword": Row("user.set_password", "user", request="name"),
    "segint.v1.Access/DisableUser": Row("user.disable", "user", request="name"),
    "segint.v1.Access/EnableUser": Row("user.enable", "user", request="name"),
    "segint.v1.Operations/Backup": Row("backup.make", "backup", facts={"with_jobs": "with_jobs"}),
    "segint.v1.Audit/ListAudit": Row("audit.read", "audit", When.READ, facts={"page": "page_token"}),
    "segint.v1.Audit/VerifyAudit": Row("audit.verify", "audit", When.READ),
}

_PROGRESS = "progress says how far a job is and names no patient; the posting and the reading are recorded"
_MODELS = "describes models, which are no patient data, and changes nothing"
_FACTS = "the same words for everybody"

UNRECORDED: Mapping[str, str] = {
    "segint.v1.Segmentation/ListModels": _MODELS,
    "segint.v1.Segmentation/GetProgress": _PROGRESS,
    "segint.v1.Segmentation/WatchProgress": _PROGRESS,
    "segint.v1.Segmentation/WatchJobs": _PROGRESS,
    "segint.v1.Segmentation/Identify": "tells a caller who it is; a bad credential is recorded as refused",
    "segint.v1.Segmentation/GetCredits": _FACTS,
    "segint.v1.Segmentation/GetVendorStatus": _FACTS,
    "segint.v1.Segmentation/GetApiInformation": _FACTS,
    "segint.v1.Models/GetFamily": _MODELS,
    "segint.v1.Models/ListFamilies": _MODELS,
    "segint.v1.Models/ListFiles": _MODELS,
    "segint.v1.Models/ListBackends": _MODELS,
    "segint.v1.Models/GetStatistics": "counts and volumes over all jobs of a version, no job by itself",
    "segint.v1.Operations/GetFigures": "counts, asked for by monitoring every few seconds",
    "grpc.health.v1.Health/Check": _FACTS,
    "grpc.health.v1.Health/Watch": _FACTS,
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": _FACTS,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _FACTS,
}
"""RPC → why the audit log does not have it."""


def row_of(rpc: str) -> Row | None:
    """Return what `rpc` (`package.Service/Method`) is recorded as, None where it is not recorded.

    One that is in neither part of the table is recorded as a change under its own name.
    """
    if rpc in UNRECORDED:
        return None
    return RECORDED.get(rpc) or Row(rpc, "rpc")
