"""JSON Schemas of protobuf messages in the proto3 JSON mapping, made from their descriptors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_TIMESTAMP = "google.protobuf.Timestamp"
_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "minimum": 0},
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer"},
}


def name_of(descriptor: Any) -> str:
    """Return the name under which a message's schema stands among the components."""
    return str(descriptor.full_name).rpartition(".")[2]


def schemas_of(kinds: Iterable[type[Message]]) -> dict[str, Any]:
    """Return the schemas of `kinds` and of every message within them, by `name_of`."""
    schemas: dict[str, Any] = {}
    waiting = [cast(Descriptor, kind.DESCRIPTOR) for kind in kinds]
    while waiting:
        descriptor = waiting.pop()
        if name_of(descriptor) not in schemas:
            schemas[name_of(descriptor)] = _schema(descriptor)
            waiting.extend(_inner(descriptor))
    return dict(sorted(schemas.items()))


def _inner(descriptor: Descriptor) -> Iterable[Descriptor]:
    types = (field.message_type for field in descriptor.fields)
    return [kind for kind in types if kind is not None and kind.full_name != _TIMESTAMP]


def _schema(descriptor: Descriptor) -> dict[str, Any]:
    return {"type": "object", "properties": {field.name: _field(field) for field in descriptor.fields}}


def _field(field: FieldDescriptor) -> dict[str, Any]:
    single = _single(field)
    return {"type": "array", "items": single} if field.is_repeated else single


def _single(field: FieldDescriptor) -> dict[str, Any]:
    if field.message_type is not None and field.message_type.full_name == _TIMESTAMP:
        return {"type": "string", "format": "date-time"}
    if field.message_type is not None:
        return {"$ref": f"#/components/schemas/{name_of(field.message_type)}"}
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    if field.type == FieldDescriptor.TYPE_BYTES:
        return {"type": "string", "contentEncoding": "base64"}
    return _SCALARS[field.cpp_type]
