"""The wire contract: compiled messages against the recorded facts, committed code against its sources."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

from generated.radiomics import Model_pb2, Primitives3D_pb2

ROOT = Path(__file__).parents[2]
FACTS = json.loads((ROOT / "tests" / "data" / "radiomics_messages.json").read_text())
FILES: dict[str, FileDescriptor] = {
    "Model.proto": Model_pb2.DESCRIPTOR,
    "Primitives3D.proto": Primitives3D_pb2.DESCRIPTOR,
}
SCALARS = {
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
}


def messages() -> dict[str, tuple[str, Descriptor]]:
    def within(prefix: str, file: str, message: Descriptor) -> Iterator[tuple[str, tuple[str, Descriptor]]]:
        name = prefix + message.name
        yield name, (file, message)
        for nested in message.nested_types:
            yield from within(f"{name}.", file, nested)

    return {
        name: found
        for file, descriptor in FILES.items()
        for message in descriptor.message_types_by_name.values()
        for name, found in within("", file, message)
    }


def enums() -> dict[str, tuple[str, EnumDescriptor]]:
    nested = {
        f"{name}.{enum.name}": (file, enum)
        for name, (file, message) in messages().items()
        for enum in message.enum_types
    }
    top = {
        enum.name: (file, enum)
        for file, descriptor in FILES.items()
        for enum in descriptor.enum_types_by_name.values()
    }
    return nested | top


def type_of(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return str(field.message_type.full_name)
    return str(field.enum_type.full_name) if field.enum_type is not None else SCALARS[field.type]


def facts_of(field: FieldDescriptor) -> dict[str, Any]:
    return {
        "number": field.number,
        "name": field.name,
        "type": type_of(field),
        "repeated": bool(field.is_repeated),
    }


def test_there_are_29_messages_and_10_enums_and_no_others() -> None:
    assert set(messages()) == set(FACTS["messages"])
    assert set(enums()) == set(FACTS["enums"])
    assert (len(messages()), len(enums())) == (29, 10)


@pytest.mark.parametrize("name", FACTS["messages"])
def test_a_message_is_the_recorded_one(name: str) -> None:
    file, message = messages()[name]
    fields = sorted((facts_of(field) for field in message.fields), key=lambda facts: facts["number"])
    expected = FACTS["messages"][name]
    assert file == expected["file"]
    assert fields == sorted(expected["fields"], key=lambda facts: facts["number"])
    assert not message.oneofs


@pytest.mark.parametrize("name", FACTS["enums"])
def test_an_enum_is_the_recorded_one(name: str) -> None:
    file, enum = enums()[name]
    expected = FACTS["enums"][name]
    assert file == expected["file"]
    assert {value.name: value.number for value in enum.values} == expected["values"]


@pytest.mark.parametrize("file", FILES)
def test_package_and_options_are_the_recorded_ones(file: str) -> None:
    assert FILES[file].package == FACTS["package"]
    options = {option.name: value for option, value in FILES[file].GetOptions().ListFields()}
    assert options == FACTS["options"]
    assert f'syntax = "{FACTS["syntax"]}";' in (ROOT / "protos" / "radiomics" / file).read_text()


def test_the_committed_code_is_what_the_generator_makes(tmp_path: Path) -> None:
    generator = ROOT / "scripts" / "generate_protos.py"
    subprocess.run([sys.executable, str(generator), "--out", str(tmp_path)], check=True, cwd=ROOT)
    assert contents(ROOT / "generated") == contents(tmp_path)


def contents(folder: Path) -> dict[str, str]:
    paths = (path for pattern in ("*.py", "*.pyi") for path in folder.rglob(pattern))
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def test_generated_code_imports_no_module_that_others_may_bring() -> None:
    allowed = {"generated", "google", "grpc", "collections", "typing", "abc", "datetime", "sys", "warnings"}
    for path in (ROOT / "generated").rglob("*.py*"):
        if path.suffix in (".py", ".pyi"):
            assert roots_imported(path) <= allowed, path


def roots_imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add("generated" if node.level else (node.module or "").partition(".")[0])
    return found - {"builtins", "__future__", "typing_extensions"}


def test_it_lives_beside_pyradiomics_and_other_softwares_model_proto(tmp_path: Path) -> None:
    (tmp_path / "radiomics.py").write_text("theirs = True\n")
    program = """
from google.protobuf import descriptor_pb2, descriptor_pool
for name in ("Model.proto", "Primitives3D.proto"):
    file = descriptor_pb2.FileDescriptorProto(name=name, package="theirs." + name[:5], syntax="proto3")
    file.message_type.add(name="Model")
    descriptor_pool.Default().Add(file)
import radiomics
from generated.radiomics import Model_pb2, Primitives3D_pb2
from generated.segint.v1 import models_pb2_grpc, segmentation_pb2_grpc
assert radiomics.theirs and Model_pb2.ModelInput.DESCRIPTOR.full_name == "Radiomics.ModelInput"
"""
    paths = f"{tmp_path}:{ROOT}"
    subprocess.run([sys.executable, "-W", "error", "-c", program], env={"PYTHONPATH": paths}, check=True)
