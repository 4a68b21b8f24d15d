"""A bar on stderr for bytes on their way, where stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


@contextmanager
def transfer_bar(title: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the context lasts; gives what is to be told of the bytes of each chunk."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=total_bytes)
        yield lambda moved: bar.advance(task, moved)
