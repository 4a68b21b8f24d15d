"""What a network's outputs are called, as a MONAI bundle's metadata.json tells, and when names are one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_BACKGROUND = re.compile(r"(back ?ground|bg|everything else|others?|unlabell?ed|none)", re.I)


def plain_name(name: str) -> str:
    """Return `name` in small letters, digits and _: names that differ in nothing else mean the same."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


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
