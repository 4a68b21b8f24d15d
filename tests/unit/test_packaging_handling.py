"""The tables of a manifest that say how a version wants its scans."""

from __future__ import annotations

import pytest

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.packaging.manifest import read_manifest
from segint_grpc.packaging.manifest_text import write_manifest
from tests.packages import SHORT

FULL = """
[versions.input]
channels = ["ct"]
orientation = "LPS"
straighten = true
spacing_mm = [1.5, 1.5, 0]
interpolation = "cubic"
dtype = "float16"
[[versions.input.intensity]]
channel = "ct"
scale = 2
offset = -3.5
clip = [-1024, 3071]
fill = -1000
window = [40, 400]
normalise = "percentile"
range = [-1, 1]
percentiles = [1, 99]
mask_above = -500
[versions.input.crop]
above = -400
margin_mm = 5
[versions.input.padding]
min_size = [32, 32, 16]
multiple_of = [16, 16, 8]
[versions.inference]
mode = "sliding_window"
window = [96, 96, 64]
overlap = 0.25
blending = "constant"
tile_batch = 2
flips = ["x", "xy"]
mixed_precision = true
axes = "ijk"
[versions.inference.coarse]
spacing_mm = [6]
margin_mm = 0
[versions.inference.hurried]
overlap = 0
drop_flips = true
[versions.output]
returns = "logits"
threshold = 0.4
largest_component = true
fill_holes = true
smallest_ml = 0.5
[[versions.output.structures]]
id = "liver"
label = 0
threshold = 0.6
largest_component = false
fill_holes = false
smallest_ml = 0
[versions.limits]
deadline_s = 600
memory_bytes = 4000000000
gpu_memory_bytes = 6442450944
spacing = "warn"
dimensions = "off"
axial = "enforce"
ct_values = "off"
"""


def handling(tables: str) -> ScanHandling:
    found = read_manifest((SHORT + tables).encode(), lambda name: b"").runtimes["Liver 1"].handling
    assert found is not None
    return found


def test_every_field_of_the_message_can_be_written_and_is_written_back() -> None:
    read = read_manifest((SHORT + FULL).encode(), lambda name: b"")
    text = write_manifest(read.family, read.policy, read.runtimes)
    again = read_manifest(text.encode(), lambda name: b"")
    assert again.runtimes == read.runtimes
    found = handling(FULL)
    assert found.input.intensity[0].clip == [-1024, 3071]
    assert found.inference.mode == ScanHandling.MODE_SLIDING_WINDOW
    assert found.output.structures[0].HasField("largest_component")
    assert found.limits.axial == ScanHandling.REACTION_ENFORCE


def test_a_manifest_without_such_tables_has_no_handling() -> None:
    assert read_manifest(SHORT.encode(), lambda name: b"").runtimes["Liver 1"].handling is None


def test_an_empty_table_says_something_too() -> None:
    assert handling("[versions.inference]\n").HasField("inference")
    assert handling("[versions.input]\n[versions.input.crop]\n").input.HasField("crop")


