"""The options by which a command knows a server with TLS, and is known to it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from segint_grpc.cli.options import TRUST_HELP
from segint_grpc.client.trust import NAMES, VARIABLES, Trust


def trust_options(function: Callable[..., Any]) -> Any:
    """Give a command --ca, --certificate and --key, which it gets as `trust`."""

    @functools.wraps(function)
    def wrapped(certificate: Path | None, key: Path | None, ca: Path | None, **options: Any) -> Any:
        return function(trust=Trust(certificate, key, ca), **options)

    decorated: Any = wrapped
    for name, variable, text in zip(NAMES, VARIABLES, TRUST_HELP, strict=True):
        kind = click.Path(path_type=Path)
        decorated = click.option(
            name, metavar="FILE", type=kind, envvar=variable, show_envvar=True, help=text
        )(decorated)
    return decorated
