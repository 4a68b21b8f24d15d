"""Every RPC is either recorded in the audit log, or has a reason why not."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2

from generated.grpc.reflection.v1 import reflection_pb2
from generated.segint import v1
from generated.segint.v1 import access_pb2, audit_pb2, models_pb2
from segint_grpc.api.audit_rows import RECORDED, UNRECORDED, Row, When, row_of
from segint_grpc.api.auditing import text_at
from tests.unit.rpcs import every_service

FOREIGN: list[ServiceDescriptor] = [
    *health_pb2.DESCRIPTOR.services_by_name.values(),
    *reflection_pb2.DESCRIPTOR.services_by_name.values(),
]
METHODS: dict[str, MethodDescriptor] = {
    f"{service.full_name}/{method.name}": method
    for service in [*every_service(v1), *FOREIGN]
    for method in service.methods
}


def field_at(message: Descriptor, path: str) -> FieldDescriptor:
    first, *rest = path.split(".")
    field: FieldDescriptor = message.fields_by_name[first]
    return field_at(field.message_type, ".".join(rest)) if rest else field


def test_all_services_are_looked_at() -> None:
    assert "segint.v1.Audit/ListAudit" in METHODS
    assert audit_pb2.DESCRIPTOR.services_by_name["Audit"].full_name == "segint.v1.Audit"


@pytest.mark.parametrize("rpc", METHODS)
def test_every_rpc_is_recorded_or_has_a_reason_why_not(rpc: str) -> None:
    assert (rpc in RECORDED) != (rpc in UNRECORDED), f"{rpc} has no row in api/audit_rows.py"


def test_the_table_names_no_rpc_that_is_not_there() -> None:
    known = {*METHODS, "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}
    assert not {*RECORDED, *UNRECORDED} - known


@pytest.mark.parametrize("rpc", RECORDED)
def test_the_paths_of_a_row_are_fields_of_its_messages(rpc: str) -> None:
    row, method = RECORDED[rpc], METHODS[rpc]
    for path in filter(None, (row.request, *row.facts.values())):
        assert isinstance(field_at(method.input_type, path), FieldDescriptor)
    if row.answer:
        assert isinstance(field_at(method.output_type, row.answer), FieldDescriptor)


def test_an_rpc_without_a_row_is_recorded_all_the_same() -> None:
    assert row_of("segint.v1.Models/Explode") == Row("segint.v1.Models/Explode", "rpc", When.CHANGE)
    assert row_of("segint.v1.Segmentation/GetProgress") is None


def test_a_fact_is_told_in_words() -> None:
    asked = access_pb2.CreateTokenRequest(name="console", scope=access_pb2.SCOPE_OPERATOR)
    assert text_at(asked, "scope") == "SCOPE_OPERATOR"
    assert text_at(access_pb2.CreateTokenRequest(scope=99), "scope") == "99"
    assert text_at(access_pb2.CreateTokenResponse(token={"id": "5"}), "token.id") == "5"
    assert text_at(models_pb2.ActivateVersionRequest(force=True), "force") == "yes"
    for nothing in (
        text_at(asked, ""),
        text_at(None, "name"),
        text_at(models_pb2.ActivateVersionRequest(), "force"),
    ):
        assert nothing == ""
