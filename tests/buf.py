"""buf, a gRPC client and a linter of protos that is not ours; scripts/buf.sh installs it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUF = ROOT / "build" / "buf" / "node_modules" / ".bin" / "buf"

needs_buf = pytest.mark.skipif(
    not BUF.exists(),
    reason="buf is not installed; bash scripts/buf.sh installs it where npm is, or says why not",
)
