from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from segint_grpc import logs


@pytest.fixture(autouse=True)
def _the_root_logger_is_put_back() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers.clear()
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = before
    root.setLevel(level)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_json_with_the_ids_that_it_belongs_to(tmp_path: Path) -> None:
    logs.configure("core", tmp_path, "INFO", 1_000_000, 2)
    tokens = logs.request_id.set("r-1"), logs.job_id.set("j-1")
    logging.getLogger("x").info("größer", extra={"bytes": 3})
    logs.request_id.reset(tokens[0])
    logs.job_id.reset(tokens[1])
    line = lines(tmp_path / "core.log")[0]
    assert (line["message"], line["bytes"], line["process"]) == ("größer", 3, "core")
    assert (line["request_id"], line["job_id"]) == ("r-1", "j-1")
    assert str(line["time"]).endswith("+00:00")


def test_a_file_is_rotated_before_it_is_too_large_and_old_ones_go(tmp_path: Path) -> None:
    logs.configure("core", tmp_path, "INFO", 2_000, 2)
    for number in range(60):
        logging.getLogger("x").info("line %d", number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["core.log", "core.log.1", "core.log.2"]
    assert all(path.stat().st_size <= 2_000 for path in tmp_path.iterdir())
    assert lines(tmp_path / "core.log")[-1]["message"] == "line 59"


def test_a_traceback_is_in_the_line_and_what_is_below_the_level_is_not(tmp_path: Path) -> None:
    logs.configure("core", tmp_path, "WARNING", 1_000_000, 0)
    logging.getLogger("x").info("hidden")
    try:
        raise KeyError("gone")
    except KeyError:
        logging.getLogger("x").exception("failed")
    (line,) = lines(tmp_path / "core.log")
    assert "KeyError" in str(line["traceback"])
