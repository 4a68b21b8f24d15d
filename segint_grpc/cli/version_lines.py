"""What is said of a version in one line."""

from __future__ import annotations

import click

from generated.segint.v1 import models_pb2
from segint_grpc.cli.output import print_json


def tell(version: models_pb2.Version, as_json: bool) -> None:
    """Print `version`: its sentence, or all of it as JSON."""
    if as_json:
        print_json(version)
    else:
        click.echo(sentence(version))


def sentence(version: models_pb2.Version) -> str:
    """Return whether `version` is offered, and where it is not, why and what to type next."""
    if version.offered:
        forced = ", by force" if version.forced else ""
        return f"{version.version_id} runs on {runs_on(version)} and is offered{forced}."
    return f"{version.version_id} is not offered: {version.problem}"


def runs_on(version: models_pb2.Version) -> str:
    """Return the back end, the interpreter where it is not the server's, and the files of `version`.

    Empty where nothing runs it.
    """
    runtime = version.runtime
    names = (file.name for file in (runtime.model_file, runtime.module_file) if file.name)
    place = (f"(interpreter {runtime.interpreter})",) if runtime.interpreter else ()
    return " ".join((runtime.backend, *place, *names))


def state(version: models_pb2.Version) -> str:
    """Return the state of `version`, in lower case."""
    return models_pb2.VersionState.Name(version.state).removeprefix("VERSION_STATE_").lower()
