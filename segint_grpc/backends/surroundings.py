"""Where back ends are at work: in SegInt's own environment, or in that of an interpreter named by a setting.

In the latter only SegInt's modules are ours: its distribution is not installed there, nor what that brings.
So whoever starts a process there tells it what the distribution would: which back ends are ours, and what
each extra asks for.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points, requires
from typing import Any, Self

GROUP = "segint.backends"
DISTRIBUTION = "segint"
NOT_FOR_MODELS = ("bench", "client", "dev")
"""Extras that are no back end's."""

_REQUIREMENT = re.compile(r"([^;]+);.*extra == ['\"]([\w-]+)['\"]")


@dataclass(frozen=True)
class Surroundings:
    """An interpreter's name and path, our back ends (name → module:object), and requirements by extra."""

    interpreter: str
    python: str
    back_ends: Mapping[str, str]
    extras: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, interpreter: str, python: str) -> Self:
        """Return what to tell a process of `interpreter`; call it in SegInt's own environment."""
        return cls(interpreter, python, own_back_ends(), _extras())

    @property
    def facts(self) -> dict[str, Any]:
        """The same as plain values, from which it can be made again."""
        return {
            "interpreter": self.interpreter,
            "python": self.python,
            "back_ends": dict(self.back_ends),
            "extras": {name: list(wanted) for name, wanted in self.extras.items()},
        }

    def install(self, extra: str) -> str:
        """Return the command that installs what `extra` asks for, for this interpreter."""
        return pip_line(self.python, *self.extras.get(_normal(extra), ()))


def pip_line(python: str, *requirements: str) -> str:
    """Return the command that installs `requirements` for the interpreter at the path `python`."""
    return f"{shlex.quote(python)} -m pip install {shlex.join(requirements) or '…'}"


_entered: Surroundings | None = None


def enter(surroundings: Surroundings) -> None:
    """Take note that this process is one of an interpreter that a setting names."""
    global _entered
    _entered = surroundings


def entered() -> Surroundings | None:
    """Return where this process is, None in SegInt's own environment."""
    return _entered


def own_back_ends() -> dict[str, str]:
    """Return SegInt's own back ends, by what its distribution says: name → module:object."""
    ours = (point for point in entry_points(group=GROUP) if point.dist and point.dist.name == DISTRIBUTION)
    return {point.name: point.value for point in ours}


def _extras() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in requires(DISTRIBUTION) or ():
        match = _REQUIREMENT.match(line)
        if match and match[2] not in NOT_FOR_MODELS:
            found.setdefault(_normal(match[2]), []).append(match[1].strip())
    return found


def _normal(extra: str) -> str:
    """Return `extra` as metadata spell it, whatever wrote them."""
    return re.sub(r"[-_.]+", "-", extra).lower()
