"""MONAI bundles as they are released, against MONAI itself on files."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray

from segint_grpc import backends, errors
from segint_grpc.backends.base import ModelSource, StructureSpec, Tiles
from segint_grpc.backends.monai import Monai
from segint_grpc.domain.geometry import Geometry
from segint_grpc.zips.folder import write_folder_zip
from tests.real_bundles import METADATA, bare, inference, save_nifti, transforms, unet, write_bundle
from tests.real_models import STRUCTURES, a_channel, a_scan

Masks = Mapping[str, NDArray[np.bool_]]

pytestmark = pytest.mark.filterwarnings("ignore:inverse has been called but no invertible:UserWarning")


def oblique_scan(seed: int = 5) -> tuple[NDArray[np.int16], Geometry]:
    """Coronal slices from the back, columns to the right, tilted by 20 degrees about the patient's left."""
    image_kji, geometry = a_scan(seed=seed)
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    axes = ((-1.0, 0.0, 0.0), (0.0, s, -c), (0.0, c, s))
    return image_kji, Geometry(geometry.shape_kji, (1.25, 0.75, 2.5), *axes, (12.0, -8.0, 40.0))


SCANS = {
    "LPS": a_scan(seed=9),
    "sagittal": a_scan(stored_in_lps=False, seed=9),
    "oblique": oblique_scan(),
}


def source(folder: Path, structures: Sequence[StructureSpec] = STRUCTURES, **parameters: Any) -> ModelSource:
    """What a version of the bundle in `folder` is loaded from."""
    zipped = folder.with_suffix(".zip")
    write_folder_zip(folder, zipped)
    channel_ids = tuple(dict.fromkeys(one.input_channel_id for one in structures))
    return ModelSource("Two 1.0", tuple(structures), channel_ids, zipped, parameters=parameters)


def opened(given: ModelSource) -> Monai:
    backend = backends.load_backend("monai")
    assert isinstance(backend, Monai)
    backend.check(given)
    backend.load(given)
    return backend


def masks_of(given: ModelSource, images: Sequence[NDArray[Any]], geometry: Geometry) -> Masks:
    channels = [a_channel(image, geometry, str(number)) for number, image in enumerate(images, start=1)]
    made: Any = opened(given).predict(channels, lambda share: None)
    return made


def assert_as_bare(given: ModelSource, folder: Path, scan: tuple[NDArray[Any], Geometry]) -> None:
    image_kji, geometry = scan
    masks = masks_of(given, [image_kji], geometry)
    labels = bare(folder, [image_kji], geometry)
    np.testing.assert_array_equal(masks["bright"], labels == 1)
    np.testing.assert_array_equal(masks["left"], labels == 2)
    assert 0.01 < masks["bright"].mean() < 0.9
    assert 0.01 < masks["left"].mean() < 0.9


@pytest.mark.parametrize("scan", SCANS.values(), ids=SCANS)
def test_masks_lie_where_monai_itself_saves_them_however_the_scan_is_stored(
    tmp_path: Path, scan: tuple[NDArray[Any], Geometry]
) -> None:
    folder = write_bundle(tmp_path / "two")
    assert_as_bare(source(folder), folder, scan)


def test_a_scan_is_what_monai_s_own_reader_makes_of_its_file(tmp_path: Path) -> None:
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

    from segint_grpc.backends.bundle_volumes import scans

    image_kji, geometry = SCANS["oblique"]
    save_nifti(image_kji, geometry, tmp_path / "scan.nii.gz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = Compose([LoadImaged("image"), EnsureChannelFirstd("image")])(
            {"image": tmp_path / "scan.nii.gz"}
        )
    ours = scans([a_channel(image_kji, geometry)], ["image"])["image"]
    assert torch.equal(ours.as_tensor(), read["image"].as_tensor())
    assert ours.dtype == read["image"].dtype == torch.float32
    np.testing.assert_allclose(ours.affine, read["image"].affine, atol=1e-5)
    for name in ("space", "spatial_shape", "original_channel_dim"):
        assert name in ours.meta
        assert name in read["image"].meta


