"""Who may call what: every RPC and every route, by every credential, over real sockets.

The rows are written out here once more, so that a change in the server's own tables shows. An RPC or a route
without a row fails.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.protobuf import message_factory
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2 as v1alpha_pb2

from generated.grpc.reflection.v1 import reflection_pb2
from generated.radiomics import Model_pb2
from generated.segint.v1 import (
    access_pb2,
    audit_pb2,
    jobs_pb2,
    models_pb2,
    operations_pb2,
    segmentation_pb2,
)
from http_gateway.routes import ROUTES
from segint_grpc.client.access import Access
from segint_grpc.home import Home
from tests.acceptance.serving import Server, serving
from tests.fakes.core_bench import SAMPLE, scan
from tests.fakes.wires import WIRES, Wire

PATIENCE_S = 20
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
OPEN, CLIENT, OPERATOR, ADMIN = range(4)
"""What a row asks for: nothing, or a scope."""

RPCS: dict[str, int] = {
    "segint.v1.Segmentation/ListModels": CLIENT,
    "segint.v1.Segmentation/Submit": CLIENT,
    "segint.v1.Segmentation/GetProgress": CLIENT,
    "segint.v1.Segmentation/WatchProgress": CLIENT,
    "segint.v1.Segmentation/WatchJobs": OPERATOR,
    "segint.v1.Segmentation/GetResult": CLIENT,
    "segint.v1.Segmentation/Cancel": CLIENT,
    "segint.v1.Segmentation/SendFeedback": CLIENT,
    "segint.v1.Segmentation/SendTelemetry": CLIENT,
    "segint.v1.Segmentation/GetCredits": CLIENT,
    "segint.v1.Segmentation/GetVendorStatus": CLIENT,
    "segint.v1.Segmentation/GetApiInformation": CLIENT,
    "segint.v1.Segmentation/Identify": CLIENT,
    "segint.v1.Operations/GetFigures": OPERATOR,
    "segint.v1.Operations/Backup": ADMIN,
    "segint.v1.Audit/ListAudit": ADMIN,
    "segint.v1.Audit/VerifyAudit": ADMIN,
    "segint.v1.Jobs/ListJobs": OPERATOR,
    "segint.v1.Jobs/GetJob": OPERATOR,
    "segint.v1.Jobs/FollowJobs": OPERATOR,
    "segint.v1.Jobs/CancelJob": OPERATOR,
    "segint.v1.Jobs/RetryJob": OPERATOR,
    "segint.v1.Jobs/DeleteJob": OPERATOR,
    "segint.v1.Jobs/GetInput": OPERATOR,
    "segint.v1.Jobs/ListFeedback": OPERATOR,
    "segint.v1.Jobs/ListTelemetry": OPERATOR,
    "segint.v1.Models/ListFamilies": OPERATOR,
    "segint.v1.Models/GetFamily": OPERATOR,
    "segint.v1.Models/ListFiles": OPERATOR,
    "segint.v1.Models/ListBackends": OPERATOR,
    "segint.v1.Models/GetStatistics": OPERATOR,
    "segint.v1.Models/WarmUp": OPERATOR,
    "segint.v1.Models/Unload": OPERATOR,
    "segint.v1.Models/ImportFamily": ADMIN,
    "segint.v1.Models/CreateFamily": ADMIN,
    "segint.v1.Models/UpdateFamily": ADMIN,
    "segint.v1.Models/RemoveFamily": ADMIN,
    "segint.v1.Models/UploadFile": ADMIN,
    "segint.v1.Models/DownloadFile": ADMIN,
    "segint.v1.Models/AdoptFile": ADMIN,
    "segint.v1.Models/ApproveFile": ADMIN,
    "segint.v1.Models/SetRuntime": ADMIN,
    "segint.v1.Models/CheckVersion": ADMIN,
    "segint.v1.Models/ActivateVersion": ADMIN,
    "segint.v1.Models/RetireVersion": ADMIN,
    "segint.v1.Models/SetDefaultVersion": ADMIN,
    "segint.v1.Access/CreateToken": ADMIN,
    "segint.v1.Access/ListTokens": ADMIN,
    "segint.v1.Access/RevokeToken": ADMIN,
    "segint.v1.Access/CreateUser": ADMIN,
    "segint.v1.Access/ListUsers": ADMIN,
    "segint.v1.Access/SetPassword": ADMIN,
    "segint.v1.Access/DisableUser": ADMIN,
    "segint.v1.Access/EnableUser": ADMIN,
    "grpc.health.v1.Health/Check": OPEN,
    "grpc.health.v1.Health/Watch": OPEN,
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": OPEN,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": OPEN,
}

_JOB = "/api/v2/Model/{model}/segmentation/{id}"
HTTP: dict[tuple[str, str], int] = {
    ("GET", "/ping"): CLIENT,
    ("GET", "/api/ping"): CLIENT,
    ("GET", "/api/v2/Credits"): CLIENT,
    ("GET", "/api/v2/VendorStatus"): CLIENT,
    ("GET", "/api/v2/Model/"): CLIENT,
    ("POST", "/api/v2/Model/{model}/segmentation"): CLIENT,
    ("GET", _JOB): CLIENT,
    ("DELETE", _JOB): CLIENT,
    ("GET", f"{_JOB}/result"): CLIENT,
    ("GET", f"{_JOB}/events"): CLIENT,
    ("POST", "/api/v2/Feedback/segmentation"): CLIENT,
    ("POST", "/api/v2/Telemetry/segmentation"): CLIENT,
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/metrics"): OPEN,
    ("GET", "/openapi.json"): OPEN,
}

OF_A_JOB = [
    method.name
    for method in segmentation_pb2.DESCRIPTOR.services_by_name["Segmentation"].methods
    if "segmentation_id" in method.input_type.fields_by_name
]
"""The RPCs of Segmentation that name a job."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: Message
    body: bytes

    @property
    def refusal(self) -> Model_pb2.BadRequestResponse:
        return Model_pb2.BadRequestResponse.FromString(self.body)


