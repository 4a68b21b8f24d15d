"""What in a family looks like a mistake, and what a change of it means."""

from __future__ import annotations

import pytest

from generated.radiomics.Model_pb2 import ModelFamily, RegulatoryFramework, Structure
from segint_grpc.service.family_changes import keep_unknown, redefined
from segint_grpc.service.family_warnings import warnings_about
from segint_grpc.service.sample_family import sample_family
from tests.families import a_family, a_structure, a_version

UNKNOWN = b"\xf8\x3f\x05"


def external(name: str, structure_id: str = "1") -> Structure:
    return Structure(StructureID=structure_id, Name=name, InputChannelID="ct")


def colored(green: int) -> Structure:
    structure = a_structure()
    structure.Color.G = green
    return structure


def one_version(*structures: Structure) -> ModelFamily:
    return a_family(versions=[a_version("V", structures)])


def test_a_family_without_mistakes_has_no_warnings() -> None:
    assert warnings_about(sample_family()) == []
    assert warnings_about(one_version(external("Body"), a_structure("2"))) == []
    assert warnings_about(one_version(colored(255))) == []


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        (one_version(external("BODY", "1"), external("Skin", "2")), "2 structures are External"),
        (one_version(a_structure(name="Body")), "'Body' is an Organ, but is named as the body's outline"),
        (one_version(colored(256)), "the color of the structure 'Liver' has a part over 255"),
        (one_version(external("Liver")), "'Liver' is External, the body's outline, but is not named so"),
        (one_version(a_structure(name="Left lung upper lobe")), "has 20 characters"),
        (
            one_version(a_structure("1", name="Lung_l"), a_structure("2", name="Lung_L")),
            "differ at most by case",
        ),
    ],
)
def test_a_mistake_is_told_with_its_version(family: ModelFamily, sentence: str) -> None:
    (warning,) = warnings_about(family)
    assert warning.startswith("V: ")
    assert sentence in warning


def test_an_id_that_looks_like_a_path_is_told() -> None:
    (warning,) = warnings_about(a_family(versions=["CT/MR 1"]))
    assert warning.startswith("CT/MR 1: its ID holds a /")


def test_a_clinical_status_is_asked_about() -> None:
    family = a_family()
    family.ModelVersions[0].RegulatoryFrameworks.add(
        Framework="MDR", Status=RegulatoryFramework.Investigational
    )
    assert warnings_about(family) == []
    family.ModelVersions[0].RegulatoryFrameworks.add(Framework="FDA")
    (warning,) = warnings_about(family)
    assert "regulatory status (FDA) is Clinical" in warning


@pytest.mark.parametrize(
    ("low", "high", "sentence"),
    [
        (2.0, 1.0, "no size along X is at least 2 and at most 1"),
        (-1.0, 1.0, "a bound of the size along X is no length"),
        (0.0, float("nan"), "a bound of the size along X is no length"),
    ],
)
def test_bounds_that_contradict_each_other_are_told(low: float, high: float, sentence: str) -> None:
    family = a_family()
    constraints = family.FamilyDescription.InputChannels[0].Constraints
    constraints.DimensionsMinInPixels.X = low
    constraints.DimensionsMaxInPixels.X = high
    assert [sentence in warning for warning in warnings_about(family)] == [True]


def test_a_version_is_redefined_by_what_it_reads_or_draws_and_by_nothing_else() -> None:
    before = a_family(versions=["A", "B"])
    body = before.SerializeToString()
    assert redefined(body, before) == set()
    before.FamilyDescription.Description = "new"
    before.ModelVersions[0].Structures[0].Color.R = 9
    before.ModelVersions.add(ID="C")
    assert redefined(body, before) == set()
    before.ModelVersions[1].Structures.add(StructureID="2", Name="Left", InputChannelID="ct")
    assert redefined(body, before) == {"B"}
    before.FamilyDescription.InputChannels.add(ChannelID="pet")
    assert redefined(body, before) == {"A", "B"}
    assert redefined(b"\x0a\xff", before) == {"A", "B", "C"}


def test_unknown_fields_return_to_the_parts_that_they_were_of() -> None:
    before = a_family(versions=["A", "B"])
    before.ModelVersions[0].MergeFromString(UNKNOWN)
    before.ModelVersions[1].Structures[0].MergeFromString(UNKNOWN)
    before.FamilyDescription.MergeFromString(UNKNOWN)
    before.MergeFromString(UNKNOWN)
    after = a_family(versions=["B", "A", "C"])
    keep_unknown(after, before)
    b, a, c = after.ModelVersions
    assert a.SerializeToString().endswith(UNKNOWN)
    assert b.Structures[0].SerializeToString().endswith(UNKNOWN)
    assert after.FamilyDescription.SerializeToString().endswith(UNKNOWN)
    assert after.SerializeToString().endswith(UNKNOWN)
    assert UNKNOWN not in c.SerializeToString()
    once = after.SerializeToString()
    keep_unknown(after, before)
    assert after.SerializeToString() == once