def test_a_config_of_references_and_a_nearest_inversion_runs_as_it_is_released(tmp_path: Path) -> None:
    config = inference(
        displayable_configs={"highres": False, "sw_overlap": 0.25},
        image_key="image",
        pixdim="$[1.0, 1.0, 2.0] if @displayable_configs#highres else [2.0, 2.0, 2.5]",
        modelname="$'model.pt' if @displayable_configs#highres else 'model_lowres.pt'",
        inferer__overlap="@displayable_configs#sw_overlap",
        inferer__mode="gaussian",
        inferer__padding_mode="replicate",
        inferer__device="$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        handlers=[],
        checkpointloader={
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/' + @modelname",
            "load_dict": {"model": "@network"},
        },
        initialize=["$setattr(torch.backends.cudnn, 'benchmark', True)", "$@checkpointloader(@evaluator)"],
    )
    before, after = transforms(config, "preprocessing"), transforms(config, "postprocessing")
    for step in before:
        step["keys"] = "@image_key"
    before[3]["pixdim"] = "@pixdim"
    before[4:5] = [{"_target_": "NormalizeIntensityd", "keys": "@image_key", "nonzero": True}]
    after[1]["nearest_interp"] = True
    after[1:3] = [after[2], after[1]]
    folder = write_bundle(tmp_path / "body", config)
    weights = folder / "models" / "model.pt"
    assert_as_bare(with_weights_called(folder, "model_lowres.pt"), folder, SCANS["sagittal"])
    assert weights.exists()


def with_weights_called(folder: Path, name: str) -> ModelSource:
    """The bundle's source with its weights under another name; MONAI's script reads those in model.pt."""
    weights = folder / "models" / "model.pt"
    weights.rename(folder / "models" / name)
    given = source(folder)
    weights.write_bytes((folder / "models" / name).read_bytes())
    return given


def test_a_bundle_without_invertd_is_taken_back_to_the_scan_s_grid(tmp_path: Path) -> None:
    """MONAI's own SaveImaged resamples such masks; here they are inverted, voxel by voxel the nearest."""
    config = inference()
    after = transforms(config, "postprocessing")
    with_invertd = [*after[:1], after[2], {**after[1], "nearest_interp": True}, after[3]]
    del after[1]
    folder = write_bundle(tmp_path / "two", config)
    other = write_bundle(tmp_path / "other", inference(postprocessing__transforms=with_invertd))
    image_kji, geometry = SCANS["oblique"]
    masks = masks_of(source(folder), [image_kji], geometry)
    np.testing.assert_array_equal(masks["left"], bare(other, [image_kji], geometry) == 2)


TUMOUR = (StructureSpec("core", "Tumor core", "1"), StructureSpec("whole", "Whole tumor", "1"))
IN_CHANNELS = {"type": "image", "num_channels": 2, "channel_def": {"0": "Tumor core", "1": "Whole tumor"}}
MERGED = "$lambda x: torch.where(x[[0]] > 0, 4, torch.where(x[[1]] > 0, 2, 0))"


