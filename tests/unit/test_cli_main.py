from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from segint_grpc import __version__, errors
from segint_grpc.cli.main import COMMANDS, main
from segint_grpc.cli.sentences import sentences
from segint_grpc.cli.serve import kill, run


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["serve", "--help"], ["config", "show", "--help"]])
def test_help_is_there(arguments: list[str]) -> None:
    assert "Usage:" in CliRunner().invoke(main, arguments).output


@pytest.mark.parametrize("group", [[], ["audit"], ["model"], ["job"], ["config"]])
def test_no_summary_is_cut_short(group: list[str]) -> None:
    result = CliRunner().invoke(main, [*group, "--help"])
    assert "Commands:" in result.output
    assert "..." not in result.output.partition("Commands:")[2]


@pytest.mark.parametrize("command", [run, kill])
def test_the_commands_for_a_terminal_know_the_short_option_too(command: click.Command) -> None:
    assert "Usage:" in CliRunner().invoke(command, ["-h"]).output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_a_summary(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.get_short_help_str(200).endswith(".")


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"segint, version {__version__}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["sagment"])
    assert result.exit_code == 2
    assert "No such command 'sagment'" in result.output


def test_help_loads_no_command() -> None:
    program = (
        "import sys; from segint_grpc.cli.main import main;"
        "loaded = {'grpc', 'aiohttp', 'numpy', 'torch'} & set(sys.modules); assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.StartRefused("The port is in use."), 2),
        (errors.InvalidSetting("No such setting."), 2),
        (errors.UnknownModel("No such model."), 2),
        (errors.WorkerDied("It died."), 1),
        (errors.Unavailable("Nobody answers."), 1),
        (errors.QueueFull("Come back later."), 1),
    ],
)
def test_a_domain_error_is_a_sentence_and_an_exit_code(
    error: errors.SegIntError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, sentences():
        raise error
    assert ended.value.code == code
    assert capsys.readouterr().err == f"segint: {error.message}\n"
