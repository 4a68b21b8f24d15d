"""What travels between core, fork server and model processes: one JSON object a line.

JSON and not pickle: the core must be able to read a model process's words without trusting it.
"""

from __future__ import annotations

import json
from typing import Any

LINE_MAX_BYTES = 65_536
"""The longest message that is read; a process that says more at a time has lost its mind."""

FORK = "fork"
KILL = "kill"
READY = "ready"
REFUSED = "refused"
EXITED = "exited"
PROGRESS = "progress"
DONE = "done"
FAILED = "failed"


def pack(kind: str, **facts: Any) -> bytes:
    """Return the line that says `facts`."""
    return json.dumps({"kind": kind, **facts}).encode() + b"\n"


def unpack(line: bytes) -> dict[str, Any]:
    """Return what `line` says, its `kind` included.

    Raises:
        ValueError: it is no such message.
    """
    message = json.loads(line)
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        raise ValueError("a message is an object with a kind")
    return message