def tumour_bundle(folder: Path, *, merged: bool = False, separate: bool = False) -> Path:
    """Two images in one tensor, two channels out that overlap; `merged` into labels at the end."""
    config = inference(network_def__in_channels=2, network_def__out_channels=2)
    before, after = transforms(config, "preprocessing"), transforms(config, "postprocessing")
    before[1:] = [{"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True}]
    if separate:
        before[0]["keys"] = ["t1", "t2"]
        before[1:1] = [
            {"_target_": "EnsureChannelFirstd", "keys": ["t1", "t2"]},
            {"_target_": "ConcatItemsd", "keys": ["t1", "t2"], "name": "image"},
        ]
    after[0] = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
    after[2] = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}
    if merged:
        after.insert(3, {"_target_": "Lambdad", "keys": "pred", "func": MERGED})
    forms = {**METADATA["network_data_format"], "outputs": {"pred": IN_CHANNELS}}
    return write_bundle(folder, config, {**METADATA, "network_data_format": forms})


@pytest.mark.parametrize("separate", [False, True])
def test_several_images_and_overlapping_channels_go_in_and_come_back_in_order(
    tmp_path: Path, separate: bool
) -> None:
    folder = tumour_bundle(tmp_path / "tumour", separate=separate)
    images = [a_scan(stored_in_lps=False, seed=seed)[0] for seed in (7, 8)]
    geometry = a_scan(stored_in_lps=False)[1]
    masks = masks_of(source(folder, TUMOUR), images, geometry)
    channels = bare(tumour_bundle(tmp_path / "same"), images, geometry)
    np.testing.assert_array_equal(masks["core"], channels[0] > 0)
    np.testing.assert_array_equal(masks["whole"], channels[1] > 0)
    assert (masks["core"] & masks["whole"]).any()


def test_keys_can_be_given_in_the_order_of_the_channels(tmp_path: Path) -> None:
    folder = tumour_bundle(tmp_path / "tumour", separate=True)
    images, geometry = [a_scan(seed=seed)[0] for seed in (7, 8)], a_scan()[1]
    plain = masks_of(source(folder, TUMOUR), images, geometry)
    turned = masks_of(source(folder, TUMOUR, inputs=["t2", "t1"]), images[::-1], geometry)
    np.testing.assert_array_equal(plain["core"], turned["core"])


def test_a_map_of_labels_that_channel_def_does_not_tell_is_refused_until_it_is_told(tmp_path: Path) -> None:
    folder = tumour_bundle(tmp_path / "tumour", merged=True)
    images, geometry = [a_scan(seed=seed)[0] for seed in (7, 8)], a_scan()[1]
    with pytest.raises(errors.WrongOutput, match="channels that overlap; say with the parameter labels"):
        masks_of(source(folder, TUMOUR), images, geometry)
    labels = {"core": 4, "whole": [2, 4]}
    masks = masks_of(source(folder, TUMOUR, labels=labels), images, geometry)
    made = bare(folder, images, geometry)
    np.testing.assert_array_equal(masks["core"], made == 4)
    np.testing.assert_array_equal(masks["whole"], made > 0)


def test_a_map_is_one_although_channel_def_names_a_single_output(tmp_path: Path) -> None:
    image_kji, geometry = SCANS["LPS"]
    expected = masks_of(source(write_bundle(tmp_path / "two")), [image_kji], geometry)
    for names, labels in (({"2": "left"}, None), ({"0": "all"}, {"left": 2})):
        pred = {"num_channels": 3, "channel_def": names}
        forms = {**METADATA["network_data_format"], "outputs": {"pred": pred}}
        folder = write_bundle(tmp_path / str(*names), metadata={**METADATA, "network_data_format": forms})
        given = source(folder, STRUCTURES[1:], **({"labels": labels} if labels else {}))
        np.testing.assert_array_equal(masks_of(given, [image_kji], geometry)["left"], expected["left"])


def test_a_wrong_number_of_channels_is_told_with_the_bundle_s_keys(tmp_path: Path) -> None:
    folder = tumour_bundle(tmp_path / "tumour", separate=True)
    with pytest.raises(errors.ModelFailure, match=r"loads 2 images \(t1, t2\), and the family has 1"):
        masks_of(source(folder, TUMOUR), [a_scan()[0]], a_scan()[1])


def test_a_yaml_bundle_that_reads_its_network_s_shape_for_a_gpu_runs_where_there_is_none(
    tmp_path: Path,
) -> None:
    config = inference(
        arch_ckpt="$torch.load(@bundle_root + '/models/arch.pt', map_location=torch.device('cuda'))",
        network_def__channels="$@arch_ckpt['channels']",
    )
    folder = write_bundle(tmp_path / "dints", config, weights=unet(inference()["network_def"]).state_dict())
    torch.save({"channels": [8, 16]}, folder / "models" / "arch.pt")
    (folder / "configs" / "inference.json").unlink()
    (folder / "configs" / "inference.yaml").write_text(yaml.safe_dump(config))
    image_kji, geometry = SCANS["LPS"]
    masks = masks_of(source(folder), [image_kji], geometry)
    plain = bare(write_bundle(tmp_path / "plain"), [image_kji], geometry)
    np.testing.assert_array_equal(masks["bright"], plain == 1)


NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self, level):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(float(level)))

    def forward(self, image):
        bright = image - self.level
        return torch.cat([torch.zeros_like(bright), bright, -1 - bright], dim=1)
