"""The benchmark still runs: a real server, tiny scans, one round."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.bench import ct, growth, report
from scripts.bench.__main__ import main
from scripts.bench.catalogue import MEASUREMENTS, SLOW
from scripts.bench.lab import Size
from scripts.bench.plots import draw
from scripts.bench.rows import Row

PHASES = {"upload", "acknowledge", "wait", "prepare", "model", "encode", "download", "total"}
MACHINE = {"processor": "slow", "cores": 2, "commit": "0123abc"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ct, "CACHE", tmp_path / "cache")


def test_a_job_is_timed_against_the_floor_phase_by_phase(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    tables = tmp_path / "tables.md"
    files = ("--json", str(found), "--markdown", str(tables))
    main(["--only", "threshold", "--slices", "2", "--rounds", "2", *files])
    document = json.loads(found.read_text())
    (row,) = document["rows"]
    assert row["name"] == "torch threshold, 2 slices"
    assert 0 < row["min"] <= row["median"] <= row["max"]
    assert row["raw_bytes"] == 2 * 2 * 512 * 512
    assert set(row["phases_s"]) == PHASES
    assert document["machine"]["cores"] > 0
    assert document["peak_mb"]["core"] > 10
    assert tables.read_text().count("| torch threshold, 2 slices |") == 2


def test_memory_and_throughput_are_measured(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    limits = ("--slices", "2", "--rounds", "1", "--seconds", "0.2")
    names = ("upload-memory", "small-jobs", "questions", "polls", "second-job")
    main(["--only", *names, *limits, "--json", str(found)])
    rows = {row["name"]: row for row in json.loads(found.read_text())["rows"]}
    assert rows["small jobs, 8 clients"]["median"] > 0
    assert rows["GET /ping, 16 connections"]["median"] > 0
    assert rows["polls with a token, 16 connections"]["median"] > 0
    assert 0 < rows["second job: small scan in → ONNX model called"]["median"] < 1000
    assert rows["second job: small scan in → torch model called"]["first_job_ms"] > 0
    assert rows["core's growth, upload of 2 slices"]["median"] >= 0


def test_only_slow_measurements_are_left_out_when_it_must_be_quick() -> None:
    assert set(MEASUREMENTS) > SLOW


def test_a_slow_down_shows_in_the_history(tmp_path: Path) -> None:
    history = tmp_path / "notes" / "history.jsonl"
    job = Row("a job", "× floor", (0.5, 0.6, 0.7))
    rate = Row("answers", "/s", (100.0,), at_least=True)
    assert report.worse_than_before(history, MACHINE, [job]) == []
    report.record(history, MACHINE, "2026-11-23", [job, rate])
    assert report.worse_than_before(history, MACHINE, [job, rate]) == []
    slower = [replace(job, values=(0.8,)), replace(rate, values=(80.0,))]
    assert report.worse_than_before(history, MACHINE, slower) == [
        "a job: 0.80 × floor, before 0.60",
        "answers: 80.0 /s, before 100",
    ]
    assert report.worse_than_before(history, MACHINE | {"cores": 64}, slower) == []


def test_a_row_meets_its_target_or_misses_it() -> None:
    assert Row("a job", "ms", (1.0, 2.0, 9.0), target=2.0).met is True
    assert Row("answers", "/s", (1.0, 2.0, 9.0), target=3.0, at_least=True).met is False
    assert Row("a job", "ms", (1.0,)).met is None


def test_growth_is_measured_and_drawn_into_small_files(tmp_path: Path) -> None:
    size = Size(rounds=1, seconds=0.2)
    grown = growth.measure(size, slices=(2,), structures=(1, 2), clients=(1, 2), structures_slices=2)
    assert [len(line) for one in grown for line in one.lines.values()] == [1, 1, 1, 2, 2]
    paths = draw(grown, tmp_path)
    assert [path.name for path in paths] == ["slices.png", "structures.png", "clients.png"]
    assert all(1000 < path.stat().st_size < 100_000 for path in paths)
