"""What foreign code says, a model or a server that runs one, as far as it may stand in front of a client."""

from __future__ import annotations

import re

TEXT_MAX = 300

_ARRAY = re.compile(r"\b(array|tensor)\s*\(|\[\s*-?\d[^\]]*\d\s*[\].]|\n\s*\[", re.I)


def one_line(text: str, most: int = TEXT_MAX) -> str:
    """Return `text` as a single line of at most `most` characters, or nothing if it dumps an array."""
    if _ARRAY.search(text):
        return ""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
