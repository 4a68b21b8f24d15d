from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from generated.radiomics import Model_pb2
from segint_grpc.client.scans import read_scan
from tests.acceptance import example_models
from tests.acceptance.serving import Server
from tests.acceptance.velocity import SAMPLE, Velocity, channel, mask_kji, scan
from tests.scans_on_disk import SHARED_DATA, needs_shared_data


def noise(depth: int, height: int, width: int, seed: int = 1) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(-1000, 1500, (depth, height, width)).astype(np.int16)


def test_an_empty_home_offers_the_contract_s_sample_family(velocity: Velocity) -> None:
    family = next(f for f in velocity.models().Models if f.CanonicalName == "Centered Square")
    version = family.ModelVersions[0]
    assert (version.ID, version.MajorVersion, version.MinorVersion) == (SAMPLE, 0, 1)
    assert version.CreatedOn.seconds == 1595947330
    structure = version.Structures[0]
    assert (structure.Name, structure.FMACode, structure.StructureID) == ("liver", 4567, "1")
    assert (structure.Color.R, structure.Color.G, structure.Color.B) == (255, 120, 0)


@pytest.mark.parametrize("size", [(40, 100, 90), (7, 61, 60), (1, 20, 200), (3, 10, 10)])
def test_the_phantom_comes_back_as_the_contract_s_box(velocity: Velocity, size: tuple[int, int, int]) -> None:
    output = velocity.segment(scan(channel(noise(*size))))
    depth, height, width = size
    box = np.zeros(size, np.uint8)
    first, end = depth // 4, 3 * (depth // 4)
    rows = slice(max(0, height // 2 - 30), min(height, height // 2 + 30))
    columns = slice(max(0, width // 2 - 30), min(width, width // 2 + 30))
    box[first : max(end, first + 1), rows, columns] = 1
    np.testing.assert_array_equal(mask_kji(output.Channels[0]), box)
    assert (output.ModelID, output.ProcesserVersion, output.LanguageCode) == (SAMPLE, "0.1", "en")


def test_a_torch_model_s_mask_is_numpy_s_own_threshold(
    server: Server, velocity: Velocity, tmp_path: Path
) -> None:
    family = example_models.family("Threshold 150", [("1", "bone", (255, 255, 0), "1")])
    weights = {"limit_hu": torch.tensor(150)}
    model = example_models.install(server, tmp_path, family, example_models.THRESHOLD, weights)
    image = noise(20, 70, 80)
    output = velocity.segment(scan(channel(image)), model)
    np.testing.assert_array_equal(mask_kji(output.Channels[0]), image > 150)


@needs_shared_data
@pytest.mark.parametrize("name", ["ct_thorax_dicom", "ct_thorax_3mm.nii.gz"])
def test_four_structures_of_a_real_scan_come_back_with_their_names_and_colours(
    server: Server, velocity: Velocity, tmp_path: Path, name: str
) -> None:
    structures = [
        ("lung", "Lungs", (0, 0, 255), "1"),
        ("fat", "Fat", (255, 255, 0), "1"),
        ("soft", "Soft tissue", (255, 0, 0), "1"),
        ("bone", "Bone", (255, 255, 255), "1"),
    ]
    family = example_models.family(f"Ranges of {name}", structures)
    model = example_models.install(server, tmp_path, family, example_models.RANGES)
    image = read_scan(SHARED_DATA / name)
    output = velocity.segment(scan(channel(image.image_kji, "1", image.geometry.to_transform())), model)
    got = [
        (s.StructureID, s.Name, (s.Color.R, s.Color.G, s.Color.B))
        for s in (channel_out.Structure for channel_out in output.Channels)
    ]
    assert got == [(identity, label, colour) for identity, label, colour, _ in structures]
    limits = ((-900, -400), (-120, -30), (20, 80), (150, 3000))
    for channel_out, (low, high) in zip(output.Channels, limits, strict=True):
        expected = (image.image_kji >= low) & (image.image_kji < high)
        np.testing.assert_array_equal(mask_kji(channel_out), expected)


def test_two_channels_of_different_size_give_each_structure_its_own_channel_s_grid(
    server: Server, velocity: Velocity, tmp_path: Path
) -> None:
    structures = [("bone", "Bone", (1, 2, 3), "CT"), ("hot", "Hot spot", (4, 5, 6), "PET")]
    family = example_models.family("CT and PET", structures, ["CT", "PET"])
    model = example_models.install(server, tmp_path, family, example_models.CT_AND_PET)
    ct, pet = noise(12, 64, 66, 1), noise(6, 30, 28, 2)
    output = velocity.segment(scan(channel(pet, "PET"), channel(ct, "CT")), model)
    assert [c.Structure.StructureID for c in output.Channels] == ["bone", "hot"]
    np.testing.assert_array_equal(mask_kji(output.Channels[0]), ct > 200)
    np.testing.assert_array_equal(mask_kji(output.Channels[1]), pet > 100)


def test_bytes_are_read_as_unsigned(server: Server, velocity: Velocity, tmp_path: Path) -> None:
    family = example_models.family("Threshold bytes", [("1", "bright", (9, 9, 9), "1")])
    weights = {"limit_hu": torch.tensor(150)}
    model = example_models.install(server, tmp_path, family, example_models.THRESHOLD, weights)
    image = np.arange(2 * 10 * 30, dtype=np.uint8).reshape(2, 10, 30)
    output = velocity.segment(scan(channel(image)), model)
    np.testing.assert_array_equal(mask_kji(output.Channels[0]), image > 150)


def test_the_result_stays_and_is_found_by_any_spelling_of_its_id(velocity: Velocity) -> None:
    job = velocity.submit(scan(channel(noise(4, 60, 60))))
    velocity.wait(job)
    first = velocity.result(job)
    assert velocity.result(job.upper()) == velocity.result(job.replace("-", "")) == first


def test_the_same_post_while_the_first_is_unfinished_is_the_first(
    server: Server, velocity: Velocity, tmp_path: Path
) -> None:
    source = (
        "import time, torch\nclass Slow(torch.nn.Module):\n    def forward(self, image):\n"
        "        time.sleep(1.5)\n        return image > 0\n"
    )
    family = example_models.family("Slow", [("1", "any", (0, 0, 0), "1")])
    model = example_models.install(server, tmp_path, family, source)
    body = scan(channel(noise(4, 60, 60))).SerializeToString()
    first = velocity.submit(body, model)
    assert velocity.submit(body, model) == first
    velocity.wait(first, model)
    assert velocity.submit(body, model) != first


def test_feedback_and_telemetry_are_taken_for_known_and_unknown_jobs(velocity: Velocity) -> None:
    feedback = Model_pb2.SegmentationFeedback(SegmentationID="nobody knows", GeneralComments="fine")
    answer = velocity.call("POST", "/api/v2/Feedback/segmentation", feedback.SerializeToString())
    assert (answer.status, answer.body) == (200, b"POST successful.")
    answer = velocity.call("POST", "/api/v2/Telemetry/segmentation", b"\xff\xff")
    assert answer.status == 400
