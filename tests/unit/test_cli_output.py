from __future__ import annotations

from collections.abc import Sequence

import pytest
from rich.console import Console

from segint_grpc.cli import output


def test_on_a_narrow_terminal_what_is_typed_next_is_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def narrow(markup: bool, highlight: bool) -> Console:
        return Console(markup=markup, highlight=highlight, force_terminal=True, width=80)

    monkeypatch.setattr(output, "Console", narrow)
    job = "f4bc3750-6ae0-4c6d-a7a7-5b53a3359439"
    headings: Sequence[str] = ("Job", "Model", "State", "Posted", "Took", "From", "Warnings")
    output.print_table(
        headings, [(job, "My Model", "succeeded", "2026-11-26 07:13:14", "0.1 s", "10.1.2.3", "1")]
    )
    printed = capsys.readouterr().out
    assert job in printed
    assert "…" not in printed
