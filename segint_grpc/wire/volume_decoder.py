"""Inflates volumes in a thread of its own while they arrive, straight into the files workers map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from segint_grpc import errors


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of one channel's Data: `size_bytes` inflated (one above `bound_bytes` means "more")."""

    path: Path
    size_bytes: int
    bound_bytes: int
    error: errors.JobFailure | None


class VolumeDecoder:
    """A DataSink that inflates gzip into one file per channel; a context manager that closes itself."""

    def __init__(self, path_of: Callable[[int], Path], bytes_max: int) -> None:
        """Write channel n's raw voxels to `path_of(n)`, at most `bytes_max` bytes each."""
        raise NotImplementedError

    def begin(self, channel: int, length: int, expected_bytes: int | None) -> None:
        """Begin `channel` anew (see DataSink).

        Raises:
            TooLarge: `expected_bytes` is over the limit, which is known before the data come.
        """
        raise NotImplementedError

    def write(self, piece: memoryview) -> None:
        """Queue `piece`; waits while the queue is full, so never call it on an event loop."""
        raise NotImplementedError

    def end(self) -> None:
        """End the field."""
        raise NotImplementedError

    def finish(self) -> dict[int, Decoded]:
        """Wait until everything is written; the files then belong to the caller."""
        raise NotImplementedError

    def close(self) -> None:
        """End the thread; remove the files unless `finish` has handed them over."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Return this decoder."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
