"""What an nnU-Net v2 model says of itself in its dataset.json and plans.json."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from segint_grpc import errors
from segint_grpc.domain.nnunet_files import DATASET, PLANS, READERS, configuration_of, model_folders
from segint_grpc.packaging.bundle_proposal import modalities
from segint_grpc.packaging.manifest_template import OutlinedChannel
from segint_grpc.packaging.model_contents import ModelContents
from segint_grpc.packaging.proposal import Proposal, numbered, text_of

KIND = f"an nnU-Net v2 model (it has {DATASET} and {PLANS})"

TURNING_READERS = tuple(reader for reader, letters in READERS.items() if letters)
"""Readers of nnU-Net that turn every scan to RAS; the others take it as it is stored."""

_USUAL = "3d_fullres"
_MR = re.compile(r"\b(mri?|t1|t2|flair|dwi|adc)", re.I)


def propose(contents: ModelContents) -> Proposal | None:
    """Return what the model in `contents` says, None where there is none.

    Raises:
        InvalidModel: its dataset.json does not name what it draws, or there is but a cascade.
    """
    folders = model_folders(contents.names)
    if not folders:
        return None
    plain = [folder for folder in folders if not configuration_of(folder).startswith("3d_cascade")]
    if not plain:
        raise errors.InvalidModel(f"{contents.path} is a cascade, which SegInt cannot run; take {_USUAL}.")
    folder = next((one for one in plain if configuration_of(one) == _USUAL), plain[0])
    dataset, plans = contents.read_json(folder + DATASET), contents.read_json(folder + PLANS)
    labels = _labels(contents, folder, dataset)
    several = len(folders) > 1
    stored = plans.get("image_reader_writer") not in TURNING_READERS
    return Proposal(
        kind="an nnU-Net v2 model",
        backend="nnunet",
        structures=tuple(labels),
        channels=tuple(_channels(dataset)),
        name=_name(dataset, plans),
        description=text_of(dataset, "description"),
        version_description=_version_description(dataset),
        parameters=({"configuration": configuration_of(folder)} if several else {})
        | ({"orientation": "LPS"} if stored else {}),
        to_check=tuple(_to_check(labels, stored, [configuration_of(one) for one in folders])),
    )


def _labels(contents: ModelContents, folder: str, dataset: Mapping[str, Any]) -> dict[str, Any]:
    found = dataset.get("labels")
    labels = {str(name): value for name, value in found.items()} if isinstance(found, Mapping) else {}
    if "background" not in labels or not set(labels) - {"background", "ignore"}:
        raise errors.InvalidModel(
            f"{folder}{DATASET} of {contents.path} names nothing that the network draws; expected was "
            '"labels", as in {"background": 0, "liver": 1}.'
        )
    return {name: value for name, value in labels.items() if name not in ("background", "ignore")}


def _channels(dataset: Mapping[str, Any]) -> Iterator[OutlinedChannel]:
    found = dataset.get("channel_names", dataset.get("modality"))
    names = found if isinstance(found, Mapping) and found else {"0": "image"}
    for number, name in enumerate(numbered(names), start=1):
        kind = "mr" if _MR.search(name) else ""
        yield OutlinedChannel(str(number), modalities(kind, name), f"In the model it is {name}.")


def _to_check(labels: Mapping[str, Any], stored: bool, configurations: list[str]) -> Iterator[str]:
    if stored:
        yield (
            "orientation: the model knows scans as its training files were stored, and does not say how that "
            "was. LPS is what SimpleITK makes of DICOM; dcm2niix makes LAS. "
            "nibabel.aff2axcodes(nibabel.load(FILE).affine) tells it of a file."
        )
    if len(configurations) > 1:
        yield f"configuration: there are {', '.join(configurations)}; which is to run?"
    regions = [name for name, value in labels.items() if isinstance(value, list) and len(value) > 1]
    if regions:
        yield f"structures: {', '.join(regions)} hold other ones' voxels, too, as the model was trained."


def _name(dataset: Mapping[str, Any], plans: Mapping[str, Any]) -> str:
    called = text_of(dataset, "name") or text_of(plans, "dataset_name")
    return re.sub(r"^(Dataset|Task)\d+_", "", called).replace("_", " ")


def _version_description(dataset: Mapping[str, Any]) -> str:
    said = (
        ("nnU-Net v2", ""),
        (text_of(dataset, "reference"), "of "),
        (text_of(dataset, "licence"), "licence "),
    )
    return ", ".join(f"{before}{text}" for text, before in said if text)
