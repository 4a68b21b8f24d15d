#!/usr/bin/env bash
# Stops the server that segint_run started, and no other.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

bash "$here/scripts/setup.sh"
exec "$here/.venv/bin/segint_kill" "$@"
