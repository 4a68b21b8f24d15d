"""MONAI bundles that lack something or do not fit: what is refused, by name and before it is run."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from segint_grpc import backends, errors
from segint_grpc.backends.base import ModelSource, StructureSpec
from segint_grpc.backends.bundle_labels import wanted_outputs
from tests.real_bundles import inference, transforms, unet, write_bundle
from tests.real_models import STRUCTURES
from tests.unit.test_backends_monai import SCANS, masks_of, opened, source

pytestmark = pytest.mark.filterwarnings("ignore:inverse has been called but no invertible:UserWarning")


@pytest.mark.parametrize("name", ["configs/metadata.json", "configs/inference.json", "models/model.pt"])
def test_what_is_missing_is_named_with_what_was_looked_for(tmp_path: Path, name: str) -> None:
    folder = write_bundle(tmp_path / "two")
    (folder / name).unlink()
    with pytest.raises(errors.InvalidModel, match=name.replace(".", r"\.")):
        opened(source(folder))


def test_a_bundle_that_names_no_weights_and_has_none_never_runs_with_random_ones(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "two", inference(handlers=[]))
    opened(source(folder))
    (folder / "models" / "model.pt").write_bytes(b"no weights")
    with pytest.raises(errors.InvalidModel, match=r"model\.pt of the bundle cannot be read as weights"):
        opened(source(folder))
    (folder / "models" / "model.pt").unlink()
    with pytest.raises(errors.InvalidModel, match=r"neither models/model\.pt nor models/model\.ts"):
        opened(source(folder))


def test_metadata_and_config_are_looked_at_before_anything_is_run(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "two")
    given = source(folder)
    backends.load_backend("monai").check(given)
    (folder / "configs" / "metadata.json").write_text("{")
    with pytest.raises(errors.InvalidModel, match=r"metadata\.json in two\.zip is no JSON"):
        backends.load_backend("monai").check(source(folder))
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("a/readme.txt", "nothing")
    with pytest.raises(errors.InvalidModel, match=r"empty\.zip is no MONAI bundle"):
        backends.load_backend("monai").check(ModelSource("v", STRUCTURES, ("1",), tmp_path / "empty.zip"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"evaluator___target_": "EnsembleEvaluator"}, "evaluator is EnsembleEvaluator; only"),
        ({"network_def__channels": [8, 8]}, "weights don't fit its network"),
        ({"network_def___target_": "NoSuchNet"}, "inference.json of the bundle gives no network"),
        ({"preprocessing": "$1 / 0"}, r"gives no preprocessing .*division by zero"),
        ({"network": "$len"}, "gives no network"),
    ],
)
def test_a_config_that_cannot_be_run_is_told_by_name(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    weights = unet(inference()["network_def"]).state_dict()
    folder = write_bundle(tmp_path / "two", inference(**changes), weights=weights)
    with pytest.raises(errors.InvalidModel, match=told):
        opened(source(folder))


def test_weights_of_another_network_are_refused_by_what_differs(tmp_path: Path) -> None:
    weights = {**unet(inference()["network_def"]).state_dict(), "odd.weight": torch.zeros(1)}
    folder = write_bundle(tmp_path / "two", weights=weights)
    with pytest.raises(errors.InvalidModel, match=r"0 are missing and 1 unknown, such as odd\.weight"):
        opened(source(folder))
    state = unet(inference()["network_def"]).state_dict()
    nested = write_bundle(tmp_path / "nested", weights={"model": state, "epoch": 3})
    opened(source(nested))


def test_scores_and_masks_on_another_grid_are_no_result(tmp_path: Path) -> None:
    config = inference()
    del transforms(config, "postprocessing")[2]
    with pytest.raises(errors.WrongOutput, match="returns scores, not masks: it has to hold AsDiscreted"):
        masks_of(source(write_bundle(tmp_path / "two", config)), [SCANS["LPS"][0]], SCANS["LPS"][1])
    config = inference()
    after = transforms(config, "postprocessing")
    after.insert(3, {"_target_": "Resized", "keys": "pred", "spatial_size": [5, 5, 5], "mode": "nearest"})
    with pytest.raises(errors.WrongOutput, match=r"do not lie on the grid of the channel 1"):
        masks_of(source(write_bundle(tmp_path / "odd", config)), [SCANS["LPS"][0]], SCANS["LPS"][1])


def test_structures_are_found_by_id_or_name_and_a_stranger_is_told(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "two")
    by_name = (StructureSpec("a", "BRIGHT", "1"), StructureSpec("b", "Left", "1"))
    masks = masks_of(source(folder, by_name), [SCANS["LPS"][0]], SCANS["LPS"][1])
    assert set(masks) == {"a", "b"}
    odd = (*STRUCTURES, StructureSpec("liver", "Liver", "1"))
    with pytest.raises(
        errors.InvalidModel, match=r"names no output for liver; its channel_def has background"
    ):
        opened(source(folder, odd))
    for labels in ({"bright": 1}, {"bright": 1, "left": -1}, {"bright": 1, "left": []}, 3):
        with pytest.raises(errors.InvalidModel, match="parameter labels must"):
            opened(source(folder, labels=labels))


def test_names_in_any_script_are_told_apart_and_one_that_could_be_two_is_refused(tmp_path: Path) -> None:
    names = {"0": "background", "1": "肝", "2": "脾", "3": "GTV+", "4": "GTV-"}
    metadata = {"network_data_format": {"outputs": {"pred": {"channel_def": names}}}}
    ids = ("structure_1", "structure_2", "GTV-")
    wanted = [StructureSpec(one, name, "1") for one, name in zip(ids, ("肝", "脾", "Node"), strict=True)]
    found = wanted_outputs(ModelSource("v", tuple(wanted), ("1",)), metadata).labels
    assert found == {"structure_1": (1,), "structure_2": (2,), "GTV-": (4,)}
    either = (StructureSpec("gtv", "GTV", "1"),)
    with pytest.raises(errors.InvalidModel, match="names no output for gtv"):
        wanted_outputs(ModelSource("v", either, ("1",)), metadata)
