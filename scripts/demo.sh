#!/usr/bin/env bash
# Sets up, starts a server, sends it a scan as Velocity would, fetches the masks, stops the server.
# Usage: bash scripts/demo.sh [SCAN] [--out DIR]      SCAN: a NIfTI file or a DICOM folder
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

bash "$here/scripts/setup.sh"
exec "$here/.venv/bin/python" "$here/scripts/demo.py" "$@"
