from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from segint_grpc import errors, settings
from segint_grpc.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def write_config(home: Path, text: str) -> None:
    (home / "segint.toml").write_text(text)


def test_without_anything_given_every_setting_has_its_default(home: Path) -> None:
    loaded = settings.load({"home": str(home)}, {})
    assert dataclasses.replace(loaded, home="") == Settings()


def test_the_defaults_listen_on_this_machine_alone() -> None:
    assert Settings().http.startswith("127.0.0.1:")
    assert Settings().grpc.startswith("127.0.0.1:")


def test_the_default_deadline_ends_before_the_clients_patience_of_20_minutes() -> None:
    assert Settings().job_deadline_s < 20 * 60


def test_the_default_home_is_in_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert Settings().home_path == Path("/data/segint")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert Settings().home_path == Path("/home/ada/.local/share/segint")


def test_the_home_may_be_given_relative_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert Settings(home="~/segint").home_path == Path("/home/ada/segint")


def test_the_file_wins_over_the_default_the_environment_over_the_file_the_command_line_over_all(
    home: Path,
) -> None:
    write_config(home, "slots = 1\nqueue_max = 2\nchannels_max = 3\n")
    environment = {"SEGINT_QUEUE_MAX": "20", "SEGINT_CHANNELS_MAX": "30"}
    explained = settings.explain({"home": str(home), "channels_max": 300}, environment)
    assert explained["slots"] == settings.Source(1, "segint.toml")
    assert explained["queue_max"] == settings.Source(20, "environment")
    assert explained["channels_max"] == settings.Source(300, "command line")
    assert explained["attempts_max"] == settings.Source(2, "default")


def test_the_home_of_the_environment_is_where_the_file_is_looked_for(home: Path) -> None:
    write_config(home, "slots = 7")
    assert settings.load({}, {"SEGINT_HOME": str(home)}).slots == 7


def test_an_option_that_was_not_given_does_not_count(home: Path) -> None:
    assert settings.explain({"home": str(home), "http": None}, {})["http"].origin == "default"


@pytest.mark.parametrize("given", ["10.1.0.0/16, 10.2.0.0/16", ["10.1.0.0/16", "10.2.0.0/16"]])
def test_a_list_may_come_as_a_list_or_with_commas(home: Path, given: object) -> None:
    assert settings.load({"home": str(home), "allow": given}, {}).allow == ("10.1.0.0/16", "10.2.0.0/16")


def test_interpreters_may_come_as_a_table_or_with_commas(home: Path) -> None:
    write_config(home, '[interpreters]\ngroup = "/opt/group/bin/python"\nold = "/opt/old/bin/python"\n')
    wanted = {"group": "/opt/group/bin/python", "old": "/opt/old/bin/python"}
    assert settings.load({"home": str(home)}, {}).interpreter_paths == wanted
    variable = {"SEGINT_INTERPRETERS": "group=/opt/group/bin/python, old=/opt/old/bin/python"}
    assert settings.load({}, variable).interpreter_paths == wanted


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"SEGINT_SLOTS": "two"}, "environment: slots must be of type int, not 'two'"),
        ({"SEGINT_SLOTS": "-1"}, "environment: slots must be at least 0, not '-1'"),
        ({"SEGINT_JOB_DEADLINE_S": "nan"}, "environment: job_deadline_s must be at least 1, not 'nan'"),
        ({"SEGINT_LOG_LEVEL": "LOUD"}, "environment: log_level must be one of DEBUG, INFO, WARNING, ERROR"),
        (
            {"SEGINT_INTERPRETERS": "/opt/python"},
            "environment: interpreters: write each as NAME=PATH, a name being of letters, digits and . _ -",
        ),
        (
            {"SEGINT_INTERPRETERS": "group=bin/python"},
            "interpreters: group needs the absolute path of its python, not 'bin/python'.",
        ),
        ({"SEGINT_INTERPRETERS": "a=/x,a=/y"}, "interpreters: a is there twice."),
        ({"SEGINT_SLOT": "2"}, "environment: there is no setting slot. Did you mean slots?"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_origin(
    home: Path, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(errors.InvalidSetting) as refused:
        settings.load({"home": str(home)}, given)
    assert sentence in refused.value.message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("slots = 1.5", "segint.toml: slots must be of type int, not 1.5"),
        ("slots = true", "segint.toml: slots must be of type int, not True"),
        ("http = 8000", "segint.toml: http must be of type str, not 8000"),
        ("allow = 1", "segint.toml: allow must be a list of strings, not 1"),
        ("slot = 1", "segint.toml: there is no setting slot. Did you mean slots?"),
        ("zzzzz = 1", "`segint config show` lists them all"),
        ("slots =", "is no valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(home: Path, text: str, sentence: str) -> None:
    write_config(home, text)
    with pytest.raises(errors.InvalidSetting) as refused:
        settings.load({"home": str(home)}, {})
    assert sentence in refused.value.message


def test_a_file_that_cannot_be_read_is_named(home: Path) -> None:
    (home / "segint.toml").mkdir(parents=True)
    with pytest.raises(errors.InvalidSetting, match="cannot be read"):
        settings.load({"home": str(home)}, {})


def test_a_home_that_is_a_file_has_no_settings_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert settings.load({"home": str(tmp_path / "file")}, {}).slots == 0


def test_a_whole_number_will_do_for_a_time(home: Path) -> None:
    write_config(home, "job_deadline_s = 60")
    assert settings.load({"home": str(home)}, {}).job_deadline_s == 60.0


def test_variables_that_are_no_settings_are_left_alone(home: Path) -> None:
    assert settings.load({"home": str(home)}, {"SEGINT_TRACE": "1", "SEGINT_SERVER": "http://x"}).slots == 0


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_explained_in_a_line(field: dataclasses.Field[object]) -> None:
    assert 10 < len(settings.explanation(field.name)) < 100
