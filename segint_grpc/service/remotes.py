"""Which servers may run models elsewhere, as the settings have it."""

from __future__ import annotations

from pathlib import Path

from segint_grpc import errors
from segint_grpc.domain.remotes import Origin, RemoteRules, parse_url
from segint_grpc.settings import Settings

TOKENS = "open_inference"
"""The folder in the home with a token for each server that asks for one."""


def remote_rules(settings: Settings) -> RemoteRules:
    """Return what back ends may do with servers elsewhere; a relative path is looked for in the home.

    Raises:
        InvalidSetting: a server is none, or the authority's file is missing.
    """
    return RemoteRules(
        servers=tuple(_server(*entry) for entry in enumerate(settings.open_inference_servers, 1)),
        authority=_authority(settings),
        tokens=settings.home_path / TOKENS,
        answer_max_bytes=settings.open_inference_answer_max_bytes,
    )


def _server(number: int, text: str) -> Origin:
    try:
        origin, path = parse_url(text)
    except ValueError:
        origin, path = None, ""
    if origin is None or path:
        raise errors.InvalidSetting(
            f"open_inference_servers: entry {number} is no https://HOST:PORT, with nothing behind it."
        )
    return origin


def _authority(settings: Settings) -> Path | None:
    if not settings.open_inference_ca:
        return None
    path = settings.home_path / Path(settings.open_inference_ca).expanduser()
    if not path.is_file():
        raise errors.InvalidSetting(f"open_inference_ca: there is no file {path}.")
    return path
