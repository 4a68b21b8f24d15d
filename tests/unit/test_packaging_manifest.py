from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from generated.radiomics.Model_pb2 import (
    ModelChannelConstraints,
    ModelConstraints,
    RegulatoryFramework,
    Structure,
)
from segint_grpc import errors
from segint_grpc.packaging.manifest import SIZE_MAX, Manifest, RuntimeEntry, read_manifest
from tests.families import a_family
from tests.packages import SHORT

FULL = """\
format = 1
files = ["docs/README.md"]

[family]
canonical_name = "Hot Spots"
name = "Hot spots on CT and PET"
description = "Draws bone and what is hot."
clinical_domain = "RO"
anatomical_region = "THORAX"
primary_structure = "Bone"
modalities = "CT and PET"
body_parts = ["Chest", "Abdomen"]
gender = "Female"
language = "de"
on_unsuitable_scan = "warn"

[[channels]]
id = "ct"
modalities = ["CT", "CTA"]
spacing_min_mm = [0.5, 0.5, 1]
spacing_max_mm = [2, 2, 5.0]
size_min = [64, 64, 8]
size_max = [512, 512, 400]
original_data_required = true
axial = true

[[channels]]
id = "pet"
modalities = ["PET"]

[[versions]]
id = "Hot 2.5"
number = "2.5"
description = "Trained on 90 patients"
created_on = 2026-02-03T04:05:06+01:00
credits = 1.5
language = "de"

[[versions.structures]]
id = "bone"
name = "Bone"
color = [255, 225, 90]
type = "Organ"
fma = 5018
channel = "ct"

[[versions.structures]]
id = "hot"
color = "#FF0000"
type = "Unknown"
channel = "pet"

[[versions.regulatory]]
framework = "MDR"
status = "Clinical"
udi = "123"
manufacturer = "Us"
details_url = "https://example.org"
release_date = 2026-03-01

[versions.runtime]
backend = "pytorch"
model_file = "weights/hot.safetensors"
module_file = "hot.py"
entry = "Hot"
check_scan = { ct = "ct.nii.gz", pet = "pet.nii.gz" }

[versions.runtime.parameters]
limit = 3
deep = { a = [1, 2.5, "x", true] }
"""


def read(text: str, files: Mapping[str, bytes] | None = None) -> Manifest:
    return read_manifest(text.encode(), lambda name: (files or {})[name])


def refused(text: str, files: Mapping[str, bytes] | None = None) -> str:
    with pytest.raises(errors.InvalidModel) as caught:
        read(text, files)
    return str(caught.value)


def test_everything_that_a_manifest_can_say_arrives_in_the_family() -> None:
    manifest = read(FULL)
    family = manifest.family
    about = family.FamilyDescription
    assert (family.CanonicalName, family.LanguageCode, manifest.policy) == ("Hot Spots", "de", "warn")
    assert (about.Name, about.ClinicalDomain, about.Modalities) == (
        "Hot spots on CT and PET",
        "RO",
        "CT and PET",
    )
    assert list(about.Constraints.BodyPartsExamined) == [ModelConstraints.Chest, ModelConstraints.Abdomen]
    assert about.Constraints.Gender == ModelConstraints.Female
    ct, pet = about.InputChannels
    assert list(ct.Constraints.AcceptedModalities) == [
        ModelChannelConstraints.CT,
        ModelChannelConstraints.CTA,
    ]
    assert ct.Constraints.SpacingMaxInMillimeters.Z == 5.0
    assert ct.Constraints.DimensionsMinInPixels.X == 64
    assert ct.Constraints.IsAxial
    assert ct.Constraints.OriginalDataRequired
    assert not pet.Constraints.HasField("SpacingMinInMillimeters")
    (version,) = family.ModelVersions
    assert (version.MajorVersion, version.MinorVersion, version.NumberOfCreditsRequired) == (2, 5, 1.5)
    assert version.CreatedOn.ToDatetime(tzinfo=UTC) == datetime(2026, 2, 3, 3, 5, 6, tzinfo=UTC)
    bone, hot = version.Structures
    assert (bone.Color.R, bone.Color.G, bone.Color.B, bone.FMACode) == (255, 225, 90, 5018)
    assert (hot.Name, hot.Color.R, hot.Type, hot.InputChannelID) == ("hot", 255, Structure.Unknown, "pet")
    (regulated,) = version.RegulatoryFrameworks
    assert regulated.Status == RegulatoryFramework.Clinical
    assert regulated.ReleaseDate.ToDatetime() == datetime(2026, 3, 1)  # noqa: DTZ001 - protobuf's own


