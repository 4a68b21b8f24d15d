"""A core of one's own in a temporary home: what runs there runs as on a server, and nobody else sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segint_grpc import errors
from segint_grpc.home import Home

_STOP_S = 10.0


@contextmanager
def throwaway_core(interpreters: Sequence[str] = ()) -> Iterator[Home]:
    """Run a core while the context lasts; gives its home, which goes with it.

    `interpreters` is that setting's value.

    Raises:
        StartRefused: the core did not start; the sentence is its own.
    """
    with tempfile.TemporaryDirectory(prefix="segint-check-") as folder:
        home = Home(Path(folder) / "home")
        said = Path(folder) / "core.err"
        reading, writing = os.pipe()
        command = (sys.executable, "-m", "segint_grpc", "--home", str(home.path), "--grpc", "127.0.0.1:0")
        with said.open("wb") as stderr:
            process = subprocess.Popen(
                (*command, "--ready-fd", str(writing), "--die-with-parent"),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env={**os.environ, "SEGINT_SLOTS": "1", "SEGINT_INTERPRETERS": ",".join(interpreters)},
                pass_fds=(writing,),
                process_group=0,
            )
        os.close(writing)
        try:
            with os.fdopen(reading) as ready:
                if not ready.readline():
                    raise errors.StartRefused(_last_line(said))
            yield home
        finally:
            _stop(process)


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return f"No core could be started for the check: {lines[-1] if lines else 'it said nothing.'}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
