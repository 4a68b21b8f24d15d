"""Reads and writes the tables of a manifest that are segint.v1.ScanHandling: the message is their schema.

A key is a field's name and an enum's value its name in lower case without the prefix, so a field that is
added to the message can be written at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.domain import handling as rules
from segint_grpc.packaging.fields import Fields

TABLES = tuple(ScanHandling.DESCRIPTOR.fields_by_name)
"""The tables of a version that belong to its handling: input, inference, output, limits."""

Table = tuple[str, list[tuple[str, Any]], bool]
"""A header's name below the version, its rows, and whether it is an element of a list."""

_NUMBERS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_UINT32)


def read_handling(
    fields: Fields, channel_ids: Sequence[str], structure_ids: Sequence[str]
) -> ScanHandling | None:
    """Return what a version's tables say of its handling, None where they say nothing."""
    handling = ScanHandling()
    for name in TABLES:
        if fields.has(name):
            _read_field(fields, handling, ScanHandling.DESCRIPTOR.fields_by_name[name])
    if not handling.ListFields():
        return None
    for path, sentence in rules.problems(handling, channel_ids, structure_ids):
        fields.wrong_at(path, sentence)
    return handling


def write_handling(handling: ScanHandling) -> Iterator[Table]:
    """Yield the tables that say `handling`."""
    for name in TABLES:
        if handling.HasField(name):
            yield from _tables(name, getattr(handling, name), False)


def enum_names(kind: EnumDescriptor) -> list[str]:
    """Return what a manifest calls the values of `kind`, the unspecified one aside."""
    return [_word(kind, value.name) for value in kind.values if value.number]


def _word(kind: EnumDescriptor, name: str) -> str:
    prefix = "".join(f"_{letter}" if letter.isupper() else letter for letter in kind.name).upper()
    return name.removeprefix(f"{prefix.strip('_')}_").lower()


def _read_message(fields: Fields, made: Message) -> None:
    # A table that is there says something even where it holds nothing.
    made.SetInParent()
    for field in made.DESCRIPTOR.fields:
        if fields.has(field.name):
            _read_field(fields, made, field)
        else:
            fields.value(field.name)


def _read_field(fields: Fields, made: Any, field: Any) -> None:
    if field.message_type is not None:
        _read_table(fields, made, field)
    elif field.is_repeated:
        getattr(made, field.name).extend(_values(fields, field))
    else:
        setattr(made, field.name, _value(fields, field))


def _read_table(fields: Fields, made: Any, field: FieldDescriptor) -> None:
    target = getattr(made, field.name)
    if field.is_repeated:
        fields.tables(field.name, lambda table: _read_message(table, target.add()))
    else:
        fields.table(field.name, lambda table: _read_message(table, target))


def _value(fields: Fields, field: FieldDescriptor) -> Any:
    name, kind = field.name, field.cpp_type
    if field.enum_type is not None:
        names = enum_names(field.enum_type)
        chosen = fields.one_of(name, names, "")
        return names.index(chosen) + 1 if chosen else 0
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return fields.boolean(name, False)
    if kind == FieldDescriptor.CPPTYPE_DOUBLE:
        return fields.any_number(name, 0.0)
    if kind in (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64):
        return fields.whole(name, 0, 2**32 - 1 if kind == FieldDescriptor.CPPTYPE_UINT32 else 2**53)
    return fields.text(name, "")


def _values(fields: Fields, field: FieldDescriptor) -> list[Any]:
    if field.enum_type is not None:
        names = enum_names(field.enum_type)
        return [names.index(chosen) + 1 for chosen in fields.some_of(field.name, names, ())]
    if field.cpp_type in _NUMBERS:
        whole = field.cpp_type == FieldDescriptor.CPPTYPE_UINT32
        return fields.list_of_numbers(field.name, whole=whole)
    return fields.texts(field.name, ())


def _tables(path: str, message: Message, listed: bool) -> Iterator[Table]:
    inner: list[Table] = []
    rows: list[tuple[str, Any]] = []
    for field, value in message.ListFields():
        if field.message_type is None:
            rows.append((field.name, _written(field, value)))
        else:
            for item in value if field.is_repeated else [value]:
                inner.extend(_tables(f"{path}.{field.name}", item, field.is_repeated))
    yield path, rows, listed
    yield from inner


def _written(field: FieldDescriptor, value: Any) -> Any:
    if field.is_repeated:
        return [_plain(field, item) for item in value]
    return _plain(field, value)


def _plain(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type is None:
        return value
    return _word(field.enum_type, field.enum_type.values_by_number[value].name)
