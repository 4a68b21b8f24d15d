"""Logs as JSON lines, rotated, with the request id and the job id that follow a request through.

What is logged never holds voxels, VolumeIDs, feedback texts or other patient data.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

request_id: ContextVar[str] = ContextVar("request_id", default="")
job_id: ContextVar[str] = ContextVar("job_id", default="")

REQUEST_ID_METADATA = "segint-request-id"
"""The gRPC metadata key (and, as `X-Request-Id`, the HTTP header) that carries the request id."""

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def new_request_id() -> str:
    """Return an id for a request that came without one."""
    return os.urandom(8).hex()


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, process, message, ids, and the record's extra fields."""

    def __init__(self, process: str) -> None:
        """Name the process that writes: serve, core, gateway or slot."""
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return `record` as a line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {"request_id": request_id.get()} if request_id.get() else {}
        line |= {"job_id": job_id.get()} if job_id.get() else {}
        line |= {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class RotatingLines(logging.handlers.RotatingFileHandler):
    """A rotating file that formats each record once, where the standard one does so twice."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record` as a line, in a new file where this one would grow too large."""
        try:
            line = self.format(record) + self.terminator
            if self.stream is None:
                self.stream = self._open()
            if self.maxBytes and self.stream.tell() + len(line) > self.maxBytes:
                self.doRollover()
            self.stream.write(line)
            self.flush()
        except Exception:
            self.handleError(record)


def configure(process: str, folder: Path, level: str, max_bytes: int, files: int) -> None:
    """Send every log record of this process to `folder`/`process`.log, and warnings to stderr too."""
    rotating = RotatingLines(
        folder / f"{process}.log", maxBytes=max_bytes, backupCount=files, encoding="utf-8"
    )
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.setLevel(level)
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in (rotating, stderr):
        handler.setFormatter(JsonLines(process))
        root.addHandler(handler)
