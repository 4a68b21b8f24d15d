#!/usr/bin/env bash
# Starts the server in the background; scripts/segint_kill.sh stops it. Takes what `segint serve` takes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

bash "$here/scripts/setup.sh"
exec "$here/.venv/bin/segint_run" "$@"
