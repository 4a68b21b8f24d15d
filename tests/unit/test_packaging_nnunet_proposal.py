"""A manifest proposed from what an nnU-Net v2 model says of itself."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from segint_grpc import errors
from segint_grpc.backends.nnunet_folder import READERS
from segint_grpc.cli.main import main
from segint_grpc.packaging.archive import open_package
from segint_grpc.packaging.nnunet_proposal import TURNING_READERS
from segint_grpc.packaging.proposal import Proposal
from segint_grpc.packaging.proposal_readers import proposed

SPLEEN: dict[str, Any] = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "spleen": 1, "ignore": 2}}


def a_zip(folder: Path, *configurations: str, reader: str = "SimpleITKIO", **dataset: Any) -> Path:
    path = folder / "Dataset009_Spleen.zip"
    plans = {"dataset_name": "Dataset009_Spleen_One", "image_reader_writer": reader}
    with zipfile.ZipFile(path, "w") as archive:
        for name in configurations or ("3d_fullres",):
            place = f"Dataset009_Spleen/nnUNetTrainer__nnUNetPlans__{name}"
            archive.writestr(f"{place}/dataset.json", json.dumps(SPLEEN | dataset))
            archive.writestr(f"{place}/plans.json", json.dumps(plans))
            archive.writestr(f"{place}/fold_0/checkpoint_final.pth", b"weights")
    return path


def about(proposal: Proposal, word: str) -> list[str]:
    return [sentence for sentence in proposal.to_check if sentence.startswith(f"{word}:")]


def test_structures_channels_and_words_are_those_of_the_model(tmp_path: Path) -> None:
    model = a_zip(tmp_path, reference="A Group", licence="CC-BY")
    result = CliRunner().invoke(main, ["model", "init", str(tmp_path / "my"), "--from", str(model)])
    assert result.exit_code == 0, result.output
    assert "orientation: the model knows scans as its training files were stored" in result.output
    with open_package(tmp_path / "my") as package:
        manifest = package.manifest
    (version,) = manifest.family.ModelVersions
    assert manifest.family.CanonicalName == "Spleen One"
    assert [structure.Name for structure in version.Structures] == ["spleen"]
    assert version.VersionDescription == "nnU-Net v2, of A Group, licence CC-BY"
    (runtime,) = manifest.runtimes.values()
    assert (runtime.backend, runtime.model_file) == ("nnunet", model.name)
    assert runtime.parameters == {"orientation": "LPS"}


def test_a_reader_that_turns_scans_itself_needs_no_orientation(tmp_path: Path) -> None:
    proposal = proposed(a_zip(tmp_path, reader="NibabelIOWithReorient"))
    assert proposal.parameters == {}
    assert proposal.to_check == ()
    assert set(TURNING_READERS) == {reader for reader, letters in READERS.items() if letters}


def test_of_several_configurations_the_usual_one_is_proposed(tmp_path: Path) -> None:
    proposal = proposed(a_zip(tmp_path, "2d", "3d_cascade_fullres", "3d_fullres"))
    assert proposal.parameters == {"configuration": "3d_fullres", "orientation": "LPS"}
    assert about(proposal, "configuration") == [
        "configuration: there are 2d, 3d_cascade_fullres, 3d_fullres; which is to run?"
    ]


def test_regions_and_images_are_told(tmp_path: Path) -> None:
    labels = {"background": 0, "whole": [1, 2], "core": [2]}
    proposal = proposed(a_zip(tmp_path, labels=labels, channel_names={"0": "T1", "1": "PET", "2": "other"}))
    assert proposal.structures == ("whole", "core")
    assert [list(channel.modalities) for channel in proposal.channels] == [["MR_T1"], ["PET"], []]
    assert about(proposal, "structures") == [
        "structures: whole hold other ones' voxels, too, as the model was trained."
    ]


def test_a_cascade_and_a_model_that_draws_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidModel, match="is a cascade, which SegInt cannot run; take 3d_fullres"):
        proposed(a_zip(tmp_path, "3d_cascade_fullres"))
    with pytest.raises(
        errors.InvalidModel, match=r"names nothing that the network draws; expected was .labels"
    ):
        proposed(a_zip(tmp_path, labels={"background": 0}))
