"""Inflates volumes in a thread of its own while they arrive, straight into the files that workers map."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from segint_grpc import errors
from segint_grpc.wire.fast_gzip import GZIP_ERRORS, open_gzip
from segint_grpc.wire.handover import Handover, HandoverClosedError

MIB = 1024 * 1024
PIECES_MAX = 4
"""Pieces (of a chunk's size, usually 256 KiB) that wait for the thread before the giver has to wait."""

WINDOW_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of one channel's last Data.

    `size_bytes` are in the file `path`; one more than `bound_bytes` means that inflating was stopped
    there. With an `error` there is no file.
    """

    path: Path
    size_bytes: int
    bound_bytes: int
    error: errors.JobFailure | None = None


@dataclass(frozen=True, slots=True)
class _Field:
    """The beginning of a Data field; pieces follow, then None."""

    channel: int
    bound_bytes: int


_Event = _Field | memoryview | None


class VolumeDecoder:
    """A DataSink that inflates gzip into one file per channel; a context manager that closes itself.

    Data that cannot be decoded are no error of the caller's, who goes on to read the message: what went
    wrong stands in the channel's `Decoded`.
    """

    def __init__(
        self,
        path_of: Callable[[int], Path],
        bytes_max: int,
        final_bytes: Mapping[int, int] | None = None,
    ) -> None:
        """Write channel n's raw voxels to `path_of(n)`, at most `bytes_max` bytes each, and start.

        `final_bytes` says what a channel inflates to where that is known beforehand; it is taken in place
        of what `begin` says.
        """
        self._path_of = path_of
        self._bytes_max = bytes_max
        self._final_bytes = final_bytes or {}
        self._events: Handover[_Event] = Handover(PIECES_MAX)
        self._decoded: dict[int, Decoded] = {}
        self._paths: set[Path] = set()
        self._defect: BaseException | None = None
        self._handed_over = False
        self._thread = threading.Thread(target=self._run, name="inflate", daemon=True)
        self._thread.start()

    def begin(self, channel: int, length: int, expected_bytes: int | None) -> None:
        """Begin `channel` anew (see DataSink).

        Raises:
            TooLarge: `expected_bytes` is over the limit, which shows before the data come.
        """
        expected_bytes = self._final_bytes.get(channel, expected_bytes)
        if expected_bytes is not None and expected_bytes > self._bytes_max:
            raise errors.TooLarge(
                f"Channel {channel + 1}: the dimensions ask for up to {expected_bytes} bytes of voxels;"
                f" this server takes at most {self._bytes_max} (two for each of the setting voxels_max)."
            )
        bound_bytes = self._bytes_max if expected_bytes is None else expected_bytes
        self._put(_Field(channel, bound_bytes))

    def write(self, piece: memoryview) -> None:
        """Hand `piece` to the thread; waits while that is behind, so never call it on an event loop."""
        self._put(piece)

    def end(self) -> None:
        """End the field."""
        self._put(None)

    def finish(self) -> dict[int, Decoded]:
        """Wait until everything is written, and return it by channel; the files are then the caller's.

        A channel without Data is not in it.
        """
        self._put(None)
        self._thread.join()
        if self._defect is not None:
            raise self._defect
        self._handed_over = True
        return self._decoded

    def close(self) -> None:
        """End the thread, from whichever thread; remove the files unless `finish` has handed them over."""
        self._events.close()
        self._thread.join()
        if not self._handed_over:
            for path in self._paths:
                path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Return this decoder."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _put(self, event: _Event) -> None:
        try:
            self._events.put(event)
        except HandoverClosedError:
            raise self._defect or RuntimeError("the volume decoder is closed") from None

    def _run(self) -> None:
        try:
            while isinstance(field := self._events.get(), _Field):
                path = self._path_of(field.channel)
                self._paths.add(path)
                source = _Pieces(self._events)
                self._decoded[field.channel] = _decode(source, path, field.bound_bytes)
                source.skip_rest()
        except HandoverClosedError:
            pass
        except BaseException as defect:  # shown to whoever waits: a thread's own end would go unseen
            self._defect = defect
            self._events.close()


class _Pieces(io.RawIOBase):
    """The pieces of one Data field as a file."""

    def __init__(self, events: Handover[_Event]) -> None:
        self._events = events
        self._piece = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._piece and not self._ended:
            self._next()
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def skip_rest(self) -> None:
        while not self._ended:
            self._next()

    def _next(self) -> None:
        event = self._events.get()
        if isinstance(event, memoryview):
            self._piece = event
        else:
            self._ended = True


def _decode(source: io.RawIOBase, path: Path, bound_bytes: int) -> Decoded:
    """Inflate `source` into `path`, at most one byte beyond `bound_bytes`."""
    try:
        return Decoded(path, _inflate(source, path, bound_bytes), bound_bytes)
    except GZIP_ERRORS as error:
        reason = str(error).rstrip(".")
        failure: errors.JobFailure = errors.Decompression(f"Data is no intact gzip: {reason}.")
    except OSError as error:
        failure = errors.JobFailure(f"The server could not write the voxels to its disk: {error.strerror}.")
    path.unlink(missing_ok=True)
    return Decoded(path, 0, bound_bytes, failure)


def _inflate(source: io.RawIOBase, path: Path, bound_bytes: int) -> int:
    size_bytes = 0
    with open_gzip(source) as inflated, path.open("wb", buffering=0) as file:
        while piece := inflated.read(min(WINDOW_BYTES, bound_bytes + 1 - size_bytes)):
            size_bytes += len(piece)
            _write_all(file, memoryview(piece))
    return size_bytes


def _write_all(file: io.FileIO, view: memoryview) -> None:
    while view:
        view = view[file.write(view) :]
