"""What a zip of nnU-Net v2 models says of them: dataset.json and plans.json, read without its library."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segint_grpc import errors
from segint_grpc.backends.model_folder import member_names, read_member
from segint_grpc.backends.nnunet_options import ALL_CASES, CONFIGURATION, Options
from segint_grpc.domain.nnunet_files import (
    CHECKPOINT,
    DATASET,
    PLANS,
    READERS,
    configuration_of,
    model_folders,
    own_name,
)

FINAL, BEST = "checkpoint_final.pth", "checkpoint_best.pth"
JSON_BYTES_MAX = 64 * 1024 * 1024
"""A dataset.json may list every training case."""


@dataclass(frozen=True)
class NnunetModel:
    """One trained configuration. `configuration` is empty where only its checkpoint tells.

    `folder` is where it lies in the zip, empty or ending in /. `labels` are what it draws, by name and in
    order, a region being the union of several. `nifti`: it was trained on NIfTI files.
    """

    folder: str
    configuration: str
    checkpoint: str
    folds: tuple[str, ...]
    channel_names: tuple[str, ...]
    labels: Mapping[str, tuple[int, ...]]
    reader: str
    nifti: bool
    remarks: tuple[str, ...] = ()


def holds_checkpoint(path: Path) -> bool:
    """Return whether there is a checkpoint in the zip `path`, where `read_model` looks for one.

    Raises:
        InvalidModel: it is no zip, or one that must not be unpacked.
    """
    return any(map(CHECKPOINT.fullmatch, member_names(path)))


def read_model(path: Path, options: Options) -> NnunetModel:
    """Return the model in the zip `path` that `options` ask for.

    Raises:
        InvalidModel: there is none, or it cannot be run; the message says what is missing.
    """
    names = member_names(path)
    folder, configuration = _chosen(path, names, options.configuration)
    dataset, plans = (_json(path, folder + name) for name in (DATASET, PLANS))
    _refuse_cascade(path, plans, configuration)
    checkpoint, folds, remarks = _checkpoints(path, names, folder, options)
    return NnunetModel(
        folder=folder,
        configuration=configuration,
        checkpoint=checkpoint,
        folds=folds,
        channel_names=_channel_names(path, dataset),
        labels=_labels(path, dataset),
        reader=_reader(path, plans),
        nifti=str(dataset.get("file_ending", ".nii.gz")).startswith(".nii"),
        remarks=remarks,
    )


def cascade(path: Path, configuration: str, previous: str) -> errors.InvalidModel:
    """Return the error for a configuration that needs the masks of another one."""
    return errors.InvalidModel(
        f"{path.name}: {configuration or 'the model'} is a cascade, which starts from the masks of "
        f"{previous}. SegInt runs no cascades; export 3d_fullres, or another configuration that runs alone."
    )


def _refuse_cascade(path: Path, plans: Mapping[str, Any], configuration: str) -> None:
    configurations, seen, name = _configurations(path, plans), set[str](), configuration
    while name and name not in seen:
        if name not in configurations:
            here = ", ".join(configurations)
            raise errors.InvalidModel(
                f"{path.name}: the {PLANS} has no configuration {name:.60}; it has {here}."
            )
        seen.add(name)
        if previous := configurations[name].get("previous_stage"):
            raise cascade(path, configuration, str(previous))
        name = str(configurations[name].get("inherits_from", ""))


def _configurations(path: Path, plans: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    found = plans.get("configurations")
    if not isinstance(found, Mapping) or not all(isinstance(entry, Mapping) for entry in found.values()):
        raise errors.InvalidModel(f'{path.name}: the {PLANS} lacks "configurations".')
    return found


def _chosen(path: Path, names: Sequence[str], wanted: str) -> tuple[str, str]:
    """Return the folder of the model that is wanted, and its configuration, where that can be told."""
    found = {folder: _configuration(path, names, folder) for folder in model_folders(names)}
    if not found:
        raise _nothing(path, names)
    fits = [folder for folder, name in found.items() if not wanted or wanted in (name, own_name(folder))]
    if len(fits) == 1:
        return fits[0], found[fits[0]]
    if len(found) == 1 and list(found.values()) == [""]:
        return next(iter(found)), wanted.rpartition("__")[2]
    here = ", ".join(found[folder] or own_name(folder) for folder in found)
    raise errors.InvalidModel(
        f"{path.name} holds the configurations {here}; say with the parameter {CONFIGURATION} which to run."
        if not wanted or fits
        else f"{path.name} holds no configuration {wanted!r:.60}; it holds {here}."
    )


def _configuration(path: Path, names: Sequence[str], folder: str) -> str:
    """Return what the model's own folder is called after, else what nnU-Net noted beside a checkpoint."""
    configurations = _configurations(path, _json(path, folder + PLANS))
    if (called := configuration_of(folder)) in configurations:
        return called
    notes = [name for name in names if re.fullmatch(re.escape(folder) + r"fold_\w+/debug\.json", name)]
    noted = _json(path, notes[0]).get("configuration_name", "") if notes else ""
    return noted if isinstance(noted, str) else ""


