"""One trained network in every format that holds it: each reaches the same masks through a whole server."""

from __future__ import annotations

import json
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray

from tests.acceptance import small_unet
from tests.acceptance.serving import Server, serving
from tests.acceptance.test_trained_network import SHARES, TRAINING_MAX_S, manifest
from tests.acceptance.velocity import Velocity, channel, mask_kji, scan
from tests.bodies import ORGANS, a_body, dice, grid, scan_of, truth_of
from tests.packages import a_folder

pytestmark = pytest.mark.timeout(300)

MODULE = (small_unet.SOURCE + SHARES).encode()
RUNTIME = manifest().index("[versions.runtime]")
BUNDLE = {
    "imports": ["$import scripts"],
    "bundle_root": ".",
    "device": "$torch.device('cpu')",
    "network_def": {"_target_": "scripts.net.Shares"},
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [{"_target_": "LoadImaged", "keys": "image"}],
    },
    "inferer": {"_target_": "SimpleInferer"},
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [{"_target_": "AsDiscreted", "keys": "pred", "argmax": True}],
    },
}

Files = dict[str, bytes]


def dynamic() -> tuple[tuple[torch.Tensor], tuple[dict[int, Any]]]:
    """An example, and the sizes that may differ: the manifest pads a scan to whole eights."""
    sizes = {axis: 8 * torch.export.Dim(name, min=2, max=64) for axis, name in ((2, "d"), (3, "h"), (4, "w"))}
    return (torch.zeros(1, 1, 24, 32, 40),), (sizes,)


def pickled(net: torch.nn.Module, folder: Path) -> tuple[str, Files]:
    return 'backend = "pytorch"\nmodel_file = "net.pt"\nmodule_file = "net.py"', {
        "net.pt": pickled_as(net, folder / "net.pt", "net"),
        "net.py": MODULE,
    }


def pickled_as(net: torch.nn.Module, path: Path, module: str) -> bytes:
    """`net` as `torch.save(model)` writes it where its class lies in `module`."""
    kept = sys.modules.get(module)
    made = sys.modules[module] = types.ModuleType(module)
    try:
        exec(MODULE, made.__dict__)
        model = made.Shares().eval()
        model.load_state_dict(net.state_dict())
        torch.save(model, path)
    finally:
        del sys.modules[module]
        if kept:
            sys.modules[module] = kept
    return path.read_bytes()


def in_safetensors(net: torch.nn.Module, folder: Path) -> tuple[str, Files]:
    safetensors.torch.save_file(net.state_dict(), folder / "net.safetensors")
    runtime = 'backend = "pytorch"\nmodel_file = "net.safetensors"\nmodule_file = "net.py"\nentry = "Shares"'
    return runtime, {"net.safetensors": (folder / "net.safetensors").read_bytes(), "net.py": MODULE}


def scripted(net: torch.nn.Module, folder: Path) -> tuple[str, Files]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(net, torch.zeros(1, 1, 24, 32, 40)), folder / "net.ts")
    return 'backend = "torchscript"\nmodel_file = "net.ts"', {"net.ts": (folder / "net.ts").read_bytes()}


def exported(net: torch.nn.Module, folder: Path) -> tuple[str, Files]:
    example, sizes = dynamic()
    torch.export.save(torch.export.export(net, example, dynamic_shapes=sizes), folder / "net.pt2")
    return 'backend = "torch_export"\nmodel_file = "net.pt2"', {"net.pt2": (folder / "net.pt2").read_bytes()}


def in_onnx(net: torch.nn.Module, folder: Path) -> tuple[str, Files]:
    example, sizes = dynamic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(net, example, dynamo=True, dynamic_shapes=sizes, verbose=False)
    assert program is not None
    program.save(str(folder / "net.onnx"), external_data=False)
    return 'backend = "onnx"\nmodel_file = "net.onnx"', {"net.onnx": (folder / "net.onnx").read_bytes()}


def bundled(net: torch.nn.Module, folder: Path) -> tuple[str, Files]:
    torch.save(net.state_dict(), folder / "model.pt")
    classes = {str(number): name for number, name in enumerate(("background", *ORGANS))}
    shape = {"type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1, "dtype": "float32"}
    data = {
        "inputs": {"image": shape | {"channel_def": {"0": "image"}}},
        "outputs": {"pred": {"type": "image", "format": "segmentation", "channel_def": classes}},
    }
    facts = {"version": "1.0", "monai_version": "1.5", "name": "Small", "network_data_format": data}
    return 'backend = "monai"\nmodel_file = "bundle"', {
        "bundle/configs/metadata.json": json.dumps(facts).encode(),
        "bundle/configs/inference.json": json.dumps(BUNDLE).encode(),
        "bundle/models/model.pt": (folder / "model.pt").read_bytes(),
        "bundle/scripts/__init__.py": b"from . import net\n",
        "bundle/scripts/net.py": MODULE,
    }


FORMATS: Mapping[str, Callable[[torch.nn.Module, Path], tuple[str, Files]]] = {
    "pickled module": pickled,
    "safetensors": in_safetensors,
    "TorchScript": scripted,
    "torch.export": exported,
    "ONNX": in_onnx,
    "MONAI bundle": bundled,
}


def the_net() -> torch.nn.Module:
    weights, seconds = small_unet.trained()
    assert seconds < TRAINING_MAX_S
    space: dict[str, Any] = {}
    exec(MODULE, space)
    net: torch.nn.Module = space["Shares"]().eval()
    net.load_state_dict(weights)
    return net


@pytest.fixture(scope="module")
def net_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("formats")
    net = the_net()
    with serving(folder / "home", slots=1) as server:
        for name, write in FORMATS.items():
            place = folder / name
            place.mkdir()
            runtime, files = write(net, place)
            text = manifest()[:RUNTIME].replace("Small U-Net", name) + f"[versions.runtime]\n{runtime}\n"
            server.segint("model", "push", str(a_folder(place / "model", text, files)), "--approve")
            server.segint("model", "activate", f"{name} 1", "--force")
        yield server


def test_every_format_gives_the_same_masks_above_a_dice_of_0_9(net_server: Server) -> None:
    velocity = Velocity(net_server.url)
    body, geometry = a_body(np.random.default_rng(1001)), grid((2.0, 2.0, 4.0))
    image_kji = scan_of(body, geometry, np.random.default_rng(5), edge_mm=4)
    truth = np.stack(truth_of(body, geometry))
    found: dict[str, NDArray[np.bool_]] = {}
    for name in FORMATS:
        output = velocity.segment(scan(channel(image_kji, "ct", geometry.to_transform())), f"{name} 1")
        found[name] = np.stack([mask_kji(made) for made in output.Channels])
        assert min(dice(mask, organ) for mask, organ in zip(found[name], truth, strict=True)) > 0.9, name
    first, *others = found
    # Other libraries add in another order: a voxel whose shares are alike to 1e-5 may fall either way.
    for name in others:
        apart = int((found[name] != found[first]).sum())
        assert apart <= (0 if name != "ONNX" else 3), (name, apart)