"""


def scripted_bundle(folder: Path, level: float) -> Path:
    """A bundle whose network is in its own package `scripts`."""
    network = {"_target_": "scripts.net.Net", "level": level}
    weights = {"level": torch.tensor(level)}
    write_bundle(folder, inference(network_def=network), weights=weights)
    (folder / "scripts").mkdir()
    (folder / "scripts" / "__init__.py").write_text("")
    (folder / "scripts" / "net.py").write_text(NET.replace("- self.level", f"- {level}"))
    return folder


def test_each_bundle_gets_its_own_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Somebody else's, imported before.
    monkeypatch.setitem(sys.modules, "scripts", ModuleType("scripts"))
    image_kji, geometry = SCANS["LPS"]
    sizes = []
    for name, level in (("one", 0.25), ("two", 0.75)):
        given = source(scripted_bundle(tmp_path / name, level))
        sizes.append(masks_of(given, [image_kji], geometry)["bright"].sum())
    assert sizes[0] > 2 * sizes[1] > 0
    assert not list(tmp_path.rglob("__pycache__"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_bundle_of_torchscript_runs_be_it_in_models_or_all_in_one_file(tmp_path: Path) -> None:
    from monai.data import save_net_with_metadata

    folder = write_bundle(tmp_path / "two")
    image_kji, geometry = SCANS["sagittal"]
    labels = bare(folder, [image_kji], geometry)
    script = torch.jit.script(unet(inference()["network_def"]))
    extra = {"inference.json": (folder / "configs" / "inference.json").read_bytes()}
    save_net_with_metadata(script, str(tmp_path / "all.ts"), meta_values=METADATA, more_extra_files=extra)
    whole = ModelSource("Two 1.0", STRUCTURES, ("1",), tmp_path / "all.ts")
    (folder / "models" / "model.pt").unlink()
    config = inference(handlers=[])
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    torch.jit.save(script, folder / "models" / "model.ts")
    for given in (whole, source(folder)):
        np.testing.assert_array_equal(masks_of(given, [image_kji], geometry)["left"], labels == 2)


def test_nothing_that_the_inference_does_not_need_is_made(tmp_path: Path) -> None:
    broken: dict[str, Any] = {"datalist": "$1 / 0", "run": ["$1 / 0"], "initialize": ["$1 / 0"]}
    folder = write_bundle(tmp_path / "two", inference(**broken))
    assert masks_of(source(folder), [SCANS["LPS"][0]], SCANS["LPS"][1])["left"].any()
    assert not (folder / "eval").exists()


def test_progress_is_that_of_the_windows(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "two", inference(inferer__roi_size=[8, 8, 8], inferer__sw_batch_size=1))
    shares: list[float] = []
    opened(source(folder)).predict([a_channel(*SCANS["LPS"])], shares.append)
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_tiles_go_to_the_bare_network(tmp_path: Path) -> None:
    backend = opened(source(write_bundle(tmp_path / "two")))
    tiles = np.random.default_rng(0).random((2, 1, 16, 16, 8)).astype(np.float32)
    with torch.inference_mode():
        expected = unet(inference()["network_def"])(torch.from_numpy(tiles)).numpy()
    np.testing.assert_array_equal(backend.infer(Tiles(tiles)), expected)


def test_values_of_the_config_can_be_set_but_bring_no_code(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "two")
    overrides: dict[str, Any] = {"inferer#sw_batch_size": 1, "inferer::roi_size": [8, 8, 8]}
    shares: list[float] = []
    opened(source(folder, overrides=overrides)).predict([a_channel(*SCANS["LPS"])], shares.append)
    assert len(shares) > 10
    marker = tmp_path / "ran"
    code = f"$open({str(marker)!r}, 'w')"
    for odd in (
        {"inferer#overlap": code},
        {"inferer": {"roi_size": [code]}},
        {"inferer#_target_": "os.system"},
        {"inferer": {"_target_": "os.system", "command": "true"}},
        {"imports": ["%/etc/passwd"]},
    ):
        with pytest.raises(errors.InvalidModel, match="would be run; write it into the bundle's own config"):
            opened(source(folder, overrides=odd))
    assert not marker.exists()
    with pytest.raises(errors.InvalidModel, match="overrides must be a table"):
        opened(source(folder, overrides=[1]))


def test_what_a_bundle_s_scripts_bring_is_forgotten_with_it(tmp_path: Path) -> None:
    opened(source(scripted_bundle(tmp_path / "one", 0.5)))
    assert "scripts.net" in sys.modules
    opened(source(write_bundle(tmp_path / "two")))
    assert "scripts.net" not in sys.modules
