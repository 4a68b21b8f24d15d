from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from segint_grpc.cli.config import settings_page, unit
from segint_grpc.cli.main import main
from segint_grpc.settings import Settings

NAMES = [field.name for field in dataclasses.fields(Settings)]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        monkeypatch.delenv(f"SEGINT_{name.upper()}", raising=False)
    (tmp_path / "segint.toml").write_text('slots = 3\nallow = ["10.1.0.0/16", "10.2.0.0/16"]\n')
    return tmp_path


def show(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["config", "show", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_every_setting_is_explained(home: Path) -> None:
    text = show("--home", str(home))
    for name in NAMES:
        assert f"\n{name} = " in f"\n{text}"


def test_a_value_comes_with_its_origin_and_its_default(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGINT_LOG_LEVEL", "DEBUG")
    text = show("--home", str(home))
    assert "slots = 3   [segint.toml; default 0]" in text
    assert "allow = 10.1.0.0/16, 10.2.0.0/16   [segint.toml; default (empty)]" in text
    assert "log_level = DEBUG   [environment; default INFO]" in text
    assert "attempts_max = 2   [default]" in text


def test_numbers_come_with_their_units(home: Path) -> None:
    text = show("--home", str(home))
    assert "upload_max_bytes = 2147483648 bytes (2048 MiB)" in text
    assert "job_deadline_s = 1185.0 s" in text


def test_as_json_it_says_the_same(home: Path) -> None:
    explained = json.loads(show("--home", str(home), "--json"))
    assert list(explained) == NAMES
    assert explained["slots"]["value"] == 3
    assert explained["slots"]["from"] == "segint.toml"
    assert explained["slots"]["default"] == 0
    assert explained["job_deadline_s"]["unit"] == "s"
    assert explained["home"] | {"explanation": ""} == {
        "value": str(home),
        "from": "command line",
        "default": "",
        "unit": "",
        "variable": "SEGINT_HOME",
        "explanation": "",
    }


def test_a_mistake_in_the_file_is_a_sentence(home: Path) -> None:
    (home / "segint.toml").write_text("slot = 3")
    result = CliRunner().invoke(main, ["config", "show", "--home", str(home)])
    assert result.exit_code == 2
    assert result.output == "segint: segint.toml: there is no setting slot. Did you mean slots?\n"


def test_the_page_in_the_docs_is_what_the_command_prints() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == show("--markdown") == settings_page()


def test_units_are_read_from_the_names() -> None:
    assert [unit(name) for name in ("stop_grace_s", "log_max_bytes", "slots")] == ["s", "bytes", ""]
