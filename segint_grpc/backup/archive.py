"""The archive: a plain tar file whose last entry names every other with its size and SHA-256.

It is written as a stream, so that no more than a chunk is ever in memory, and read as one.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from segint_grpc import errors

FORMAT = "segint-backup-1"
DATABASE = "segint.sqlite3"
MANIFEST = "MANIFEST.json"
CHUNK_BYTES = 1024 * 1024

_BLOCK = tarfile.BLOCKSIZE
_MANIFEST_MAX = 256 * 1024 * 1024
_JOB = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.pb"
_NAMES = re.compile(
    rf"segint\.(sqlite3|toml)|token\.key|media/models/[0-9a-f]{{64}}/(?!\.)[\w .+()-]{{1,120}}|"
    rf"media/modelfamily/(?!\.)[\w .-]{{1,80}}\.pb|media/(segmentation|results)/{_JOB}"
)
"""What an archive may hold, and so where a restore may write."""


@dataclass(frozen=True)
class Source:
    """A file on its way into an archive."""

    name: str
    path: Path
    size_bytes: int


@dataclass(frozen=True)
class Listed:
    """A file as the archive's manifest has it."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself."""

    facts: Mapping[str, Any]
    entries: tuple[Listed, ...]


Receiver = Callable[[str], Any]
"""Given an entry's name, returns a context manager with what takes its bytes (`write`)."""


def length_of(sources: Sequence[Source]) -> int:
    """Return about how long the archive of `sources` is."""
    return sum(source.size_bytes + 2 * _BLOCK for source in sources) + 64 * 1024


def pack(sources: Sequence[Source], facts: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the archive of `sources`, with `facts` in its manifest.

    Raises:
        Unavailable: a file is not as long any more as it was.
    """
    listed = []
    for source in sources:
        yield _head(source.name, source.size_bytes)
        digest, count = hashlib.sha256(), 0
        with source.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                count += len(chunk)
                yield chunk
        if count != source.size_bytes:
            raise errors.Unavailable(f"{source.name} changed while it was read; make the backup again.")
        yield _padding(count)
        listed.append(Listed(source.name, count, digest.hexdigest()))
    manifest = {"format": FORMAT, **facts, "entries": [asdict(entry) for entry in listed]}
    text = json.dumps(manifest, indent=1).encode()
    yield _head(MANIFEST, len(text)) + text + _padding(len(text)) + bytes(2 * _BLOCK)


def unpack(stream: BinaryIO, receive: Receiver, progress: Callable[[int], None]) -> Manifest:
    """Read an archive from `stream` to its end, handing each file to `receive`; return its manifest.

    Every file's size and SHA-256 have been found to be the manifest's when this returns.

    Raises:
        BrokenArchive: it is no archive, or not whole, or was changed.
    """
    found: dict[str, Listed] = {}
    manifest = None
    with _readable(), tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK_BYTES) as tar:
        for member in tar:
            # What is sparse is as long as its header says: a small archive could fill the disk.
            content = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if content is None or manifest is not None or member.name in found:
                raise errors.BrokenArchive(f"The archive holds {member.name!r}, which does not belong there.")
            if member.name == MANIFEST:
                manifest = _manifest(content.read(_MANIFEST_MAX))
                continue
            if not _NAMES.fullmatch(member.name):
                raise errors.BrokenArchive(f"The archive holds {member.name!r}, which is no part of a home.")
            with receive(member.name) as sink:
                found[member.name] = _take(member, content, sink, progress)
        # What is sealed is whole only when its last piece has been looked at.
        while stream.read(CHUNK_BYTES):
            pass
    if manifest is None:
        raise errors.BrokenArchive("The archive is cut short: its manifest, which comes last, is missing.")
    _compare(found.values(), manifest)
    return manifest


def _take(member: tarfile.TarInfo, content: Any, sink: BinaryIO, progress: Callable[[int], None]) -> Listed:
    digest, count = hashlib.sha256(), 0
    while chunk := content.read(CHUNK_BYTES):
        sink.write(chunk)
        digest.update(chunk)
        count += len(chunk)
        progress(len(chunk))
    return Listed(member.name, count, digest.hexdigest())


def _compare(found: Iterable[Listed], manifest: Manifest) -> None:
    wanted = {entry.name: entry for entry in manifest.entries}
    for entry in found:
        if wanted.pop(entry.name, None) != entry:
            raise errors.BrokenArchive(
                f"{entry.name} is not what the archive's manifest says: it was changed."
            )
    if wanted:
        raise errors.BrokenArchive(f"The archive lacks {next(iter(wanted))!r}, which its manifest names.")


def _manifest(text: bytes) -> Manifest:
    try:
        told = json.loads(text)
        entries = tuple(Listed(**entry) for entry in told.pop("entries"))
        hash(entries)  # which texts and numbers have
        form = told.pop("format")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise errors.BrokenArchive("The archive's manifest cannot be read.") from None
    if form != FORMAT:
        raise errors.BrokenArchive(f"The archive is of the format {form!r}, this release reads {FORMAT!r}.")
    return Manifest(told, entries)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise errors.BrokenArchive(f"The archive is no backup, or is cut short ({error}).") from None


def _head(name: str, size_bytes: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size_bytes, 0o600
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % _BLOCK)
