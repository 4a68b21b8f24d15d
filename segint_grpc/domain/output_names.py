"""What a network's outputs are called, as a MONAI bundle's metadata.json tells, and when names are one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

_BACKGROUND = re.compile(r"(back ?ground|bg|everything else|others?|unlabell?ed|none)", re.I)


def plain_name(name: str) -> str:
    """Return `name` in small letters, digits and _, as an id has it; empty where it has no such letters."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def words_of(name: str) -> str:
    """Return the words of `name` in small letters, in any script, without accents and signs."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]+", " ", "".join(one for one in letters if not unicodedata.combining(one))).strip()


def meant(wanted: str, names: Collection[str]) -> str | None:
    """Return which of `names` `wanted` is: the very same, else the only one of the same words, or None."""
    if wanted in names:
        return wanted
    words = words_of(wanted)
    alike = [name for name in names if words and words_of(name) == words]
    return alike[0] if len(alike) == 1 else None


def is_background(name: str) -> bool:
    """Return whether a class of this name is what the network does not draw."""
    return bool(_BACKGROUND.fullmatch(name.strip().replace("_", " ")))


def data_formats(metadata: Mapping[str, Any], side: str) -> dict[str, Mapping[str, Any]]:
    """Return name → format of the tensors on one `side` of the network, "inputs" or "outputs"."""
    form = metadata.get("network_data_format")
    found = form.get(side) if isinstance(form, Mapping) else None
    sides = found.items() if isinstance(found, Mapping) else ()
    return {str(name): one for name, one in sides if isinstance(one, Mapping)}


def output_names(metadata: Mapping[str, Any]) -> dict[int, str]:
    """Return number → name of the channels that the network's output has, by channel_def and sorted."""
    found: dict[int, str] = {}
    for one in data_formats(metadata, "outputs").values():
        names = one.get("channel_def")
        for number, name in names.items() if isinstance(names, Mapping) else ():
            if str(number).isdecimal():
                found.setdefault(int(number), str(name))
    return dict(sorted(found.items()))
