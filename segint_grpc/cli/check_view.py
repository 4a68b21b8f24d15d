"""Shows on stderr how a check goes: a line for each step when it has ended, and on a terminal what runs."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from generated.segint.v1 import models_pb2

MIB = 1024 * 1024
WORDS = {
    models_pb2.CheckStep.OUTCOME_PASSED: ("passed", "green"),
    models_pb2.CheckStep.OUTCOME_WARNING: ("warning", "yellow"),
    models_pb2.CheckStep.OUTCOME_FAILED: ("FAILED", "bold red"),
}


class CheckView:
    """Takes the steps of a check; a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on `console`, by default on stderr."""
        self._console = console or Console(stderr=True)
        self._status: Status | None = None

    def step(self, step: models_pb2.CheckStep) -> None:
        """Show a step that has begun or ended."""
        if step.outcome == models_pb2.CheckStep.OUTCOME_RUNNING:
            self._run(f"Step {step.number} of {step.total}: {step.name}")
            return
        self._end()
        word, style = WORDS.get(step.outcome, ("?", ""))
        line = Text.assemble((f"{word:<8}", style), f"{step.name}{_cost(step)}")
        self._console.print(line, soft_wrap=True)
        if step.finding:
            self._console.print(Text(f"        {step.finding}"), soft_wrap=True)

    def __enter__(self) -> Self:
        """Return this view."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing."""
        self._end()

    def _run(self, title: str) -> None:
        self._end()
        if self._console.is_terminal:
            self._status = self._console.status(Text(title))
            self._status.start()

    def _end(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def _cost(step: models_pb2.CheckStep) -> str:
    memory = f", {step.peak_memory_bytes / MIB:.0f} MiB" if step.peak_memory_bytes else ""
    return f" ({step.seconds:.1f} s{memory})" if step.seconds or memory else ""
