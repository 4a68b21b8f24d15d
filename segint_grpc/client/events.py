"""What the server says of a running job, and the event stream it may say it in.

The stream is `text/event-stream` (WHATWG HTML, "Server-sent events"); each event's data is a JSON object
with percent, stage, state, jobs_ahead and, where the server knows, remaining_s. It is an addition to the
interface that Velocity knows: where a server does not have it, the client polls.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any

ENDED = frozenset({"succeeded", "failed", "cancelled"})
EVENT_MAX_CHARS = 64 * 1024


@dataclass(frozen=True)
class JobEvent:
    """How far a job is.

    Attributes:
        percent: 0 to 100; never falls.
        stage: the server's word for what is being done, or "" where only percent is known.
        state: received, queued, running, succeeded, failed or cancelled, or "" where unknown.
        jobs_ahead: how many jobs run before this one.
        remaining_s: how long until the job ends: low, expected and high, or None where nobody knows.
        warnings: what the server noticed about the request or the masks.
    """

    percent: int
    stage: str = ""
    state: str = ""
    jobs_ahead: int = 0
    remaining_s: tuple[float, float, float] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def started(self) -> bool:
        """True once the job no longer waits for its turn."""
        return self.state in {"running", *ENDED} or (not self.state and self.percent > 0)


class EventError(ValueError):
    """The stream holds something that is no event of a job."""


async def read_events(lines: AsyncIterable[bytes]) -> AsyncIterator[JobEvent]:
    """Yield the events of a stream, given line by line.

    Raises:
        EventError: an event's data is no JSON object with a percent.
    """
    data: list[str] = []
    async for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r\n")
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
            if sum(map(len, data)) > EVENT_MAX_CHARS:
                raise EventError("the event is too long")
        elif not line and data:
            yield _parse("\n".join(data))
            data.clear()


def _remaining_s(fields: Any) -> tuple[float, float, float] | None:
    low, expected, high = (
        fields.get(name) for name in ("remaining_low_s", "remaining_s", "remaining_high_s")
    )
    if low is None or expected is None or high is None:
        return None
    return float(low), float(expected), float(high)


def _parse(text: str) -> JobEvent:
    try:
        fields: Any = json.loads(text)
        return JobEvent(
            percent=max(0, min(100, int(fields["percent"]))),
            stage=str(fields.get("stage", "")),
            state=str(fields.get("state", "")).lower().removeprefix("job_state_"),
            jobs_ahead=int(fields.get("jobs_ahead", 0)),
            remaining_s=_remaining_s(fields),
            warnings=tuple(map(str, fields.get("warnings", ()))),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EventError(f"no event of a job: {error}") from None
