from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2 as v1alpha_pb2
from grpc_reflection.v1alpha import reflection_pb2_grpc as v1alpha_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from generated.grpc.reflection.v1 import reflection_pb2 as v1_pb2
from generated.grpc.reflection.v1.reflection_pb2 import ExtensionRequest, ServerReflectionRequest
from generated.grpc.reflection.v1.reflection_pb2_grpc import ServerReflectionStub
from generated.segint.v1 import models_pb2, segmentation_pb2
from segint_grpc.api.doors import bind_tcp, build_door
from segint_grpc.api.reflection import V1, V1ALPHA, Reflection, services
from tests.fakes.doorkeepers import Everybody

NAMES = ["segint.v1.Segmentation", "segint.v1.Models"]


@pytest.fixture
async def address() -> AsyncIterator[str]:
    server = build_door(services(NAMES), Everybody())
    address = bind_tcp(server, "127.0.0.1:0")
    await server.start()
    yield address
    await server.stop(None)


def ask(**question: object) -> v1_pb2.ServerReflectionResponse:
    return Reflection(NAMES).answer(ServerReflectionRequest(**question))  # type: ignore[arg-type]


def file_names(response: v1_pb2.ServerReflectionResponse) -> list[str]:
    files = response.file_descriptor_response.file_descriptor_proto
    return [descriptor_pb2.FileDescriptorProto.FromString(file).name for file in files]


def facts(file: descriptor_pb2.FileDescriptorProto) -> str:
    plain = descriptor_pb2.FileDescriptorProto(message_type=file.message_type, service=file.service)
    return str(plain).replace("v1alpha", "v1")


def test_the_v1_definition_is_v1alphas_to_the_number() -> None:
    v1, v1alpha = descriptor_pb2.FileDescriptorProto(), descriptor_pb2.FileDescriptorProto()
    v1_pb2.DESCRIPTOR.CopyToProto(v1)
    v1alpha_pb2.DESCRIPTOR.CopyToProto(v1alpha)
    for message in (*v1.message_type, *v1alpha.message_type):
        for field in message.field:
            field.ClearField("json_name")
    assert facts(v1) == facts(v1alpha)


async def test_a_v1_client_gets_answers_in_the_order_of_its_questions(address: str) -> None:
    questions = [
        ServerReflectionRequest(host="here", list_services=""),
        ServerReflectionRequest(file_containing_symbol="segint.v1.Models"),
    ]
    async with grpc.aio.insecure_channel(address) as channel:
        call = ServerReflectionStub(channel).ServerReflectionInfo(iter(questions))
        answers = [answer async for answer in call]
    assert [answer.original_request for answer in answers] == questions
    assert answers[0].valid_host == "here"
    listed = [service.name for service in answers[0].list_services_response.service]
    assert listed == sorted([*NAMES, V1, V1ALPHA])
    assert file_names(answers[1])[0] == models_pb2.DESCRIPTOR.name


async def test_a_v1alpha_client_gets_the_same(address: str) -> None:
    question = v1alpha_pb2.ServerReflectionRequest(list_services="")
    async with grpc.aio.insecure_channel(address) as channel:
        call = v1alpha_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([question]))
        answers = [answer async for answer in call]
    listed = [service.name for service in answers[0].list_services_response.service]
    assert listed == sorted([*NAMES, V1, V1ALPHA])


async def test_grpcs_own_reflection_client_builds_every_service_from_the_answers(address: str) -> None:
    def describe() -> dict[str, list[str]]:
        with grpc.insecure_channel(address) as channel:
            pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            found = [pool.FindServiceByName(name) for name in (*NAMES, V1, V1ALPHA)]
            return {service.full_name: sorted(service.methods_by_name) for service in found}

    described = await asyncio.to_thread(describe)
    assert described["segint.v1.Models"] == sorted(
        models_pb2.DESCRIPTOR.services_by_name["Models"].methods_by_name
    )
    assert described["segint.v1.Segmentation"] == sorted(
        segmentation_pb2.DESCRIPTOR.services_by_name["Segmentation"].methods_by_name
    )


def test_a_file_comes_with_all_that_it_imports_and_each_once() -> None:
    names = file_names(ask(file_by_filename="segint/v1/segmentation.proto"))
    assert names[0] == "segint/v1/segmentation.proto"
    assert {"radiomics/Model.proto", "segint/v1/job.proto", "google/protobuf/timestamp.proto"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("symbol", ["segint.v1.Models", "segint.v1.Models.SetRuntime", "segint.v1.Runtime"])
def test_a_service_a_method_and_a_message_lead_to_their_file(symbol: str) -> None:
    assert file_names(ask(file_containing_symbol=symbol))[0] == "segint/v1/models.proto"


@pytest.mark.parametrize(
    "question",
    [
        {"file_by_filename": "nothing.proto"},
        {"file_containing_symbol": "segint.v1.Nothing"},
        {"file_containing_symbol": "segint.v1.Models.Nothing"},
        {"file_containing_extension": ExtensionRequest(containing_type="segint.v1.Runtime")},
        {"file_containing_extension": ExtensionRequest(containing_type="segint.v1.Nothing")},
        {"all_extension_numbers_of_type": "segint.v1.Nothing"},
    ],
)
def test_what_is_not_there_is_told_as_not_found(question: dict[str, object]) -> None:
    assert ask(**question).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("name", ["BadRequest", "ErrorInfo", "RequestInfo", "ResourceInfo", "RetryInfo"])
def test_what_errors_carry_as_details_can_be_looked_up(name: str) -> None:
    assert "google/rpc/error_details.proto" in file_names(ask(file_containing_symbol=f"google.rpc.{name}"))


def test_a_message_without_extensions_has_no_extension_numbers() -> None:
    answer = ask(all_extension_numbers_of_type="segint.v1.Runtime").all_extension_numbers_response
    assert answer.base_type_name == "segint.v1.Runtime"
    assert list(answer.extension_number) == []


def test_a_question_for_nothing_is_an_invalid_argument() -> None:
    assert ask().error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
