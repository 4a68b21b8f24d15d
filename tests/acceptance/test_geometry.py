"""Shapes given in millimetres go through a whole server, stored in all 48 ways, in every inference mode."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1.models_pb2 import ActivateVersionRequest
from generated.segint.v1.models_pb2_grpc import ModelsStub
from segint_grpc.domain.agreement import TURNS
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.orientation import Arrangement
from segint_grpc.home import Home, unix_target
from tests.acceptance.serving import Server, serving
from tests.acceptance.velocity import Velocity, channel, mask_kji, scan
from tests.packages import a_folder
from tests.shapes import SHAPES, anisotropic, image, oblique, shift_mm, wrong_by_mm

PREPARED_MM = 2.0

MODULE = """
    import numpy as np
    import torch


    class Tiles(torch.nn.Module):
        def forward(self, x):
            assert x.dtype == torch.float32 and x.shape[1] == 3
            return (x - 0.5) * 20


    class Volumes(torch.nn.Module):
        def forward(self, sphere, box, ell, geometry):
            assert sphere.dtype == np.float32
            assert np.allclose(geometry[0].spacing_xyz_mm, 2.0) and geometry[0].x_axis[0] < 0
            return {"sphere": sphere > 0.5, "box": box > 0.5, "ell": ell > 0.5}


    class Labels(torch.nn.Module):
        def forward(self, x):
            best, which = x.max(dim=1)
            return torch.where(best > 0.5, which * 10 + 5, 0)


    class Classes(torch.nn.Module):
        def forward(self, x):
            return torch.cat([torch.full_like(x[:, :1], 0.5), x], dim=1)
"""

INPUT = f"""
    [versions.input]
    orientation = "RAS"
    spacing_mm = [{PREPARED_MM}, {PREPARED_MM}, {PREPARED_MM}]
    [[versions.input.intensity]]
    clip = [0, 1000]
    normalise = "min_max"
