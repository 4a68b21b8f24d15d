"""`segint segment` and `segint models` as a user or a script starts them, against a real HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest

from segint_grpc.client.phantom import write_phantom
from tests.fakes.velocity_server import MODEL, FakeVelocityServer, Story
from tests.scans_on_disk import PYDICOM_SERIES, SHARED_DATA, needs_shared_data, write_series

ROOT = Path(__file__).parents[2]


@dataclass
class Ended:
    code: int
    stdout: str
    stderr: str


async def start(*arguments: str | Path, cwd: Path | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "segint_grpc.cli.main", *map(str, arguments)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd or ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
    )


async def ended(process: asyncio.subprocess.Process) -> Ended:
    stdout, stderr = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, stdout.decode(), stderr.decode())


async def segint(*arguments: str | Path, cwd: Path | None = None) -> Ended:
    return await ended(await start(*arguments, cwd=cwd))


async def on_a_terminal(*arguments: str | Path) -> str:
    """What the command shows where stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "segint_grpc.cli.main", *map(str, arguments)),
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "TERM": "xterm"},
    )
    os.close(theirs)
    shown = await asyncio.to_thread(_read_all, ours)
    assert await process.wait() == 0, shown
    return shown


def _read_all(terminal: int) -> str:
    pieces = []
    # Linux answers EIO once a terminal's last writer is gone.
    with open(terminal, "rb", buffering=0) as screen, contextlib.suppress(OSError):
        while piece := screen.read(65536):
            pieces.append(piece)
    return b"".join(pieces).decode()


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scan") / "phantom.nii.gz"
    write_phantom(path, (16, 48, 64))
    return path


async def test_a_script_gets_absolute_paths_on_stdout_and_the_rest_on_stderr(
    phantom: Path, tmp_path: Path
) -> None:
    async with FakeVelocityServer(thresholds={"Bone": 200, "Soft tissue": -50}) as server:
        run = await segint(
            "segment", phantom, "--model", MODEL, "--server", server.url, "--out", "here", cwd=tmp_path
        )
    assert run.code == 0, run.stderr
    paths = [Path(line) for line in run.stdout.splitlines()]
    assert paths == [
        tmp_path / "here" / name for name in ("Bone.nii.gz", "Soft_tissue.nii.gz", "overlay.png")
    ]
    assert all(path.stat().st_size for path in paths)
    for leg in ("read", "upload", "queue", "run", "download", "write"):
        assert f"{leg} " in run.stderr.splitlines()[-1]
    scan, mask = nibabel.load(phantom), nibabel.load(paths[0])
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(scan.dataobj) > 200)
    assert np.array_equal(mask.affine, scan.affine)


async def test_json_holds_paths_volumes_and_legs(phantom: Path, tmp_path: Path) -> None:
    async with FakeVelocityServer() as server:
        run = await segint("segment", phantom, "--server", server.url, "--out", tmp_path, "--json")
    facts = json.loads(run.stdout)
    assert facts["model"] == MODEL
    (mask,) = facts["masks"]
    assert mask["structure"] == "Bone"
    assert mask["path"] == str(tmp_path / "Bone.nii.gz")
    assert mask["volume_ml"] > 10
    assert set(facts["legs_ms"]) == {"read", "upload", "queue", "run", "download", "write"}


async def test_without_out_the_files_lie_beside_nothing_but_in_a_folder_named_after_the_scan(
    phantom: Path, tmp_path: Path
) -> None:
    async with FakeVelocityServer() as server:
        run = await segint("segment", phantom, "--server", server.url, cwd=tmp_path)
    assert (tmp_path / "phantom_masks" / "overlay.png").exists(), run.stderr


async def test_a_model_of_two_channels_gets_each_its_scan(phantom: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path / "other.nii.gz", (8, 24, 32))
    async with FakeVelocityServer(channel_ids=("PET", "CT")) as server:
        run = await segint(
            *("segment", phantom, "--channel", f"PET={tmp_path / 'other.nii.gz'}"),
            *("--server", server.url, "--out", tmp_path / "out"),
        )
        depths = [channel.CalibratedVolume.Volume.Depth for channel in server.posted[0].Channels]
    assert depths == [8, 16]
    names = [Path(line).name for line in run.stdout.splitlines()]
    assert names == ["Bone.nii.gz", "overlay_1.png", "overlay_2.png"]


@pytest.mark.parametrize("offers_events", [True, False])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_and_termination_cancel_the_job_and_say_so(
    phantom: Path, tmp_path: Path, how: signal.Signals, offers_events: bool
) -> None:
    story = Story(hold_at_percent=40, offers_events=offers_events)
    async with FakeVelocityServer(story=story) as server:
        process = await start("segment", phantom, "--server", server.url, "--out", tmp_path)
        await server.held.wait()
        process.send_signal(how)
        run = await ended(process)
        assert len(server.cancelled) == 1
    assert run.code == 130
    assert f"The job {server.cancelled[0]} was cancelled." in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""


