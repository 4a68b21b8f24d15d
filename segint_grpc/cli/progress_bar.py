"""Shows on stderr how a segmentation goes: a live bar on a terminal, a line for each leg elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from segint_grpc.cli.time_left import TimeLeft, TimeLeftColumn
from segint_grpc.client.events import JobEvent

MIB = 1024 * 1024
TITLES = {
    "read": "Reading the scan",
    "upload": "Sending the scan",
    "queue": "Waiting in the queue",
    "run": "Segmenting",
    "download": "Fetching the masks",
    "write": "Writing masks and picture",
}
STAGES = {
    "receive": "the server unpacks the scan",
    "queue": "waiting for a free worker",
    "load": "loading the model",
    "prepare": "preparing the volumes",
    "infer": "the model is running",
    "restore": "bringing the masks back to the scan's grid",
    "encode": "packing the masks",
    "done": "done",
}


class SegmentationBar:
    """A watcher (`client.segmentation.Watcher`) and a context manager; also the stopwatch of the legs."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`, which writes to stderr."""
        self.console = console
        self.legs_ms: dict[str, float] = {}
        self.warnings: tuple[str, ...] = ()
        self._leg = ""
        self._began = 0.0
        self._line = ""
        self._percent = 0
        self._stage = ""
        self._left = TimeLeft()
        self._task: TaskID | None = None
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<25}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("[dim]{task.fields[detail]}"),
            TimeLeftColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the leg under way and stop drawing."""
        self._end_leg(whole=kind is None)
        self._progress.stop()

    def leg(self, name: str) -> None:
        """Begin the leg `name`."""
        self._end_leg(whole=True)
        self._leg, self._began, self._percent = name, time.perf_counter(), 0
        self._left = TimeLeft()
        self._task = self._progress.add_task(TITLES[name], total=100, detail="")
        self._say(TITLES[name])

    def bytes_passed(self, passed: int, total: int | None) -> None:
        """Show how much of the body has passed."""
        of = f" of {total / MIB:.1f}" if total else ""
        self._show(100 * passed / total if total else 0, f"{passed / MIB:.1f}{of} MiB")

    def job(self, event: JobEvent) -> None:
        """Show the server's percent and stage, and how long it takes yet."""
        self.warnings = event.warnings or self.warnings
        self._percent = max(self._percent, event.percent)
        # A poll knows the percent only; the stage that was last heard of still holds.
        self._stage = STAGES.get(event.stage, event.stage) or self._stage
        if event.jobs_ahead:
            self._stage = f"{event.jobs_ahead} jobs ahead" if event.jobs_ahead > 1 else "1 job ahead"
        if event.stage:
            self._left = TimeLeft(event.remaining_s)
        self._show(self._percent, self._stage)
        self._say(
            f"  {self._percent:3} %  {', '.join(filter(None, (self._stage, self._left.words)))}".rstrip()
        )

    def interrupted(self, sentence: str) -> None:
        """Say what became of the job after Ctrl-C."""
        self._progress.stop()
        self.console.print(f"Interrupted. {sentence}", highlight=False, markup=False, soft_wrap=True)

    def _show(self, percent: float, detail: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=percent, detail=detail, left=self._left)

    def _say(self, line: str) -> None:
        """Where there is no live bar, write a line when it is a new one."""
        if self._progress.disable and line != self._line:
            self._line = line
            self.console.print(line, highlight=False, markup=False)

    def _end_leg(self, *, whole: bool) -> None:
        if not self._leg:
            return
        self.legs_ms[self._leg] = (time.perf_counter() - self._began) * 1000
        if self._task is not None:
            self._progress.update(self._task, completed=100 if whole else None, detail="")
            self._progress.stop_task(self._task)
        self._leg = ""