def _nothing(path: Path, names: Sequence[str]) -> errors.InvalidModel:
    files = {name.rpartition("/")[2] for name in names}
    lacking = [name for name in (DATASET, PLANS) if name not in files]
    if not any(map(CHECKPOINT.fullmatch, names)):
        lacking.append(f"fold_0/{FINAL}")
    why = f"it lacks {' and '.join(lacking)}" if lacking else f"{DATASET} and {PLANS} lie beside no fold_0"
    return errors.InvalidModel(
        f"{path.name} is no nnU-Net v2 model: {why}. Name the folder TRAINER__PLANS__CONFIGURATION of the "
        "results, or a zip that nnUNetv2_export_model_to_zip wrote."
    )


def _json(path: Path, name: str) -> Mapping[str, Any]:
    try:
        made = json.loads(read_member(path, name, JSON_BYTES_MAX))
    except (ValueError, RecursionError) as error:
        raise errors.InvalidModel(f"{path.name}: {name} is no valid JSON ({error!s:.100}).") from None
    if not isinstance(made, Mapping):
        raise errors.InvalidModel(f"{path.name}: {name} must hold an object.")
    return made


def _checkpoints(
    path: Path, names: Sequence[str], folder: str, options: Options
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return the checkpoint's name, the folds that have it and are to be run, and what is to be remarked."""
    here = [match for match in map(CHECKPOINT.fullmatch, names) if match and match["folder"] == folder]
    by_file: dict[str, list[str]] = {}
    for match in here:
        by_file.setdefault(match["file"], []).append(match["fold"])
    file = options.checkpoint or next((name for name in (FINAL, BEST) if name in by_file), FINAL)
    remarks = [] if options.checkpoint or file == FINAL else [f"The model has no {FINAL}, so {BEST} was run."]
    # fold_all has seen every case and is no part of an ensemble, unless it is all there is.
    found = sorted(by_file.get(file, []), key=lambda fold: (len(fold), fold))
    folds = options.folds or tuple(fold for fold in found if fold != ALL_CASES) or tuple(found)
    if missing := [fold for fold in folds or ("0",) if fold not in found]:
        there = ", ".join(sorted(f"fold_{match['fold']}/{match['file']}" for match in here))
        raise errors.InvalidModel(f"{path.name} lacks fold_{missing[0]}/{file}; it has {there:.200}.")
    others = {match["fold"] for match in here} - {*found, *options.folds}
    remarks += [f"fold_{fold} of the model has no {file} and was left out." for fold in sorted(others)]
    return file, folds, tuple(remarks)


def _channel_names(path: Path, dataset: Mapping[str, Any]) -> tuple[str, ...]:
    names = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(names, Mapping) or not names or not all(str(key).isdigit() for key in names):
        raise errors.InvalidModel(f'{path.name}: the {DATASET} lacks "channel_names", as in {{"0": "CT"}}.')
    return tuple(str(names[key]) for key in sorted(names, key=int))


def _labels(path: Path, dataset: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    given = dataset.get("labels")
    if not isinstance(given, Mapping) or given.get("background") != 0:
        raise errors.InvalidModel(
            f'{path.name}: the {DATASET} lacks "labels" as nnU-Net v2 has them, as in '
            '{"background": 0, "liver": 1}.'
        )
    labels: dict[str, tuple[int, ...]] = {}
    for name, value in given.items():
        several = tuple(value) if isinstance(value, list) else (value,)
        if not several or not all(isinstance(number, int) for number in several):
            raise errors.InvalidModel(f"{path.name}: the label {name!r:.60} is {value!r:.60}, and no number.")
        if name not in ("background", "ignore"):
            labels[str(name)] = several
    return labels


def _reader(path: Path, plans: Mapping[str, Any]) -> str:
    reader = str(plans.get("image_reader_writer", ""))
    if reader not in READERS:
        raise errors.InvalidModel(
            f"{path.name} was trained on files that {reader or 'a reader without a name'} reads; SegInt "
            f"knows how {', '.join(READERS)} lay out a scan."
        )
    return reader