@pytest.mark.parametrize(
    ("story", "code", "sentence"),
    [
        (Story(error="The model needs more memory.", offers_events=False), 1, "The model needs more memory."),
        (Story(refuse_post=(413, "The scan has too many voxels.")), 2, "The scan has too many voxels."),
        (Story(refuse_post=(503, "The queue is full.")), 1, "The queue is full."),
        (Story(spoil_result=True), 1, "it cannot be placed"),
    ],
)
async def test_what_goes_wrong_on_the_server_is_one_sentence(
    phantom: Path, tmp_path: Path, story: Story, code: int, sentence: str
) -> None:
    async with FakeVelocityServer(story=story) as server:
        run = await segint("segment", phantom, "--server", server.url, "--out", tmp_path)
    assert run.code == code
    assert sentence in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


async def test_a_scan_with_a_gap_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async with FakeVelocityServer() as server:
        run = await segint(
            *("segment", PYDICOM_SERIES / "77654033" / "CT2", "--server", server.url),
            *("--out", tmp_path / "masks"),
        )
        assert server.requests == []
    assert run.code == 2
    assert not (tmp_path / "masks").exists()
    assert "Slices 17106 and 17136 lie 202.50 mm apart" in run.stderr


async def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_read(
    phantom: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    run = await segint("segment", phantom, "--out", tmp_path / "file" / "masks")
    assert run.code == 2
    assert "cannot be made" in run.stderr


async def test_a_dicom_series_is_segmented_and_what_was_left_out_is_noted(tmp_path: Path) -> None:
    image = np.arange(6 * 20 * 30, dtype=np.int16).reshape(6, 20, 30) - 1000
    folder = write_series(tmp_path / "series", image)
    (folder / "readme.txt").write_text("no slice")
    async with FakeVelocityServer() as server:
        run = await segint("segment", folder, "--server", server.url, "--out", tmp_path / "out")
    assert run.code == 0, run.stderr
    assert "1 other files" in run.stderr


async def test_on_a_terminal_there_is_a_bar_a_table_and_no_list_of_paths(
    phantom: Path, tmp_path: Path
) -> None:
    async with FakeVelocityServer() as server:
        shown = await on_a_terminal("segment", phantom, "--server", server.url, "--out", tmp_path)
        listed = await on_a_terminal("models", "--server", server.url)
    for words in ("Segmenting", "100 %", "Bone.nii.gz", "Time: read"):
        assert words in shown
    assert str(tmp_path / "overlay.png") not in shown
    for words in ("Model id", MODEL, "1.2", "Bones", "CT", "Bone"):
        assert words in listed


async def test_models_prints_ids_for_scripts_and_everything_as_json() -> None:
    async with FakeVelocityServer() as server:
        plain = await segint("models", "--server", server.url)
        full = await segint("models", "--server", server.url, "--json")
    assert plain.stdout == f"{MODEL}\n"
    assert json.loads(full.stdout)["Models"][0]["ModelVersions"][0]["ID"] == MODEL


@pytest.mark.parametrize("command", ["segment", "models"])
async def test_help_teaches(command: str) -> None:
    run = await segint(command, "--help")
    assert run.code == 0
    assert "http://127.0.0.1:8000" in run.stdout
    assert "--model" in run.stdout


@needs_shared_data
@pytest.mark.parametrize("name", ["ct_thorax_dicom", "ct_thorax_3mm.nii.gz"])
async def test_a_real_scans_bone_mask_lies_at_the_millimetres_of_its_bone(tmp_path: Path, name: str) -> None:
    async with FakeVelocityServer() as server:
        run = await segint("segment", SHARED_DATA / name, "--server", server.url, "--out", tmp_path)
    assert run.code == 0, run.stderr
    mask = nibabel.load(tmp_path / "Bone.nii.gz")
    labels = nibabel.load(SHARED_DATA / f"{name.removesuffix('.nii.gz')}_labels.nii.gz")
    inside = nibabel.affines.apply_affine(mask.affine, np.argwhere(np.asarray(mask.dataobj)))
    indices = np.rint(nibabel.affines.apply_affine(np.linalg.inv(labels.affine), inside)).astype(int)
    assert (indices >= 0).all()
    assert (indices < labels.shape).all()
    bone = np.isin(np.asarray(labels.dataobj), [*range(25, 51), *range(92, 118)])
    found = bone[tuple(indices.T)].mean()
    mirrored = [np.flip(bone, axis)[tuple(indices.T)].mean() for axis in (0, 1)]
    assert found > 0.25  # the rest is contrast medium, couch and arms
    assert found > 2 * max(mirrored)
