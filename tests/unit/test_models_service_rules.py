from __future__ import annotations

import pytest

from generated.radiomics.Model_pb2 import ModelChannelConstraints, ModelConstraints, ModelFamily, Structure
from segint_grpc import errors
from segint_grpc.domain.models import FileRecord
from segint_grpc.service.family_rules import check_family, parse_family
from segint_grpc.service.model_files import check_offer
from segint_grpc.service.sample_family import sample_family
from tests.families import a_family, a_structure, a_version

DIGEST = "0" * 64


def test_a_family_that_can_run_passes() -> None:
    check_family(a_family("Livers", ["Liver 1", "Leber ä 2"], ["ct", "pet"]))


def test_with_one_channel_a_structure_need_not_name_it() -> None:
    check_family(a_family(versions=[a_version("Liver 1", [a_structure(channel_id="")])]))


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        (ModelFamily(), "The family's CanonicalName is empty"),
        (a_family("  "), "CanonicalName is empty"),
        (a_family("two\nlines"), r"control characters: 'two\\nlines'"),
        (a_family("right\u202eleft"), "control characters"),
        (a_family("x" * 201), "201 characters; the most are 200"),
        (a_family(channels=[]), "no input channel"),
        (a_family(channels=["ct", "ct"]), "An input channel's ChannelID occurs twice: 'ct'"),
        (a_family(channels=["ct", ""]), "ChannelID is empty"),
        (a_family(versions=[]), "no version"),
        (a_family(versions=[""]), "A version's ID is empty"),
        (a_family(versions=["a\tb"]), "A version's ID has control characters"),
        (a_family(versions=[".."]), "no URL can hold"),
        (a_family(versions=["same", "same"]), "A version's ID occurs twice: 'same'"),
        (a_family(versions=[a_version("V", [])]), "'V' has no structure"),
        (
            a_family(versions=[a_version("V", [a_structure("1"), a_structure("1")])]),
            "A StructureID of .* occurs twice",
        ),
        (a_family(versions=[a_version("V", [a_structure("")])]), "StructureID .* is empty"),
        (a_family(versions=[a_version("V", [a_structure(name="a\x00b")])]), "control characters"),
        (a_family(versions=[a_version("V", [a_structure(channel_id="mr")])]), "'mr'; the family has 'ct'"),
        (
            a_family(versions=[a_version("V", [a_structure(channel_id="")])], channels=["ct", "pet"]),
            "''; the family has 'ct', 'pet'",
        ),
    ],
)
def test_a_family_that_cannot_run_is_refused_with_what_is_wrong(family: ModelFamily, sentence: str) -> None:
    with pytest.raises(errors.InvalidModel, match=sentence):
        check_family(family)


@pytest.mark.parametrize("body", [b"\x0a\xff", b"no family", a_family().SerializeToString()[:-1]])
def test_bytes_that_are_no_family_are_refused(body: bytes) -> None:
    with pytest.raises(errors.UnparsableMessage):
        parse_family(body)


def test_the_sample_family_is_the_contracts_and_can_run() -> None:
    family = sample_family()
    check_family(family)
    description, (version,) = family.FamilyDescription, family.ModelVersions
    assert family.CanonicalName == "Centered Square"
    assert description.Name == "Centered Square Mock Models"
    assert (description.ClinicalDomain, description.AnatomicalRegion) == ("IO", "THORAX")
    assert (description.PrimaryStructure, description.Modalities) == ("Liver", "CT")
    assert version.ID == "Centered Orange Square"
    assert (version.MajorVersion, version.MinorVersion, version.LanguageCode) == (0, 1, "en")
    assert version.CreatedOn.ToSeconds() == 1595947330
    (structure,) = version.Structures
    assert (structure.Name, structure.StructureID, structure.InputChannelID) == ("liver", "1", "1")
    assert (structure.Color.R, structure.Color.G, structure.Color.B) == (255, 120, 0)
    assert structure.FMACode == 4567


def test_no_enum_of_the_sample_family_is_left_to_its_zero_by_accident() -> None:
    family = sample_family()
    (structure,) = family.ModelVersions[0].Structures
    assert structure.Type == Structure.StructureType.Organ
    (channel,) = family.FamilyDescription.InputChannels
    assert list(channel.Constraints.AcceptedModalities) == [ModelChannelConstraints.ModalityTypes.CT]
    constraints = family.FamilyDescription.Constraints
    assert list(constraints.BodyPartsExamined) == [ModelConstraints.BodyPartExaminedType.Abdomen]
    assert constraints.Gender == ModelConstraints.GenderType.Any


@pytest.mark.parametrize(
    ("offer", "sentence"),
    [
        (FileRecord(DIGEST, "", 1), "'' cannot be a model file's name"),
        (FileRecord(DIGEST, "../net.py", 1), "without folders"),
        (FileRecord(DIGEST, "a\\b.py", 1), "without folders"),
        (FileRecord(DIGEST, "..", 1), "cannot be a model file's name"),
        (FileRecord(DIGEST, ".hidden", 1), "cannot be a model file's name"),
        (FileRecord(DIGEST, "net\n.py", 1), "cannot be a model file's name"),
        (FileRecord(DIGEST, "ä" * 101, 1), "longer than 200 bytes"),
        (FileRecord("0" * 63, "net.py", 1), "64 hexadecimal digits"),
        (FileRecord("../" + "0" * 61, "net.py", 1), "64 hexadecimal digits"),
        (FileRecord(DIGEST, "net.py", 0), "'net.py' is empty"),
    ],
)
def test_a_file_that_cannot_be_stored_is_refused_before_its_bytes_come(
    offer: FileRecord, sentence: str
) -> None:
    with pytest.raises(errors.InvalidModel, match=sentence):
        check_offer(offer)
