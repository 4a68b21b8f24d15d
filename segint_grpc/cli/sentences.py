"""How commands end: a domain error is one sentence on stderr and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click

from segint_grpc import errors

REFUSED = 2
FAILED = 1

_WHILE_RUNNING = (errors.JobFailure, errors.Unavailable, errors.Exhausted, errors.RunCutShort)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Turn a domain error of the body into a sentence and exit code 2, or 1 for what failed while running."""
    try:
        yield
    except errors.SegIntError as error:
        click.echo(f"segint: {error}", err=True)
        sys.exit(FAILED if isinstance(error, _WHILE_RUNNING) else REFUSED)
