"""Backups of a real server, and what comes back from them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from generated.radiomics import Model_pb2
from tests.acceptance.serving import SEGINT, Server, serving
from tests.acceptance.velocity import SAMPLE, Velocity, channel, scan
from tests.leaks import leaks

PASSPHRASE = "a long enough passphrase"
PATTERN = np.frombuffer(b"VoxelPatternOfOnePatient" * 64, np.uint8)[: 24 * 64].reshape(4, 16, 24)
VOXELS = [PATTERN.tobytes()[:24], channel(PATTERN).CalibratedVolume.Volume.Data[10:50]]
"""Voxels as they are, and as a scan holds them."""
COMMENT = "the left kidney is good"


@dataclass(frozen=True)
class Made:
    """Backups of a server that has done something, and what it answered."""

    folder: Path
    plain: Path
    sealed: Path
    key: Path
    job: str
    result: bytes
    models: bytes
    token: str
    printed: bytes


def run(*words: object, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SEGINT_HOME": str(home)}
    return subprocess.run(
        [SEGINT, *map(str, words)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def say_feedback(velocity: Velocity, job: str) -> None:
    feedback = Model_pb2.SegmentationFeedback(SegmentationID=job, GeneralComments=COMMENT)
    answer = velocity.call("POST", "/api/v2/Feedback/segmentation", feedback.SerializeToString())
    assert answer.status == 200, answer.details


def fetch(velocity: Velocity, job: str) -> bytes:
    answer = velocity.call("GET", f"/api/v2/Model/{SAMPLE.replace(' ', '%20')}/segmentation/{job}/result")
    assert answer.status == 200, answer.details
    return answer.body


def provoke(velocity: Velocity, server: Server, token: str) -> bytes:
    """Show secrets where they do not belong; return all that was answered, metrics included."""
    answers = [
        velocity.call("GET", "/api/v2/Model/", Authorization=f"Bearer {token}"),
        velocity.call("GET", "/api/v2/Model/", Authorization=f"Bearer {token}x"),
        velocity.call("GET", f"/api/v2/Model/{SAMPLE.replace(' ', '%20')}/segmentation/{'0' * 32}"),
        velocity.post(PATTERN.tobytes()),
        velocity.post(scan(channel(PATTERN)).SerializeToString()[:-40]),
        velocity.call("GET", "/metrics"),
        velocity.call("GET", "/readyz"),
    ]
    listed = server.segint("token", "list"), server.segint("audit", "list", "--limit", "0", "--json")
    return b"".join(answer.body for answer in answers) + "".join(listed).encode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("backup")
    key = folder / "key"
    key.write_text(f"{PASSPHRASE}\n")
    with serving(folder / "home") as server:
        velocity = Velocity(server.url)
        job = velocity.submit(scan(channel(PATTERN)))
        velocity.wait(job)
        say_feedback(velocity, job)
        token = json.loads(server.segint("token", "create", "a workstation", "--json"))["secret"]
        printed = provoke(velocity, server, token)
        plain, sealed = folder / "plain.tar", folder / "all.sealed"
        server.segint("backup", str(plain))
        server.segint("backup", str(sealed), "--with-jobs", "--passphrase-file", str(key))
        yield Made(
            folder,
            plain,
            sealed,
            key,
            job,
            fetch(velocity, job),
            velocity.models().SerializeToString(),
            token,
            printed,
        )


def test_a_backup_serves_the_same_models_and_knows_the_jobs(made: Made, home: Path) -> None:
    done = run("restore", made.plain, home=home)
    assert done.returncode == 0, done.stderr
    with serving(home) as server:
        velocity = Velocity(server.url)
        assert velocity.models().SerializeToString() == made.models
        assert made.job in server.segint("job", "list")
        assert COMMENT in server.segint("job", "feedback", "--jsonl")
        gone = velocity.call(
            "GET", f"/api/v2/Model/Centered%20Orange%20Square/segmentation/{made.job}/result"
        )
        assert gone.status != 200
        velocity.segment(scan(channel(PATTERN)))
        listed = server.segint("audit", "list", "--limit", "0")
        for act in ("scan.submit", "backup.make", "backup.restore", "feedback.send"):
            assert act in listed
        assert "is whole" in server.segint("audit", "verify")


def test_a_backup_with_jobs_gives_the_same_masks_byte_for_byte(made: Made, home: Path) -> None:
    done = run("restore", made.sealed, "--passphrase-file", made.key, home=home)
    assert done.returncode == 0, done.stderr
    with serving(home) as server:
        assert fetch(Velocity(server.url), made.job) == made.result


def test_a_plain_backup_holds_no_voxel_and_a_sealed_one_shows_nothing(made: Made) -> None:
    secrets = [*VOXELS, made.result[:64], made.result[-64:]]
    assert leaks([made.plain, made.sealed], secrets) == []
    assert leaks([made.plain], [COMMENT.encode()]) != []
    assert leaks([made.sealed], [COMMENT.encode()]) == []


def test_no_log_error_metric_or_backup_holds_a_voxel_a_token_or_a_passphrase(made: Made) -> None:
    home, answers = made.folder / "home", made.folder / "answers"
    answers.write_bytes(made.printed)
    secrets = [*VOXELS, PASSPHRASE.encode(), made.token.encode(), made.token[-43:].encode()]
    shown = [home / "logs", made.folder / "home.out", answers, made.plain, made.sealed]
    assert leaks([*shown, *home.glob("segint.sqlite3*")], secrets) == []
    assert leaks([home / "logs", made.folder / "home.out"], [COMMENT.encode()]) == []


def test_tokens_come_back_from_a_sealed_backup_alone(made: Made, home: Path) -> None:
    key = (made.folder / "home" / "token.key").read_bytes()
    assert leaks([made.plain, made.sealed], [key]) == []
    for archive, words, names in (
        (made.plain, (), []),
        (made.sealed, ("--passphrase-file", made.key), [key]),
    ):
        done = run("restore", archive, *words, "--force", home=home)
        assert done.returncode == 0, done.stderr
        assert [path.read_bytes() for path in home.glob("token.key")] == names
        with closing(sqlite3.connect(home / "segint.sqlite3")) as connection:
            assert connection.execute("SELECT COUNT(*) FROM token").fetchone() == (len(names),)


def test_archives_are_looked_at_without_restoring(made: Made, home: Path) -> None:
    looked = run("backup", "--verify", made.plain, home=home)
    assert looked.returncode == 0, looked.stderr
    assert "The backup is whole" in looked.stdout
    looked = run("restore", made.sealed, "--check", "--passphrase-file", made.key, home=home)
    assert "with scans and masks" in looked.stdout
    assert not home.exists()


def test_a_damaged_archive_or_another_passphrase_restores_nothing(made: Made, home: Path) -> None:
    raw = bytearray(made.plain.read_bytes())
    raw[len(raw) // 2] ^= 1
    broken = home.parent / "broken.tar"
    broken.write_bytes(raw)
    other = home.parent / "other"
    other.write_text("another passphrase\n")
    for words in ((broken,), (made.sealed, "--passphrase-file", other)):
        done = run("restore", *words, home=home)
        assert done.returncode == 2
        assert "changed" in done.stderr
    assert sorted(path.name for path in home.parent.iterdir()) == ["broken.tar", "other"]


def test_a_home_in_use_is_not_replaced_and_one_that_is_there_is_kept(made: Made, home: Path) -> None:
    with serving(home) as server:
        for words in ((), ("--force",)):
            done = run("restore", made.plain, *words, home=home)
            assert done.returncode == 2
            assert "already runs in the home" in done.stderr
        assert server.process.poll() is None
    done = run("restore", made.plain, home=home)
    assert "--force" in done.stderr
    (home / "mine.txt").write_text("old")
    done = run("restore", made.plain, "--force", home=home)
    assert done.returncode == 0, done.stderr
    (kept,) = home.parent.glob("home.before-*")
    assert (kept / "mine.txt").read_text() == "old"
    assert not (home / "mine.txt").exists()
    assert list(home.parent.glob("home.restoring-*")) == []


def test_a_home_behind_a_link_is_replaced_where_the_link_leads(made: Made, home: Path) -> None:
    disk = home.parent / "disk"
    disk.mkdir()
    (disk / "data").mkdir()
    (disk / "data" / "mine.txt").write_text("old")
    home.symlink_to(disk / "data")
    done = run("restore", made.plain, "--force", home=home)
    assert done.returncode == 0, done.stderr
    assert home.readlink() == disk / "data"
    assert (home / "segint.sqlite3").exists()
    (kept,) = disk.glob("data.before-*")
    assert (kept / "mine.txt").read_text() == "old"


def test_jobs_leave_only_sealed(made: Made, home: Path) -> None:
    short = home.parent / "short"
    short.write_text("short\n")
    done = run(
        "backup", home.parent / "x", "--with-jobs", "--passphrase-file", short, home=made.folder / "home"
    )
    assert done.returncode == 2
    assert "at least 12" in done.stderr
    nobody = run("backup", home.parent / "x", "--with-jobs", home=made.folder / "home")
    assert nobody.returncode == 2
    assert "give it with --passphrase-file" in nobody.stderr
    assert not (home.parent / "x").exists()


def test_a_backup_does_not_overwrite_a_file(made: Made) -> None:
    before = made.plain.read_bytes()
    done = run("backup", made.plain, home=made.folder / "home")
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert made.plain.read_bytes() == before


def test_a_restore_that_is_killed_leaves_the_home_as_it_was_or_whole(made: Made, home: Path) -> None:
    done = run("restore", made.plain, home=home)
    assert done.returncode == 0
    (home / "mine.txt").write_text("old")
    outcomes = set()
    for pause_s in (0.3, 0.5, 0.6, 0.7, 0.8, 1.0):
        process = subprocess.Popen(
            [SEGINT, "restore", str(made.plain), "--force", "--home", str(home)],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(pause_s)
        process.kill()
        process.wait()
        outcomes.add((home / "mine.txt").exists())
        assert (home / "segint.sqlite3").exists()
        if not (home / "mine.txt").exists():
            (home / "mine.txt").write_text("old")
    assert outcomes
    with serving(home) as server:
        assert Velocity(server.url).models().SerializeToString() == made.models


def test_a_server_that_is_killed_during_a_backup_leaves_no_file_and_cleans_up(made: Made, home: Path) -> None:
    assert run("restore", made.plain, home=home).returncode == 0
    big = home / "media" / "modelfamily" / "Big.pb"
    out = home.parent / "out.tar"
    with serving(home) as server:
        with big.open("wb") as file:
            file.truncate(4 * 2**30)
        process = subprocess.Popen(
            [SEGINT, "backup", str(out), "--home", str(home)], stderr=subprocess.PIPE, text=True
        )
        wait_until(lambda: any(p.stat().st_size > 2**20 for p in home.parent.glob(".out.tar*")))
        assert list((home / "media").glob(".backup-*"))
        core = server.find("-m segint_grpc")
        core.send_signal(signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "segint: " in said
        assert not out.exists()
        assert list(home.parent.glob(".out.tar*")) == []
        big.unlink()
        wait_until(lambda: not list((home / "media").glob(".backup-*")))


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)
