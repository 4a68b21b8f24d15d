"""`segint doctor` on a real server, and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segint_grpc.cli.main import main
from tests.acceptance.serving import serving


def doctor(home: Path, *words: str) -> Result:
    settings = {"SEGINT_FREE_DISK_MIN_BYTES": "0", "SEGINT_HTTP": "127.0.0.1:0", "SEGINT_GRPC": "127.0.0.1:0"}
    return CliRunner(env=settings).invoke(main, ["doctor", "--home", str(home), *words])


def test_all_is_well_with_a_running_server_and_a_trial_job_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        result = doctor(server.home, "--json")
        report = json.loads(result.output)
        assert (result.exit_code, report["ok"]) == (0, True), result.output
        found = {check["name"]: check for check in report["checks"]}
        assert {"disk", "home", "versions", "gpu", "ports", "core", "gateway", "job"} <= found.keys()
        assert found["job"]["level"] == "ok"
        assert "1 mask over HTTP" in found["job"]["text"] or "masks over HTTP" in found["job"]["text"]
        assert server.segint("job", "list") == ""


def test_without_a_server_it_says_how_to_start_one_and_fails(tmp_path: Path) -> None:
    result = doctor(tmp_path / "home")
    assert result.exit_code == 1
    assert f"→ segint serve --home {tmp_path / 'home'}" in result.output
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("mode", [0o755, 0o750])
def test_a_home_that_others_can_read_is_a_warning_with_the_command_that_mends_it(
    tmp_path: Path, mode: int
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(mode)
    assert f"→ chmod go-rwx {home}" in doctor(home).output


def test_a_model_that_is_not_offered_is_named(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        assert "no model 'Nothing'" in doctor(server.home, "--model", "Nothing").output
