"""Lengths of time in words, as exact as a person wants them."""

from __future__ import annotations

MINUTE_S, HOUR_S = 60, 3600
SECONDS_UP_TO_S = 90
MINUTES_UP_TO_S = 90 * MINUTE_S


def span(seconds: float) -> str:
    """Return `seconds` in seconds, minutes or hours: "40 s", "12 min", "2 h 10 min"."""
    if seconds < SECONDS_UP_TO_S:
        return f"{_stepped(seconds)} s"
    if seconds < MINUTES_UP_TO_S:
        return f"{round(seconds / MINUTE_S)} min"
    hours, minutes = divmod(round(seconds / MINUTE_S), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def about(low_s: float, expected_s: float, high_s: float) -> str:
    """Return how long something takes by expectation: "about 40 s", "2 to 5 min" where it may differ much."""
    low, high = span(low_s), span(high_s)
    if high_s > 2 * low_s and high_s - low_s > 10:
        number, _, unit = low.partition(" ")
        return f"{number if high.split()[1:] == [unit] else low} to {high}"
    return f"about {span(expected_s)}"


def _stepped(seconds: float) -> int:
    """Return whole seconds, at least 1, in steps that a person would speak in."""
    step = 1 if seconds < 10 else 5
    return max(1, step * round(seconds / step))
