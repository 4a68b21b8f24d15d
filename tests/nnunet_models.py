"""A real nnU-Net, planned, trained for a second and exported by nnunetv2, and the bare script for it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry
from tests.real_models import STRUCTURES, RealModel, a_scan

DATASET = "Dataset007_Two"
CONFIGURATION = "3d_fullres"
TRAINER = "nnUNetTrainer"
LABELS = {"background": 0, "bright": 1, "left": 2}
REGIONS = {"background": 0, "any": [1, 2], "left": [2]}
SHAPE, SPACING = (9, 22, 17), (2.5, 0.9, 1.1)


@contextmanager
def nnunet_folders(folder: Path) -> Iterator[None]:
    """Have nnU-Net train in `folder`, say nothing, and warn of nothing that is its own affair."""
    wanted = {f"nnUNet_{name}": str(folder / name) for name in ("raw", "preprocessed", "results")}
    wanted |= {"nnUNet_compile": "f", "nnUNet_n_proc_DA": "1", "MPLCONFIGDIR": str(folder / "fonts")}
    wanted |= {"nnUNet_def_n_proc": "1"}
    before = {name: os.environ[name] for name in wanted if name in os.environ}
    os.environ.update(wanted)
    threads = torch.get_num_threads()
    # Several of them wait for each other longer than they compute, on cores that have other work.
    torch.set_num_threads(1)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)
        for name in wanted:
            os.environ.pop(name, None)
        os.environ.update(before)


def trained(
    folder: Path,
    labels: Mapping[str, Any] = LABELS,
    reader: str = "SimpleITKIO",
    folds: Sequence[int | str] = (0,),
    channels: Sequence[str] = ("CT",),
    mirrored: tuple[int, ...] | None = None,
) -> Path:
    """Return the folder of a trained configuration in nnU-Net's results under `folder`."""
    dataset = {
        "channel_names": {str(number): name for number, name in enumerate(channels)},
        "labels": dict(labels),
        "numTraining": 1,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": reader,
    }
    if labels is REGIONS:
        dataset["regions_class_order"] = [1, 2]
    with nnunet_folders(folder):
        plans = _planned(folder, dataset)
        for fold in folds:
            _train(folder / "raw" / DATASET, dataset, plans, fold, mirrored)
    made = folder / "results" / DATASET / f"{TRAINER}__nnUNetPlans__{CONFIGURATION}"
    for name in ("dataset.json", "plans.json", "dataset_fingerprint.json"):
        source = "nnUNetPlans.json" if name == "plans.json" else name
        shutil.copy(folder / "preprocessed" / DATASET / source, made / name)
    return made


