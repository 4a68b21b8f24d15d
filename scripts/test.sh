#!/usr/bin/env bash
# Sets up, then runs every test. Usage: bash scripts/test.sh [--coverage] [what pytest takes]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh --dev
bash scripts/buf.sh
if [ "${1:-}" = --coverage ]; then
    shift
    set -- --cov --cov-report=term-missing:skip-covered "$@"
fi
exec .venv/bin/python -m pytest "$@"
