#!/usr/bin/env bash
# Sets up, then looks at every file: style (ruff) and types (mypy, strict).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh --dev
.venv/bin/ruff check .
.venv/bin/mypy
