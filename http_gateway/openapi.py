"""/openapi.json: the route table as an OpenAPI 3.1 document; messages in their proto3 JSON mapping."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from generated.radiomics import Model_pb2
from http_gateway.negotiation import JSON, PROTOBUF
from http_gateway.routing import Route
from http_gateway.schemas import name_of, schemas_of

_PARAMETERS = {
    "model": "A ModelVersion's ID, percent-encoded where it holds spaces.",
    "id": "A SegmentationID; upper case and without dashes are fine too.",
}
_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
_REQUEST_ID = {"description": "Names the request in the server's logs.", "schema": {"type": "string"}}
_HEADERS = {"X-Request-Id": _REQUEST_ID}


def describe(routes: Iterable[Route]) -> bytes:
    """Return the document of `routes` as UTF-8 JSON."""
    routes = tuple(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "SegInt",
            "version": "2",
            "description": "Segmentation of radiotherapy scans. Fixed parts of paths match in any case, with "
            "and without a slash at the end. For research; not a medical device.",
        },
        "paths": paths,
        "components": {"schemas": schemas_of(_messages(routes)), "responses": {"Error": _error()}},
    }
    return json.dumps(document).encode()


def _messages(routes: Iterable[Route]) -> Iterable[type[Message]]:
    yield Model_pb2.BadRequestResponse
    for route in routes:
        kinds = (route.answer, route.body)
        yield from (kind for kind in kinds if kind is not None and not isinstance(kind, str))


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{route.method} {route.path}").strip("_").lower(),
        "summary": route.summary,
        "responses": {"200": _answer(route.answer), "default": {"$ref": "#/components/responses/Error"}},
    }
    names = re.findall(r"{(\w+)}", route.path)
    if names:
        operation["parameters"] = [_parameter(name) for name in names]
    if route.body is not None:
        description = f"A serialized {route.body.DESCRIPTOR.full_name}; Content-Encoding gzip is understood."
        operation["requestBody"] = {
            "required": True,
            "description": description,
            "content": {PROTOBUF: {"schema": _BINARY}},
        }
    return operation


def _parameter(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _PARAMETERS[name],
        "schema": {"type": "string"},
    }


def _answer(answer: type[Message] | str) -> dict[str, Any]:
    if isinstance(answer, str):
        kind = "object" if answer == JSON else "string"
        return {
            "description": "Done.",
            "headers": _HEADERS,
            "content": {answer: {"schema": {"type": kind}}},
        }
    return {
        "description": f"A {answer.DESCRIPTOR.full_name}.",
        "headers": _HEADERS,
        "content": _content(answer),
    }


def _content(kind: type[Message]) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{name_of(kind.DESCRIPTOR)}"}
    return {PROTOBUF: {"schema": _BINARY}, JSON: {"schema": reference}}


def _error() -> dict[str, Any]:
    return {
        "description": "ExceptionDetails says what was wrong; ErrorMessage is `Invalid request.` on any 4xx.",
        "headers": _HEADERS,
        "content": _content(Model_pb2.BadRequestResponse),
    }