@dataclass(frozen=True)
class Desk:
    """A server in the client mode `token`, a token of every kind, and a job of the client's."""

    server: Server
    wire: Wire
    channel: grpc.Channel
    credentials: dict[str, tuple[str | None, int]]
    """By name: what is shown as the authorization, and how far that reaches."""
    job_id: str

    def authorization(self, name: str) -> str | None:
        return self.credentials[name][0]

    def call(self, rpc: str, name: str, request: bytes = b"") -> tuple[str, str]:
        """Return the status and the sentence of an RPC, OK once its first answer is there."""
        shown = self.authorization(name)
        metadata = () if shown is None else (("authorization", shown),)
        answers: Any = self.channel.stream_stream(f"/{rpc}")(
            iter([request]), metadata=metadata, timeout=PATIENCE_S
        )
        try:
            next(answers, None)
            return "OK", ""
        except grpc.RpcError as error:
            return error.code().name, error.details() or ""
        finally:
            answers.cancel()

    def ask(self, method: str, path: str, name: str, body: bytes = b"") -> Answer:
        """Return the answer to an HTTP request; of one that never ends, its beginning."""
        shown = self.authorization(name)
        headers = {"Content-Type": "application/x-protobuf", **({"Authorization": shown} if shown else {})}
        with closing(self.wire.connection(self.server)) as connection:
            connection.timeout = PATIENCE_S
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())


@pytest.fixture(scope="module", params=WIRES, ids=lambda wire: wire.__name__)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp(request.param.__name__)
    wire, home = request.param(folder / "certificates"), folder / "home"
    settings = {"client_mode": "token", "bad_tokens_max": 1_000_000, **wire.settings}
    with serving(home, **settings) as server, wire.channel(server.grpc) as channel:
        made = tokens(Home(home))
        credentials = {
            "no credential": (None, OPEN),
            "malformed": ("Bearer of bad news", OPEN),
            "another scheme": ("Basic c2VnaW50OnNlZ2ludA==", OPEN),
            "unknown": (f"Bearer segint_aaaaaaaa_{'b' * 43}", OPEN),
            "expired": (f"Bearer {made['expired']}", OPEN),
            "revoked": (f"Bearer {made['revoked']}", OPEN),
            "client": (f"Bearer {made['client']}", CLIENT),
            "another client": (f"bearer {made['another']}", CLIENT),
            "operator": (f"Bearer {made['operator']}", OPERATOR),
            "admin": (f"Bearer {made['admin']}", ADMIN),
        }
        desk = Desk(server, wire, channel, credentials, "")
        posted = desk.ask(
            "POST", f"/api/v2/Model/{quote(SAMPLE)}/segmentation", "client", scan(channel_id="1")
        )
        job_id = Model_pb2.SegmentationTask.FromString(posted.body).SegmentationID
        yield Desk(server, wire, channel, credentials, job_id)


def tokens(home: Home) -> dict[str, str]:
    """Make a token of every kind; the one that expires has done so."""
    with Access(home) as access:
        soon = datetime.now(UTC) + timedelta(seconds=1)
        expired = access.create_token("expired", "admin", soon)
        revoked = access.create_token("revoked", "admin")
        access.revoke_token(revoked.token.id)
        made = {name: access.create_token(name, name).secret for name in ("client", "operator", "admin")}
        made["another"] = access.create_token("another", "client").secret
        give_up = time.monotonic() + PATIENCE_S
        while any(token.valid and token.id == expired.token.id for token in access.tokens()):
            assert time.monotonic() < give_up
    return {**made, "expired": expired.secret, "revoked": revoked.secret}


