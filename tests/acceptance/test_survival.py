from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from generated.radiomics import Model_pb2
from tests.acceptance import example_models
from tests.acceptance.serving import Server, run_segint, serving, start
from tests.acceptance.velocity import SAMPLE, Velocity, channel, scan

NAP = """
    import time
    import torch


    class Nap(torch.nn.Module):
        def forward(self, image):
            time.sleep(0.3)
            return image > 0
"""


def body(seed: int) -> bytes:
    image = np.random.default_rng(seed).integers(-1000, 1000, (6, 64, 64)).astype(np.int16)
    return scan(channel(image)).SerializeToString()


def install_nap(server: Server, folder: Path) -> str:
    family = example_models.family("Nap", [("1", "any", (0, 0, 0), "1")])
    return example_models.install(server, folder, family, NAP)


def gone(processes: list[psutil.Process], within_s: float) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    return not alive


class Poster(threading.Thread):
    """Posts scan after scan and notes what was acknowledged."""

    def __init__(self, url: str, model: str, seed: int) -> None:
        super().__init__()
        self.velocity, self.model, self.seed = Velocity(url), model, seed
        self.acknowledged: list[str] = []
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            self.seed += 1
            try:
                answer = self.velocity.post(body(self.seed), self.model)
            except OSError:
                time.sleep(0.05)
                continue
            if answer.status == 200:
                self.acknowledged.append(Model_pb2.SegmentationTask.FromString(answer.body).SegmentationID)
            self.stop.wait(0.15)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("victim", ["worker", "gateway", "core", "serve"])
def test_no_acknowledged_job_is_lost_when_a_process_is_killed_under_load(
    home: Path, tmp_path: Path, victim: str, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(victim)
    server = start(home)
    request.addfinalizer(lambda: server.process.poll() is None and server.process.kill())
    http, grpc = server.http, server.grpc
    model = install_nap(server, tmp_path / "model")
    posters = [Poster(server.url, model, seed) for seed in (1000, 2000)]
    for poster in posters:
        poster.start()
    try:
        for _ in range(2):
            time.sleep(chance.uniform(0.2, 1.0))
            server = strike(server, victim, home, http, grpc)
    finally:
        for poster in posters:
            poster.stop.set()
        for poster in posters:
            poster.join()
    acknowledged = [job for poster in posters for job in poster.acknowledged]
    assert acknowledged
    velocity = Velocity(server.url)
    for job in acknowledged:
        ended = patient_wait(velocity, job, model)
        assert ended.Progress == 100 or ended.Errors
        if not ended.Errors:
            velocity.result(job, model)
    everything = server.processes()
    assert server.stop() == 0
    assert gone(everything, 2)


def strike(server: Server, victim: str, home: Path, http: str, grpc: str) -> Server:
    """SIGKILL the victim; after `serve` itself, start again on the same home and ports at once."""
    if victim == "serve":
        everything = server.processes()
        server.process.kill()
        server.process.wait()
        again = start(home, http, grpc)
        assert gone(everything, 2)
        return again
    targets = server.model_processes() if victim == "worker" else [server.find(MODULES[victim])]
    for target in targets:
        target.kill()
    return server


MODULES = {"core": "-m segint_grpc", "gateway": "-m http_gateway"}


def patient_wait(velocity: Velocity, job: str, model: str) -> object:
    """Wait as Velocity does: a server that is away for a moment is asked again."""
    give_up = time.monotonic() + 60
    while True:
        try:
            answer = velocity.call("GET", f"/api/v2/Model/{model}/segmentation/{job}")
            if answer.status == 200:
                return velocity.wait(job, model)
            assert answer.status == 503, answer.details
        except (OSError, AssertionError):
            if time.monotonic() > give_up:
                raise
        time.sleep(0.1)


def test_a_kill_of_serve_ends_everything_within_two_seconds_and_the_next_start_succeeds(home: Path) -> None:
    server = start(home)
    everything = server.processes()
    assert len(everything) >= 4
    server.process.kill()
    server.process.wait()
    assert gone(everything, 2)
    with serving(home, server.http, server.grpc) as again:
        Velocity(again.url).segment(body(1))


def test_sigterm_ends_within_ten_seconds_and_unfinished_jobs_go_on_at_the_next_start(
    home: Path, tmp_path: Path
) -> None:
    server = start(home)
    model = install_nap(server, tmp_path / "model")
    velocity = Velocity(server.url)
    jobs = [velocity.submit(body(seed), model) for seed in range(6)]
    everything = server.processes()
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10
    assert gone(everything, 1)
    with serving(home, server.http, server.grpc) as again:
        velocity = Velocity(again.url)
        assert all(velocity.wait(job, model).Progress == 100 for job in jobs)


def test_a_second_server_on_the_same_home_or_port_is_refused_with_a_sentence(
    home: Path, tmp_path: Path
) -> None:
    with serving(home) as server:
        for arguments in (["--home", str(home)], ["--home", str(tmp_path / "other"), "--http", server.http]):
            with pytest.raises(AssertionError) as caught:
                run_segint("serve", *arguments, "--grpc", "127.0.0.1:0", home=home)
            assert "already" in str(caught.value) or "in use" in str(caught.value)
        Velocity(server.url).segment(body(1))


def test_a_cancelled_job_ends_at_once_and_its_slot_serves_the_next(home: Path, tmp_path: Path) -> None:
    with serving(home, slots=1) as server:
        velocity = Velocity(server.url)
        family = example_models.family("Sleep", [("1", "any", (0, 0, 0), "1")])
        source = (
            "import ctypes, torch\nclass Sleep(torch.nn.Module):\n    def forward(self, image):\n"
            "        ctypes.PyDLL(None).sleep(600)\n"
        )
        model = example_models.install(server, tmp_path / "model", family, source)
        job = velocity.submit(body(1), model)
        while velocity.progress(job, model).Progress < 10:
            time.sleep(0.02)
        began = time.monotonic()
        assert velocity.call("DELETE", f"/api/v2/Model/{model}/segmentation/{job}").status == 200
        assert time.monotonic() - began < 1
        assert velocity.progress(job, model).Errors
        velocity.segment(body(2), SAMPLE)


def test_the_posted_scan_goes_when_its_job_has_succeeded(home: Path) -> None:
    with serving(home) as server:
        velocity = Velocity(server.url)
        job = velocity.submit(body(1))
        velocity.wait(job)
        stored = home / "media" / "segmentation" / f"{job}.pb"
        give_up = time.monotonic() + 60
        while stored.exists():
            assert time.monotonic() < give_up
            time.sleep(0.1)
        velocity.result(job)


def test_files_and_folders_are_the_user_s_alone(home: Path) -> None:
    with serving(home) as server:
        Velocity(server.url).segment(body(1))
        for path in [home, *home.rglob("*")]:
            assert path.lstat().st_mode & 0o077 == 0, path


def test_the_serving_processes_never_import_torch(home: Path) -> None:
    with serving(home) as server:
        Velocity(server.url).segment(body(1))
        for words in MODULES.values():
            maps = Path(f"/proc/{server.find(words).pid}/maps").read_text()
            assert "libtorch" not in maps
        assert server.stop() == 0
        assert server.process.returncode != -signal.SIGKILL
