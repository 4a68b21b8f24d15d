"""The parameter `overrides` of MONAI bundles: values of the config that shall be otherwise.

Nobody approves parameters, so they bring no code: what a config would evaluate or import is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segint_grpc import errors

OVERRIDES = "overrides"
_SWITCH = "_disabled_"


def wanted_overrides(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return id (as in "inferer#sw_batch_size") → value.

    Raises:
        InvalidModel: the parameter is no table, or holds what would be run.
    """
    given = parameters.get(OVERRIDES, {})
    if not isinstance(given, Mapping):
        raise errors.InvalidModel(
            f'The parameter {OVERRIDES} must be a table, as in {{"inferer#overlap" = 0.25}}, '
            f"not {given!r:.60}."
        )
    for name, value in given.items():
        if _is_code(name, value):
            raise errors.InvalidModel(
                f"The override of {name!r:.100} would be run; write it into the bundle's own config, whose "
                "content is approved."
            )
    return dict(given)


def _is_code(name: str, value: Any) -> bool:
    last = name.replace("::", "#").rpartition("#")[2]
    if last.startswith("_") and last != _SWITCH:
        return True
    if isinstance(value, Mapping):
        return any(_is_code(str(key), inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(_is_code("", inner) for inner in value)
    return isinstance(value, str) and value.lstrip()[:1] in ("$", "%")
