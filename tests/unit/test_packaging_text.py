from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from generated.radiomics.Model_pb2 import ModelConstraints, ModelFamily, RegulatoryFramework, Structure
from segint_grpc import errors
from segint_grpc.packaging.example import Answers, structure_ids, write_example
from segint_grpc.packaging.manifest import MANIFEST, RuntimeEntry, read_manifest
from segint_grpc.packaging.manifest_text import says_all, write_manifest, write_manifest_beside
from tests.families import a_family
from tests.unit.test_packaging_manifest import FULL

PARAMETERS = {"n": 1, "odd key": [1.5, {"x": 'quo"te\n\x7f'}]}
RUNTIME = RuntimeEntry("pytorch", "a.pt", "b.py", "Net", PARAMETERS, "scan.pb")
TWO_CHANNELS = RuntimeEntry("pytorch", "a.pt", check_scan={"ct": "x.nii.gz", "pet": "y.nii.gz"})


def a_sayable_family() -> ModelFamily:
    return read_manifest(FULL.encode(), lambda name: b"").family


def test_a_family_written_as_a_manifest_is_read_back_equal() -> None:
    family = a_sayable_family()
    text = write_manifest(family, "off", {"Hot 2.5": TWO_CHANNELS})
    read = read_manifest(text.encode(), lambda name: b"")
    assert read.family == family
    assert read.policy == "off"
    assert read.runtimes == {"Hot 2.5": TWO_CHANNELS}
    assert says_all(text, family.SerializeToString())


@pytest.mark.parametrize(
    "change",
    [
        lambda family: family.ClearField("LanguageCode"),
        lambda family: family.FamilyDescription.ClearField("Modalities"),
        lambda family: family.FamilyDescription.ClearField("Name"),
        lambda family: family.ModelVersions[0].Structures[0].ClearField("Name"),
        lambda family: family.ModelVersions[0].Structures[0].ClearField("FMACode"),
        lambda family: family.ModelVersions[0].ClearField("RegulatoryFrameworks"),
        lambda family: setattr(family.FamilyDescription, "Description", '"""\n\\ \u00e4\u2028\U0001f600'),
    ],
)
def test_what_is_empty_or_odd_comes_back_as_it_was(change: Any) -> None:
    family = a_sayable_family()
    change(family)
    assert says_all(write_manifest(family, "off", {}), family.SerializeToString())


@pytest.mark.parametrize(
    "change",
    [
        lambda family: family.MergeFromString(b"\xa2\x06\x03new"),
        lambda family: setattr(family.ModelVersions[0].Structures[0].Color, "R", 256),
        lambda family: setattr(family.ModelVersions[0].CreatedOn, "nanos", 1),
        lambda family: setattr(family.ModelVersions[0].CreatedOn, "seconds", 2**60),
        lambda family: family.FamilyDescription.Constraints.BodyPartsExamined.append(9999),
        lambda family: family.FamilyDescription.Constraints.ClearField("BodyPartsExamined"),
        lambda family: setattr(family.ModelVersions[0], "NumberOfCreditsRequired", float("inf")),
    ],
)
def test_what_no_manifest_can_say_is_noticed(change: Any) -> None:
    family = a_sayable_family()
    change(family)
    assert not says_all(write_manifest(family, "off", {}), family.SerializeToString())


def test_a_manifest_beside_a_serialized_family_keeps_every_byte() -> None:
    body = a_family().SerializeToString() + b"\xa2\x06\x03new"
    text = write_manifest_beside("family.pb", "warn", {"Liver 1": RUNTIME})
    read = read_manifest(text.encode(), {"family.pb": body}.__getitem__)
    assert read.family.SerializeToString() == body
    assert read.policy == "warn"
    assert read.runtimes == {"Liver 1": RUNTIME}


def test_the_example_reads_as_a_family_without_traps() -> None:
    files = write_example(
        Answers('My "best" model', ["Chest"], structures=["Body", "Lung links", "Über"]),
        datetime(2026, 5, 4, 3, tzinfo=UTC),
    )
    manifest = read_manifest(files[MANIFEST].encode(), lambda name: b"")
    family = manifest.family
    assert family.CanonicalName == 'My "best" model'
    assert list(family.FamilyDescription.Constraints.BodyPartsExamined) == [ModelConstraints.Chest]
    (version,) = family.ModelVersions
    assert version.ID == 'My "best" model 1.0'
    assert version.CreatedOn.ToDatetime(tzinfo=UTC) == datetime(2026, 5, 4, tzinfo=UTC)
    assert version.RegulatoryFrameworks[0].Status == RegulatoryFramework.Investigational
    assert [(s.StructureID, s.Type) for s in version.Structures] == [
        ("body", Structure.External),
        ("lung_links", Structure.Organ),
        ("uber", Structure.Organ),
    ]
    assert len({str(s.Color) for s in version.Structures}) == 3
    runtime = manifest.runtimes[version.ID]
    assert set(runtime.parameters["ranges"]) == {"body", "lung_links", "uber"}
    assert {runtime.module_file, MANIFEST} == set(files)


def test_every_key_that_the_example_explains_is_one() -> None:
    text = write_example(Answers("X", ["Chest"]))[MANIFEST]
    keys = ("files", "spacing_min_mm", "spacing_max_mm", "size_min", "size_max", "original_data_required")
    for key in (*keys, "axial", "model_file", "check_scan"):
        assert f"# {key} = " in text
        text = text.replace(f"# {key} = ", f"{key} = ")
    runtime = read_manifest(text.encode(), lambda name: b"").runtimes["X 1.0"]
    assert runtime.files == ("weights.safetensors", "model.py", "scan.nii.gz")


def test_the_tables_that_the_example_explains_are_read_once_they_are_uncommented() -> None:
    text = write_example(Answers("X", ["Chest"]))[MANIFEST]
    start, end = text.index("# [versions.input]"), text.index("# Arguments of the class")
    told = re.sub(r"^# (\[|[a-z_]+ = )", r"\1", text[start:end], flags=re.M)
    manifest = read_manifest((text[:start] + told + text[end:]).encode(), lambda name: b"")
    handling = manifest.runtimes["X 1.0"].handling
    assert handling is not None
    assert [field.name for field, _ in handling.ListFields()] == ["input", "inference", "output", "limits"]
    assert handling.input.intensity[0].clip == [-1024, 3071]


def test_answers_that_make_no_manifest_are_told_by_field() -> None:
    with pytest.raises(
        errors.InvalidModel, match=r"The new segint-model\.toml, line \d+: family\.body_parts"
    ):
        write_example(Answers("X", ["Chets"]))
    with pytest.raises(errors.InvalidModel, match=r"family\.canonical_name must not be empty"):
        write_example(Answers(" ", ["Chest"]))
    with pytest.raises(errors.InvalidModel, match="Two structures would have the id 'a_b'"):
        structure_ids(["A b", "a-B"])
