"""Pickles that every Python from 3.11 on can read, whichever has written them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path, PurePath
from typing import Any

PROTOCOL = 5


class _Packer(pickle.Pickler):
    """Names paths by a function of ours: in Python 3.13 their class is in a module that no other has."""

    def reducer_override(self, value: Any) -> Any:
        return (path, (str(value),)) if isinstance(value, PurePath) else NotImplemented


def pack(value: Any) -> bytes:
    """Return `value` pickled."""
    packed = io.BytesIO()
    _Packer(packed, PROTOCOL).dump(value)
    return packed.getvalue()


def path(text: str) -> Path:
    """Return the path `text`: what a pickle calls to make one."""
    return Path(text)
