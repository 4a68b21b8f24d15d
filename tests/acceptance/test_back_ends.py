"""A real model of every kind, through Velocity's HTTP, voxel for voxel as a bare script has it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance import example_models
from tests.acceptance.serving import Server
from tests.acceptance.velocity import Velocity, channel, mask_kji, scan
from tests.real_models import BUILDERS, CHANNELS, STRUCTURES, RealModel, a_scan, built


def install(server: Server, folder: Path, model: RealModel, name: str, *, approve: bool = True) -> str:
    """Offer `model` as the version `name`; return its id."""
    drawn = [(spec.structure_id, spec.name, (9, 9, 9), spec.input_channel_id) for spec in STRUCTURES]
    family = example_models.family(name, drawn, CHANNELS)
    (folder / "family.pb").write_bytes(family.SerializeToString())
    server.segint("model", "import", str(folder / "family.pb"))
    files = ["--model", str(model.model_file)] if model.model_file else []
    files += ["--module", str(model.module_file)] if model.module_file else []
    files += ["--entry", model.entry] if model.entry else []
    for parameter, value in model.parameters.items():
        files += ["--parameter", f"{parameter}={json.dumps(value)}"]
    files += ["--approve"] if approve else []
    server.segint("model", "set", name, "--backend", model.backend, *files, "--activate", "--force")
    return name


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_a_real_model_s_masks_are_those_of_a_bare_script_however_the_scan_is_stored(
    server: Server, velocity: Velocity, tmp_path: Path, name: str
) -> None:
    model = built(name)
    version = install(server, tmp_path, model, f"Two by {name}")
    for stored_in_lps in (True, False):
        image_kji, geometry = a_scan(stored_in_lps=stored_in_lps, seed=20)
        body = scan(channel(image_kji, "1", geometry.to_transform()))
        masks = np.stack([mask_kji(made) for made in velocity.segment(body, version).Channels])
        np.testing.assert_array_equal(masks, model.bare(image_kji, geometry))
        assert masks.any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("name", ["keras", "onnx", "sklearn", "xgboost"])
def test_a_file_that_carries_no_code_needs_no_approval(server: Server, tmp_path: Path, name: str) -> None:
    model = built(name)
    install(server, tmp_path, model, f"Unapproved {name}", approve=False)


@pytest.mark.parametrize("name", ["monai", "tensorflow", "torchscript", "torch_export"])
def test_a_file_that_may_run_code_waits_for_approval(server: Server, tmp_path: Path, name: str) -> None:
    model = BUILDERS[name](tmp_path)
    with zipfile.ZipFile(model.model_file, "a") as archive:
        archive.comment = b"other content than any that was approved"
    with pytest.raises(AssertionError, match="carries code that nobody has approved"):
        install(server, tmp_path, model, f"Unapproved {name}", approve=False)
