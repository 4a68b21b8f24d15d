"""The server's side of another interpreter: how a process of it is started, and questions that it answers.

Such a process has the site-packages of its own environment and none of ours. Of this project it gets the two
packages that a model's process imports, from the folders where they are; they need NumPy and protobuf.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import generated
import segint_grpc
from segint_grpc import errors
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.surroundings import Surroundings
from segint_grpc.guests.packing import pack

PATIENCE_S = 60.0
"""The longest that an interpreter may take to answer; the first import from a slow disk takes its time."""
SAID_MAX = 500

Stamp = tuple[tuple[str, int], ...]

_PACKAGES = (segint_grpc, generated)
# The kernel ends it with the server even where it hangs before it runs a line (prctl(2), PR_SET_PDEATHSIG).
_BEFORE = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(error.strerror)
"""
# Any Python since 2.6 can read the first lines, and so say that it is too old.
_PROGRAM = """\
import sys
sys.path[:] = [place for place in sys.path if place]
if sys.version_info < (3, 11):
    sys.exit("it is Python %d.%d, and 3.11 or newer is needed" % tuple(sys.version_info[:2]))
import importlib.util
for name, folder in {packages!r}.items():
    path = folder + "/__init__.py"
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[folder])
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
from segint_grpc.guests import inside
facts = {facts!r}
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that a setting names."""

    name: str
    path: str

    def command(self, program: str) -> list[str]:
        """Return what runs `program`, in which `inside` and `facts` are known, with this interpreter."""
        packages = {module.__name__: str(Path(str(module.__file__)).parent) for module in _PACKAGES}
        facts = {
            "pip": f"{shlex.quote(self.path)} -m pip install",
            "surroundings": Surroundings.of(self.name, self.path).facts,
        }
        # Neither what PYTHONPATH names nor the user's own site-packages: the server's are not the group's.
        theirs = ["-E", "-s", "-c", _PROGRAM.format(packages=packages, facts=facts) + program]
        return [sys.executable, "-I", "-S", "-c", _BEFORE, str(os.getpid()), self.path, *theirs]

    def stamp(self) -> Stamp:
        """Return what changes when something is installed into its environment, or removed from it."""
        places = Path(self.path).parent.parent.glob("lib*/python3*/*-packages")
        return tuple(_changed_at(place) for place in (Path(self.path), *sorted(places)))

    def failure(self, said: str) -> errors.ModelFailure:
        """Return the error of an interpreter that cannot run models, with the last line of what it `said`."""
        line = (said.strip().splitlines() or ["it said nothing"])[-1].strip()
        line = line if len(line) <= SAID_MAX else line[: SAID_MAX - 1] + "…"
        return errors.ModelFailure(f"The interpreter {self.name} ({self.path}) cannot run models: {line}")

    def check(self, back_end: str, source: ModelSource) -> bool:
        """Have the back end `back_end` look at `source` there; return whether it can run models on tiles.

        Raises:
            InvalidModel: the interpreter cannot run models, or the back end has no use for `source`.
        """
        found = self._ask((back_end, source))
        if found["problem"]:
            raise errors.InvalidModel(str(found["problem"]))
        return bool(found["tiles"])

    def versions(self) -> tuple[str, dict[str, str]]:
        """Return which Python it is, and the versions of the libraries that are there, by name.

        Raises:
            InvalidModel: it cannot run models.
        """
        found = self._ask(None)
        return str(found["python"]), {
            name: version for name, version in found["libraries"].items() if version
        }

    def _ask(self, question: Any) -> Mapping[str, Any]:
        try:
            process = subprocess.Popen(
                self.command("inside.answer(facts)\n"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(),
                process_group=0,
            )
        except OSError as error:
            raise errors.InvalidModel(self.failure(error.strerror or "").message) from None
        answer, complaint = self._heard(process, pack(question))
        if process.returncode:
            said = complaint.decode(errors="replace") or f"it ended with exit code {process.returncode}"
            raise errors.InvalidModel(self.failure(said).message)
        try:
            # What the environment's own start says comes before.
            return dict(json.loads(answer.rpartition(b"\n")[2]))
        except ValueError:
            raise errors.InvalidModel(self.failure("it is no Python").message) from None

    def _heard(self, process: subprocess.Popen[bytes], question: bytes) -> tuple[bytes, bytes]:
        """Return what `process` writes to stdout and stderr until it ends, which it then has."""
        with process:
            _asked.add(process)
            try:
                return process.communicate(question, PATIENCE_S)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise errors.InvalidModel(self.failure(f"no answer in {PATIENCE_S:.0f} s").message) from None
            finally:
                _asked.discard(process)


_asked: set[subprocess.Popen[bytes]] = set()
"""The processes that questions wait for."""


def hang_up() -> None:
    """Wait for no answer any longer: for when the server stops."""
    for process in list(_asked):
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill `process` and what it has started, which may hold its pipes open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _changed_at(path: Path) -> tuple[str, int]:
    try:
        return str(path), path.stat().st_mtime_ns
    except OSError:
        return str(path), 0


def environment() -> dict[str, str]:
    """Return the environment of such a process: the server's, without what steers the server's own Python."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