"""

LOGITS = '[versions.output]\nreturns = "logits"\n'

MODES = {
    "whole volumes": ("Volumes", ""),
    "whole as a batch": ("Tiles", '[versions.inference]\nmode = "whole"\n' + LOGITS),
    "oblique made straight": ("Tiles", '[versions.inference]\nmode = "whole"\n' + LOGITS),
    "windows": (
        "Tiles",
        '[versions.inference]\nmode = "sliding_window"\nwindow = [20, 24, 16]\ntile_batch = 3\n' + LOGITS,
    ),
    "windows of one weight, exclusive": (
        "Classes",
        '[versions.inference]\nmode = "sliding_window"\nwindow = [24, 20, 16]\noverlap = 0.25\n'
        'blending = "constant"\n[versions.output]\nreturns = "probabilities"\nexclusive = true\n',
    ),
    "windows, labels": (
        "Labels",
        '[versions.inference]\nmode = "sliding_window"\nwindow = [20, 24, 16]\naxes = "ijk"\n'
        '[versions.output]\nreturns = "labels"\n'
        '[[versions.output.structures]]\nid = "sphere"\nlabel = 5\n'
        '[[versions.output.structures]]\nid = "box"\nlabel = 15\nlargest_component = true\n'
        '[[versions.output.structures]]\nid = "ell"\nlabel = 25\nfill_holes = true\nsmallest_ml = 0.1\n',
    ),
    "axial slices": ("Tiles", '[versions.inference]\nmode = "slices"\ntile_batch = 8\n' + LOGITS),
    "three planes": (
        "Tiles",
        '[versions.inference]\nmode = "slices"\nplanes = ["axial", "coronal", "sagittal"]\ntile_batch = 8\n'
        + LOGITS,
    ),
    "coarse to fine": (
        "Tiles",
        '[versions.inference]\nmode = "sliding_window"\nwindow = [16, 16, 16]\n'
        "[versions.inference.coarse]\nspacing_mm = [5]\nmargin_mm = 6\n" + LOGITS,
    ),
    "flips, in half the bits": (
        "Tiles",
        '[versions.inference]\nflips = ["x", "yz"]\nmixed_precision = true\naxes = "ijk"\n' + LOGITS,
    ),
}


def manifest() -> str:
    """A family of three channels, each with the scan of one shape, and a version for each mode."""
    channels = "".join(f'[[channels]]\nid = "{shape}"\nmodalities = ["CT"]\n' for shape in SHAPES)
    head = f'[family]\ncanonical_name = "Shapes"\nbody_parts = ["Abdomen"]\n{channels}'
    return head + "".join(version(name, *facts) for name, facts in MODES.items())


def version(name: str, entry: str, tables: str) -> str:
    """A version whose structures lie on their own channels."""
    structures = "".join(
        f'[[versions.structures]]\nid = "{shape}"\ncolor = "#ff7800"\nchannel = "{shape}"\n'
        for shape in SHAPES
    )
    prepared = textwrap.dedent(INPUT)
    if "straight" in name:
        prepared = prepared.replace('"RAS"', '"RAS"\nstraighten = true')
    return (
        f'[[versions]]\nid = "{name}"\nnumber = "1.0"\n{structures}'
        f'[versions.runtime]\nbackend = "pytorch"\nmodule_file = "net.py"\nentry = "{entry}"\n'
        f'{prepared}{tables}[versions.limits]\nct_values = "off"\n'
    )


@pytest.fixture(scope="module")
def shapes_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("shapes")
    with serving(folder / "home", slots=2, warm_models_max=16) as server:
        files = {"net.py": textwrap.dedent(MODULE).encode()}
        package = a_folder(folder / "model", manifest(), files)
        server.segint("model", "push", str(package), "--approve")
        with grpc.insecure_channel(unix_target(Home(server.home).admin_socket)) as core:
            for name in MODES:
                ModelsStub(core).ActivateVersion(ActivateVersionRequest(version_id=name, force=True))
        yield server


def sent(grid: Geometry) -> Model_pb2.ModelInput:
    transform = grid.to_transform()
    return scan(*(channel(image(shape, grid), name, transform) for name, shape in SHAPES.items()))


def wrong_in(output: Model_pb2.ModelOutput, grid: Geometry) -> list[str]:
    """What of a result lies further than half a voxel from where it should be."""
    half_mm = max(*grid.spacing_xyz_mm, PREPARED_MM) / 2
    found = []
    for made in output.Channels:
        shape = SHAPES[made.Structure.StructureID]
        mask = mask_kji(made)
        assert mask.shape == grid.shape_kji
        wrong, shift = wrong_by_mm(mask, shape, grid), shift_mm(mask, shape, grid)
        if wrong > half_mm or shift > half_mm / 2:
            found.append(f"{made.Structure.StructureID} by {wrong:.2f} mm, its centre by {shift:.2f} mm")
    return found


@pytest.mark.parametrize("mode", MODES)
def test_shapes_in_millimetres_come_back_within_half_a_voxel_in_all_48_axis_orders(
    shapes_server: Server, mode: str
) -> None:
    velocity = Velocity(shapes_server.url)

    def run(case: tuple[int, Arrangement]) -> list[str]:
        number, turn = case
        grid = turn.geometry(oblique() if number % 2 else anisotropic())
        return [f"{turn}: {told}" for told in wrong_in(velocity.segment(sent(grid), mode), grid)]

    with ThreadPoolExecutor(4) as threads:
        wrong = [told for found in threads.map(run, enumerate(TURNS)) for told in found]
    assert not wrong, "\n".join(wrong)


def test_channels_on_unlike_grids_are_put_onto_the_first_and_masks_back_on_their_own(
    shapes_server: Server,
) -> None:
    velocity = Velocity(shapes_server.url)
    grids = dict(zip(SHAPES, (anisotropic(), oblique(), TURNS[31].geometry(oblique())), strict=True))
    body = scan(*(channel(image(SHAPES[n], g), n, g.to_transform()) for n, g in grids.items()))
    output = velocity.segment(body, "windows")
    for made in output.Channels:
        name = made.Structure.StructureID
        mask = mask_kji(made)
        assert mask.shape == grids[name].shape_kji
        assert wrong_by_mm(mask, SHAPES[name], grids[name]) < max(grids[name].spacing_xyz_mm) * 0.6


BROKEN = [
    ("XAxisDirection", (0, 0, 0), "XAxisDirection is (0, 0, 0), of length 0"),
    ("ZAxisDirection", (0, float("nan"), 1), "ZAxisDirection is (0, nan, 1)"),
    ("YAxisDirection", (0, 0.8, 0.6), "YAxisDirection and ZAxisDirection meet at 53.13 degrees"),
    ("VoxelScalingInMM", (1, 0, 3), "VoxelScalingInMM.Y is 0; it must be above 0 mm"),
    ("VoxelScalingInMM", (1, 2, -3), "VoxelScalingInMM.Z is -3; it must be above 0 mm"),
]


@pytest.mark.parametrize(("field", "value", "words"), BROKEN)
def test_a_scan_whose_geometry_means_nothing_is_refused_with_the_part_that_is_wrong(
    shapes_server: Server, field: str, value: tuple[float, float, float], words: str
) -> None:
    velocity = Velocity(shapes_server.url)
    body = sent(anisotropic())
    vector = getattr(body.Channels[1].CalibratedVolume.DataTransform, field)
    vector.X, vector.Y, vector.Z = value
    answer = velocity.post(body, "windows")
    assert answer.status == 400
    assert f'Channel "box": {words}' in answer.details


def test_a_plain_model_gets_a_scan_of_meaningless_geometry_as_it_was_sent(shapes_server: Server) -> None:
    velocity = Velocity(shapes_server.url)
    body = scan(channel(np.zeros((4, 60, 60), np.int16)))
    body.Channels[0].CalibratedVolume.ClearField("DataTransform")
    job = velocity.submit(body)
    assert velocity.wait(job).Progress == 100
    shown = shapes_server.segint("job", "show", job)
    assert "XAxisDirection is (0, 0, 0)" in " ".join(shown.split())
