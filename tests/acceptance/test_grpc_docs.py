"""docs/grpc.md is a walk: every command of it, from top to bottom, through reflection alone.

`buf curl` does the calling, a client that knows nothing of SegInt; a stand-in for grpcurl hands over to it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.serving import Server, serving
from tests.buf import BUF, ROOT, needs_buf

pytestmark = needs_buf

PAGE = ROOT / "docs" / "grpc.md"
WALK_TIMEOUT_S = 110


@dataclass(frozen=True)
class Block:
    """Commands that the page shows together."""

    number: int
    refused: bool
    commands: str

    def script(self, out: Path) -> str:
        """The block for bash, with what it prints in a file of its own."""
        body = f"{{\n{self.commands}}} >{out / str(self.number)} 2>&1"
        return f"if {body}; then exit 1; fi" if self.refused else body


def blocks() -> Iterator[Block]:
    found = re.findall(r"^```bash( refused)?\n(.*?)^```$", PAGE.read_text(), flags=re.M | re.S)
    for number, (refused, commands) in enumerate(found):
        yield Block(number, bool(refused), commands)


BLOCKS = list(blocks())


@dataclass(frozen=True)
class Walk:
    """The page, once it was typed; it ends with the first command that does not do what it should."""

    out: Path
    status: int
    said: str

    def printed(self, words: str) -> str:
        """What the first block printed that holds `words`."""
        block = next(block for block in BLOCKS if words in block.commands)
        return (self.out / str(block.number)).read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("walk") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def walk(server: Server) -> Walk:
    folder = server.home.parent
    for name in ("bin", "out", "here"):
        (folder / name).mkdir()
    install(
        folder / "bin" / "grpcurl", f'PYTHONPATH={ROOT} exec {sys.executable} -m tests.fakes.grpcurl "$@"'
    )
    install(folder / "bin" / "buf", f'exec {BUF} "$@"')
    script = "\n".join(["set -euo pipefail", *(block.script(folder / "out") for block in BLOCKS)])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder / "here",
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "SEGINT_HOME": str(server.home)},
        capture_output=True,
        text=True,
        timeout=WALK_TIMEOUT_S,
        check=False,
    )
    return Walk(folder / "out", done.returncode, done.stderr)


def install(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


def test_every_command_does_what_the_page_says(walk: Walk) -> None:
    last = max(walk.out.iterdir(), key=lambda path: int(path.name))
    assert walk.status == 0, f"{BLOCKS[int(last.name)].commands}\n{last.read_text()}\n{walk.said}"
    assert len(list(walk.out.iterdir())) == len(BLOCKS)


def test_reflection_lists_every_service(walk: Walk) -> None:
    listed = walk.printed("$SOCKET list")
    for service in ("Audit", "Jobs", "Models", "Operations", "Segmentation"):
        assert f"segint.v1.{service}" in listed
    for version in ("v1", "v1alpha"):
        assert f"grpc.reflection.{version}.ServerReflection" in listed


def test_a_refusal_names_the_fields_and_what_there_is_instead(walk: Walk) -> None:
    assert "body_parts" in walk.printed('"Lungs"')
    unknown = walk.printed('"Bonse"')
    assert '"code": "not_found"' in unknown
    assert "'Bones'" in unknown
    assert "google.rpc.ErrorInfo" in unknown


def test_the_version_passes_its_check_and_is_offered(walk: Walk) -> None:
    printed = walk.printed("CheckVersion")
    assert '"passed": true' in printed
    assert '"offered": true' in printed


def test_the_default_version_goes_there_and_back(walk: Walk) -> None:
    defaults = re.findall(r'"defaultVersionId": "(.*?)"', walk.printed("SetDefaultVersion"))
    assert defaults == ["Bones 1.1", "Bones 1.0"]


def test_the_typed_scan_is_segmented_and_the_broken_one_fails(walk: Walk) -> None:
    assert "JOB_STATE_SUCCEEDED" in walk.printed("WatchProgress")
    broken = walk.printed("RetryJob")
    assert "DecompressionError" in broken
    assert broken.count('"chunk"') == 1


def test_what_users_said_is_listed_with_its_version(walk: Walk) -> None:
    printed = walk.printed("ListFeedback")
    assert '"GeneralComments": "good"' in printed
    assert '"modelId": "Bones 1.0"' in printed


def test_statistics_count_the_jobs(walk: Walk) -> None:
    assert '"succeeded": "1"' in walk.printed("GetStatistics")


def test_the_audit_log_tells_what_was_typed(walk: Walk) -> None:
    printed = walk.printed("VerifyAudit")
    assert '"act": "version.set_default"' in printed
    assert '"whole": true' in printed