def _planned(folder: Path, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Write what nnU-Net plans from: a case, and the fingerprint which it would take of many."""
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

    raw, preprocessed = folder / "raw" / DATASET, folder / "preprocessed" / DATASET
    for place in (raw / "imagesTr", raw / "labelsTr", preprocessed):
        place.mkdir(parents=True)
    (raw / "dataset.json").write_text(json.dumps(dataset))
    image_kji, geometry = a_scan()
    for number in range(len(dataset["channel_names"])):
        write_nifti(raw / "imagesTr" / f"case_{number:04}.nii.gz", image_kji, geometry)
    write_nifti(raw / "labelsTr" / "case.nii.gz", truth(image_kji), geometry)
    percentiles = {"percentile_00_5": -890.0, "percentile_99_5": 1190.0}
    values = {"max": 1199.0, "mean": 150.0, "median": 150.0, "min": -900.0, "std": 600.0, **percentiles}
    fingerprint = {
        "spacings": [SPACING] * 20,
        "shapes_after_crop": [SHAPE] * 20,
        "foreground_intensity_properties_per_channel": dict.fromkeys(dataset["channel_names"], values),
        "median_relative_size_after_cropping": 1.0,
    }
    (preprocessed / "dataset_fingerprint.json").write_text(json.dumps(fingerprint))
    planner = ExperimentPlanner(7)
    planner.UNet_base_num_features = 4
    made: dict[str, Any] = planner.plan_experiment()
    return made


def truth(image_kji: NDArray[Any]) -> NDArray[np.uint8]:
    """What the network learns: 1 where it is bright, 2 to the left of that (for a scan stored in LPS)."""
    bright = image_kji > 700
    beside = np.zeros_like(bright)
    beside[..., 1:] = bright[..., :-1]
    return np.where(bright, 1, np.where(beside, 2, 0)).astype(np.uint8)


def _train(
    raw: Path,
    dataset: Mapping[str, Any],
    plans: Mapping[str, Any],
    fold: int | str,
    mirrored: tuple[int, ...] | None,
) -> None:
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    torch.manual_seed(11 if fold == "all" else int(fold))
    trainer = nnUNetTrainer(
        {**plans, "continue_training": False}, CONFIGURATION, fold, dict(dataset), torch.device("cpu")
    )
    trainer.enable_deep_supervision = False
    trainer.inference_allowed_mirroring_axes = mirrored
    preprocessed = Path(trainer.preprocessed_dataset_folder)
    case = (
        sorted(str(path) for path in (raw / "imagesTr").iterdir()),
        str(raw / "labelsTr" / "case.nii.gz"),
        *(trainer.plans_manager, trainer.configuration_manager, dict(dataset)),
    )
    preprocessor = trainer.configuration_manager.preprocessor_class(verbose=False)
    if not preprocessed.exists():
        preprocessed.mkdir()
        preprocessor.run_case_save(str(preprocessed / "case"), *case)
    trainer.initialize()
    data, seg, _ = preprocessor.run_case(*case)
    _fit(trainer, torch.from_numpy(data)[None], torch.from_numpy(seg)[None])
    Path(trainer.output_folder, "validation").mkdir()
    Path(trainer.output_folder, "validation", "summary.json").write_text("{}")
    Path(trainer.output_folder, "progress.png").write_bytes(b"")
    trainer.save_checkpoint(str(Path(trainer.output_folder, "checkpoint_final.pth")))


def _fit(trainer: Any, data: torch.Tensor, seg: torch.Tensor) -> None:
    patch = trainer.configuration_manager.patch_size
    room = [wanted - size for size, wanted in zip(data.shape[2:], patch, strict=True)]
    pads = [pad for wanted in reversed(room) for pad in (0, max(0, wanted))]
    data, seg = torch.nn.functional.pad(data, pads), torch.nn.functional.pad(seg, pads)
    labels = trainer.label_manager
    if labels.has_regions:
        seg = torch.stack([torch.isin(seg[:, 0], torch.tensor(r)) for r in labels.foreground_regions], 1)
    cut = (..., *(slice(0, size) for size in patch))
    optimizer = torch.optim.Adam(trainer.network.parameters(), 5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        trainer.loss(trainer.network(data[cut]), seg[cut].long()).backward()
        optimizer.step()


def write_nifti(path: Path, image_kji: NDArray[Any], geometry: Geometry) -> None:
    affine = np.diag([-1, -1, 1, 1]) @ geometry.affine
    nibabel.save(nibabel.Nifti1Image(image_kji.transpose(2, 1, 0), affine), path)


def exported(
    folder: Path, configurations: Sequence[str] = (CONFIGURATION,), folds: Sequence[Any] = (0,)
) -> Path:
    """Return the zip that nnU-Net's own export makes of the results under `folder`."""
    from nnunetv2.model_sharing.model_export import export_pretrained_model

    path = folder / "model.zip"
    with nnunet_folders(folder):
        export_pretrained_model(7, str(path), tuple(configurations), folds=tuple(folds))
    return path


def bare(
    model: Path,
    image_kji: NDArray[Any],
    geometry: Geometry,
    stored: str = "LPS",
    folds: tuple[int | str, ...] = (0,),
) -> NDArray[np.uint8]:
    """Return the segmentation as nnU-Net's own files have it, on the scan's grid.

    The scan is stored so that its axes grow to `stored`, by SimpleITK; empty: as it is.
    """
    import SimpleITK

    with tempfile.TemporaryDirectory() as name, nnunet_folders(Path(name)):
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        place = Path(name)
        write_nifti(place / "sent.nii.gz", image_kji, geometry)
        sent = SimpleITK.ReadImage(str(place / "sent.nii.gz"))
        own = SimpleITK.DICOMOrientImageFilter_GetOrientationFromDirectionCosines(sent.GetDirection())
        turned = SimpleITK.DICOMOrient(sent, stored or own)
        SimpleITK.WriteImage(turned, str(place / "case_0000.nii.gz"))
        predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(str(model), folds)
        channels = len(predictor.dataset_json["channel_names"])
        files = [[str(place / "case_0000.nii.gz")] * channels]
        predictor.predict_from_files_sequential(files, [str(place / "made")])
        made = SimpleITK.ReadImage(str(place / "made.nii.gz"))
        back: NDArray[np.uint8] = SimpleITK.GetArrayFromImage(SimpleITK.DICOMOrient(made, own))
    return back


def nnunet(folder: Path) -> RealModel:
    """The zip of a trained model, as nnU-Net exports it."""
    model = trained(folder)

    def masks(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        labels = bare(model, image_kji, geometry)
        return np.stack([labels == LABELS[spec.structure_id] for spec in STRUCTURES])

    return RealModel("nnunet", masks, exported(folder), parameters={"orientation": "LPS"})
