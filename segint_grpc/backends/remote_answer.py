"""The answer of a server elsewhere: read in pieces, up to a limit and before a deadline."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.domain.foreign_words import one_line

PIECE_BYTES = 256 * 1024
SMALL_BYTES = 1024 * 1024
"""The most of an answer that holds no tensors."""


class Answer:
    """One answer; `status` and `headers` are there, the body comes as it is read."""

    def __init__(self, response: Any, most_bytes: int, deadline: float) -> None:
        """Read `response` (urllib3's) up to `most_bytes` until `deadline` (time.monotonic)."""
        self.status: int = response.status
        self.headers = response.headers
        self._response = response
        self._left = most_bytes
        self._most = most_bytes
        self._deadline = deadline

    @property
    def is_read(self) -> bool:
        """Whether nothing of it is left on the connection."""
        return bool(self._response.closed)

    def pieces(self, size: int | None = None) -> Iterator[bytes]:
        """Yield the next `size` bytes, by default all there are.

        Raises:
            ValueError: it ends before them.
            ModelFailure: it is larger than allowed.
            TimeoutError: the deadline is over.
        """
        encoding = self.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise ValueError(f"it is encoded as {encoding:.20}, which was not asked for")
        while size is None or size > 0:
            piece = self._read(PIECE_BYTES if size is None else min(size, PIECE_BYTES))
            if not piece:
                if size is None:
                    return
                raise ValueError("it is shorter than it says")
            size = None if size is None else size - len(piece)
            yield piece

    def fill(self, array: NDArray[Any]) -> None:
        """Fill `array`, contiguous and not empty, with the next bytes; raises as `pieces`."""
        self.reserve(array.nbytes)
        view, at = array.data.cast("B"), 0
        for piece in self.pieces(array.nbytes):
            view[at : at + len(piece)] = piece
            at += len(piece)

    def reserve(self, size: int) -> None:
        """Raise ModelFailure if `size` bytes more are not allowed."""
        if size > self._left:
            raise errors.ModelFailure(
                f"The server's answer is larger than {self._most} bytes (setting "
                "open_inference_answer_max_bytes); the rest was not read."
            )

    def small(self) -> Any:
        """Return the whole body as JSON, None where it is none or longer than it has any reason to be."""
        text = bytearray()
        for piece in self.pieces():
            text += piece
            if len(text) > SMALL_BYTES:
                return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None

    def words(self) -> str:
        """Return what the server says of its refusal, without what could be voxels: ": …", or the end."""
        said = self.small()
        text = said.get("error") if isinstance(said, dict) else None
        line = one_line(text, 200) if isinstance(text, str) else ""
        return f": {line}" if line else "."

    def _read(self, size: int) -> bytes:
        # One byte more than allowed tells a longer answer from one that just fits.
        size, piece = min(size, self._left + 1), bytearray()
        while len(piece) < size:
            if time.monotonic() > self._deadline:
                raise TimeoutError
            # What is there, however little: a server that lets it drip must not outlast the deadline.
            if not (some := self._response.read1(size - len(piece))):
                break
            piece += some
        self.reserve(len(piece))
        self._left -= len(piece)
        return bytes(piece)