def test_the_runtime_names_its_files_and_the_package_all_of_them() -> None:
    manifest = read(FULL)
    assert manifest.runtimes == {
        "Hot 2.5": RuntimeEntry(
            "pytorch",
            "weights/hot.safetensors",
            "hot.py",
            "Hot",
            {"limit": 3, "deep": {"a": [1, 2.5, "x", True]}},
            {"ct": "ct.nii.gz", "pet": "pet.nii.gz"},
        )
    }
    assert manifest.files == (
        *("docs/README.md", "weights/hot.safetensors", "hot.py"),
        *("ct.nii.gz", "pet.nii.gz"),
    )


def test_what_is_left_out_is_never_left_to_a_zero() -> None:
    manifest = read(SHORT)
    family = manifest.family
    (structure,) = family.ModelVersions[0].Structures
    assert (structure.Type, structure.InputChannelID, structure.Name) == (Structure.Organ, "ct", "liver")
    assert family.FamilyDescription.Constraints.Gender == ModelConstraints.Any
    assert family.FamilyDescription.Name == "Livers"
    assert family.FamilyDescription.Modalities == "CT"
    assert (family.LanguageCode, family.ModelVersions[0].LanguageCode) == ("en", "en")
    assert manifest.policy == "enforce"


def test_a_version_may_wait_for_its_runtime() -> None:
    assert read(SHORT[: SHORT.index("[versions.runtime]")]).runtimes == {}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('canonical_name = "Livers"', "", "line 1: family.canonical_name is missing."),
        ('"Livers"', '"  "', "line 2: family.canonical_name must not be empty."),
        ('"Livers"', "7", "line 2: family.canonical_name must be a text (in quotes), not 7."),
        ('["Abdomen"]', '["Abdomn"]', "line 3: family.body_parts cannot hold 'Abdomn'. Did you mean Abdomen"),
        ('["Abdomen"]', "[]", "line 3: family.body_parts must name at least one."),
        ('["Abdomen"]', "[1]", "line 3: family.body_parts must be a list of texts, not [1]."),
        ('body_parts = ["Abdomen"]', "", "line 1: family.body_parts is missing."),
        ('modalities = ["CT"]', "", "line 5: channels[1].modalities is missing."),
        ('["CT"]', '["MR"]', "line 7: channels[1].modalities cannot hold 'MR'. It can be: CT, CTA,"),
        ('["CT"]', '["CT"]\naxial = 1', "line 8: channels[1].axial must be true or false, not 1."),
        ('["CT"]', '["CT"]\nsize_min = [1, 2]', "line 8: channels[1].size_min must be a list of 3 numbers"),
        (
            '["CT"]',
            '["CT"]\nsize_min = [9, 2, 2]\nsize_max = [8, 9, 9]',
            "line 9: channels[1].size_max is below size_min in one direction.",
        ),
        ('"1.0"', "1.0", "line 11: versions[1].number must be a text (in quotes), not 1.0."),
        ('"1.0"', '"one"', "line 11: versions[1].number must be major and minor number, as in"),
        ('"#ff7800"', '"orange"', "line 15: versions[1].structures[1].color cannot be 'orange'. Write red"),
        ('"#ff7800"', "[0, 0, 256]", "line 15: versions[1].structures[1].color cannot be [0, 0, 256]."),
        ('color = "#ff7800"', "", "line 13: versions[1].structures[1].color is missing. Write red"),
        ('"#ff7800"', '"#ff7800"\nfma = -1', "line 16: versions[1].structures[1].fma must be a whole number"),
        ('"#ff7800"', '"#ff7800"\ntype = "organ"', "line 16: versions[1].structures[1].type cannot be"),
        ('"#ff7800"', '"#ff7800"\nchannel = "mr"', "channel cannot be 'mr'. It can be: ct."),
        (
            '"#ff7800"',
            '"#ff7800"\ncolour = 1',
            "line 16: versions[1].structures[1].colour is unknown. Did you",
        ),
        ('"phantom"', '"phantom"\nmodel_file = "../w.pt"', "runtime.model_file names the file '../w.pt'"),
        ('"phantom"', '"phantom"\nmodel_file = "C:/w.pt"', "must be relative to its folder"),
        ('"phantom"', '"phantom"\nparameters.when = 2026-01-01', "when holds a date or time; write it as a"),
        ('"phantom"', '"phantom"\nparameters.n = [nan]', "parameters.n holds nan, which is no number"),
        ('"phantom"', '"phantom"\nparameters.n = 9007199254740993', "which is more than 9007199254740992"),
        (
            '"phantom"',
            '"phantom"\ncheck_scan = { mr = "x" }',
            "versions[1].runtime.check_scan.ct is missing.",
        ),
        ('backend = "phantom"', "", "line 17: versions[1].runtime.backend is missing."),
        ("[family]", "format = 2\n[family]", "line 1: format is 2; this release of SegInt reads 1."),
        ("[family]", "[famly]", "famly is unknown. Did you mean family?"),
        ("[[channels]]", "[channels]", "line 5: channels must be a list, not {"),
        ('"Livers"', '"Livers"\non_unsuitable_scan = "no"', "on_unsuitable_scan cannot be 'no'. It can be:"),
    ],
)
def test_a_mistake_is_told_with_its_line_its_field_and_the_mend(old: str, new: str, sentence: str) -> None:
    assert old in SHORT
    assert sentence in refused(SHORT.replace(old, new, 1))


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines() -> None:
    text = SHORT.replace('"#ff7800"', '"orange"').replace('["Abdomen"]', '["Liver 3"]')
    head, first, second = refused(text).splitlines()
    assert head == "segint-model.toml has 2 mistakes:"
    assert first.startswith("  line 3: family.body_parts")
    assert second.startswith("  line 15: versions[1].structures[1].color")


