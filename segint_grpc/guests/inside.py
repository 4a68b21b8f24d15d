"""Runs in the process of another interpreter: sees to what SegInt needs there, and answers questions.

What is wrong ends the process with a sentence on stderr; the server passes the last line on. NumPy may be
missing here, so nothing that imports it may be imported at the top.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import platform
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any

NEEDS = {"numpy": "numpy>=1.26", "generated.radiomics.Model_pb2": "protobuf>=6.31.1,<8"}
"""Module → requirement of all that SegInt's own code imports there."""


def settle(facts: Mapping[str, Any]) -> None:
    """Take note of what the server tells this process (backends/surroundings.py).

    Raises:
        SystemExit: something that SegInt needs is missing here; the message says what installs it.
    """
    absent = {}
    for module, requirement in NEEDS.items():
        try:
            importlib.import_module(module)
        except Exception as error:
            # Such as a protobuf that is older than the generated code asks for.
            absent[requirement] = f"{type(error).__name__}: {error}"
    if absent:
        wanted = " ".join(f'"{requirement}"' for requirement in absent)
        why = " ".join("; ".join(absent.values()).split())
        sys.exit(f"{' and '.join(absent)} must be there ({why}); `{facts['pip']} {wanted}` mends it")
    surroundings = importlib.import_module("segint_grpc.backends.surroundings")
    surroundings.enter(surroundings.Surroundings(**facts["surroundings"]))


def answer(facts: Mapping[str, Any]) -> None:
    """Answer the pickled question on stdin, a back end and a ModelSource or None, as JSON on stdout."""
    # What libraries print must not get between.
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        settle(facts)
        question = pickle.load(sys.stdin.buffer)
        json.dump(_check(*question) if question else _versions(facts), out)


def _check(name: str, source: Any) -> dict[str, Any]:
    """Ask the back end `name` whether `source` is of use to it here."""
    errors = importlib.import_module("segint_grpc.errors")
    backends = importlib.import_module("segint_grpc.backends")
    base = importlib.import_module("segint_grpc.backends.base")
    try:
        back_end = backends.load_backend(name)
        back_end.check(source)
    except errors.SegIntError as error:
        return {"problem": error.message}
    return {"problem": "", "tiles": isinstance(back_end, base.TileBackEnd)}


def _versions(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Say which Python this is, and what is installed of all that our back ends may ask for."""
    wanted = [
        *NEEDS.values(),
        *(line for lines in facts["surroundings"]["extras"].values() for line in lines),
    ]
    names = dict.fromkeys(re.split(r"[^A-Za-z0-9._-]", line)[0] for line in wanted)
    return {"python": platform.python_version(), "libraries": {name: _version(name) for name in names}}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