def served() -> set[str]:
    """Return every RPC that is described."""
    files = (access_pb2, audit_pb2, jobs_pb2, models_pb2, operations_pb2, segmentation_pb2)
    described = (*files, health_pb2, reflection_pb2, v1alpha_pb2)
    services = [service for file in described for service in file.DESCRIPTOR.services_by_name.values()]
    return {f"{service.full_name}/{method.name}" for service in services for method in service.methods}


def test_every_rpc_has_a_row() -> None:
    assert served() == set(RPCS)


def test_every_service_that_answers_has_its_rows(desk: Desk) -> None:
    ask = desk.channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(iter(ask(iter([question]), timeout=PATIENCE_S)))
    listed = {service.name for service in answer.list_services_response.service}
    assert listed == {rpc.partition("/")[0] for rpc in RPCS}


def test_every_route_has_a_row() -> None:
    assert {(route.method, route.path) for route in ROUTES} == set(HTTP)


@pytest.mark.parametrize("rpc", RPCS)
def test_an_rpc_answers_whom_it_should_and_nobody_else(desk: Desk, rpc: str) -> None:
    needed = RPCS[rpc]
    for name, (_, scope) in desk.credentials.items():
        code, details = desk.call(rpc, name)
        if scope >= needed:
            assert code not in ("UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"), (name, details)
        elif scope == OPEN:
            assert code == "UNAUTHENTICATED", name
            assert "segint token create" in details
        else:
            assert code == "PERMISSION_DENIED", name
            assert "operator" in details if needed == OPERATOR else "admin" in details


def test_of_a_bad_credential_nobody_learns_what_is_wrong_with_it(desk: Desk) -> None:
    told = {
        desk.call("segint.v1.Models/ListFamilies", name)[1]
        for name, (_, scope) in desk.credentials.items()
        if scope == OPEN
    }
    assert len(told) == 1


@pytest.mark.parametrize("route", HTTP, ids=" ".join)
def test_a_route_answers_whom_it_should_and_nobody_else(desk: Desk, route: tuple[str, str]) -> None:
    method, path = route
    path = path.replace("{model}", quote(SAMPLE)).replace("{id}", UNKNOWN_ID)
    for name, (_, scope) in desk.credentials.items():
        answer = desk.ask(method, path, name)
        if scope >= HTTP[route]:
            assert answer.status in (200, 400, 503), name
        else:
            assert answer.status == 401, name
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.refusal.ErrorMessage == "Invalid request."
            assert "segint token create" in answer.refusal.ExceptionDetails


@pytest.mark.parametrize("rpc", OF_A_JOB)
def test_over_grpc_anothers_job_is_as_unknown_as_one_that_never_was(desk: Desk, rpc: str) -> None:
    request = _request(rpc, desk.job_id)
    unknown = desk.call(f"segint.v1.Segmentation/{rpc}", "another client", _request(rpc, UNKNOWN_ID))
    assert unknown[0] == "NOT_FOUND"
    assert desk.call(f"segint.v1.Segmentation/{rpc}", "another client", request) == unknown
    if rpc != "Cancel":
        for name in ("client", "operator", "admin"):
            assert desk.call(f"segint.v1.Segmentation/{rpc}", name, request)[0] in (
                "OK",
                "FAILED_PRECONDITION",
            )


@pytest.mark.parametrize(
    ("method", "tail"), [("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")]
)
def test_over_http_anothers_job_is_as_unknown_as_one_that_never_was(
    desk: Desk, method: str, tail: str
) -> None:
    def told(job_id: str) -> tuple[int, str]:
        answer = desk.ask(method, job_path(job_id, tail), "another client")
        return answer.status, answer.refusal.ExceptionDetails.partition(" (request id")[0]

    assert told(desk.job_id) == told(UNKNOWN_ID) == (400, "The segmentation does not exist.")


def test_a_poll_is_answered_to_the_owner_and_to_operators(desk: Desk) -> None:
    for name in ("client", "operator", "admin", "client"):
        assert desk.ask("GET", job_path(desk.job_id), name).status == 200


def test_feedback_on_anothers_job_is_linked_to_none(desk: Desk) -> None:
    body = Model_pb2.SegmentationFeedback(SegmentationID=desk.job_id, GeneralComments="not mine")
    for name in ("another client", "client"):
        answer = desk.ask("POST", "/api/v2/Feedback/segmentation", name, body.SerializeToString())
        assert answer.body == b"POST successful."
    kept = json.loads(desk.server.segint("job", "feedback", "--json"))
    linked = [one["model_id"] for one in kept if one["segmentation_id"] == desk.job_id]
    assert linked == [SAMPLE, None]


def job_path(job_id: str, tail: str = "") -> str:
    return f"/api/v2/Model/{quote(SAMPLE)}/segmentation/{job_id}{tail}".rstrip("/")


def _request(rpc: str, job_id: str) -> bytes:
    service = segmentation_pb2.DESCRIPTOR.services_by_name["Segmentation"]
    kind = message_factory.GetMessageClass(service.methods_by_name[rpc].input_type)
    return bytes(kind(segmentation_id=job_id).SerializeToString())
