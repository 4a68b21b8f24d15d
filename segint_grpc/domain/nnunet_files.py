"""How nnU-Net v2 models lie in a folder, and which readers they were trained with.

A model is a folder TRAINER__PLANS__CONFIGURATION with a dataset.json, a plans.json, and a fold_N with a
checkpoint for each fold. What nnU-Net's own export wrote may hold several, one for each configuration.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

DATASET, PLANS = "dataset.json", "plans.json"
CHECKPOINT = re.compile(r"(?P<folder>(?:.*/)?)fold_(?P<fold>\d+|all)/(?P<file>[^/]+\.pth)")

READERS: Mapping[str, str] = {
    "SimpleITKIO": "",
    "NibabelIO": "",
    "SimpleITKIOWithReorient": "RAS",
    "NibabelIOWithReorient": "RAS",
}
"""Readers of nnU-Net, and to what they turn every scan; empty where they take it as it is stored."""


def model_folders(names: Collection[str]) -> list[str]:
    """Return the folders, each empty or ending in /, of the models among the files `names`, sorted."""
    found = {match["folder"] for match in map(CHECKPOINT.fullmatch, names) if match}
    return sorted(folder for folder in found if {folder + DATASET, folder + PLANS} <= set(names))


def own_name(folder: str) -> str:
    """Return what a folder ending in / is called itself, without those that it lies in."""
    return folder.rstrip("/").rpartition("/")[2]


def configuration_of(folder: str) -> str:
    """Return the configuration that a model's folder is called after."""
    return own_name(folder).rpartition("__")[2]
