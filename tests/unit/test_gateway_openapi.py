from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format

from generated.radiomics import Model_pb2
from http_gateway.openapi import describe
from http_gateway.routes import ROUTES
from tests.fakes.core import sample_family

DOCUMENT: dict[str, Any] = json.loads(describe(ROUTES))
SCHEMAS = DOCUMENT["components"]["schemas"]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from references(value)
    if isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_described(route: Any) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    assert operation["summary"] == route.summary
    assert operation["responses"]["200"]["content"]
    assert operation["responses"]["default"] == {"$ref": "#/components/responses/Error"}
    assert ("requestBody" in operation) is (route.method == "POST")
    names = [parameter["name"] for parameter in operation.get("parameters", [])]
    assert names == re.findall(r"{(\w+)}", route.path)
    assert all(
        parameter["in"] == "path" and parameter["required"] for parameter in operation.get("parameters", [])
    )


def test_nothing_else_is_described() -> None:
    described = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
    assert described == {(route.method, route.path) for route in ROUTES}


def test_the_document_has_the_required_parts_of_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["info"]["title"]
    assert DOCUMENT["info"]["version"]
    for path, item in DOCUMENT["paths"].items():
        assert path.startswith("/")
        for operation in item.values():
            for response in operation["responses"].values():
                assert "$ref" in response or response["description"]


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids)) == len(ROUTES)


def test_every_reference_leads_somewhere() -> None:
    targets = set(references(DOCUMENT))
    assert "#/components/schemas/BadRequestResponse" in targets
    for target in targets:
        node = DOCUMENT
        for part in target.removeprefix("#/").split("/"):
            node = node[part]


def conforms(value: Any, schema: dict[str, Any]) -> bool:
    """Check the part of JSON Schema that the document uses."""
    if "$ref" in schema:
        return conforms(value, SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if "enum" in schema and value not in schema["enum"]:
        return False
    if schema["type"] == "object":
        properties = schema["properties"]
        return value.keys() <= properties.keys() and all(conforms(v, properties[k]) for k, v in value.items())
    if schema["type"] == "array":
        return all(conforms(item, schema["items"]) for item in value)
    kinds = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
    return isinstance(value, kinds[schema["type"]])


def test_the_schemas_describe_what_json_answers_look_like() -> None:
    output = Model_pb2.ModelOutput(ModelID="m", Channels=[Model_pb2.ModelOutputChannel()])
    output.Channels[0].Volume.Data = b"\1"
    output.Channels[0].Volume.DataType = 1
    for message in (
        Model_pb2.ModelsCollection(Models=[sample_family()]),
        Model_pb2.Credits(TotalCredits=100000, DisplayCreditsWarning=True),
        Model_pb2.SegmentationProgress(Progress=5, ErrorCode=3),
        output,
    ):
        as_json = json_format.MessageToDict(message, preserving_proto_field_name=True)
        assert conforms(as_json, SCHEMAS[message.DESCRIPTOR.name])
    assert not conforms({"Nonsense": 1}, SCHEMAS["Credits"])


def test_fields_of_every_kind_have_a_schema() -> None:
    assert SCHEMAS["VolumeData3D"]["properties"]["Data"] == {"type": "string", "contentEncoding": "base64"}
    assert SCHEMAS["SegmentationTask"]["properties"]["StartTime"]["format"] == "date-time"
    assert SCHEMAS["SegmentationProgress"]["properties"]["ErrorCode"]["enum"][0] == "None"
