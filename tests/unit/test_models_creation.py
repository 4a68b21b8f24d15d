"""A family as a person writes it, and what becomes of what was left open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from generated.radiomics.Model_pb2 import (
    ModelChannelConstraints,
    ModelConstraints,
    ModelFamily,
    RegulatoryFramework,
    Structure,
)
from segint_grpc import errors
from segint_grpc.service import presence
from segint_grpc.service.family_drafts import Wishes, complete

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
SAID = Wishes(modalities=["CT"], body_parts=["Chest"])
BARE = '{"CanonicalName": "F", "ModelVersions": [{"ID": "V", "Structures": [{"Name": "a"}, {"Name": "b"}]}]}'


def made(written: Any, wishes: Wishes = SAID) -> ModelFamily:
    return complete(written, wishes, AT)


def test_what_is_left_open_is_filled_in_so_that_no_zero_speaks() -> None:
    family = made(presence.from_json(BARE))
    about, (version,) = family.FamilyDescription, family.ModelVersions
    assert (about.Name, about.Modalities, family.LanguageCode) == ("F", "CT", "en")
    (channel,) = about.InputChannels
    assert channel.ChannelID == "1"
    assert list(channel.Constraints.AcceptedModalities) == [ModelChannelConstraints.CT]
    assert list(about.Constraints.BodyPartsExamined) == [ModelConstraints.Chest]
    assert about.Constraints.Gender == ModelConstraints.Any
    assert version.CreatedOn.ToDatetime(UTC) == AT
    assert [s.StructureID for s in version.Structures] == ["1", "2"]
    assert {s.Type for s in version.Structures} == {Structure.Organ}
    assert {s.InputChannelID for s in version.Structures} == {"1"}
    assert len({(s.Color.R, s.Color.G, s.Color.B) for s in version.Structures}) == 2


@pytest.mark.parametrize(
    "written",
    [
        presence.from_json(
            """{"CanonicalName": "F", "FamilyDescription": {"Constraints": {"Gender": "Male"}},
            "ModelVersions": [{"ID": "V", "RegulatoryFrameworks": [{"Status": "Clinical"}, {}],
            "Structures": [{"Name": "a", "Type": "External"}, {"Name": "b"}]}]}"""
        ),
        presence.from_text(
            """CanonicalName: "F" FamilyDescription { Constraints { Gender: Male } } ModelVersions {
            ID: "V" RegulatoryFrameworks { Status: Clinical } RegulatoryFrameworks {}
            Structures { Name: "a" Type: External } Structures { Name: "b" } }"""
        ),
    ],
    ids=["json", "text"],
)
def test_a_zero_that_was_written_is_meant(written: Any) -> None:
    family = made(written)
    (version,) = family.ModelVersions
    assert family.FamilyDescription.Constraints.Gender == ModelConstraints.Male
    assert [s.Type for s in version.Structures] == [Structure.External, Structure.Organ]
    clinical, open_one = version.RegulatoryFrameworks
    assert clinical.Status == RegulatoryFramework.Clinical
    assert open_one.Status == RegulatoryFramework.Investigational


def test_in_binary_a_zero_cannot_be_told_from_nothing_so_it_is_filled_in() -> None:
    family = ModelFamily(CanonicalName="F")
    version = family.ModelVersions.add(ID="V")
    version.Structures.add(Name="a", Type=Structure.External)
    version.RegulatoryFrameworks.add(Status=RegulatoryFramework.Clinical)
    wishes = Wishes(["MR_T1"], ["Brain"], "Female", "Withdrawn", ["1"])
    (filled,) = made(presence.from_binary(family.SerializeToString()), wishes).ModelVersions
    assert filled.Structures[0].Type == Structure.External
    assert filled.RegulatoryFrameworks[0].Status == RegulatoryFramework.Withdrawn
    (organ,) = made(presence.from_binary(family.SerializeToString())).ModelVersions
    assert organ.Structures[0].Type == Structure.Organ


def test_unknown_fields_of_a_binary_stay() -> None:
    family = ModelFamily(CanonicalName="F")
    family.ModelVersions.add(ID="V").Structures.add(Name="a")
    written = presence.from_binary(family.SerializeToString() + b"\xf8\x3f\x05")
    assert made(written).SerializeToString().endswith(b"\xf8\x3f\x05")


def test_names_are_taken_in_any_case() -> None:
    family = made(presence.from_json(BARE), Wishes(["mr_flair"], ["wholebody"], "female"))
    (channel,) = family.FamilyDescription.InputChannels
    assert list(channel.Constraints.AcceptedModalities) == [ModelChannelConstraints.MR_FLAIR]
    assert family.FamilyDescription.Constraints.Gender == ModelConstraints.Female


@pytest.mark.parametrize(
    ("wishes", "field", "sentence"),
    [
        (Wishes([], ["Chest"]), "modalities", "Say which modalities the channel '1' takes"),
        (Wishes(["CT"], []), "body_parts", "Say for which body parts"),
        (Wishes(["XRAY"], ["Chest"]), "modalities", "There is no 'XRAY'; there is "),
        (Wishes(["CT"], ["Cheast"]), "body_parts", "There is no 'Cheast'; there is Chest"),
        (Wishes(["CT"], ["Chest"], "none"), "gender", "There is no 'none'; there is "),
        (Wishes(["CT"], ["Chest"], "", "cleared"), "regulatory_status", "There is no 'cleared'; there is "),
        (Wishes(["CT"], ["Chest"], external_structures=["9"]), "external_structures", "no StructureID 9"),
    ],
)
def test_what_cannot_be_known_is_asked_for_by_its_field(wishes: Wishes, field: str, sentence: str) -> None:
    with pytest.raises(errors.InvalidFields) as raised:
        made(presence.from_json(BARE), wishes)
    assert list(raised.value.violations) == [field]
    assert sentence in raised.value.violations[field]
    assert f"{field}: " in raised.value.message


def test_bounds_that_no_scan_can_be_within_are_refused() -> None:
    written = presence.from_json(BARE)
    constraints = written.FamilyDescription.InputChannels.add(ChannelID="ct").Constraints
    constraints.SpacingMinInMillimeters.Z = 5
    constraints.SpacingMaxInMillimeters.Z = 3
    with pytest.raises(errors.InvalidModel, match="no spacing along Z is at least 5 and at most 3"):
        made(written)


@pytest.mark.parametrize(
    ("form", "source"),
    [
        (presence.from_json, "[1]"),
        (presence.from_json, '{"Nothing": 1}'),
        (presence.from_json, '{"CanonicalName": '),
        (presence.from_json, '{"ModelVersions": [{"Structures": [{"Type": "Organn"}]}]}'),
        (presence.from_text, "Nothing: 1"),
        (presence.from_text, "ModelVersions {"),
        (presence.from_binary, b"\x0a\xff"),
    ],
)
def test_what_is_no_family_is_refused_in_a_line(form: Any, source: Any) -> None:
    with pytest.raises(errors.UnparsableMessage) as raised:
        form(source)
    assert "Radiomics.ModelFamily" in raised.value.message
    assert "\n" not in raised.value.message


def test_a_family_that_could_not_run_is_refused() -> None:
    with pytest.raises(errors.InvalidModel, match="has no version"):
        made(presence.from_json('{"CanonicalName": "F"}'))
    with pytest.raises(errors.InvalidModel, match="CanonicalName is empty"):
        made(presence.from_json("{}"))
