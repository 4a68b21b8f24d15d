"""What is remembered of a job's way: its events, and how each of its runs ended. Times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EventKind(StrEnum):
    """What an event is about; other kinds may be noted too."""

    STATE = "state"
    STAGE = "stage"
    WARNING = "warning"
    RETRY = "retry"


class RunOutcome(StrEnum):
    """How a run ended; only CUT_SHORT counts towards a job's attempts."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CUT_SHORT = "cut_short"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a job's timeline. `text` is for a person and holds no patient data."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt at a job in a worker slot; `ended_at` and `outcome` are None while it goes on."""

    attempt: int
    slot: str
    started_at: datetime
    ended_at: datetime | None
    outcome: RunOutcome | None
    reason: str
    peak_memory_bytes: int
