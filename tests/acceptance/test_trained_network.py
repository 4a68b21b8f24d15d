"""A network trained here goes through a whole server on bodies that it has not seen, stored in many ways."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from segint_grpc.domain.agreement import TURNS
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.orientation import Arrangement
from segint_grpc.service.gate.scans import tilted
from tests.acceptance import small_unet
from tests.acceptance.serving import Server, serving
from tests.acceptance.velocity import Velocity, channel, mask_kji, scan
from tests.bodies import ORGANS, SPACING_MM, Body, Triple, a_body, dice, grid, moved, scan_of, truth_of
from tests.packages import a_folder

TRAINING_MAX_S = 60
pytestmark = pytest.mark.timeout(300)
MODEL = "Small U-Net 1"
SPACINGS: list[Triple] = [(0.7, 0.7, 3.0), (1.0, 1.0, 1.0), (2.0, 2.0, 5.0), (3.0, 3.0, 3.0), (5.0, 5.0, 5.0)]

MANIFEST = f"""
[family]
canonical_name = "Small U-Net"
body_parts = ["Abdomen"]
[[channels]]
id = "ct"
modalities = ["CT"]
[[versions]]
id = "{MODEL}"
number = "1.0"
STRUCTURES
[versions.input]
orientation = "LPS"
spacing_mm = [{SPACING_MM}, {SPACING_MM}, {SPACING_MM}]
[[versions.input.intensity]]
clip = [{small_unet.CLIP_HU[0]}, {small_unet.CLIP_HU[1]}]
normalise = "min_max"
[versions.input.padding]
multiple_of = [8, 8, 8]
[versions.inference]
flips = ["z"]
[versions.output]
returns = "probabilities"
largest_component = true
STRUCTURE_RULES
[versions.runtime]
backend = "pytorch"
model_file = "weights.pt"
module_file = "net.py"
entry = "Shares"
"""

SHARES = """

class Shares(UNet):
    def forward(self, x):
        return super().forward(x).softmax(1)
"""


def manifest() -> str:
    structures = "".join(f'[[versions.structures]]\nid = "{name}"\ncolor = "#ff7800"\n' for name in ORGANS)
    rules = "".join(
        f'[[versions.output.structures]]\nid = "{name}"\nlabel = {number}\n'
        for number, name in enumerate(ORGANS, 1)
    )
    return MANIFEST.replace("STRUCTURES\n", structures).replace("STRUCTURE_RULES\n", rules)


@pytest.fixture(scope="module")
def net_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("net")
    weights, seconds = small_unet.trained()
    assert seconds < TRAINING_MAX_S
    torch.save(weights, folder / "weights.pt")
    files = {
        "weights.pt": (folder / "weights.pt").read_bytes(),
        "net.py": (small_unet.SOURCE + SHARES).encode(),
    }
    package = a_folder(folder / "model", manifest(), files)
    with serving(folder / "home", slots=2) as server:
        server.segint("model", "push", str(package), "--approve")
        server.segint("model", "activate", MODEL, "--force")
        yield server


def dices(velocity: Velocity, body: Body, geometry: Geometry, seed: int = 5) -> dict[str, float]:
    """The Dice of each organ of `body` on a scan of `geometry`."""
    image = scan_of(
        body, geometry, np.random.default_rng(seed), edge_mm=max(3.0, max(geometry.spacing_xyz_mm))
    )
    output = velocity.segment(scan(channel(image, "ct", geometry.to_transform())), MODEL)
    truth = dict(zip(ORGANS, truth_of(body, geometry), strict=True))
    return {
        c.Structure.StructureID: dice(mask_kji(c), truth[c.Structure.StructureID]) for c in output.Channels
    }


def mean(found: dict[str, float]) -> float:
    return float(np.mean(list(found.values())))


def test_unseen_bodies_reach_a_dice_above_0_9_whatever_the_spacing(net_server: Server) -> None:
    velocity = Velocity(net_server.url)
    bodies = [a_body(np.random.default_rng(seed)) for seed in (1001, 1002, 1003)]
    means = {}
    for spacing in SPACINGS:
        found = [dices(velocity, body, grid(spacing)) for body in bodies]
        means[spacing] = float(np.mean([mean(one) for one in found]))
        assert min(min(one.values()) for one in found) > 0.85, found
    assert min(means.values()) > 0.9, means
    assert max(means.values()) - min(means.values()) < 0.02, means


def test_every_axis_order_gives_the_same_dice(net_server: Server) -> None:
    velocity = Velocity(net_server.url)
    body = a_body(np.random.default_rng(1001))
    base = grid((2.5, 3.0, 4.0))
    image = scan_of(body, base, np.random.default_rng(5), edge_mm=4)
    truth = truth_of(body, base)

    def run(turn: Arrangement) -> float:
        placed = channel(np.ascontiguousarray(turn.apply(image)), "ct", turn.geometry(base).to_transform())
        output = velocity.segment(scan(placed), MODEL)
        return float(
            np.mean([dice(turn.undo(mask_kji(c)), t) for c, t in zip(output.Channels, truth, strict=True)])
        )

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(run, TURNS))
    assert min(found) > 0.9
    assert max(found) - min(found) < 0.02, (min(found), max(found))


def test_a_tilted_grid_and_another_place_in_the_room_change_nothing(net_server: Server) -> None:
    velocity = Velocity(net_server.url)
    body = a_body(np.random.default_rng(1002))
    plain = mean(dices(velocity, body, grid((3.0, 3.0, 3.0))))
    slanted = tilted(grid((3.0, 3.0, 3.0)), 10.0)
    middle = slanted.xyz_mm((np.array([slanted.shape_kji]) - 1) / 2)[0]
    centred = moved(slanted, (-float(middle[0]), -float(middle[1]), -float(middle[2])))
    assert abs(mean(dices(velocity, body, centred)) - plain) < 0.03
