"""The Pythons that an administrator of the machine lets models run in, beside the server's own.

They are named in the setting `interpreters` and nowhere else: whoever may say over gRPC what runs a version
can choose among these names, and can have no other program started.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from segint_grpc import errors

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def parse(entries: Iterable[str]) -> dict[str, str]:
    """Return name → path of what the setting says, each entry `NAME=PATH`.

    Raises:
        ValueError: an entry is none; the text says what is wrong with it.
    """
    found: dict[str, str] = {}
    for entry in entries:
        name, equals, path = (part.strip() for part in entry.partition("="))
        if not equals or not _NAME.fullmatch(name):
            raise ValueError(
                f"write each as NAME=PATH, a name being of letters, digits and . _ -; not {entry!r}"
            )
        if not os.path.isabs(path):
            raise ValueError(f"{name} needs the absolute path of its python, not {path!r}")
        if found.setdefault(name, path) != path:
            raise ValueError(f"{name} is there twice")
    return found


def path_of(name: str, known: Mapping[str, str]) -> str:
    """Return the path of the interpreter `name`.

    Raises:
        InvalidModel: there is none of that name; the message says which there are and how to add one.
    """
    if name not in known:
        here = ", ".join(sorted(known)) or "none"
        raise errors.InvalidModel(
            f"There is no interpreter {name[:64]!r} here; there is {here}. Whoever runs the server adds one "
            "with the setting interpreters (SEGINT_INTERPRETERS=NAME=/path/to/bin/python) and a restart."
        )
    return known[name]