def test_the_page_on_packages_shows_what_is_really_said_and_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "packages.md").read_text()
    told = refused(SHORT.replace('"#ff7800"', '"orange"').replace('["Abdomen"]', '["Abdomn"]'))
    assert f"```\n{told}\n```" in page
    handling, shown = re.findall(r"```toml\n(.*?)```", page, flags=re.S)
    found = read(SHORT + handling).runtimes["Liver 1"].handling
    assert found is not None
    assert found.input.spacing_mm == [1.5, 1.5, 1.5]
    family = a_family(versions=["My Model 1.0"])
    manifest = read(shown, {"family.pb": family.SerializeToString()})
    assert list(manifest.runtimes) == ["My Model 1.0"]


def test_very_many_mistakes_are_counted_and_not_all_told() -> None:
    told = refused(SHORT + "".join(f"odd{n} = 1\n" for n in range(50))).splitlines()
    assert told[0] == "segint-model.toml has 50 mistakes:"
    assert told[-1] == "  and 30 more"


def test_two_of_one_id_are_refused() -> None:
    twice = SHORT + SHORT[SHORT.index("[[versions]]") :]
    assert "line 20: versions[2].id is 'Liver 1', as of another of the versions." in refused(twice)
    structure = '[[versions.structures]]\nid = "liver"\ncolor = "#ff7800"\n'
    assert "has two with the id 'liver'" in refused(SHORT.replace(structure, structure * 2))


def test_files_that_would_be_one_on_some_system_are_refused() -> None:
    text = SHORT.replace('"phantom"', '"pytorch"\nmodel_file = "Net.py"\nmodule_file = "net.py"')
    assert "cannot be both 'Net.py' and 'net.py'" in refused(text)
    assert "cannot be both 'segint-model.toml'" in refused('files = ["SegInt-Model.toml"]\n' + SHORT)


def test_a_structure_must_name_its_channel_where_there_are_several() -> None:
    text = SHORT.replace("[[versions]]", '[[channels]]\nid = "mr"\nmodalities = ["MR_T1"]\n\n[[versions]]')
    assert "line 17: versions[1].structures[1].channel is missing." in refused(text)


def test_what_is_no_toml_is_told_with_line_and_column() -> None:
    assert refused("[family\n") == (
        "segint-model.toml is no valid TOML: Expected ']' at the end of a table declaration "
        "(at line 1, column 8)."
    )
    with pytest.raises(errors.InvalidModel, match="line 2: this is no UTF-8"):
        read_manifest(b"a = 1\nb = '\xff'", lambda name: b"")
    assert "no valid TOML" in refused("a = " + "[" * 5000)


def test_an_oversized_manifest_is_not_even_read() -> None:
    assert "the most are" in refused("#" * (SIZE_MAX + 1))


def test_line_ends_and_byte_order_mark_of_windows_are_taken() -> None:
    text = "\ufeff" + SHORT.replace("\n", "\r\n")
    assert read(text).family == read(SHORT).family
    assert "line 15: versions[1]" in refused(text.replace("#ff7800", "orange"))


def test_a_family_can_come_from_its_serialized_form() -> None:
    text = """
        [family]
        file = "livers.pb"
        on_unsuitable_scan = "off"
        [[versions]]
        id = "Liver 1"
        runtime = { backend = "phantom" }
    """
    family = a_family(versions=["Liver 1", "Liver 2"])
    manifest = read(text, {"livers.pb": family.SerializeToString()})
    assert manifest.family == family
    assert manifest.policy == "off"
    assert manifest.files == ("livers.pb",)
    assert list(manifest.runtimes) == ["Liver 1"]
    assert "which is no serialized Radiomics.ModelFamily" in refused(text, {"livers.pb": b"\xff"})
    assert "no family with a CanonicalName" in refused(text, {"livers.pb": b""})
    other = a_family(versions=["Liver 2"]).SerializeToString()
    assert "line 6: versions[1].id is no version in livers.pb. Did you mean Liver 2?" in refused(
        text, {"livers.pb": other}
    )
    spelled = text.replace('"off"', '"off"\nname = "x"')
    assert "line 5: family.name is unknown" in refused(spelled, {"livers.pb": family.SerializeToString()})