WINDOWS = '[versions.inference]\nmode = "sliding_window"\nwindow = [8, 8, 8]'
PLANES = (
    '[versions.input]\norientation = "LPS"\n'
    '[versions.inference]\nmode = "slices"\nplanes = ["axial", "coronal"]'
)
WRONG = [
    (
        '[versions.input]\norientation = "LRS"',
        20,
        "versions[1].input.orientation cannot be 'LRS'. Write where",
    ),
    ("[versions.input]\nspacing_mm = [1, 1]", 20, "input.spacing_mm must be three numbers in mm"),
    ("[versions.input]\nspacing_mm = [-1, 1, 1]", 20, "input.spacing_mm must be three numbers in mm"),
    ('[versions.input]\nchannels = ["pet"]', 20, "input.channels must name each channel once: ct"),
    (
        '[versions.input]\ndtype = "float"',
        20,
        "input.dtype cannot be 'float'. Did you mean float32 or float16",
    ),
    ("[versions.input]\norient = 1", 20, "input.orient is unknown. Did you mean orientation?"),
    ("[versions.input]\nstraighten = true", 20, "input.straighten needs an orientation"),
    ("[[versions.input.intensity]]\nclip = [5, 1]", 20, "intensity[1].clip must be two numbers"),
    ("[[versions.input.intensity]]\nscale = 0", 20, "intensity[1].scale must be a number other than 0"),
    ('[[versions.input.intensity]]\nnormalise = "fixed"', 19, "intensity[1].mean is missing"),
    (
        '[versions.inference]\nmode = "sliding_window"',
        19,
        "window must be columns, rows and slices",
    ),
    ("[versions.inference]\nwindow = [8, 8, 8]", 20, 'inference.window belongs to mode = "sliding_window"'),
    ("[versions.inference]\nwindow = [8.5, 8, 8]", 20, "inference.window must be a list of whole numbers"),
    ('[versions.inference]\nmode = "slices"', 20, "mode is slices, which needs input.orientation"),
    ('[versions.inference]\nflips = ["xx"]', 20, "inference.flips cannot hold 'xx'"),
    (
        '[versions.input]\norientation = "LPS"\n[versions.inference]\nmode = "slices"\nflips = ["z"]',
        23,
        'inference.flips cannot hold \'z\'. Write one of "x", "y" or several',
    ),
    ('[versions.inference]\naxes = "xyz"', 20, "inference.axes cannot be 'xyz'"),
    ("[versions.inference.coarse]\nmargin_mm = 3", 19, "coarse.spacing_mm must be one number or three"),
    (f"{WINDOWS}\n[versions.inference.hurried]", 22, "inference.hurried gives nothing up. Write overlap"),
    (f"{WINDOWS}\n[versions.inference.hurried]\noverlap = 0.5", 23, "and lower than the usual 0.5"),
    (f"{WINDOWS}\n[versions.inference.hurried]\noverlap = -0.1", 23, "hurried.overlap must be 0 or more"),
    (f"{WINDOWS}\n[versions.inference.hurried]\ndrop_flips = true", 23, "is of no use where there are no"),
    (
        f'{WINDOWS}\n[versions.inference.hurried]\nplanes = ["axial"]',
        23,
        'hurried.planes belongs to mode = "slices"',
    ),
    ("[versions.inference.hurried]\noverlap = 0", 20, 'hurried.overlap belongs to mode = "sliding_window"'),
    (f'{PLANES}\n[versions.inference.hurried]\nplanes = ["sagittal"]', 25, "must name fewer planes than"),
    (f'{PLANES}\n[versions.inference.hurried]\nplanes = ["axial", "axial"]', 25, "at most once"),
    (f'{PLANES}\n[versions.inference.hurried]\nplanes = ["axial", "coronal"]', 25, "must name fewer planes"),
    (f"{PLANES}\n[versions.inference.hurried]\nwindow = [8, 8, 8]", 25, "hurried.window is unknown"),
    ("[versions.output]\nexclusive = true", 20, "output.exclusive belongs to returns"),
    (
        '[versions.output]\nreturns = "labels"\n[[versions.output.structures]]\nid = "lever"',
        22,
        "is no structure",
    ),
    (
        '[versions.output]\nreturns = "labels"\n[[versions.output.structures]]\nid = "liver"\nlabel = 0',
        23,
        "structures[1].label cannot be 0, which is the background",
    ),
    (
        '[versions.output]\nreturns = "labels"\n[versions.inference]\nflips = ["x"]',
        22,
        "inference.flips is nothing that labels can be averaged by",
    ),
    ("[versions.limits]\ndeadline_s = -1", 20, "limits.deadline_s must be a number of seconds"),
    ('[versions.limits]\nspacing = "refuse"', 20, "limits.spacing cannot be 'refuse'"),
]


@pytest.mark.parametrize(("tables", "line", "words"), WRONG)
def test_a_mistake_is_told_with_line_field_and_mend(tables: str, line: int, words: str) -> None:
    with pytest.raises(errors.InvalidModel) as caught:
        handling(tables)
    assert words in caught.value.message
    assert f"line {line}: " in caught.value.message


def test_tables_without_a_runtime_are_a_mistake() -> None:
    bare = SHORT.replace('[versions.runtime]\nbackend = "phantom"\n', "")
    with pytest.raises(errors.InvalidModel, match=r"input is of no use where no \[versions.runtime\]"):
        read_manifest((bare + "[versions.input]\n").encode(), lambda name: b"")
