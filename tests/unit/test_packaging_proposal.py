"""A manifest proposed from what a model says of itself: `segint model init FOLDER --from MODEL`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from generated.radiomics.Model_pb2 import ModelChannelConstraints, ModelConstraints
from segint_grpc import errors
from segint_grpc.cli.main import main
from segint_grpc.packaging.archive import open_package
from segint_grpc.packaging.body_regions import regions
from segint_grpc.packaging.manifest import MANIFEST, Manifest
from segint_grpc.packaging.manifest_template import OutlinedChannel
from segint_grpc.packaging.proposal import Proposal
from segint_grpc.packaging.proposal_readers import proposed
from segint_grpc.packaging.proposed_model import Decisions, write_proposed

MODALITIES = ModelChannelConstraints.ModalityTypes


def metadata(
    outputs: dict[str, str], inputs: dict[str, str] | None = None, modality: str = "CT", **more: Any
) -> dict[str, Any]:
    """What a bundle of the network of `outputs` says in its metadata.json."""
    image = {"type": "image", "modality": modality, "num_channels": len(inputs or {"0": "image"})}
    image["channel_def"] = inputs or {"0": "image"}
    pred = {"type": "image", "num_channels": len(outputs), "channel_def": outputs}
    told = {"version": "0.5.8", "name": "Abdominal organs", "authors": "A Group", "description": "Draws two."}
    return {**told, "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": pred}}, **more}


ORGANS = metadata({"0": "background", "1": "Spleen", "2": "kidney_left"})
TUMOUR = metadata(
    {"0": "Tumor core", "1": "Whole tumor"}, {"0": "T1c", "1": "T1", "2": "FLAIR", "3": "ADC"}, "MR", name=""
)


def a_bundle(folder: Path, said: Any = ORGANS) -> Path:
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "metadata.json").write_text(json.dumps(said))
    (folder / "configs" / "inference.json").write_text("{}")
    (folder / "models").mkdir()
    (folder / "models" / "model.pt").write_bytes(b"weights")
    return folder


def init(folder: Path, source: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["model", "init", str(folder), "--from", str(source), *words])


def begun(folder: Path, source: Path, *words: str) -> Manifest:
    result = init(folder, source, *words)
    assert result.exit_code == 0, result.output
    with open_package(folder) as package:
        return package.manifest


def test_structures_channels_and_words_are_those_of_the_bundle(tmp_path: Path) -> None:
    manifest = begun(tmp_path / "my", a_bundle(tmp_path / "organs"))
    family = manifest.family
    assert family.CanonicalName == "Abdominal organs"
    assert family.FamilyDescription.Description == "Draws two."
    assert list(family.FamilyDescription.Constraints.BodyPartsExamined) == [ModelConstraints.Abdomen]
    (channel,) = family.FamilyDescription.InputChannels
    assert (channel.ChannelID, list(channel.Constraints.AcceptedModalities)) == (
        "1",
        [MODALITIES.Value("CT")],
    )
    (version,) = family.ModelVersions
    assert (version.ID, version.MajorVersion, version.MinorVersion) == ("Abdominal organs 0.5", 0, 5)
    assert version.VersionDescription == "MONAI bundle 0.5.8 by A Group"
    assert [(one.StructureID, one.Name) for one in version.Structures] == [
        ("spleen", "Spleen"),
        ("kidney_left", "kidney_left"),
    ]
    runtime = manifest.runtimes[version.ID]
    assert (runtime.backend, runtime.model_file, runtime.handling) == ("monai", "organs", None)


def test_the_model_is_copied_into_the_folder_without_what_systems_leave_behind(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "organs")
    (bundle / "scripts" / "__pycache__").mkdir(parents=True)
    (bundle / "scripts" / "__pycache__" / "net.pyc").write_bytes(b"\0")
    (bundle / "scripts" / "net.py").write_text("a = 1\n")
    result = init(tmp_path / "my", bundle)
    assert "Wrote segint-model.toml and organs into" in result.stdout
    copied = tmp_path / "my" / "organs"
    assert (copied / "scripts" / "net.py").read_text() == "a = 1\n"
    assert not (copied / "scripts" / "__pycache__").exists()


def test_a_model_that_lies_in_the_folder_already_stays_where_it_is(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "my" / "inner" / "organs")
    manifest = begun(tmp_path / "my", bundle)
    assert [runtime.model_file for runtime in manifest.runtimes.values()] == ["inner/organs"]
    assert {path.name for path in (tmp_path / "my").iterdir()} == {MANIFEST, "inner"}


def test_a_folder_is_never_copied_into_itself(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "organs")
    result = init(bundle, bundle)
    assert result.exit_code != 0
    assert "begin the model in another folder" in result.stderr
    assert not (bundle / MANIFEST).exists()


@pytest.mark.parametrize("top", ["", "organs/"])
def test_a_zip_tells_as_much_as_its_folder(tmp_path: Path, top: str) -> None:
    bundle = a_bundle(tmp_path / "organs")
    with zipfile.ZipFile(tmp_path / "organs.zip", "w") as archive:
        for path in bundle.rglob("*.*"):
            archive.write(path, top + path.relative_to(bundle).as_posix())
    assert proposed(tmp_path / "organs.zip") == proposed(bundle)
    manifest = begun(tmp_path / "my", tmp_path / "organs.zip")
    assert manifest.files == ("organs.zip",)


def test_what_a_mac_adds_to_a_zip_does_not_hide_the_bundle(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "organs")
    with zipfile.ZipFile(tmp_path / "organs.zip", "w") as archive:
        for path in bundle.rglob("*.*"):
            archive.write(path, f"organs/{path.relative_to(bundle).as_posix()}")
        archive.writestr("__MACOSX/organs/configs/._metadata.json", b"x")
    assert proposed(tmp_path / "organs.zip") == proposed(bundle)


def test_a_zip_with_a_broken_file_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "organs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("configs/metadata.json", json.dumps(ORGANS))
        archive.writestr("models/model.pt", b"weights")
    content = bytearray(path.read_bytes())
    start = content.index(b"metadata.json") + len(b"metadata.json")
    content[start : start + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    with pytest.raises(errors.InvalidModel, match=r"organs\.zip cannot be read as a zip"):
        proposed(path)


def test_channels_are_told_apart_and_what_cannot_be_known_is_said_in_the_manifest(tmp_path: Path) -> None:
    manifest = begun(
        tmp_path / "my", a_bundle(tmp_path / "glioma", TUMOUR), "--name", "G", "--body-part", "Brain"
    )
    channels = manifest.family.FamilyDescription.InputChannels
    kinds = [[MODALITIES.Name(kind) for kind in one.Constraints.AcceptedModalities] for one in channels]
    assert kinds[:3] == [["MR_GAD"], ["MR_T1"], ["MR_FLAIR"]]
    assert len(kinds[3]) == 4
    structures = manifest.family.ModelVersions[0].Structures
    assert [(one.Name, one.InputChannelID) for one in structures] == [
        ("Tumor core", "1"),
        ("Whole tumor", "1"),
    ]
    text = (tmp_path / "my" / MANIFEST).read_text()
    assert "#   - channel 4: the bundle says MR and no more" in text
    assert "#   - structures: the bundle names no background" in text
    assert "# In the bundle it is T1c." in text


def test_images_with_keys_of_their_own_go_by_these_and_not_by_the_config_s_order(tmp_path: Path) -> None:
    image = {"type": "image", "num_channels": 1}
    formats = ORGANS["network_data_format"]
    inputs = {"ct": {**image, "modality": "CT"}, "pet": {**image, "modality": "PET"}}
    bundle = a_bundle(tmp_path / "two", {**ORGANS, "network_data_format": {**formats, "inputs": inputs}})
    manifest = begun(tmp_path / "my", bundle)
    (runtime,) = manifest.runtimes.values()
    assert runtime.parameters == {"inputs": ["ct", "pet"]}
    assert (
        "the bundle's config has to load its images under these names: ct, pet."
        in (tmp_path / "my" / MANIFEST).read_text()
    )
    assert proposed(a_bundle(tmp_path / "one")).parameters == {}


def test_only_the_structures_that_are_wanted_are_kept(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "organs")
    manifest = begun(tmp_path / "my", bundle, "--structure", "Kidney left")
    assert [one.Name for one in manifest.family.ModelVersions[0].Structures] == ["kidney_left"]
    result = init(tmp_path / "other", bundle, "--structure", "splen")
    assert "The model draws no 'splen'. Did you mean Spleen?" in result.stderr


def test_flags_answer_for_the_model_and_a_guess_is_said_to_be_one(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "organs", {**ORGANS, "intended_use": "Trials."})
    assert "  - body_parts: guessed from the names" in init(tmp_path / "my", bundle).stdout
    told = init(tmp_path / "other", bundle, "--name", "N", "--body-part", "Pelvis", "--gender", "Male")
    assert "guessed" not in told.stdout
    assert "  - what it may be used for: Trials." in told.stdout
    with open_package(tmp_path / "other") as package:
        assert package.manifest.family.CanonicalName == "N"


def test_what_neither_the_model_nor_a_flag_says_has_to_be_said(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "odd", metadata({"0": "background", "1": "thing"}, modality="n/a"))
    assert "say --modality" in init(tmp_path / "my", bundle).stderr
    assert "say --body-part" in init(tmp_path / "my", bundle, "--modality", "CT").stderr
    assert not (tmp_path / "my").exists()
    begun(tmp_path / "my", bundle, "--modality", "CT", "--body-part", "Chest")


def test_nothing_is_written_over_without_force(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "organs")
    begun(tmp_path / "my", bundle)
    assert "has segint-model.toml and organs already; --force" in init(tmp_path / "my", bundle).stderr
    begun(tmp_path / "my", bundle, "--force")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no JSON object"),
        ("{}", "names nothing that the network draws"),
        (json.dumps(metadata({"0": "Background"})), "names nothing that the network draws"),
    ],
)
def test_metadata_that_is_of_no_use_is_named(tmp_path: Path, content: str, told: str) -> None:
    bundle = a_bundle(tmp_path / "organs")
    (bundle / "configs" / "metadata.json").write_text(content)
    with pytest.raises(errors.InvalidModel, match=rf"metadata\.json.* {told}"):
        proposed(bundle)


def test_what_no_reader_knows_is_refused_with_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"weights")
    for path in (tmp_path, tmp_path / "net.pt"):
        with pytest.raises(errors.InvalidModel, match=r"tells nothing of itself.*MONAI bundle"):
            proposed(path)


def test_parts_of_the_body_are_guessed_from_whole_words() -> None:
    assert regions(["kidney_left", "Spleen"]) == ["Abdomen"]
    assert regions(["lung", "liver"]) == ["Chest", "Abdomen"]
    assert regions(["thing", "lungwort"]) == []
    assert regions(["brain", "lung", "liver", "hip_left"]) == ["WholeBody"]


def test_a_proposal_can_give_parameters_of_its_back_end() -> None:
    proposal = Proposal(
        "a thing", "phantom", ("Body",), (OutlinedChannel("1", ()),), parameters={"folds": [0, 1]}
    )
    text = write_proposed(proposal, Decisions("T", ["Chest"], "CT"), "t")
    assert "[versions.runtime.parameters]\nfolds = [0, 1]\n" in text
