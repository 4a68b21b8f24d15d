#!/usr/bin/env bash
# Installs buf, which lints the protos and stands in for grpcurl in the tests, into build/buf. Needs npm;
# where it cannot be had, this says so and the tests that need buf are skipped. Quick when nothing has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VERSION=1.75.0
if [ "$(build/buf/node_modules/.bin/buf --version 2>/dev/null)" = "$VERSION" ]; then exit 0; fi
if ! command -v npm >/dev/null; then
    echo "buf.sh: npm is not installed; the tests that need buf will be skipped." >&2
    exit 0
fi
mkdir -p build/buf
npm install --prefix build/buf --no-audit --no-fund --ignore-scripts --loglevel error "@bufbuild/buf@$VERSION" >&2 ||
    echo "buf.sh: npm could not install buf; the tests that need it will be skipped." >&2
