#!/usr/bin/env bash
# Sets up, then looks at every file: style and layout (ruff), types (mypy, strict).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh --dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
