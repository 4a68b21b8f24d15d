"""MONAI bundles as their users export them, made in a second, and the bare script that runs one on files."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry

CHANNEL_DEF = {"0": "background", "1": "Bright", "2": "left"}

METADATA: dict[str, Any] = {
    "version": "0.3.1",
    "monai_version": "1.6.1",
    "name": "Two structures",
    "description": "Draws two structures.",
    "authors": "A Group",
    "network_data_format": {
        "inputs": {
            "image": {
                "type": "image",
                "modality": "CT",
                "num_channels": 1,
                "spatial_shape": [16, 16, 8],
                "channel_def": {"0": "image"},
            }
        },
        "outputs": {"pred": {"type": "image", "num_channels": 3, "channel_def": CHANNEL_DEF}},
    },
}

INFERENCE: dict[str, Any] = {
    "imports": ["$import glob"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": "/data/nowhere",
    "datalist": "$list(sorted(glob.glob(@dataset_dir + '/imagesTs/*.nii.gz')))",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "network_def": {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 3,
        "channels": [8, 16],
        "strides": [2],
        "num_res_units": 1,
    },
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": "image", "pixdim": [1.5, 1.25, 2.0], "mode": "bilinear"},
            {
                "_target_": "ScaleIntensityRanged",
                "keys": "image",
                "a_min": -900,
                "a_max": 1200,
                "b_min": 0,
                "b_max": 1,
                "clip": True,
            },
            {"_target_": "EnsureTyped", "keys": "image"},
        ],
    },
    "dataset": {
        "_target_": "Dataset",
        "data": "$[{'image': i} for i in @datalist]",
        "transform": "@preprocessing",
    },
    "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
    "inferer": {
        "_target_": "SlidingWindowInferer",
        "roi_size": [16, 16, 8],
        "sw_batch_size": 2,
        "overlap": 0.5,
    },
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {
                "_target_": "Invertd",
                "keys": "pred",
                "transform": "@preprocessing",
                "orig_keys": "image",
                "nearest_interp": False,
                "to_tensor": True,
            },
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            {
                "_target_": "SaveImaged",
                "keys": "pred",
                "output_dir": "@output_dir",
                "output_postfix": "seg",
                "separate_folder": False,
                "print_log": False,
            },
        ],
    },
    "handlers": [
        {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
        },
        {"_target_": "StatsHandler", "iteration_log": False},
    ],
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@dataloader",
        "network": "@network",
        "inferer": "@inferer",
        "postprocessing": "@postprocessing",
        "val_handlers": "@handlers",
        "amp": True,
    },
    "initialize": ["$monai.utils.set_determinism(seed=123)"],
    "run": ["$@evaluator.run()"],
}


def inference(**changes: Any) -> dict[str, Any]:
    """The config with `changes`: `a__b` is `b` in `a`."""
    config = copy.deepcopy(INFERENCE)
    for name, value in changes.items():
        *path, last = name.split("__")
        place = config
        for part in path:
            place = place[part]
        place[last] = value
    return config


def transforms(config: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    """The steps of a section of a config, to be changed."""
    steps: list[dict[str, Any]] = config[section]["transforms"]
    return steps


def write_bundle(
    folder: Path,
    config: Mapping[str, Any] = INFERENCE,
    metadata: Mapping[str, Any] = METADATA,
    weights: Any = None,
) -> Path:
    """Write a bundle with `weights`, by default those of `config`'s network, which are always the same."""
    for name in ("configs", "models", "docs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "docs" / "README.md").write_text("# Two structures\n")
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    torch.save(weights or unet(config["network_def"]).state_dict(), folder / "models" / "model.pt")
    return folder


def unet(definition: Mapping[str, Any]) -> torch.nn.Module:
    """The network of a config, with weights that are always the same and mix where things are and what."""
    from monai.networks.nets import UNet

    torch.manual_seed(4)
    made: torch.nn.Module = UNet(**{name: value for name, value in definition.items() if name != "_target_"})
    return made.eval()


def save_nifti(image_kji: NDArray[Any], geometry: Geometry, path: Path) -> None:
    affine = np.diag([-1, -1, 1, 1]) @ geometry.affine
    nibabel.save(nibabel.Nifti1Image(image_kji.transpose(2, 1, 0), affine), path)


def bare(folder: Path, images: Sequence[NDArray[Any]], geometry: Geometry) -> NDArray[Any]:
    """What MONAI itself saves for NIfTI files, as [k, j, i] or [channel, k, j, i]; checks where it lies."""
    from monai.bundle import ConfigParser
    from monai.data import decollate_batch

    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        # Of MONAI's own parts.
        warnings.simplefilter("ignore")
        paths = [Path(place) / f"scan{number}.nii.gz" for number in range(len(images))]
        for image_kji, path in zip(images, paths, strict=True):
            save_nifti(image_kji, geometry, path)
        parser = ConfigParser()
        parser.read_meta(folder / "configs" / "metadata.json")
        parser.read_config(folder / "configs" / "inference.json")
        files = [str(path) for path in paths]
        parser.update({"bundle_root": str(folder), "output_dir": place, "device": torch.device("cpu")})
        parser["datalist"] = files if len(files) == 1 else [files]
        network = parser.get_parsed_content("network")
        network.load_state_dict(torch.load(folder / "models" / "model.pt", weights_only=True))
        with torch.inference_mode():
            for batch in parser.get_parsed_content("dataloader"):
                batch["pred"] = parser.get_parsed_content("inferer")(batch["image"], network.eval())
                for item in decollate_batch(batch):
                    parser.get_parsed_content("postprocessing")(item)
        (saved,) = Path(place).glob("*_seg.nii.gz")
        made = nibabel.load(saved)
        found = np.asarray(made.dataobj)
        np.testing.assert_allclose(made.affine, np.diag([-1, -1, 1, 1]) @ geometry.affine, atol=1e-4)
    return found.T
