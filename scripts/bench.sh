#!/usr/bin/env bash
# Sets up, then measures a real server: speed, memory, how they grow. Takes what `--help` says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh --bench
exec .venv/bin/python -m scripts.bench "$@"
