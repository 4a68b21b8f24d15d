"""What a check of the installation found, and what to do about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of `segint doctor`: what was looked at, how it is, and what to type next ("": nothing)."""

    name: str
    level: Level
    text: str
    next: str = ""


def ok(name: str, text: str) -> Finding:
    """Return a finding that is as it should be."""
    return Finding(name, Level.OK, text)


def warning(name: str, text: str, advice: str = "") -> Finding:
    """Return a finding that jobs can live with."""
    return Finding(name, Level.WARNING, text, advice)


def problem(name: str, text: str, advice: str = "") -> Finding:
    """Return a finding that keeps jobs from running."""
    return Finding(name, Level.PROBLEM, text, advice)
