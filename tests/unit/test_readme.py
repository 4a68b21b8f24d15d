"""What README and docs tell people to type exists: commands, options, scripts, files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from segint_grpc.cli.main import main
from segint_grpc.cli.serve import kill, run

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
PROGRAMS: dict[str, click.Command] = {"segint": main, "segint_run": run, "segint_kill": kill}


def typed(page: Path) -> Iterator[str]:
    """Yield each line that a page tells people to type."""
    for block in re.findall(r"^```(?:bash|sh)\n(.*?)^```", page.read_text(), flags=re.M | re.S):
        yield from (line.strip() for line in block.replace("\\\n", " ").splitlines() if line.strip())


COMMANDS = [(page.name, line) for page in PAGES for line in typed(page)]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda value: str(value)[:60])
def test_a_command_that_a_page_shows_is_there(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    if not words:
        return
    if words[0] == "bash":
        assert (ROOT / words[1]).is_file()
    program = PROGRAMS.get(words[0].removeprefix(".venv/bin/"))
    if program is not None:
        check_options(program, words[1:])


def check_options(command: click.Command, words: list[str]) -> None:
    """Follow the words into subcommands; every option must be one that the command takes."""
    context = click.Context(command)
    if isinstance(command, click.Group):
        following = command.get_command(context, words[0])
        assert following is not None, f"there is no command {words[0]}"
        check_options(following, words[1:])
        return
    known = {name for parameter in command.get_params(context) for name in parameter.opts}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    assert not unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing


def test_the_readme_begins_with_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()[:40]
    assert "bash scripts/demo.sh" in lines
    assert "bash scripts/test.sh" in lines
