"""Which names a file in an archive may have: relative, with /, and the same file on every system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

LENGTH_MAX = 200
_FORBIDDEN = set('\\:*?"<>|')
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}


def problem_with(name: str, hidden: bool = False) -> str:
    """Return what is wrong with `name` as a sentence's end, or nothing where it may be used.

    With `hidden`, parts of it may begin with a dot.
    """
    if not name or len(name.encode(errors="replace")) > LENGTH_MAX:
        return f"must have 1 to {LENGTH_MAX} bytes"
    if name.startswith("/") or name[1:2] == ":":
        return "must be relative to its folder"
    if any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in name) or _FORBIDDEN & set(name):
        return "must not have control characters or any of " + " ".join(sorted(_FORBIDDEN))
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "must not lead out of its folder, nor hold . or empty parts"
    bare = [part.removeprefix(".") if hidden else part for part in parts]
    if any(part != part.strip() or part.strip(".") != part for part in bare):
        return "must not have parts that begin or end with a space or a dot"
    if any(part.split(".")[0].casefold() in _DEVICES for part in parts):
        return "must not use a name that Windows keeps for a device"
    return ""


def clash(names: Iterable[str]) -> tuple[str, str] | None:
    """Return two of `names` that are one file on some system, or of which one is the other's folder."""
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        plain = _plain(name)
        for other in (seen.get(plain), folders.get(plain), *(seen.get(f) for f in _folders(plain))):
            if other is not None:
                return other, name
        seen[plain] = name
        folders.update(dict.fromkeys(_folders(plain), name))
    return None


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _folders(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
