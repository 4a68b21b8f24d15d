"""What `segint doctor` looks at of the interpreters that the setting of that name lists."""

from __future__ import annotations

from collections.abc import Iterator

from segint_grpc import errors
from segint_grpc.client.findings import Finding, ok, warning
from segint_grpc.guests.outside import Interpreter
from segint_grpc.settings import Settings

NAME = "python"


def check_interpreters(settings: Settings) -> Iterator[Finding]:
    """Ask each interpreter for its version and its libraries; without any there is nothing to say."""
    for name, path in sorted(settings.interpreter_paths.items()):
        yield _look(Interpreter(name, path))


def _look(interpreter: Interpreter) -> Finding:
    try:
        version, libraries = interpreter.versions()
    except errors.InvalidModel as error:
        return warning(NAME, error.message, f"{interpreter.path} --version")
    listed = ", ".join(f"{name} {found}" for name, found in libraries.items())
    return ok(NAME, f"{interpreter.name} ({interpreter.path}) is Python {version} with {listed}.")
